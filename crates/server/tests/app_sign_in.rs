//! Sign-in through the owner's application: which session tokens sign somebody in, and which sessions
//! keep them signed in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../clerk/tests/support/token.rs"]
mod token;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use clerk::{
    BoxFuture, Client, Env, RetryPolicy, SecretKey, Transport, TransportError, TransportErrorKind,
};
use clerk_mcp_server::sign_in::{AppFault, AppSignIn, Completed, SignIn, SignInFault};
use http::{Request, Response};
use oauth::{
    ClientId, Grant, GrantId, MemoryStore, PlainToken, RefreshRefusal, Resource, ScopeSet,
    Timestamp, UpstreamRequest,
};
use serde_json::{Value, json};
use token::{AT_MS, claims, header, sign, with};
use url::Url;

/// What Clerk says of the session.
#[derive(Clone)]
enum Session {
    Is(Value),
    Status(u16, Option<&'static str>),
    Unreachable,
    Silent,
}

struct Clerk {
    session: Mutex<Session>,
    has_keys: bool,
    asked: Mutex<Vec<String>>,
}

impl Clerk {
    fn with(session: Session) -> Arc<Self> {
        Arc::new(Self {
            session: Mutex::new(session),
            has_keys: true,
            asked: Mutex::default(),
        })
    }
}

impl Transport for Clerk {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let path = request.uri().path().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        let answer = |status: u16, body: String| {
            Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(Bytes::from(body))
        };
        let error = json!({"errors": [{"code": "c", "message": "m", "long_message": "l"}]});
        let answer = match (&*path, self.session.lock().unwrap().clone()) {
            ("/v1/jwks", _) if self.has_keys => answer(200, token::JWKS.to_owned()),
            ("/v1/jwks", _) => answer(500, error.to_string()),
            ("/v1/sessions/sess_a", Session::Is(session)) => answer(200, session.to_string()),
            ("/v1/sessions/sess_a", Session::Status(status, None)) => {
                answer(status, error.to_string())
            }
            ("/v1/sessions/sess_a", Session::Status(status, Some(after))) => Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .header("retry-after", after)
                .body(Bytes::from(error.to_string())),
            (_, Session::Silent) => return Box::pin(std::future::pending()),
            _ => {
                return Box::pin(std::future::ready(Err(TransportError {
                    kind: TransportErrorKind::Connect,
                    message: "nobody answers".to_owned(),
                })));
            }
        };
        Box::pin(std::future::ready(Ok(answer.unwrap())))
    }
}

struct Noon;

impl Env for Noon {
    fn now(&self) -> u64 {
        AT_MS
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        0
    }
}

fn session(changes: Value) -> Session {
    let session = json!({
        "object": "session", "id": "sess_a", "user_id": "user_a", "status": "active", "actor": null,
    });
    Session::Is(with(session, changes))
}

fn sign_in(clerk: &Arc<Clerk>) -> SignIn {
    let client = Client::builder(
        SecretKey::parse("sk_test_0123456789abcdefghij").unwrap(),
        Arc::clone(clerk) as Arc<dyn Transport>,
        Arc::new(Noon),
    )
    .retry(RetryPolicy {
        attempts: 1,
        ..RetryPolicy::default()
    })
    .build();
    SignIn::App(AppSignIn::new(
        &Url::parse("https://app.test/shop/").unwrap(),
        "https://mcp.test/callback".to_owned(),
        "https://clerk.test/",
        ["https://app.test", "https://admin.test"].map(str::to_owned),
        client,
    ))
}

fn upstream() -> UpstreamRequest {
    UpstreamRequest {
        state: "the-state".to_owned(),
        nonce: "the-nonce".to_owned(),
        code_verifier: PlainToken::presented("the-verifier"),
        code_challenge: "the-challenge".to_owned(),
    }
}

async fn come_back(clerk: &Arc<Clerk>, parameters: &str) -> Result<Completed, SignInFault> {
    let sign_in = sign_in(clerk);
    let callback = sign_in.read_callback(parameters)?;
    assert_eq!(callback.state(), "the-state");
    sign_in.complete(callback, &upstream()).await
}

async fn bring(clerk: &Arc<Clerk>, token: &str) -> Result<Completed, SignInFault> {
    let completed = come_back(clerk, &format!("state=the-state&clerk_token={token}")).await;
    // Neither what comes out nor what is logged of it shows the token.
    let shown = format!("{completed:?}");
    assert!(token.len() < 20 || !shown.contains(token), "{shown}");
    if let Err(fault) = &completed {
        let text = fault.to_string();
        assert!(text.contains("\nhint: "), "{text}");
        assert!(token.len() < 20 || !text.contains(token), "{text}");
    }
    completed
}

fn claimed(changes: Value) -> String {
    sign(&header(), &with(claims(), changes))
}

#[tokio::test]
async fn the_browser_is_sent_to_the_applications_route() {
    let sign_in = sign_in(&Clerk::with(session(json!({}))));
    let name = format!("A & B{}", "x".repeat(200));
    let url = sign_in.authorization_url(&upstream(), Some(&name)).await;
    let url = Url::parse(&url.unwrap()).unwrap();
    assert_eq!(
        url.as_str().split('?').next(),
        Some("https://app.test/shop/auth/mcp")
    );
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let names: Vec<&str> = pairs.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["state", "callback_url", "client_name"]);
    assert_eq!(pairs[0].1, "the-state");
    assert_eq!(pairs[1].1, "https://mcp.test/callback");
    assert!(pairs[2].1.starts_with("A & Bxx") && pairs[2].1.chars().count() == 100);
    let unnamed = sign_in.authorization_url(&upstream(), None).await.unwrap();
    assert!(!unnamed.contains("client_name"), "{unnamed}");
}

#[tokio::test]
async fn a_session_signs_its_person_in() {
    let clerk = Clerk::with(session(json!({})));
    let token = claimed(json!({"o": {"id": "org_a", "rol": "admin"}}));
    let completed = bring(&clerk, &token).await.unwrap();
    assert_eq!(completed.person.user_id, "user_a");
    assert_eq!(completed.person.session_id.as_deref(), Some("sess_a"));
    assert_eq!(completed.person.organization_id.as_deref(), Some("org_a"));
    assert_eq!(completed.upstream, None, "the token is not kept");
    // Each origin that the configuration names, and a token that names none.
    for azp in [json!("https://admin.test"), Value::Null] {
        let completed = bring(&clerk, &claimed(json!({"azp": azp}))).await;
        assert_eq!(completed.unwrap().person.organization_id, None);
    }
}

#[tokio::test]
async fn tokens_that_are_not_good_sign_nobody_in() {
    use clerk::{NotASessionToken::*, SessionTokenError as E};
    let at = AT_MS / 1_000;
    let clerk = Clerk::with(session(json!({})));
    let cat = |cat| sign(&with(header(), json!({"cat": cat})), &claims());
    for (name, token) in [
        (
            "another issuer",
            claimed(json!({"iss": "https://evil.test"})),
        ),
        ("no issuer", claimed(json!({"iss": null}))),
        ("another site", claimed(json!({"azp": "https://evil.test"}))),
        ("expired", claimed(json!({"exp": at - 60, "iat": at - 120}))),
        ("not yet valid", claimed(json!({"nbf": at + 60}))),
        ("pending", claimed(json!({"sts": "pending"}))),
        ("no session", claimed(json!({"sid": null}))),
        ("a machine's", cat(json!("cl_B7d4PD333AAA"))),
        ("a template's", cat(json!("cl_B7d4PD222AAA"))),
        ("of no category", cat(Value::Null)),
        (
            "OAuth",
            sign(&with(header(), json!({"typ": "at+jwt"})), &claims()),
        ),
        ("a foreign key's", token::sign_foreign(&header(), &claims())),
        ("unsigned", token::unsigned(&header(), &claims())),
        (
            "HMAC",
            token::sign_hmac(token::PUBLIC_PEM, &header(), &claims()),
        ),
        ("no token", "x".to_owned()),
    ] {
        let fault = bring(&clerk, &token).await.expect_err(name);
        let SignInFault::App(AppFault::Token(error)) = &fault else {
            panic!("{name}: {fault:?}");
        };
        let as_named = match name {
            "another issuer" => matches!(error, E::Issuer { .. }),
            "another site" => {
                assert!(fault.to_string().contains("sign_in.authorized_parties"));
                matches!(error, E::AuthorizedParty { .. })
            }
            "expired" => matches!(error, E::Expired { .. }),
            "not yet valid" => matches!(error, E::NotYetValid { .. }),
            "pending" => matches!(error, E::Pending),
            "a machine's" => *error == E::NotASessionToken(MachineToken),
            "a template's" => *error == E::NotASessionToken(TemplateToken),
            "of no category" => *error == E::NotASessionToken(Other),
            "OAuth" => *error == E::NotASessionToken(OauthAccessToken),
            "a foreign key's" => matches!(error, E::Signature),
            "unsigned" | "no token" => matches!(error, E::Signature | E::Malformed { .. }),
            "HMAC" => matches!(error, E::Signature),
            _ => matches!(error, E::Claim { .. } | E::Issuer { .. }),
        };
        assert!(as_named, "{name}: {error:?}");
        assert_eq!(fault.is_declined(), name == "pending", "{name}");
        assert!(!fault.is_unavailable(), "{name}");
    }
    let asked = clerk.asked.lock().unwrap();
    assert!(asked.iter().all(|path| path == "/v1/jwks"), "{asked:?}");
}

#[tokio::test]
async fn an_impersonation_signs_nobody_in() {
    let act = json!({"act": {"sub": "user_support"}});
    let fault = bring(&Clerk::with(session(json!({}))), &claimed(act)).await;
    let fault = fault.unwrap_err();
    assert!(matches!(fault, SignInFault::App(AppFault::Impersonated)));
    assert!(fault.is_declined());
    // Nor when only the session says so.
    let clerk = Clerk::with(session(json!({"actor": {"sub": "user_support"}})));
    let fault = bring(&clerk, &claimed(json!({}))).await.unwrap_err();
    assert!(matches!(fault, SignInFault::App(AppFault::Impersonated)));
}

#[tokio::test]
async fn a_token_of_a_session_that_is_over_signs_nobody_in() {
    for session in [
        session(json!({"status": "revoked"})),
        session(json!({"status": "pending"})),
        session(json!({"user_id": "user_b"})),
        Session::Status(404, None),
    ] {
        let fault = bring(&Clerk::with(session), &claimed(json!({}))).await;
        let fault = fault.unwrap_err();
        assert!(fault.is_declined() && !fault.is_unavailable(), "{fault:?}");
    }
}

#[tokio::test]
async fn while_clerk_does_not_answer_nobody_is_let_in() {
    for session in [Session::Unreachable, Session::Status(503, None)] {
        let fault = bring(&Clerk::with(session), &claimed(json!({}))).await;
        let fault = fault.unwrap_err();
        assert!(fault.is_unavailable() && !fault.is_declined(), "{fault:?}");
    }
    let without_keys = Arc::new(Clerk {
        session: Mutex::new(session(json!({}))),
        has_keys: false,
        asked: Mutex::default(),
    });
    let fault = bring(&without_keys, &claimed(json!({}))).await.unwrap_err();
    assert!(fault.is_unavailable(), "{fault:?}");
}

#[tokio::test]
async fn the_application_may_say_no() {
    let clerk = Clerk::with(session(json!({})));
    for (parameters, declined) in [
        ("state=the-state&error=access_denied", true),
        ("state=the-state&error=server_error", false),
        ("state=the-state", false),
    ] {
        let fault = come_back(&clerk, parameters).await.unwrap_err();
        assert_eq!(fault.is_declined(), declined, "{fault:?}");
    }
    assert!(clerk.asked.lock().unwrap().is_empty());
}

fn grant(session_id: Option<&str>) -> Grant {
    Grant {
        id: GrantId::from_text("grant"),
        client_id: ClientId("client".to_owned()),
        client_name: None,
        user_id: "user_a".to_owned(),
        session_id: session_id.map(str::to_owned),
        organization_id: None,
        resource: Resource::parse("https://mcp.test/mcp").unwrap(),
        scopes: ScopeSet::parse("tools:read").unwrap(),
        created_at: Timestamp(AT_MS),
        expires_at: Timestamp(AT_MS + 1),
        revoked_at: None,
        upstream: None,
        upstream_version: 0,
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_lives_as_long_as_its_session() {
    let refreshed = |session: Session, id: Option<&'static str>| async move {
        let sign_in = sign_in(&Clerk::with(session));
        sign_in.refresh(&grant(id), None, &MemoryStore::new()).await
    };
    let status = |status: &str| session(json!({"status": status}));
    let of = Some("sess_a");
    assert_eq!(refreshed(status("active"), of).await, Ok(None));
    let over = [
        "ended",
        "revoked",
        "expired",
        "abandoned",
        "removed",
        "replaced",
        "new-word",
    ];
    for word in over {
        let refused = refreshed(status(word), of).await;
        assert_eq!(refused, Err(RefreshRefusal::Ended), "{word}");
    }
    for session in [
        Session::Status(404, None),
        session(json!({"user_id": "user_b"})),
        session(json!({"actor": {"sub": "user_support"}})),
    ] {
        assert_eq!(refreshed(session, of).await, Err(RefreshRefusal::Ended));
    }
    // A grant that was made in another mode has no session.
    let refused = refreshed(status("active"), None).await;
    assert_eq!(refused, Err(RefreshRefusal::Ended));
    for (session, seconds) in [
        (status("pending"), 10),
        (Session::Unreachable, 10),
        (Session::Silent, 10),
        (Session::Status(500, None), 10),
        (Session::Status(429, Some("7")), 7),
    ] {
        let refused = refreshed(session, of).await;
        let retry_after = Duration::from_secs(seconds);
        assert_eq!(refused, Err(RefreshRefusal::Unavailable { retry_after }));
    }
}

#[test]
fn the_guide_shows_the_routes_that_are_tested() {
    let guide = include_str!("../../../docs/guides/sign-in-through-your-app.md");
    for route in [
        include_str!("../../../examples/auth-mcp/next/route.ts"),
        include_str!("../../../examples/auth-mcp/react-router/auth.mcp.ts"),
        include_str!("../../../examples/auth-mcp/express/auth-mcp.mjs"),
    ] {
        let shown = guide.contains(&format!("\n{route}```\n"));
        assert!(
            shown,
            "the guide does not show this, word for word:\n{route}"
        );
    }
}
