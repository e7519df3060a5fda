//! Authorization codes.

use clerk_mcp_oauth::{ClientId, PlainToken, Store as _};

use crate::world::{CALLBACK, VERIFIER, World, refresh_token, refusal, seconds};

/// A redemption with changes: another value, or none.
async fn redeem_with(
    world: &World,
    client: &ClientId,
    code: &str,
    changes: &[(&str, Option<&str>)],
) -> Result<(), (u16, &'static str)> {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("client_id", client.as_str()),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in changes {
        pairs.retain(|(one, _)| one != name);
        pairs.extend(value.map(|value| (*name, value)));
    }
    match world.token(&pairs).await {
        Ok(_) => Ok(()),
        refused => Err(refusal(refused)),
    }
}

#[tokio::test]
async fn a_code_is_redeemed_for_tokens() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    assert!(tokens.access_token.reveal().starts_with("cma_"));
    assert!(refresh_token(&tokens).reveal().starts_with("cmr_"));
    assert_eq!(tokens.expires_in, seconds(900));
    assert_eq!(tokens.grant.client_id, client);
    assert_eq!(tokens.grant.user_id, "user_1");
    assert_eq!(tokens.grant.organization_id.as_deref(), Some("org_1"));
    assert!(world.lets_in(&tokens.access_token).await);
}

#[tokio::test]
async fn a_code_lives_sixty_seconds() {
    let world = World::new();
    let client = world.register().await;
    let code = world.code(&client).await;
    world.wait(seconds(60));
    assert_eq!(
        refusal(world.redeem(&client, &code).await),
        (400, "invalid_grant")
    );
    let code = world.code(&client).await;
    world.wait(seconds(59));
    assert!(world.redeem(&client, &code).await.is_ok());
}

#[tokio::test]
async fn a_code_is_bound_to_client_redirect_uri_challenge_and_resource() {
    let world = World::new();
    let client = world.register().await;
    let other = world.register_at(&[CALLBACK, "http://127.0.0.1/cb"]).await;
    let code = world.code(&client).await;
    let guess = "a".repeat(43);
    for (changes, refused) in [
        (("client_id", Some(other.as_str())), (400, "invalid_grant")),
        (
            ("redirect_uri", Some("https://app.example.com/other")),
            (400, "invalid_grant"),
        ),
        (
            ("code_verifier", Some(guess.as_str())),
            (400, "invalid_grant"),
        ),
        (("code_verifier", Some("short")), (400, "invalid_grant")),
        (("code_verifier", None), (400, "invalid_request")),
        (("code", None), (400, "invalid_request")),
        (("code", Some("cmc_made-up")), (400, "invalid_grant")),
        (
            ("resource", Some("https://other.example.com/mcp")),
            (400, "invalid_target"),
        ),
        (("resource", Some("nonsense")), (400, "invalid_target")),
        (("client_id", Some("nobody")), (401, "invalid_client")),
    ] {
        let answer = redeem_with(&world, &client, &code, &[changes]).await;
        assert_eq!(answer, Err(refused), "{changes:?}");
    }
    let answer = redeem_with(&world, &client, &code, &[]).await;
    assert_eq!(answer, Ok(()), "nothing was consumed before");
}

#[tokio::test]
async fn a_replayed_code_revokes_the_grant_and_says_which() {
    let world = World::new();
    let client = world.register().await;
    let code = world.code(&client).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    let refused = world.redeem(&client, &code).await.unwrap_err();
    assert_eq!(refused.revoked(), Some(&tokens.grant.id));
    assert_eq!(refused.response().code, "invalid_grant");
    assert!(!world.lets_in(&tokens.access_token).await);
    let answer = world.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(refusal(answer), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_replay_by_a_guess_of_another_client_revokes_nothing() {
    let world = World::new();
    let client = world.register().await;
    let other = world.register_at(&[CALLBACK, "http://127.0.0.1/cb"]).await;
    let code = world.code(&client).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    let refused = world.redeem(&other, &code).await.unwrap_err();
    assert_eq!(refused.revoked(), None);
    assert!(world.lets_in(&tokens.access_token).await);
}

#[tokio::test]
async fn a_client_without_the_refresh_grant_gets_no_refresh_token() {
    let world = World::new();
    let body = serde_json::json!({
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
    });
    let body = body.to_string();
    let client = world
        .server
        .register(body.as_bytes(), world.now(), &world.random)
        .await
        .unwrap();
    let client = client.client.id;
    let code = world.code(&client).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    assert!(tokens.refresh_token.is_none());
    assert!(tokens.body().get("refresh_token").is_none());
    let answer = world
        .refresh(&client, &PlainToken::presented("cmr_x"))
        .await;
    assert_eq!(refusal(answer), (400, "unauthorized_client"));
}

#[tokio::test]
async fn the_store_sees_neither_tokens_nor_what_clerk_gave() {
    let world = World::new();
    let client = world.register().await;
    let code = world.code(&client).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    let kept = format!("{:?}", world.store);
    let json = serde_json::to_string(
        &world
            .store
            .grant(&tokens.grant.id)
            .await
            .unwrap()
            .expect("it is kept"),
    )
    .unwrap();
    for secret in [
        code.as_str(),
        tokens.access_token.reveal(),
        refresh_token(&tokens).reveal(),
        "tokens of Clerk",
        world.browser.reveal(),
    ] {
        assert!(!kept.contains(secret) && !json.contains(secret));
        assert!(!format!("{tokens:?}").contains(secret), "nor do they print");
    }
}
