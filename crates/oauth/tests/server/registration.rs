//! Dynamic client registration.

use clerk_mcp_oauth::{
    ClientMetadataFault, MAX_REGISTRATION_BYTES, RegistrationError, RegistrationResponse,
};
use serde_json::{Value, json};

use crate::world::{CALLBACK, DAY, World, refresh_token, refusal, settings};

async fn register(world: &World, body: &Value) -> Result<RegistrationResponse, RegistrationError> {
    let body = body.to_string();
    world
        .server
        .register(body.as_bytes(), world.now(), &world.random)
        .await
}

fn public() -> Value {
    json!({
        "client_name": "A client",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token", "urn:example:unknown"],
        "response_types": ["code"],
        "scope": "tools:read",
        "client_uri": "https://app.example.com",
        "contacts": ["somebody@example.com"],
    })
}

#[tokio::test]
async fn a_public_client_registers() {
    let world = World::new();
    let response = register(&world, &public()).await.unwrap().into_http();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let mut body: Value = serde_json::from_str(response.body()).unwrap();
    let id = body["client_id"].take();
    assert_eq!(id.as_str().map(str::len), Some(22));
    assert_eq!(
        body,
        json!({
            "client_id": null,
            "client_id_issued_at": 1_790_000_000,
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "client_name": "A client",
            "client_uri": "https://app.example.com/",
            "scope": "tools:read",
        })
    );
}

#[tokio::test]
async fn the_same_document_of_a_public_client_is_the_same_client() {
    let world = World::new();
    let first = register(&world, &public()).await.unwrap().client;
    world.wait(DAY);
    let again = register(&world, &public()).await.unwrap().client;
    assert_eq!(first.id, again.id);
    for (name, value) in [
        ("client_name", json!("Another client")),
        ("client_uri", json!("https://other.example.com")),
        ("logo_uri", json!("https://app.example.com/logo.png")),
        ("policy_uri", json!("https://app.example.com/policy")),
        ("tos_uri", json!("https://app.example.com/terms")),
        ("redirect_uris", json!(["https://app.example.com/other"])),
        ("scope", json!("tools:read tools:write")),
        ("grant_types", json!(["authorization_code"])),
    ] {
        let mut other = public();
        other[name] = value;
        assert_ne!(
            register(&world, &other).await.unwrap().client.id,
            first.id,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_confidential_registration_is_always_new() {
    let world = World::new();
    let mut document = public();
    document["token_endpoint_auth_method"] = "client_secret_basic".into();
    let first = register(&world, &document).await.unwrap();
    let again = register(&world, &document).await.unwrap();
    assert_ne!(first.client.id, again.client.id);
    let secrets = [first.secret.clone().unwrap(), again.secret.unwrap()];
    assert_ne!(secrets[0].reveal(), secrets[1].reveal());
    assert!(secrets[0].reveal().starts_with("cms_"));
    let body = first.body();
    assert_eq!(body["client_secret"], secrets[0].reveal());
    assert_eq!(body["client_secret_expires_at"], 0);
    assert!(!format!("{first:?}").contains(secrets[0].reveal()));
    document
        .as_object_mut()
        .unwrap()
        .remove("token_endpoint_auth_method");
    let by_default = register(&world, &document).await.unwrap().client.auth;
    assert_eq!(
        by_default,
        clerk_mcp_oauth::ClientAuthMethod::ClientSecretBasic
    );
}

#[tokio::test]
async fn unused_clients_expire_and_used_ones_stay() {
    let world = World::new();
    let unused = world.register_at(&["https://unused.example.com/cb"]).await;
    let (client, mut tokens) = world.signed_in().await;
    for _ in 0..5 {
        world.wait(20 * DAY);
        tokens = world
            .refresh(&client, refresh_token(&tokens))
            .await
            .unwrap();
    }
    assert!(world.authorize(&World::request(&client, &[])).await.is_ok());
    let changes = &[("redirect_uri", None)];
    assert!(
        world
            .authorize(&World::request(&unused, changes))
            .await
            .is_err()
    );
    let answer = world.refresh(&unused, refresh_token(&tokens)).await;
    assert_eq!(
        refusal(answer),
        (401, "invalid_client"),
        "it is to register again"
    );
    let again = world.register_at(&["https://unused.example.com/cb"]).await;
    assert_ne!(again, unused);
}

#[tokio::test]
async fn registration_can_be_switched_off() {
    let mut settings = settings();
    settings.registration = false;
    let world = World::with(settings);
    let refused = register(&world, &public()).await.unwrap_err();
    assert_eq!(refused.response().status, 403);
    assert_eq!(world.server.metadata().get("registration_endpoint"), None);
}

#[tokio::test]
async fn what_a_registration_may_not_say() {
    let world = World::new();
    let long = "x".repeat(201);
    let many: Vec<_> = (0..21)
        .map(|n| format!("https://app.example.com/{n}"))
        .collect();
    for (name, value, code) in [
        ("redirect_uris", json!([]), "invalid_redirect_uri"),
        ("redirect_uris", Value::Null, "invalid_redirect_uri"),
        ("redirect_uris", json!(many), "invalid_redirect_uri"),
        (
            "redirect_uris",
            json!(["http://app.example.com/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["http://localhost.evil.example/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["https://a@app.example.com/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["https://app.example.com/cb#x"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["javascript:alert(1)"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["data:text/html,x"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["file:///etc/passwd"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["com.example.app:/cb"]),
            "invalid_redirect_uri",
        ),
        ("redirect_uris", json!(["/cb"]), "invalid_redirect_uri"),
        (
            "redirect_uris",
            json!(["https://%61pp.example.com/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["https://0x7f.1/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["http://%6cocalhost/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!([CALLBACK, "https://"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!("https://app.example.com/cb"),
            "invalid_client_metadata",
        ),
        ("client_name", json!(long), "invalid_client_metadata"),
        ("client_name", json!(7), "invalid_client_metadata"),
        (
            "client_uri",
            json!("javascript:alert(1)"),
            "invalid_client_metadata",
        ),
        (
            "logo_uri",
            json!("data:image/png;base64,AA"),
            "invalid_client_metadata",
        ),
        (
            "tos_uri",
            json!("ftp://app.example.com"),
            "invalid_client_metadata",
        ),
        ("policy_uri", json!("nonsense"), "invalid_client_metadata"),
        (
            "token_endpoint_auth_method",
            json!("client_secret_jwt"),
            "invalid_client_metadata",
        ),
        (
            "grant_types",
            json!(["implicit"]),
            "invalid_client_metadata",
        ),
        (
            "grant_types",
            json!(["refresh_token"]),
            "invalid_client_metadata",
        ),
        (
            "response_types",
            json!(["token"]),
            "invalid_client_metadata",
        ),
        ("scope", json!("tools:\"read\""), "invalid_client_metadata"),
    ] {
        let mut document = public();
        document[name] = value.clone();
        let refused = register(&world, &document).await.unwrap_err().response();
        assert_eq!(
            (refused.status.as_u16(), refused.code),
            (400, code),
            "{name}: {value}"
        );
    }
}

#[tokio::test]
async fn a_registration_is_bounded_and_must_be_json() {
    let world = World::new();
    let (now, random) = (world.now(), &world.random);
    let large = vec![b' '; MAX_REGISTRATION_BYTES + 1];
    let refused = world
        .server
        .register(&large, now, random)
        .await
        .unwrap_err();
    assert_eq!(refused.response().status, 413);
    let deep = "[".repeat(10_000);
    for wrong in [
        "",
        "null",
        "[]",
        "{",
        "{\"redirect_uris\":",
        "\u{0}",
        &*deep,
    ] {
        let refused = world
            .server
            .register(wrong.as_bytes(), now, random)
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                RegistrationError::Metadata(ClientMetadataFault::Json(_))
            ),
            "{wrong}: {refused}"
        );
    }
}

#[tokio::test]
async fn private_use_schemes_come_from_the_configured_list() {
    let world = World::new();
    let mut document = public();
    for known in [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "vscode://x/cb",
    ] {
        document["redirect_uris"] = json!([known]);
        assert!(register(&world, &document).await.is_ok(), "{known}");
    }
    let mut settings = settings();
    settings.private_use_schemes = vec!["com.example.app".to_owned(), "javascript".to_owned()];
    let world = World::with(settings);
    for (uri, allowed) in [
        ("com.example.app:/cb", true),
        ("cursor://x/cb", false),
        ("javascript:alert(1)", false),
    ] {
        document["redirect_uris"] = json!([uri]);
        assert_eq!(register(&world, &document).await.is_ok(), allowed, "{uri}");
    }
}
