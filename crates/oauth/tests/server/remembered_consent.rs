//! Remembered consent: for the same person, client, redirect URI, resource and scopes alone.

use std::time::Duration;

use clerk_mcp_oauth::{
    Answer, AuthorizationFault, CONSENT_KEPT, ClientAuthMethod, ConsentKey, Next, Resource,
    StepFault, Store as _,
};

use crate::token_endpoint::world_with;
use crate::world::{
    CALLBACK, DAY, RESOURCE, World, approve, approve_and_remember, finished, handle, query,
    upstream,
};

const OTHER_BROWSER: StepFault = StepFault::Authorization(AuthorizationFault::OtherBrowser);

/// Consents and remembers as `user_1`.
async fn remembered(world: &World, client: &clerk_mcp_oauth::ClientId, scopes: &str) {
    let request = World::request(client, &[("scope", Some(scopes))]);
    let handle = handle(world.authorize(&request).await.unwrap());
    let next = world
        .decide(&handle, approve_and_remember(scopes))
        .await
        .unwrap();
    finished(world.sign_in(&upstream(next), "user_1").await.unwrap());
}

#[tokio::test]
async fn a_remembered_consent_skips_the_page_for_the_same_everything() {
    let world = World::new();
    let other = "https://app.example.com/other";
    let client = world.register_at(&[CALLBACK, other]).await;
    remembered(&world, &client, "tools:read").await;
    let read = ("scope", Some("tools:read"));
    let same = World::request(&client, &[read]);
    let next = world.authorize_as(&same, Some("user_1")).await.unwrap();
    let location = finished(world.sign_in(&upstream(next), "user_1").await.unwrap());
    assert!(query(&location).contains_key("code"));
    let another_client = world.register_at(&[CALLBACK, "http://127.0.0.1/cb"]).await;
    for (request, cookie) in [
        (same.clone(), None),
        (same.clone(), Some("user_2")),
        (World::request(&client, &[]), Some("user_1")),
        (
            World::request(&client, &[read, ("redirect_uri", Some(other))]),
            Some("user_1"),
        ),
        (World::request(&another_client, &[read]), Some("user_1")),
        (
            World::request(&client, &[read, ("prompt", Some("consent"))]),
            Some("user_1"),
        ),
    ] {
        let next = world.authorize_as(&request, cookie).await.unwrap();
        assert!(matches!(next, Next::Consent(_)), "{cookie:?} {request:?}");
    }
}

#[tokio::test]
async fn somebody_else_who_comes_back_sees_the_page_before_any_code() {
    let world = World::new();
    let client = world.register().await;
    remembered(&world, &client, "tools:read").await;
    let request = World::request(&client, &[("scope", Some("tools:read"))]);
    let next = world.authorize_as(&request, Some("user_1")).await.unwrap();
    let next = world.sign_in(&upstream(next), "user_2").await.unwrap();
    let Next::Consent(authorization) = next else {
        panic!("the page: {next:?}")
    };
    let page = world.page(&authorization, None).await;
    assert_eq!(page.person.as_deref(), Some("The person user_2"));
    assert!(
        world
            .store
            .grants_of_user("user_2", world.now())
            .await
            .unwrap()
            .is_empty()
    );

    let handle = authorization.id.as_str();
    let stranger = world.other_browser();
    let (now, random) = (world.now(), &world.random);
    let stolen = world
        .server
        .decide(handle, &stranger, approve("tools:read"), now, random)
        .await;
    assert_eq!(stolen.unwrap_err(), OTHER_BROWSER);
    let first = finished(world.decide(handle, approve("tools:read")).await.unwrap());
    let again = finished(world.decide(handle, approve("tools:read")).await.unwrap());
    assert_eq!(first, again, "a double click is harmless here too");
    let tokens = world.redeem(&client, &query(&first)["code"]).await.unwrap();
    assert_eq!(tokens.grant.user_id, "user_2");
    let access = world
        .server
        .check_access_token(&tokens.access_token, now)
        .await
        .unwrap();
    assert_eq!(
        access.open_upstream().as_deref(),
        Some(&b"tokens of Clerk"[..]),
        "nothing is lost"
    );
}

#[tokio::test]
async fn somebody_else_with_a_smaller_consent_sees_the_page_and_with_an_equal_one_does_not() {
    let world = World::new();
    let client = world.register().await;
    remembered(&world, &client, "tools:read tools:write").await;
    let request = World::request(&client, &[]);
    for (consented, page) in [("tools:read", true), ("tools:read tools:write", false)] {
        let handle = handle(world.authorize(&request).await.unwrap());
        let next = world
            .decide(&handle, approve_and_remember(consented))
            .await
            .unwrap();
        finished(world.sign_in(&upstream(next), "user_2").await.unwrap());
        let next = world.authorize_as(&request, Some("user_1")).await.unwrap();
        let next = world.sign_in(&upstream(next), "user_2").await.unwrap();
        assert_eq!(matches!(next, Next::Consent(_)), page, "{consented}");
    }
}

#[tokio::test]
async fn somebody_else_may_decline_on_the_later_page() {
    let world = World::new();
    let client = world.register().await;
    remembered(&world, &client, "tools:read").await;
    let request = World::request(&client, &[("scope", Some("tools:read"))]);
    let next = world.authorize_as(&request, Some("user_1")).await.unwrap();
    let later = handle(world.sign_in(&upstream(next), "user_2").await.unwrap());
    let next = world.decide(&later, Answer::Deny).await.unwrap();
    assert!(matches!(next, Next::Denied { .. }));
    assert!(
        world
            .store
            .grants_of_user("user_2", world.now())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_consent_forgotten_meanwhile_brings_the_page() {
    let world = World::new();
    let client = world.register().await;
    remembered(&world, &client, "tools:read").await;
    let request = World::request(&client, &[("scope", Some("tools:read"))]);
    let next = world.authorize_as(&request, Some("user_1")).await.unwrap();
    let resource = Resource::parse(RESOURCE).unwrap();
    let key = ConsentKey::new("user_1", client, CALLBACK, &resource);
    assert_eq!(world.store.forget_consent(&key).await, Ok(true));
    handle(world.sign_in(&upstream(next), "user_1").await.unwrap());
}

#[tokio::test]
async fn loopback_and_private_use_redirects_are_never_remembered() {
    let world = World::new();
    for uri in [
        "http://127.0.0.1/cb",
        "https://localhost/cb",
        "cursor://x/cb",
    ] {
        let client = world.register_at(&[uri]).await;
        let changes = [("redirect_uri", Some(uri)), ("scope", Some("tools:read"))];
        let request = World::request(&client, &changes);
        let handle = handle(world.authorize(&request).await.unwrap());
        let next = world
            .decide(&handle, approve_and_remember("tools:read"))
            .await
            .unwrap();
        finished(world.sign_in(&upstream(next), "user_1").await.unwrap());
        assert_eq!(
            world.store.remembered_consents("user_1").await,
            Ok(Vec::new()),
            "{uri}"
        );
        let next = world.authorize_as(&request, Some("user_1")).await.unwrap();
        assert!(matches!(next, Next::Consent(_)));
    }
}

#[tokio::test]
async fn the_cookie_that_names_a_person_is_sealed_and_ends() {
    let world = World::new();
    let (server, now) = (&world.server, world.now());
    let cookie = server.person_cookie("user_1", now, &world.random);
    assert!(!cookie.contains("user_1"));
    assert_eq!(
        server.open_person_cookie(&cookie, now).as_deref(),
        Some("user_1")
    );
    assert_eq!(
        server.open_person_cookie(&cookie, now.after(30 * DAY)),
        None
    );
    let mut forged = cookie.clone().into_bytes();
    forged[30] ^= 1;
    for wrong in [
        &*String::from_utf8(forged).unwrap(),
        "",
        "user_1",
        &cookie[2..],
    ] {
        assert_eq!(server.open_person_cookie(wrong, now), None);
    }
}

#[tokio::test]
async fn a_consent_is_remembered_for_half_a_year() {
    const MINUTE: Duration = Duration::from_secs(60);
    let (world, client) = world_with(ClientAuthMethod::ClientSecretBasic);
    remembered(&world, &client, "tools:read").await;
    let request = World::request(&client, &[("scope", Some("tools:read"))]);
    let allowed = async || world.server.allowed("user_1", world.now()).await.unwrap();
    world.wait(CONSENT_KEPT - MINUTE);
    let before = allowed().await.len();
    let begun = world.authorize_as(&request, Some("user_1")).await.unwrap();
    let begun = upstream(begun);
    // It ends while they are at Clerk.
    world.wait(MINUTE);
    let next = world.sign_in(&begun, "user_1").await.unwrap();
    assert!(matches!(next, Next::Consent(_)), "{next:?}");
    let next = world.authorize_as(&request, Some("user_1")).await.unwrap();
    assert!(matches!(next, Next::Consent(_)), "{next:?}");
    assert_eq!(allowed().await.len(), before - 1);
}
