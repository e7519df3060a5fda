//! Access tokens at the protected resource; challenges; metadata.

use clerk_mcp_oauth::{
    BearerFault, PlainToken, ScopeDefinition, ScopePolicy, ServerKeys, Settings,
};
use serde_json::json;

use crate::world::{ISSUER, RESOURCE, World, keys, refresh_token, scopes, seconds, settings};

const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

#[tokio::test]
async fn a_live_token_opens_what_its_grant_keeps() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    let access = world
        .server
        .check_access_token(&tokens.access_token, world.now())
        .await
        .unwrap();
    assert_eq!(
        (access.grant.client_id.clone(), &*access.grant.user_id),
        (client.clone(), "user_1")
    );
    assert_eq!(
        access.open_upstream().as_deref(),
        Some(&b"tokens of Clerk"[..])
    );
    assert!(access.require(&scopes("tools:read tools:write")).is_ok());
}

#[tokio::test]
async fn other_tokens_are_refused() {
    let world = World::new();
    let (_, tokens) = world.signed_in().await;
    let check = async |token: &str| {
        world
            .server
            .check_access_token(&PlainToken::presented(token), world.now())
            .await
            .unwrap_err()
    };
    let access = tokens.access_token.reveal();
    let altered = format!("{access}A");
    for wrong in [
        refresh_token(&tokens).reveal(),
        &altered,
        "",
        "x",
        "cma_x",
        "ü",
        "a b",
    ] {
        assert_eq!(check(wrong).await, BearerFault::Invalid, "{wrong}");
    }
    world.wait(seconds(900));
    assert_eq!(check(access).await, BearerFault::Invalid);
}

#[tokio::test]
async fn a_token_of_another_audience_is_refused() {
    let world = World::new();
    let (_, tokens) = world.signed_in().await;
    let other = Settings::new(ISSUER, "https://mcp.example.com/other", keys()).unwrap();
    let world = world.reconfigured(other);
    assert!(!world.lets_in(&tokens.access_token).await);
}

#[tokio::test]
async fn a_token_made_under_a_removed_key_is_refused() {
    let world = World::new();
    let (_, tokens) = world.signed_in().await;
    let keys = ServerKeys::parse(&"ab".repeat(32)).unwrap();
    let world = world.reconfigured(Settings::new(ISSUER, RESOURCE, keys).unwrap());
    assert!(!world.lets_in(&tokens.access_token).await);
}

#[tokio::test]
async fn the_first_challenge_asks_for_little_and_says_where_to_go() {
    let server = World::new().server;
    let answer = server.challenge(&BearerFault::Missing, "/mcp");
    assert_eq!(answer.status, 401);
    let expected = format!("Bearer scope=\"tools:read\", resource_metadata=\"{METADATA}\"");
    assert_eq!(answer.www_authenticate, Some(expected));
    let answer = server.challenge(&BearerFault::Invalid, "/mcp");
    let challenge = answer.www_authenticate.unwrap();
    assert_eq!(answer.status, 401);
    assert!(challenge.starts_with("Bearer error=\"invalid_token\", error_description=\""));
    assert!(challenge.contains(METADATA) && !challenge.contains("offline_access"));
    assert!(challenge.is_ascii() && !challenge.contains('\n'));
}

#[tokio::test]
async fn insufficient_scope_names_every_scope_needed() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    let narrowed = world
        .token(&[
            ("grant_type", "refresh_token"),
            ("client_id", client.as_str()),
            ("refresh_token", refresh_token(&tokens).reveal()),
            ("scope", "tools:read"),
        ])
        .await
        .unwrap();
    let access = world
        .server
        .check_access_token(&narrowed.access_token, world.now())
        .await
        .unwrap();
    let fault = access.require(&scopes("tools:write")).unwrap_err();
    let answer = world.server.challenge(&fault, "/mcp").into_http();
    assert_eq!(answer.status(), 403);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(
        challenge.contains("scope=\"tools:read tools:write\""),
        "{challenge}"
    );
    assert!(challenge.contains(METADATA));
}

#[tokio::test]
async fn what_clerk_gave_is_replaced_by_whoever_is_first() {
    use clerk_mcp_oauth::UpstreamUpdate;

    let world = World::new();
    let (_, tokens) = world.signed_in().await;
    let (server, now) = (&world.server, world.now());
    let mut access = server
        .check_access_token(&tokens.access_token, now)
        .await
        .unwrap();
    let mut slower = access.clone();
    access.replace_upstream(b"newer", &world.random);
    assert_eq!(access.open_upstream(), Some(b"newer".to_vec()));
    let kept = server.keep_upstream(&mut access, now).await;
    assert_eq!(kept, Ok(UpstreamUpdate::Updated { version: 1 }));
    assert_eq!(access.grant.upstream_version, 1);
    slower.replace_upstream(b"too late", &world.random);
    let late = server.keep_upstream(&mut slower, now).await;
    assert_eq!(late, Ok(UpstreamUpdate::Conflict));
    let again = server.check_again(&slower, now).await.unwrap().unwrap();
    assert_eq!(again.open_upstream(), Some(b"newer".to_vec()));
    let fresh = server
        .check_access_token(&tokens.access_token, now)
        .await
        .unwrap();
    assert_eq!(fresh.open_upstream(), Some(b"newer".to_vec()));
    server
        .store()
        .revoke_grant(&access.grant.id, now)
        .await
        .unwrap();
    assert!(server.check_again(&access, now).await.unwrap().is_none());
    let gone = server.keep_upstream(&mut access, now).await;
    assert_eq!(gone, Ok(UpstreamUpdate::Gone));
}

#[test]
fn metadata_of_rfc_8414() {
    let metadata = World::new().server.metadata();
    assert_eq!(
        metadata,
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://mcp.example.com/authorize",
            "token_endpoint": "https://mcp.example.com/token",
            "revocation_endpoint": "https://mcp.example.com/revoke",
            "scopes_supported": ["tools:read", "tools:write"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported":
                ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
            "revocation_endpoint_auth_methods_supported":
                ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": true,
            "protected_resources": [RESOURCE],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
            "revocation_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
            "registration_endpoint": "https://mcp.example.com/register",
        })
    );
}

#[test]
fn metadata_of_rfc_9728() {
    assert_eq!(
        World::new().server.protected_resource_metadata("").unwrap(),
        json!({
            "resource": RESOURCE,
            "authorization_servers": [ISSUER],
            "scopes_supported": ["tools:read", "tools:write"],
            "bearer_methods_supported": ["header"],
        })
    );
}

#[test]
fn issuer_and_resource_are_checked() {
    for (issuer, resource) in [
        ("https://mcp.example.com/", RESOURCE),
        ("http://127.0.0.1:8788", "http://127.0.0.1:8788/mcp"),
        ("http://localhost:8788", "http://localhost:8788/mcp"),
        (ISSUER, ISSUER),
    ] {
        let settings = Settings::new(issuer, resource, keys()).unwrap();
        assert_eq!(settings.issuer(), issuer.trim_end_matches('/'));
    }
    for (issuer, resource) in [
        ("http://mcp.example.com", "http://mcp.example.com/mcp"),
        (
            "https://mcp.example.com/tenant",
            "https://mcp.example.com/tenant/mcp",
        ),
        ("https://mcp.example.com?x", RESOURCE),
        ("mcp.example.com", RESOURCE),
        (ISSUER, "https://other.example.com/mcp"),
        (ISSUER, "https://mcp.example.com/mcp#x"),
        (ISSUER, "https://mcp.example.com/mcp?x"),
    ] {
        assert!(
            Settings::new(issuer, resource, keys()).is_err(),
            "{issuer} {resource}"
        );
    }
    let settings = settings();
    assert_eq!(
        settings.resource_metadata_url(settings.resource()),
        METADATA
    );
}

#[test]
fn server_keys_are_read_in_base64_and_hexadecimal() {
    let hex = "0f".repeat(32);
    let base64 = "Dw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8=";
    for right in [hex.clone(), base64.to_owned(), format!("{hex}, {base64}")] {
        assert!(ServerKeys::parse(&right).is_ok(), "{right}");
    }
    for wrong in [
        String::new(),
        " ".to_owned(),
        "short".to_owned(),
        format!("{hex},"),
        "+f".repeat(32),
    ] {
        let fault = ServerKeys::parse(&wrong).unwrap_err().to_string();
        assert!(fault.contains("hint:"), "{fault}");
        assert!(
            wrong.trim().is_empty() || !fault.contains(&wrong),
            "no key in errors"
        );
    }
}

#[test]
fn scope_policies_are_checked() {
    let define = |value: &str| ScopeDefinition {
        value: value.to_owned(),
        title: "A title".to_owned(),
        description: "A description.".to_owned(),
    };
    assert!(ScopePolicy::new(vec![define("a"), define("b")], scopes("a")).is_ok());
    for (offered, first) in [
        (vec![define("a"), define("a")], "a"),
        (vec![define("a b")], "a"),
        (vec![define("")], "a"),
        (vec![define("offline_access")], "offline_access"),
        (vec![define("a")], "b"),
        (vec![define("a")], ""),
    ] {
        assert!(ScopePolicy::new(offered, scopes(first)).is_err());
    }
}
