//! A provider as it is scripted: what is asked, and what becomes of each answer.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;
#[path = "support/token.rs"]
mod token;

use std::sync::Arc;

use clerk_mcp_clerk::TransportErrorKind;
use clerk_mcp_clerk::oauth::{
    CallbackError, CallbackQuery, FrontendApi, OAuthApplication, OAuthClient, OAuthError,
    OAuthStep, Provider, Secret, TokenSet, TokenTypeHint, list_oauth_applications,
};
use serde_json::{Value, json};
use support::{Answer, World, answer, failure};
use token::{AT, AT_MS};

const REDIRECT: &str = "https://mcp.test/callback";
const HOUR_MS: u64 = 3_600_000;

fn client(secret: Option<&str>) -> OAuthClient {
    OAuthClient::new("client_1", secret.map(Secret::new), REDIRECT).unwrap()
}

fn provider(answers: impl IntoIterator<Item = Answer>) -> (Provider, World) {
    let world = World::new(answers);
    let api = FrontendApi::parse("clerk.test").unwrap();
    let client = client(Some("hidden-secret"));
    let provider = Provider::new(api, client, Arc::clone(&world.transport) as _);
    (provider, world)
}

fn metadata() -> Answer {
    metadata_with(json!({}))
}

fn metadata_with(changes: Value) -> Answer {
    let body = token::with(
        json!({
            "issuer": "https://clerk.test",
            "authorization_endpoint": "https://clerk.test/oauth/authorize",
            "token_endpoint": "https://clerk.test/oauth/token",
            "revocation_endpoint": "https://clerk.test/oauth/token/revoke",
            "jwks_uri": "https://clerk.test/.well-known/jwks.json",
        }),
        changes,
    );
    answer(200, &[], &body.to_string())
}

fn refusal(status: u16, error: &str, description: &str) -> Answer {
    let body = json!({"error": error, "error_description": description});
    answer(status, &[], &body.to_string())
}

fn tokens(changes: Value) -> Answer {
    let body = json!({"access_token": "access-1", "token_type": "bearer", "expires_in": 86_400});
    answer(200, &[], &token::with(body, changes).to_string())
}

fn paths(world: &World) -> Vec<String> {
    let sent = world.transport.sent.lock().unwrap();
    sent.iter()
        .map(|(_, one)| one.uri().path().to_owned())
        .collect()
}

fn last_form(world: &World) -> Vec<(String, String)> {
    let sent = world.transport.sent.lock().unwrap();
    let body = sent.last().unwrap().1.body().clone();
    let url = format!(
        "https://x.test/?{}",
        String::from_utf8(body.to_vec()).unwrap()
    );
    let url: url::Url = url.parse().unwrap();
    url.query_pairs().into_owned().collect()
}

async fn redeem(reply: Answer) -> Result<TokenSet, OAuthError> {
    let (provider, _) = provider([metadata(), reply]);
    let code = Secret::new("hidden-code");
    let redeemed = provider.redeem_code(&code, "hidden-verifier", AT_MS).await;
    let text = match &redeemed {
        Ok(tokens) => format!("{tokens:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(
        !text.contains("hidden") && !text.contains("access-1"),
        "{text}"
    );
    redeemed
}

#[tokio::test]
async fn metadata_is_kept_for_an_hour_and_outlives_a_fault() {
    let (provider, world) = provider([metadata(), answer(503, &[], "")]);
    let first = provider.metadata(AT_MS).await.unwrap();
    provider.metadata(AT_MS + HOUR_MS - 1).await.unwrap();
    assert_eq!(world.tries(), 1);
    assert_eq!(provider.metadata(AT_MS + HOUR_MS).await.unwrap(), first);
    assert_eq!(world.tries(), 2);
}

#[tokio::test]
async fn openid_metadata_serves_where_there_is_no_other() {
    let (provider, world) = provider([answer(404, &[], ""), metadata()]);
    provider.metadata(AT_MS).await.unwrap();
    let second = "/.well-known/openid-configuration";
    assert_eq!(
        paths(&world),
        ["/.well-known/oauth-authorization-server", second]
    );
}

#[tokio::test]
async fn metadata_of_somebody_else_is_refused() {
    for reply in [
        metadata_with(json!({"issuer": "https://evil.test"})),
        answer(200, &[], "<html>"),
        answer(302, &[("location", "https://evil.test")], ""),
        answer(404, &[], ""),
    ] {
        let (provider, _) = provider([reply]);
        let error = provider.metadata(AT_MS).await.unwrap_err();
        let step = OAuthStep::Discovery;
        assert!(
            matches!(&error, OAuthError::Protocol { step: s, .. } if *s == step),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_code_is_redeemed_with_its_verifier() {
    let (provider, world) = provider([
        metadata(),
        tokens(json!({"refresh_token": "r", "id_token": "i", "scope": "openid"})),
    ]);
    let code = Secret::new("c");
    let tokens = provider.redeem_code(&code, "v", AT_MS).await.unwrap();
    assert_eq!(tokens.expires_at, Some(AT_MS + 86_400_000));
    assert_eq!(tokens.refresh_token, Some(Secret::new("r")));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        pair("grant_type", "authorization_code"),
        pair("code", "c"),
        pair("redirect_uri", REDIRECT),
        pair("code_verifier", "v"),
    ];
    assert_eq!(last_form(&world), expected);
}

#[tokio::test]
async fn refusals_unavailability_and_nonsense_are_told_apart() {
    for (reply, hint) in [
        (refusal(401, "invalid_client", "no"), "CLERK_CLIENT_SECRET"),
        (refusal(400, "invalid_grant", "gone"), "sign in again"),
        (
            refusal(400, "invalid_grant", "The redirect_uri differs"),
            REDIRECT,
        ),
        (
            refusal(400, "invalid_request", "hidden-code is odd"),
            "dashboard",
        ),
        (refusal(400, "hidden-secret", "x"), "dashboard"),
        (
            support::clerk_error(422, "form_code", "Wrong."),
            "dashboard",
        ),
    ] {
        let error = redeem(reply).await.unwrap_err();
        assert!(matches!(error, OAuthError::Refused { .. }), "{error}");
        assert!(error.hint().contains(hint), "{error}");
        assert!(!error.is_dead_refresh_token(), "{error}");
    }
    for (reply, after) in [
        (failure(TransportErrorKind::Connect), None),
        (answer(429, &[("retry-after", "7")], ""), Some(7)),
        (refusal(503, "invalid_grant", ""), None),
        (refusal(400, "temporarily_unavailable", ""), None),
    ] {
        let error = redeem(reply).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        assert_eq!(error.retry_after(), after);
    }
    for reply in [
        answer(200, &[], "<html>"),
        answer(200, &[], "[]"),
        answer(302, &[], ""),
        answer(400, &[], "<html>"),
        failure(TransportErrorKind::BodyTooLarge),
        tokens(json!({"access_token": null})),
        tokens(json!({"token_type": "mac"})),
        tokens(json!({"token_type": null})),
        tokens(json!({"expires_in": "soon"})),
        tokens(json!({"refresh_token": 1})),
    ] {
        let error = redeem(reply).await.unwrap_err();
        assert!(matches!(error, OAuthError::Protocol { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_refresh_keeps_the_token_unless_a_new_one_comes() {
    let old = Secret::new("hidden-old");
    let (one, _) = provider([metadata(), tokens(json!({"expires_in": null}))]);
    let kept = one.refresh(&old, AT_MS).await.unwrap();
    assert_eq!(
        (kept.refresh_token.as_ref(), kept.expires_at),
        (Some(&old), None)
    );
    let (one, _) = provider([metadata(), tokens(json!({"refresh_token": "new"}))]);
    let rotated = one.refresh(&old, AT_MS).await.unwrap();
    assert_eq!(rotated.refresh_token, Some(Secret::new("new")));
    for (error, dead) in [("invalid_grant", true), ("invalid_client", false)] {
        let (one, _) = provider([metadata(), refusal(401, error, "hidden-old")]);
        let error = one.refresh(&old, AT_MS).await.unwrap_err();
        assert_eq!(error.is_dead_refresh_token(), dead);
        assert!(!format!("{error} {error:?}").contains("hidden"));
    }
}

#[tokio::test]
async fn revocation_says_which_kind_of_token() {
    let (one, world) = provider([metadata(), answer(200, &[], "")]);
    let token = Secret::new("r");
    one.revoke(&token, TokenTypeHint::RefreshToken, AT_MS)
        .await
        .unwrap();
    assert_eq!(paths(&world)[1], "/oauth/token/revoke");
    assert_eq!(last_form(&world)[1].1, "refresh_token");
    let (one, _) = provider([metadata(), refusal(401, "invalid_client", "")]);
    one.revoke(&token, TokenTypeHint::AccessToken, AT_MS)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn keys_are_read_anew_for_an_unknown_key_once_a_minute() {
    let jwks = || answer(200, &[], token::JWKS);
    let (one, world) = provider([metadata(), jwks()]);
    let claims = json!({
        "iss": "https://clerk.test", "aud": "client_1", "sub": "user_a", "nonce": "n",
        "iat": AT, "exp": AT + 600,
    });
    let id_token = |kid: &str| TokenSet {
        access_token: Secret::new("a"),
        refresh_token: None,
        id_token: Some(Secret::new(token::sign(
            &json!({"alg": "RS256", "kid": kid}),
            &claims,
        ))),
        expires_at: None,
        scope: None,
    };
    let verify = async |kid: &str, now| one.verify_id_token(&id_token(kid), "n", 0, now).await;
    let claims = verify("ins_test", AT_MS).await.unwrap();
    assert_eq!((claims.user_id.as_str(), world.tries()), ("user_a", 2));
    let mut tries = Vec::new();
    for now in [AT_MS, AT_MS + 59_999, AT_MS + 60_000] {
        let error = verify("ins_other", now).await.unwrap_err();
        assert!(matches!(error, OAuthError::IdToken(_)), "{error}");
        tries.push(world.tries());
    }
    assert_eq!(tries, [3, 3, 4]);
    let mut none = id_token("ins_test");
    none.id_token = None;
    let error = one.verify_id_token(&none, "n", 0, AT_MS).await.unwrap_err();
    assert!(error.hint().contains("openid"), "{error}");
}

#[tokio::test]
async fn a_callback_gives_its_code_only_if_the_provider_answered() {
    let good = "iss=https%3A%2F%2Fclerk.test";
    for (always, iss, fine) in [
        (false, "", true),
        (false, good, true),
        (true, good, true),
        (true, "", false),
        (false, "iss=https%3A%2F%2Fevil.test", false),
        (true, "iss=https%3A%2F%2Fclerk.test%2F", false),
    ] {
        let name = "authorization_response_iss_parameter_supported";
        let mut changes = json!({});
        changes[name] = json!(always);
        let (one, _) = provider([metadata_with(changes)]);
        let metadata = one.metadata(AT_MS).await.unwrap();
        let query = CallbackQuery::parse(&format!("code=a%2Bb&state=s-1&{iss}")).unwrap();
        assert_eq!(query.state(), "s-1");
        assert!(!format!("{query:?}").contains("a+b"));
        match query.into_code(&metadata, one.client()) {
            Ok(code) => assert!(fine && code == Secret::new("a+b"), "{iss}"),
            Err(error) => assert!(!fine && matches!(error, OAuthError::Protocol { .. })),
        }
        // An error of somebody else is no error of the provider's.
        let query = format!("error=access_denied&error_description=No%0Ahint:+x&state=s&{iss}");
        let query = CallbackQuery::parse(&query).unwrap();
        let error = query.into_code(&metadata, one.client()).unwrap_err();
        assert_eq!(error.is_access_denied(), fine, "{error}");
        assert_eq!(error.to_string().lines().count(), 2, "{error}");
    }
}

#[test]
fn a_query_that_is_no_callback_is_refused() {
    for query in [
        "code=a&code=b&state=s",
        "code=a&state=s&state=s",
        "code=a&state=s&x=1&x=1",
    ] {
        let error = CallbackQuery::parse(query).unwrap_err();
        assert!(matches!(error, CallbackError::Duplicate { .. }), "{query}");
    }
    for (query, both) in [
        ("code=a&error=b&state=s", true),
        ("state=s", false),
        ("code=&state=s", false),
    ] {
        let expected = CallbackError::NotOneAnswer { both };
        assert_eq!(CallbackQuery::parse(query), Err(expected), "{query}");
    }
    assert_eq!(CallbackQuery::parse("code=a"), Err(CallbackError::NoState));
    let long = format!("code={}&state=s", "a".repeat(9_000));
    assert_eq!(CallbackQuery::parse(&long), Err(CallbackError::TooLong));
}

#[test]
fn an_application_is_compared_with_the_configuration() {
    let request = list_oauth_applications("client_1");
    assert_eq!(
        request.path_and_query().unwrap(),
        "/oauth_applications?name_query=client_1&limit=500"
    );
    let row = |changes| {
        token::with(
            json!({
                "id": "oa_1", "name": "MCP", "client_id": "client_1", "public": false,
                "redirect_uris": [REDIRECT], "scopes": "openid profile email",
            }),
            changes,
        )
    };
    let faults = |row: Value, client: &OAuthClient| {
        let list = json!({"data": [{"client_id": "client_10"}, row], "total_count": 2});
        let found = OAuthApplication::find(&list, "client_1").unwrap();
        assert_eq!(
            OAuthApplication::find(&list["data"], "client_1"),
            Some(found.clone())
        );
        let faults = found.faults(client, &["openid", "email"]);
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let confidential = client(Some("s"));
    assert!(faults(row(json!({})), &confidential).is_empty());
    let unknown =
        json!({"public": null, "scopes": null, "redirect_uris": null, "callback_url": REDIRECT});
    assert!(faults(row(unknown), &confidential).is_empty());
    for (changes, client, expected) in [
        (
            json!({"redirect_uris": ["https://mcp.test/callback/"]}),
            &confidential,
            REDIRECT,
        ),
        (json!({"public": true}), &confidential, "is public"),
        (json!({}), &client(None), "is confidential"),
        (
            json!({"scopes": "profile openid"}),
            &confidential,
            "may not ask for: email",
        ),
    ] {
        let faults = faults(row(changes), client);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].contains(expected) && faults[0].contains("\nhint: "),
            "{faults:?}"
        );
    }
    for answer in [json!(null), json!({"data": 1}), json!([{"client_id": 1}])] {
        assert_eq!(OAuthApplication::find(&answer, "client_1"), None);
    }
}
