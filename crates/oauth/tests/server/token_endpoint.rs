//! The token and revocation endpoints: who calls, error codes, headers.

use base64::Engine as _;
use clerk_mcp_oauth::{
    BoxFuture, Client, ClientAuthMethod, ClientId, ClientOrigin, GrantType, PlainToken, StoreError,
    TokenError,
};
use serde_json::Value;

use crate::world::{CALLBACK, START, VERIFIER, World, form, refresh_token, refusal, settings};

const SECRET: &str = "a secret: & with=odd + characters";

fn configured(auth: ClientAuthMethod) -> Client {
    Client {
        id: ClientId("configured client".to_owned()),
        origin: ClientOrigin::Configured,
        name: Some("Configured".to_owned()),
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        redirect_uris: vec![CALLBACK.to_owned()],
        auth,
        assertion_keys: None,
        secret: Some(PlainToken::presented(SECRET).hash()),
        scope: None,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        created_at: START,
        expires_at: None,
    }
}

fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let credentials = format!("{}:{}", encode(id), encode(secret));
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(credentials)
    )
}

/// With a client that its owner configured, which never ends.
pub(crate) fn world_with(auth: ClientAuthMethod) -> (World, ClientId) {
    let client = configured(auth);
    let id = client.id.clone();
    let mut settings = settings();
    settings.clients.push(client);
    (World::with(settings), id)
}

#[tokio::test]
async fn a_confidential_client_proves_itself_by_basic_or_post() {
    for auth in [
        ClientAuthMethod::ClientSecretBasic,
        ClientAuthMethod::ClientSecretPost,
    ] {
        let (world, client) = world_with(auth);
        let code = world.code(&client).await;
        let redeem = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let header = basic(client.as_str(), SECRET);
        assert!(world.token_with(&redeem, Some(&header)).await.is_ok());
        let code = world.code(&client).await;
        let post = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("client_id", client.as_str()),
            ("client_secret", SECRET),
        ];
        assert!(world.token(&post).await.is_ok());
    }
}

#[tokio::test]
async fn a_wrong_or_missing_secret_is_invalid_client_and_consumes_nothing() {
    let (world, client) = world_with(ClientAuthMethod::ClientSecretBasic);
    let code = world.code(&client).await;
    let redeem = |more: &[(&'static str, &'static str)]| {
        let code: &str = &code;
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        pairs.extend(more);
        form(&pairs)
    };
    for (header, form, challenged, expected) in [
        (
            Some(basic(client.as_str(), "wrong")),
            redeem(&[]),
            true,
            (401, "invalid_client"),
        ),
        (
            Some(basic("nobody", SECRET)),
            redeem(&[]),
            true,
            (401, "invalid_client"),
        ),
        (
            Some("Basic !!!".to_owned()),
            redeem(&[]),
            true,
            (401, "invalid_client"),
        ),
        (
            Some("Bearer x".to_owned()),
            redeem(&[]),
            true,
            (401, "invalid_client"),
        ),
        (
            None,
            redeem(&[("client_id", "configured client")]),
            false,
            (401, "invalid_client"),
        ),
        (
            None,
            redeem(&[
                ("client_id", "configured client"),
                ("client_secret", "wrong"),
            ]),
            false,
            (401, "invalid_client"),
        ),
        (None, redeem(&[]), false, (400, "invalid_request")),
        (
            Some(basic(client.as_str(), SECRET)),
            redeem(&[("client_secret", "wrong")]),
            false,
            (400, "invalid_request"),
        ),
        (
            Some(basic(client.as_str(), SECRET)),
            redeem(&[("client_id", "another")]),
            false,
            (400, "invalid_request"),
        ),
    ] {
        let (people, random) = (&world.people, &world.random);
        let answer = world
            .server
            .token(
                &form,
                header.as_deref(),
                &world.web,
                people,
                world.now(),
                random,
            )
            .await;
        let response = answer.unwrap_err().response();
        assert_eq!(
            (response.status.as_u16(), response.code),
            expected,
            "{header:?} {form:?}"
        );
        assert_eq!(
            response.www_authenticate.is_some(),
            challenged,
            "401 to Basic alone"
        );
    }
    let header = basic(client.as_str(), SECRET);
    let (people, random) = (&world.people, &world.random);
    let answer = world
        .server
        .token(
            &redeem(&[]),
            Some(&header),
            &world.web,
            people,
            world.now(),
            random,
        )
        .await;
    assert!(answer.is_ok());
}

#[tokio::test]
async fn a_public_client_has_no_secret_to_send() {
    let world = World::new();
    let client = world.register().await;
    let code = world.code(&client).await;
    let answer = world
        .token(&[
            ("grant_type", "authorization_code"),
            ("client_id", client.as_str()),
            ("client_secret", "guess"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ])
        .await;
    assert_eq!(refusal(answer), (401, "invalid_client"));
}

#[tokio::test]
async fn implicit_and_password_grants_are_absent() {
    let world = World::new();
    let client = world.register().await;
    for grant_type in [
        "password",
        "implicit",
        "client_credentials",
        "AUTHORIZATION_CODE",
    ] {
        let pairs = [("grant_type", grant_type), ("client_id", client.as_str())];
        let answer = world.token(&pairs).await;
        assert_eq!(
            refusal(answer),
            (400, "unsupported_grant_type"),
            "{grant_type}"
        );
    }
    let answer = world.token(&[("client_id", client.as_str())]).await;
    assert_eq!(refusal(answer), (400, "invalid_request"));
    let metadata = world.server.metadata();
    assert_eq!(
        metadata["response_types_supported"],
        serde_json::json!(["code"])
    );
}

#[tokio::test]
async fn a_parameter_sent_twice_is_refused() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    let token = refresh_token(&tokens).reveal();
    let answer = world
        .token(&[
            ("grant_type", "refresh_token"),
            ("client_id", client.as_str()),
            ("refresh_token", token),
            ("refresh_token", token),
        ])
        .await;
    assert_eq!(refusal(answer), (400, "invalid_request"));
}

#[tokio::test]
async fn answers_are_json_and_never_cached() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    let good = tokens.clone().into_http();
    let bad = world
        .refresh(&client, &PlainToken::presented("x"))
        .await
        .unwrap_err();
    let bad = bad.response().into_http();
    for (response, status) in [(&good, 200), (&bad, 400)] {
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["content-type"], "application/json");
    }
    let body: Value = serde_json::from_str(good.body()).unwrap();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], "tools:read tools:write");
    assert_eq!(body["refresh_token"], refresh_token(&tokens).reveal());
    let body: Value = serde_json::from_str(bad.body()).unwrap();
    assert_eq!(body["error"], "invalid_grant");
}

#[tokio::test]
async fn error_descriptions_hold_only_what_rfc_6749_allows() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    let token = refresh_token(&tokens);
    let refused = [
        world
            .refresh(&client, &PlainToken::presented("\u{1F511}\"\\\n"))
            .await
            .unwrap_err(),
        world
            .refresh(&ClientId("no\"body".to_owned()), token)
            .await
            .unwrap_err(),
        world.token(&[("grant_type", "x\"y")]).await.unwrap_err(),
    ];
    for fault in refused {
        let description = fault.response().description;
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        assert!(description.bytes().all(allowed), "{description}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_503_with_retry_after_and_tells_nothing() {
    let message = "database /var/lib/secret is locked".to_owned();
    let away = TokenError::from(StoreError::Unavailable {
        message: message.clone(),
    });
    let response = away.response().into_http();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    assert!(!response.body().contains("secret"));
    let broken = TokenError::from(StoreError::Corrupt { message }).response();
    assert_eq!((broken.status.as_u16(), broken.code), (500, "server_error"));
    assert!(!broken.description.contains("secret"));
}

#[tokio::test]
async fn revocation_ends_the_grant_by_either_token_and_says_which() {
    let world = World::new();
    for access in [true, false] {
        let (client, tokens) = world.signed_in().await;
        let token = if access {
            &tokens.access_token
        } else {
            refresh_token(&tokens)
        };
        let hint = if access { "refresh_token" } else { "nonsense" };
        let pairs = [
            ("client_id", client.as_str()),
            ("token", token.reveal()),
            ("token_type_hint", hint),
        ];
        let revoked = world
            .server
            .revoke(&form(&pairs), None, &world.web, world.now())
            .await;
        assert_eq!(revoked, Ok(Some(tokens.grant.id.clone())));
        assert!(!world.lets_in(&tokens.access_token).await);
        let answer = world.refresh(&client, refresh_token(&tokens)).await;
        assert_eq!(refusal(answer), (400, "invalid_grant"));
        let again = world
            .server
            .revoke(&form(&pairs), None, &world.web, world.now())
            .await;
        assert_eq!(again, Ok(None), "200 all the same");
    }
}

#[tokio::test]
async fn revocation_by_another_client_does_nothing() {
    let world = World::new();
    let (_, tokens) = world.signed_in().await;
    let other = world.register_at(&[CALLBACK, "http://127.0.0.1/cb"]).await;
    let pairs = [
        ("client_id", other.as_str()),
        ("token", tokens.access_token.reveal()),
    ];
    assert_eq!(
        world
            .server
            .revoke(&form(&pairs), None, &world.web, world.now())
            .await,
        Ok(None)
    );
    assert!(world.lets_in(&tokens.access_token).await);
    let nobody = [("client_id", "nobody"), ("token", "x")];
    let refused = world
        .server
        .revoke(&form(&nobody), None, &world.web, world.now())
        .await;
    assert_eq!(refusal(refused), (401, "invalid_client"));
    let nothing = [("client_id", other.as_str())];
    let refused = world
        .server
        .revoke(&form(&nothing), None, &world.web, world.now())
        .await;
    assert_eq!(refusal(refused), (400, "invalid_request"));
}

#[test]
fn configured_clients_are_checked() {
    use clerk_mcp_oauth::{AuthorizationServer, MemoryStore, SettingsError};
    use std::sync::Arc;

    let refused = |change: &dyn Fn(&mut Client)| {
        let mut settings = settings();
        let mut client = configured(ClientAuthMethod::ClientSecretBasic);
        change(&mut client);
        settings.clients.push(client);
        AuthorizationServer::new(settings, Arc::new(MemoryStore::new())).unwrap_err()
    };
    let evil = |client: &mut Client| client.redirect_uris.push("http://evil.example/".to_owned());
    assert!(matches!(
        refused(&evil),
        SettingsError::ClientRedirectUri { .. }
    ));
    let no_secret = |client: &mut Client| client.secret = None;
    assert!(matches!(
        refused(&no_secret),
        SettingsError::ClientSecret(_)
    ));
    let public = |client: &mut Client| client.auth = ClientAuthMethod::None;
    assert!(matches!(refused(&public), SettingsError::ClientSecret(_)));
    let mut settings = settings();
    settings.clients = vec![configured(ClientAuthMethod::ClientSecretPost); 2];
    let twice = AuthorizationServer::new(settings, Arc::new(MemoryStore::new()));
    assert!(matches!(twice, Err(SettingsError::ClientTwice(_))));
}

/// Futures of the server can be spawned.
#[test]
fn futures_are_send() {
    fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
        Box::pin(future)
    }
    let world = World::new();
    drop(boxed(world.server.token(
        &form(&[]),
        None,
        &world.web,
        &world.people,
        START,
        &world.random,
    )));
    drop(boxed(world.server.take_callback("", &world.browser, START)));
}
