//! Refresh tokens: rotation, grace, replay, and the person who is asked about at each refresh.

use clerk_mcp_oauth::{
    AccessTokenRecord, PlainToken, RefreshRefusal, ServerKey, ServerKeys, Settings, Store as _,
    TokenError,
};

use crate::world::{
    CALLBACK, DAY, ISSUER, RESOURCE, World, refresh_token, refusal, scopes, seconds, settings,
};

#[tokio::test]
async fn refresh_tokens_rotate() {
    let world = World::new();
    let (client, first) = world.signed_in().await;
    let second = world.refresh(&client, refresh_token(&first)).await.unwrap();
    assert_ne!(
        refresh_token(&first).reveal(),
        refresh_token(&second).reveal()
    );
    assert_ne!(first.access_token.reveal(), second.access_token.reveal());
    assert!(world.lets_in(&second.access_token).await);
    assert!(
        world.lets_in(&first.access_token).await,
        "until its own time is over"
    );
    world.wait(seconds(900));
    assert!(!world.lets_in(&second.access_token).await);
}

#[tokio::test]
async fn a_lost_refresh_response_costs_nothing() {
    let world = World::new();
    let (client, first) = world.signed_in().await;
    let lost = world.refresh(&client, refresh_token(&first)).await.unwrap();
    world.wait(20 * DAY);
    let again = world.refresh(&client, refresh_token(&first)).await.unwrap();
    assert_eq!(
        refresh_token(&lost).reveal(),
        refresh_token(&again).reveal(),
        "the same successor"
    );
    assert_ne!(lost.access_token.reveal(), again.access_token.reveal());
    assert!(world.refresh(&client, refresh_token(&again)).await.is_ok());
}

#[tokio::test]
async fn concurrent_refreshes_are_one_rotation() {
    let world = World::new();
    let (client, first) = world.signed_in().await;
    let token = refresh_token(&first);
    let (a, b, c) = tokio::join!(
        world.refresh(&client, token),
        world.refresh(&client, token),
        world.refresh(&client, token)
    );
    let successors: Vec<_> = [a, b, c]
        .map(|it| refresh_token(&it.unwrap()).reveal().to_owned())
        .into();
    assert!(successors.iter().all(|one| *one == successors[0]));
    let next = PlainToken::presented(&successors[0]);
    assert!(world.refresh(&client, &next).await.is_ok());
}

#[tokio::test]
async fn the_previous_token_lives_until_its_successor_is_used_and_then_revokes_the_grant() {
    let world = World::new();
    let (client, first) = world.signed_in().await;
    let second = world.refresh(&client, refresh_token(&first)).await.unwrap();
    assert!(world.refresh(&client, refresh_token(&first)).await.is_ok());
    let third = world
        .refresh(&client, refresh_token(&second))
        .await
        .unwrap();
    let asked = world.people.asked.lock().unwrap().len();
    let refused = world
        .refresh(&client, refresh_token(&first))
        .await
        .unwrap_err();
    assert_eq!(refused.revoked(), Some(&first.grant.id));
    assert_eq!(refused.response().status, 400);
    assert_eq!(refused.response().code, "invalid_grant");
    assert_eq!(
        world.people.asked.lock().unwrap().len(),
        asked,
        "Clerk is not bothered with it"
    );
    for tokens in [first, second, third] {
        assert!(!world.lets_in(&tokens.access_token).await);
        let answer = world.refresh(&client, refresh_token(&tokens)).await;
        assert_eq!(refusal(answer), (400, "invalid_grant"));
    }
}

#[tokio::test]
async fn a_dead_refresh_token_of_another_client_revokes_nothing() {
    let world = World::new();
    let (client, first) = world.signed_in().await;
    let second = world.refresh(&client, refresh_token(&first)).await.unwrap();
    let third = world
        .refresh(&client, refresh_token(&second))
        .await
        .unwrap();
    let other = world.register_at(&[CALLBACK, "http://127.0.0.1/cb"]).await;
    for tokens in [&first, &third] {
        let refused = world
            .refresh(&other, refresh_token(tokens))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.revoked(), refused.response().code),
            (None, "invalid_grant")
        );
    }
    assert!(world.refresh(&client, refresh_token(&third)).await.is_ok());
}

#[tokio::test]
async fn a_refresh_token_lives_thirty_days_idle_and_180_days_in_all() {
    let world = World::new();
    let (client, first) = world.signed_in().await;
    world.wait(30 * DAY);
    let answer = world.refresh(&client, refresh_token(&first)).await;
    assert_eq!(refusal(answer), (400, "invalid_grant"), "never 401 or 500");

    let (client, mut tokens) = world.signed_in().await;
    for _ in 0..6 {
        world.wait(29 * DAY);
        tokens = world
            .refresh(&client, refresh_token(&tokens))
            .await
            .unwrap();
    }
    world.wait(6 * DAY);
    let answer = world.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(refusal(answer), (400, "invalid_grant"), "in all");
}

#[tokio::test]
async fn an_access_token_never_outlives_its_grant() {
    let mut short = settings();
    short.lifetimes.grant = seconds(1000);
    let world = World::with(short);
    let (client, first) = world.signed_in().await;
    world.wait(seconds(400));
    let second = world.refresh(&client, refresh_token(&first)).await.unwrap();
    assert_eq!(second.expires_in, seconds(600));
    assert_eq!(second.body()["expires_in"], 600);
}

#[tokio::test]
async fn refresh_cannot_retarget() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    let with = |resource| {
        [
            ("grant_type", "refresh_token"),
            ("client_id", client.as_str()),
            ("refresh_token", refresh_token(&tokens).reveal()),
            ("resource", resource),
        ]
    };
    for wrong in ["https://other.example.com/mcp", "nonsense"] {
        let answer = world.token(&with(wrong)).await;
        assert_eq!(refusal(answer), (400, "invalid_target"), "{wrong}");
    }
    assert!(
        world.token(&with(RESOURCE)).await.is_ok(),
        "nothing was consumed"
    );
}

#[tokio::test]
async fn refresh_may_narrow_scopes_and_never_widen_them() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    let with = |scope| {
        [
            ("grant_type", "refresh_token"),
            ("client_id", client.as_str()),
            ("refresh_token", refresh_token(&tokens).reveal()),
            ("scope", scope),
        ]
    };
    let narrowed = world.token(&with("tools:read")).await.unwrap();
    assert_eq!(narrowed.scope, scopes("tools:read"));
    let access = world
        .server
        .check_access_token(&narrowed.access_token, world.now())
        .await
        .unwrap();
    assert!(access.require(&scopes("tools:write")).is_err());
    for wrong in ["tools:read tools:admin", "\u{e9}"] {
        assert_eq!(
            refusal(world.token(&with(wrong)).await),
            (400, "invalid_scope"),
            "{wrong}"
        );
    }
    let whole = world
        .refresh(&client, refresh_token(&narrowed))
        .await
        .unwrap();
    assert_eq!(
        whole.scope,
        scopes("tools:read tools:write"),
        "the grant stays whole"
    );
}

#[tokio::test]
async fn a_banned_or_deleted_person_ends_the_grant() {
    let world = World::new();
    let (client, tokens) = world.signed_in().await;
    *world.people.answer.lock().unwrap() = Some(Err(RefreshRefusal::Ended));
    let refused = world
        .refresh(&client, refresh_token(&tokens))
        .await
        .unwrap_err();
    assert_eq!(refused.revoked(), Some(&tokens.grant.id));
    assert_eq!(
        (refused.response().status.as_u16(), refused.response().code),
        (400, "invalid_grant")
    );
    *world.people.answer.lock().unwrap() = None;
    assert!(!world.lets_in(&tokens.access_token).await);
    let answer = world.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(refusal(answer), (400, "invalid_grant"));
}

#[tokio::test]
async fn an_unreachable_clerk_or_a_locked_person_is_503_and_consumes_nothing() {
    let world = World::new();
    let (client, first) = world.signed_in().await;
    let second = world.refresh(&client, refresh_token(&first)).await.unwrap();
    let wait = seconds(7);
    *world.people.answer.lock().unwrap() =
        Some(Err(RefreshRefusal::Unavailable { retry_after: wait }));
    let refused = world
        .refresh(&client, refresh_token(&second))
        .await
        .unwrap_err();
    assert_eq!(refused.revoked(), None);
    let response = refused.response().into_http();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "7");
    assert!(response.body().contains("temporarily_unavailable"));
    *world.people.answer.lock().unwrap() = None;
    assert!(
        world.refresh(&client, refresh_token(&first)).await.is_ok(),
        "its successor was not used"
    );
    assert!(world.refresh(&client, refresh_token(&second)).await.is_ok());
}

#[tokio::test]
async fn what_clerk_gives_anew_is_kept_at_once() {
    let world = World::new();
    let (client, first) = world.signed_in().await;
    *world.people.answer.lock().unwrap() = Some(Ok(Some(b"new tokens".to_vec())));
    let second = world.refresh(&client, refresh_token(&first)).await.unwrap();
    *world.people.answer.lock().unwrap() = None;
    world
        .refresh(&client, refresh_token(&second))
        .await
        .unwrap();
    let asked = world.people.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        [
            Some(b"tokens of Clerk".to_vec()),
            Some(b"new tokens".to_vec())
        ]
    );
    let access = world
        .server
        .check_access_token(&first.access_token, world.now())
        .await
        .unwrap();
    assert_eq!(
        access.open_upstream(),
        Some(b"new tokens".to_vec()),
        "for every live token"
    );
}

fn with_keys(first: u8, older: &[u8]) -> Settings {
    let key = |byte: u8| ServerKey::from_bytes([byte; 32]);
    let keys = ServerKeys::new(key(first), older.iter().copied().map(key).collect());
    Settings::new(ISSUER, RESOURCE, keys).unwrap()
}

#[tokio::test]
async fn a_new_server_key_interrupts_nobody() {
    let world = World::with(with_keys(1, &[]));
    let (client, first) = world.signed_in().await;
    let lost = world.refresh(&client, refresh_token(&first)).await.unwrap();
    let world = world.reconfigured(with_keys(2, &[1]));
    let again = world.refresh(&client, refresh_token(&first)).await.unwrap();
    assert_eq!(
        refresh_token(&lost).reveal(),
        refresh_token(&again).reveal()
    );
    let next = world.refresh(&client, refresh_token(&again)).await.unwrap();
    assert!(world.lets_in(&next.access_token).await);
    let world = world.reconfigured(with_keys(2, &[]));
    assert!(
        world.refresh(&client, refresh_token(&next)).await.is_ok(),
        "made under the new key"
    );
    let answer = world.refresh(&client, refresh_token(&lost)).await;
    assert!(matches!(answer, Err(TokenError::KeyRemoved)));
    assert_eq!(refusal(answer), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_token_opens_nothing_of_another_grant() {
    let world = World::new();
    let (_, mine) = world.signed_in().await;
    let (_, other) = world.signed_in().await;
    let found = |token: PlainToken| {
        let store = world.store.clone();
        let now = world.now();
        async move {
            store
                .access_token(token.hash(), now)
                .await
                .unwrap()
                .unwrap()
        }
    };
    let (mine, my_grant): (AccessTokenRecord, _) = found(mine.access_token).await;
    let (other, _) = found(other.access_token).await;
    assert_ne!(mine.wrapped, other.wrapped);
    assert_ne!(mine.grant_id, other.grant_id);
    assert!(my_grant.upstream.is_some());
}
