//! Session tokens: those that the emulator mints, those that somebody made by hand, and what an axum
//! application makes of them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use clerk::{Env as _, JsonWebKeySet, SessionTokenError, SessionTokenPolicy, verify_session_token};
use clerk_mcp_toolkit::{AuthContext, axum::SessionTokens};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Clerk, TEAM, now};

const PARTY: &str = "https://app.example.com";

/// A session of this user, active in this organization, and a token of it.
fn minted(clerk: &Clerk, user: &str, organization: &str) -> String {
    let body = json!({"user_id": user, "active_organization_id": organization});
    let session = clerk.send("POST", "/v1/sessions", body);
    let path = format!("/v1/sessions/{}/tokens", session["id"].as_str().unwrap());
    clerk.send("POST", &path, json!({}))["jwt"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn keys(clerk: &Clerk) -> JsonWebKeySet {
    JsonWebKeySet::from_json(&clerk.send("GET", "/v1/jwks", Value::Null)).unwrap()
}

fn verify(clerk: &Clerk, token: &str) -> Result<clerk::SessionClaims, SessionTokenError> {
    verify_session_token(
        token,
        &keys(clerk),
        clerk.time.now(),
        &SessionTokenPolicy::default(),
    )
}

/// The token with another header or other claims, under the old signature.
fn changed(token: &str, part: usize, change: impl FnOnce(&mut Value)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut value: Value = serde_json::from_slice(&BASE64.decode(&parts[part]).unwrap()).unwrap();
    change(&mut value);
    parts[part] = BASE64.encode(value.to_string());
    parts.join(".")
}

#[test]
fn a_minted_token_names_its_person() {
    let clerk = Clerk::of_toml(TEAM);
    let token = minted(&clerk, "user_a", "org_a");
    let client = clerk.client();
    let policy = SessionTokenPolicy::default();
    let session = now(AuthContext::from_session_token(&client, &token, &policy)).unwrap();
    assert_eq!(session.user_id(), "user_a");
    assert_eq!(session.organization_id(), Some("org_a"));
    assert_eq!(session.role(), Some("org:admin"));
    assert!(session.session_id().unwrap().starts_with("sess_"));
    let toolkit = clerk.toolkit_of(session);
    assert_eq!(
        support::result(&toolkit, "getOrganization", json!({}))["id"],
        "org_a"
    );
    let prompt = toolkit.inject_session_claims("Be kind.");
    assert!(
        prompt.contains("user_a") && prompt.ends_with("Be kind."),
        "{prompt}"
    );
    assert!(!prompt.contains(&token));
}

#[test]
fn keys_are_fetched_once_and_only_for_what_may_be_a_session_token() {
    let clerk = Clerk::of_toml(TEAM);
    let token = minted(&clerk, "user_a", "org_a");
    let client = clerk.client();
    let policy = SessionTokenPolicy::default();
    now(client.verify_session_token("not.a.token", &policy)).unwrap_err();
    assert!(clerk.take_sent().is_empty());
    for _ in 0..3 {
        now(client.verify_session_token(&token, &policy)).unwrap();
    }
    assert_eq!(clerk.take_sent().len(), 1);
    // A key that nobody knows hurries the keys once a minute, whoever keeps sending it.
    let foreign = changed(&token, 0, |header| header["kid"] = "ins_other".into());
    for _ in 0..5 {
        let error = now(client.verify_session_token(&foreign, &policy)).unwrap_err();
        assert!(
            matches!(error, SessionTokenError::UnknownKey { .. }),
            "{error}"
        );
    }
    assert_eq!(clerk.take_sent().len(), 1);
}

#[test]
fn what_was_tampered_with_is_refused() {
    let clerk = Clerk::of_toml(TEAM);
    let token = minted(&clerk, "user_a", "org_a");
    verify(&clerk, &token).unwrap();
    for (name, forged) in [
        (
            "another user",
            changed(&token, 1, |claims| claims["sub"] = "user_x".into()),
        ),
        (
            "a longer life",
            changed(&token, 1, |claims| claims["exp"] = 9_999_999_999_u64.into()),
        ),
        (
            "no algorithm",
            changed(&token, 0, |header| header["alg"] = "none".into()),
        ),
        (
            "the public key as a secret",
            changed(&token, 0, |header| header["alg"] = "HS256".into()),
        ),
        (
            "an OAuth token",
            changed(&token, 0, |header| header["typ"] = "at+jwt".into()),
        ),
        (
            "a machine's token",
            changed(&token, 0, |header| header["cat"] = "cl_B7d4PD333AAA".into()),
        ),
        (
            "an extension",
            changed(&token, 0, |header| header["crit"] = json!(["x"])),
        ),
        (
            "no signature",
            format!("{}.", token.rsplit_once('.').unwrap().0),
        ),
        ("nothing", String::new()),
        ("one part", "x".into()),
    ] {
        let error = verify(&clerk, &forged).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains(token.split('.').nth(2).unwrap()),
            "{name}: {text}"
        );
        assert_eq!(error.status(), 401, "{name}");
    }
}

#[test]
fn times_and_parties_are_held() {
    let clerk = Clerk::of_toml(TEAM);
    let token = minted(&clerk, "user_a", "org_a");
    let keys = keys(&clerk);
    let at = clerk.time.now();
    let check =
        |now: u64, policy: &SessionTokenPolicy| verify_session_token(&token, &keys, now, policy);
    let plain = SessionTokenPolicy::default();
    assert!(check(at + 64_000, &plain).is_ok(), "within the skew");
    let late = check(at + 120_000, &plain).unwrap_err();
    assert!(
        matches!(late, SessionTokenError::Expired { .. }) && late.to_string().contains("hint:")
    );
    let early = check(at - 60_000, &plain).unwrap_err();
    assert!(
        matches!(early, SessionTokenError::NotYetValid { .. }),
        "{early}"
    );
    let strict = SessionTokenPolicy::default()
        .clock_skew(Duration::ZERO)
        .issuer("https://other.test");
    assert!(matches!(
        check(at, &strict).unwrap_err(),
        SessionTokenError::Issuer { .. }
    ));
    let parties = SessionTokenPolicy::default().authorized_parties([PARTY]);
    assert!(
        check(at, &parties).is_ok(),
        "a token of the Backend API names no party"
    );
    let required = parties.require_authorized_party();
    assert!(matches!(
        check(at, &required).unwrap_err(),
        SessionTokenError::AuthorizedParty { .. }
    ));
}

/// A key of the tests' own: what the instance would sign, in every form.
mod by_hand {
    use base64::engine::general_purpose::STANDARD;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};

    use super::*;

    /// Made for these tests; it protects nothing.
    const KEY: &str = include_str!("support/session_token_key.pem");
    const PUBLIC: &str = include_str!("support/session_token_key.pub.pem");
    const AT: u64 = 1_790_000_000;

    fn signed(category: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("ins_test".into());
        if let Some(category) = category {
            header.extras.insert("cat".to_owned(), category.to_owned());
        }
        let body: String = KEY
            .lines()
            .filter(|line| !line.contains(['-', ' ']))
            .collect();
        let key = EncodingKey::from_rsa_der(&STANDARD.decode(body).unwrap());
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    fn claims() -> Value {
        json!({"sub": "user_a", "sid": "sess_a", "iss": "https://clerk.test", "iat": AT, "nbf": AT - 10, "exp": AT + 60})
    }

    fn check(claims: &Value) -> Result<clerk::SessionClaims, SessionTokenError> {
        let keys = JsonWebKeySet::from_pem(PUBLIC).unwrap();
        let token = signed(Some("cl_B7d4PD111AAA"), claims);
        verify_session_token(&token, &keys, AT * 1_000, &SessionTokenPolicy::default())
    }

    #[test]
    fn version_1_is_read() {
        let mut version_1 = claims();
        version_1["org_id"] = "org_a".into();
        version_1["org_role"] = "org:admin".into();
        version_1["org_slug"] = "acme".into();
        version_1["org_permissions"] = json!(["org:reports:read"]);
        let organization = check(&version_1).unwrap().organization.unwrap();
        assert_eq!(
            (organization.id.as_str(), organization.role.as_deref()),
            ("org_a", Some("org:admin"))
        );
        assert_eq!(organization.permissions, ["org:reports:read"]);
    }

    #[test]
    fn version_2_is_read() {
        let mut version_2 = claims();
        version_2["v"] = 2.into();
        version_2["sts"] = "active".into();
        version_2["fea"] = "o:dashboard,o:teams".into();
        version_2["o"] = json!({"id": "org_a", "slg": "acme", "rol": "admin", "per": "manage,read", "fpm": "3,2"});
        version_2["act"] = json!({"sub": "user_support"});
        let claims = check(&version_2).unwrap();
        let organization = claims.organization.clone().unwrap();
        assert_eq!(organization.role.as_deref(), Some("org:admin"));
        assert_eq!(
            organization.permissions,
            [
                "org:dashboard:manage",
                "org:dashboard:read",
                "org:teams:read"
            ]
        );
        let session = AuthContext::from_session_claims(claims);
        assert_eq!(session.actor(), Some(&json!({"sub": "user_support"})));
    }

    #[test]
    fn what_is_missing_or_pending_is_refused() {
        for (name, value) in [
            ("sub", Value::Null),
            ("sid", Value::Null),
            ("exp", Value::Null),
            ("sub", "mch_a".into()),
            ("sub", "user_../x".into()),
            ("sts", "pending".into()),
            ("sts", "ended".into()),
            ("exp", "soon".into()),
            ("exp", (-1).into()),
            ("nbf", (AT + 600).into()),
            ("iat", (AT + 600).into()),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            let error = check(&claims).unwrap_err();
            assert_eq!(error.status(), 401, "{name}: {value}");
        }
    }

    #[test]
    fn tokens_of_other_kinds_are_refused() {
        let keys = JsonWebKeySet::from_pem(PUBLIC).unwrap();
        for category in ["cl_B7d4PD333AAA", "cl_other"] {
            let token = signed(Some(category), &claims());
            let checked =
                verify_session_token(&token, &keys, AT * 1_000, &SessionTokenPolicy::default());
            assert!(
                matches!(checked, Err(SessionTokenError::NotASessionToken(_))),
                "{category}"
            );
        }
        assert!(
            JsonWebKeySet::from_pem(KEY).is_err(),
            "a private key is refused"
        );
    }
}

proptest! {
    #[test]
    fn nothing_makes_verification_panic(token in "[A-Za-z0-9_.-]{0,200}|.{0,60}") {
        let keys = JsonWebKeySet::parse(r#"{"keys":[]}"#).unwrap();
        let _ = verify_session_token(&token, &keys, 1_790_000_000_000, &SessionTokenPolicy::default());
    }
}

mod in_axum {
    use axum::{Router, body::Body, extract::FromRef, routing::get};
    use http::{Request, StatusCode};
    use tower_service::Service as _;

    use super::*;

    #[derive(Clone)]
    struct App {
        session_tokens: SessionTokens,
    }

    impl FromRef<App> for SessionTokens {
        fn from_ref(app: &App) -> Self {
            app.session_tokens.clone()
        }
    }

    async fn who(session: AuthContext) -> String {
        session.user_id().to_owned()
    }

    async fn perhaps(session: Option<AuthContext>) -> String {
        session.map_or("nobody".to_owned(), |session| session.user_id().to_owned())
    }

    fn get_who(clerk: &Arc<Clerk>, header: Option<(&str, String)>) -> (StatusCode, String) {
        let (status, _, body) = answer(clerk, "/who", header);
        (status, body)
    }

    /// Status, challenge and body.
    fn answer(
        clerk: &Arc<Clerk>,
        path: &str,
        header: Option<(&str, String)>,
    ) -> (StatusCode, Option<String>, String) {
        let session_tokens = SessionTokens {
            client: clerk.client(),
            policy: SessionTokenPolicy::default(),
        };
        let mut app: Router = Router::new()
            .route("/who", get(who))
            .route("/perhaps", get(perhaps))
            .with_state(App { session_tokens });
        let mut request = Request::get(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let response = app
                .call(request.body(Body::empty()).unwrap())
                .await
                .unwrap();
            let status = response.status();
            let challenge = response.headers().get("www-authenticate");
            let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
            let body = axum::body::to_bytes(response.into_body(), 10_000)
                .await
                .unwrap();
            (status, challenge, String::from_utf8(body.to_vec()).unwrap())
        })
    }

    #[test]
    fn nobody_may_be_let_in_but_no_forged_token() {
        let clerk = Clerk::of_toml(TEAM);
        let token = minted(&clerk, "user_a", "org_a");
        let forged = changed(&token, 1, |claims| claims["sub"] = "user_x".into());
        let bearer = |token: &str| Some(("authorization", format!("Bearer {token}")));
        let (status, _, body) = answer(&clerk, "/perhaps", None);
        assert_eq!((status, body.as_str()), (StatusCode::OK, "nobody"));
        let (status, _, body) = answer(&clerk, "/perhaps", bearer(&token));
        assert_eq!((status, body.as_str()), (StatusCode::OK, "user_a"));
        let (status, challenge, _) = answer(&clerk, "/perhaps", bearer(&forged));
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(challenge.as_deref(), Some("Bearer error=\"invalid_token\""));
        let (_, challenge, _) = answer(&clerk, "/who", None);
        assert_eq!(challenge.as_deref(), Some("Bearer"));
    }

    #[test]
    fn without_keys_nothing_is_said_about_the_token() {
        let clerk = Clerk::of_toml(TEAM);
        let token = minted(&clerk, "user_a", "org_a");
        clerk.fail(|_| Some((500, "{}".to_owned())));
        let header = Some(("authorization", format!("Bearer {token}")));
        let (status, challenge, body) = answer(&clerk, "/who", header);
        assert_eq!(
            (status, challenge),
            (StatusCode::SERVICE_UNAVAILABLE, None),
            "{body}"
        );
        assert!(body.contains("session_keys_unavailable") && !body.contains(&token));
    }

    #[test]
    fn a_request_is_its_sessions() {
        let clerk = Clerk::of_toml(TEAM);
        let token = minted(&clerk, "user_a", "org_a");
        for header in [
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("bearer {token}")),
            ("cookie", format!("theme=dark; __session={token}; x=y")),
        ] {
            let (status, body) = get_who(&clerk, Some(header));
            assert_eq!((status, body.as_str()), (StatusCode::OK, "user_a"));
        }
    }

    #[test]
    fn a_request_of_nobody_is_refused_before_the_handler() {
        let clerk = Clerk::of_toml(TEAM);
        let token = minted(&clerk, "user_a", "org_a");
        let forged = changed(&token, 1, |claims| claims["sub"] = "user_x".into());
        for (header, code) in [
            (None, "no_session_token"),
            (
                Some(("authorization", "Basic x".to_owned())),
                "no_session_token",
            ),
            (
                Some(("authorization", "Bearer ".to_owned())),
                "no_session_token",
            ),
            (
                Some(("cookie", "__session_other=x".to_owned())),
                "no_session_token",
            ),
            (
                Some(("authorization", format!("Bearer {forged}"))),
                "token_signature",
            ),
        ] {
            let (status, body) = get_who(&clerk, header);
            let error: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (status, &error["error"]["code"]),
                (StatusCode::UNAUTHORIZED, &json!(code))
            );
            assert!(
                error["error"]["hint"]
                    .as_str()
                    .is_some_and(|hint| !hint.is_empty()),
                "{body}"
            );
            assert!(!body.contains(&forged));
        }
    }
}
