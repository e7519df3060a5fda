//! What the consent page marks as new, and to whom.

use clerk_mcp_oauth::{Authorization, ClientId, Next, Store as _};

use crate::world::{
    CALLBACK, World, approve, approve_and_remember, finished, handle, query, upstream,
};

/// Signs in as `user` in some browser, and allows `scopes`.
async fn allowed(world: &World, client: &ClientId, user: &str, scopes: &str, remember: bool) {
    let request = World::request(client, &[("scope", Some(scopes))]);
    let handle = handle(world.authorize(&request).await.unwrap());
    let answer = if remember {
        approve_and_remember(scopes)
    } else {
        approve(scopes)
    };
    let next = world.decide(&handle, answer).await.unwrap();
    let location = finished(world.sign_in(&upstream(next), user).await.unwrap());
    world
        .redeem(client, &query(&location)["code"])
        .await
        .unwrap();
}

/// A request for both scopes that waits for an answer.
async fn asked(world: &World, client: &ClientId) -> Authorization {
    match world.authorize(&World::request(client, &[])).await {
        Ok(Next::Consent(authorization)) => *authorization,
        other => panic!("no page: {other:?}"),
    }
}

async fn new_to(world: &World, client: &ClientId, user: Option<&str>) -> String {
    let page = world.page(&asked(world, client).await, user).await;
    page.new_scopes.to_string()
}

#[tokio::test]
async fn what_goes_beyond_live_grants_and_remembered_consents_is_new() {
    for remember in [false, true] {
        let world = World::new();
        let client = world.register().await;
        assert_eq!(new_to(&world, &client, Some("user_1")).await, "");
        allowed(&world, &client, "user_1", "tools:read", remember).await;
        assert_eq!(new_to(&world, &client, Some("user_1")).await, "tools:write");
        // The grant ends; what is remembered stays.
        let grants = world.store.grants_of_user("user_1", world.now());
        let grant = grants.await.unwrap().remove(0);
        world
            .store
            .revoke_grant(&grant.id, world.now())
            .await
            .unwrap();
        let left = if remember { "tools:write" } else { "" };
        assert_eq!(new_to(&world, &client, Some("user_1")).await, left);
        allowed(&world, &client, "user_1", "tools:write", false).await;
        let left = if remember { "" } else { "tools:read" };
        assert_eq!(new_to(&world, &client, Some("user_1")).await, left);
    }
}

#[tokio::test]
async fn nothing_is_said_of_another_person_or_client() {
    let world = World::new();
    let client = world.register().await;
    let other = world
        .register_at(&[CALLBACK, "https://other.example.com/callback"])
        .await;
    allowed(&world, &client, "user_1", "tools:read", true).await;
    assert_eq!(new_to(&world, &client, None).await, "");
    assert_eq!(new_to(&world, &client, Some("user_2")).await, "");
    assert_eq!(new_to(&world, &other, Some("user_1")).await, "");
}

#[tokio::test]
async fn the_later_page_goes_by_who_signed_in_and_not_by_the_cookie() {
    let world = World::new();
    let client = world.register().await;
    allowed(&world, &client, "user_1", "tools:read tools:write", true).await;
    allowed(&world, &client, "user_2", "tools:write", false).await;
    for (user, new) in [("user_2", "tools:read"), ("user_3", "")] {
        // The page is left out for `user_1`, whom the cookie names; somebody else comes back.
        let request = World::request(&client, &[]);
        let next = world.authorize_as(&request, Some("user_1")).await.unwrap();
        let next = world.sign_in(&upstream(next), user).await.unwrap();
        let Next::Consent(authorization) = next else {
            panic!("no page: {next:?}")
        };
        let page = world.page(&authorization, Some("user_1")).await;
        assert_eq!(page.new_scopes.to_string(), new, "{user}");
    }
}
