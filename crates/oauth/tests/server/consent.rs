//! Consent and sign-in: one browser, one time, no code without consent.

use clerk_mcp_oauth::{
    Answer, AuthorizationFault, Callback, ClientIdentity, Next, RedirectKind, SignInFailure,
    StepFault,
};

use crate::world::{
    CALLBACK, ISSUER, RESOURCE, World, approve, finished, handle, keys, person, query, seconds,
    upstream,
};

const ALREADY_USED: StepFault = StepFault::Authorization(AuthorizationFault::AlreadyUsed);
const OTHER_BROWSER: StepFault = StepFault::Authorization(AuthorizationFault::OtherBrowser);

#[tokio::test]
async fn consent_comes_before_the_redirect_to_clerk() {
    let world = World::new();
    let client = world.register().await;
    let next = world
        .authorize(&World::request(&client, &[]))
        .await
        .unwrap();
    assert!(matches!(next, Next::Consent(_)), "{next:?}");
    let other = world.register_at(&["https://other.example.com/cb"]).await;
    let changes = &[("redirect_uri", Some("https://other.example.com/cb"))];
    let next = world
        .authorize(&World::request(&other, changes))
        .await
        .unwrap();
    assert!(matches!(next, Next::Consent(_)), "for each client");
}

#[tokio::test]
async fn double_submission_of_the_form_leads_to_the_same_redirect() {
    let world = World::new();
    let client = world.register().await;
    let handle = handle(
        world
            .authorize(&World::request(&client, &[]))
            .await
            .unwrap(),
    );
    let first = upstream(world.decide(&handle, approve("tools:read")).await.unwrap());
    world.wait(seconds(2));
    let second = upstream(world.decide(&handle, approve("tools:read")).await.unwrap());
    assert_eq!((first.state, first.nonce), (second.state, second.nonce));
    assert_eq!(first.code_challenge, second.code_challenge);
    let changed = world
        .decide(&handle, approve("tools:read tools:write"))
        .await;
    assert_eq!(changed.unwrap_err(), ALREADY_USED);
    assert_eq!(
        world.decide(&handle, Answer::Deny).await.unwrap_err(),
        ALREADY_USED
    );
}

#[tokio::test]
async fn double_fetch_of_the_callback_leads_to_the_same_redirect_while_the_code_is_fresh() {
    let world = World::new();
    let client = world.register().await;
    let handle = handle(
        world
            .authorize(&World::request(&client, &[]))
            .await
            .unwrap(),
    );
    let upstream = upstream(world.decide(&handle, approve("tools:read")).await.unwrap());
    let first = finished(world.sign_in(&upstream, "user_1").await.unwrap());
    let second = finished(world.sign_in(&upstream, "user_1").await.unwrap());
    assert_eq!(first, second);
    world.redeem(&client, &query(&first)["code"]).await.unwrap();
    let late = world.sign_in(&upstream, "user_1").await;
    assert_eq!(
        late.unwrap_err(),
        ALREADY_USED,
        "a redeemed code is told nobody again"
    );
}

#[tokio::test]
async fn a_callback_that_is_being_worked_on_is_told_so() {
    let world = World::new();
    let client = world.register().await;
    let handle = handle(
        world
            .authorize(&World::request(&client, &[]))
            .await
            .unwrap(),
    );
    let upstream = upstream(world.decide(&handle, approve("tools:read")).await.unwrap());
    let (browser, now) = (&world.browser, world.now());
    let first = world
        .server
        .take_callback(&upstream.state, browser, now)
        .await
        .unwrap();
    let Callback::Redeem {
        authorization,
        upstream: checks,
    } = first
    else {
        panic!("the first redeems")
    };
    assert_eq!(checks.nonce, upstream.nonce);
    assert_eq!(
        checks.code_verifier.reveal(),
        upstream.code_verifier.reveal()
    );
    let second = world
        .server
        .take_callback(&upstream.state, browser, now)
        .await;
    assert_eq!(second.unwrap_err(), StepFault::InProgress);
    let location = world
        .server
        .decline(&authorization, browser, now)
        .await
        .unwrap();
    let third = world
        .server
        .take_callback(&upstream.state, browser, now)
        .await
        .unwrap();
    assert!(matches!(third, Callback::Repeated { location: again } if again == location));
}

#[tokio::test]
async fn everything_is_bound_to_the_browser() {
    let world = World::new();
    let client = world.register().await;
    let handle = handle(
        world
            .authorize(&World::request(&client, &[]))
            .await
            .unwrap(),
    );
    let stranger = world.other_browser();
    let (server, now, random) = (&world.server, world.now(), &world.random);
    let stolen = server
        .decide(&handle, &stranger, approve("tools:read"), now, random)
        .await;
    assert_eq!(stolen.unwrap_err(), OTHER_BROWSER);
    let stolen = server.authorization_for_page(&handle, &stranger, now).await;
    assert_eq!(stolen.unwrap_err(), OTHER_BROWSER);
    let upstream = upstream(world.decide(&handle, approve("tools:read")).await.unwrap());
    let stolen = server.take_callback(&upstream.state, &stranger, now).await;
    assert_eq!(stolen.unwrap_err(), OTHER_BROWSER);
    finished(world.sign_in(&upstream, "user_1").await.unwrap());
    let stolen = server.take_callback(&upstream.state, &stranger, now).await;
    assert_eq!(
        stolen.unwrap_err(),
        OTHER_BROWSER,
        "nor does the answer go there afterwards"
    );
}

#[tokio::test]
async fn the_state_is_signed_and_lives_ten_minutes() {
    let world = World::new();
    let client = world.register().await;
    let handle = handle(
        world
            .authorize(&World::request(&client, &[]))
            .await
            .unwrap(),
    );
    let upstream = upstream(world.decide(&handle, approve("tools:read")).await.unwrap());
    let (server, browser) = (&world.server, &world.browser);
    for position in [0, 20, 25, 40, upstream.state.len() - 2] {
        let mut forged = upstream.state.clone().into_bytes();
        forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let refused = server.take_callback(&forged, browser, world.now()).await;
        assert_eq!(refused.unwrap_err(), StepFault::State, "at {position}");
    }
    for nonsense in ["", "x", "../..", &upstream.state[1..]] {
        let refused = server.take_callback(nonsense, browser, world.now()).await;
        assert_eq!(refused.unwrap_err(), StepFault::State);
    }
    world.wait(seconds(600));
    let late = server
        .take_callback(&upstream.state, browser, world.now())
        .await;
    assert_eq!(
        late.unwrap_err(),
        StepFault::Authorization(AuthorizationFault::Expired)
    );
}

#[tokio::test]
async fn a_state_of_a_removed_server_key_is_refused_and_of_an_older_one_accepted() {
    use clerk_mcp_oauth::{ServerKey, ServerKeys, Settings};

    let with = |keys| Settings::new(ISSUER, RESOURCE, keys).unwrap();
    let new = ServerKey::from_bytes([8; 32]);
    for (keys, accepted) in [
        (
            ServerKeys::new(new.clone(), vec![ServerKey::from_bytes([7; 32])]),
            true,
        ),
        (ServerKeys::new(new, Vec::new()), false),
    ] {
        let world = World::new();
        let client = world.register().await;
        let handle = handle(
            world
                .authorize(&World::request(&client, &[]))
                .await
                .unwrap(),
        );
        let upstream = upstream(world.decide(&handle, approve("tools:read")).await.unwrap());
        let world = world.reconfigured(with(keys));
        assert_eq!(world.sign_in(&upstream, "user_1").await.is_ok(), accepted);
    }
    assert!(
        format!("{:?}", keys()).contains("ServerKey(…)"),
        "keys do not print"
    );
}

#[tokio::test]
async fn denial_goes_back_as_access_denied() {
    let world = World::new();
    let client = world.register().await;
    let handle = handle(
        world
            .authorize(&World::request(&client, &[]))
            .await
            .unwrap(),
    );
    for _ in 0..2 {
        let Next::Denied { location } = world.decide(&handle, Answer::Deny).await.unwrap() else {
            panic!("denied")
        };
        let answer = query(&location);
        assert_eq!(
            (&*answer["error"], &*answer["iss"]),
            ("access_denied", ISSUER)
        );
        assert_eq!(answer["state"], "the client's state");
    }
    let later = world.decide(&handle, approve("tools:read")).await;
    assert_eq!(later.unwrap_err(), ALREADY_USED);
}

#[tokio::test]
async fn a_failed_or_declined_sign_in_goes_back_to_the_client() {
    for (failure, code) in [
        (None, "access_denied"),
        (Some(SignInFailure::ServerError), "server_error"),
        (
            Some(SignInFailure::TemporarilyUnavailable),
            "temporarily_unavailable",
        ),
    ] {
        let world = World::new();
        let client = world.register().await;
        let handle = handle(
            world
                .authorize(&World::request(&client, &[]))
                .await
                .unwrap(),
        );
        let upstream = upstream(world.decide(&handle, approve("tools:read")).await.unwrap());
        let (browser, now) = (&world.browser, world.now());
        let taken = world
            .server
            .take_callback(&upstream.state, browser, now)
            .await
            .unwrap();
        let Callback::Redeem { authorization, .. } = taken else {
            panic!("it redeems")
        };
        let location = match failure {
            None => world
                .server
                .decline(&authorization, browser, now)
                .await
                .unwrap(),
            Some(failure) => world
                .server
                .fail(&authorization, failure, browser, now)
                .await
                .unwrap(),
        };
        let answer = query(&location);
        assert_eq!((&*answer["error"], &*answer["iss"]), (code, ISSUER));
        let (kept, random) = (None, &world.random);
        let late = world
            .server
            .finish(&authorization, person("u"), kept, browser, now, random);
        assert_eq!(late.await.unwrap_err(), ALREADY_USED, "no code comes of it");
    }
}

#[tokio::test]
async fn only_ticked_scopes_that_were_asked_for_are_granted() {
    let world = World::new();
    let client = world.register().await;
    let request = World::request(&client, &[]);
    let handle = handle(world.authorize(&request).await.unwrap());
    for wrong in ["", "tools:admin", "tools:read tools:admin"] {
        let refused = world.decide(&handle, approve(wrong)).await;
        let fault = StepFault::Authorization(AuthorizationFault::OtherScopes);
        assert_eq!(refused.unwrap_err(), fault, "{wrong}");
    }
    let next = world.decide(&handle, approve("tools:write")).await.unwrap();
    let location = finished(world.sign_in(&upstream(next), "user_1").await.unwrap());
    let tokens = world
        .redeem(&client, &query(&location)["code"])
        .await
        .unwrap();
    assert_eq!(tokens.scope.to_string(), "tools:write");
}

#[tokio::test]
async fn the_page_tells_who_asks_and_where_the_answer_goes() {
    let world = World::new();
    let uri = "http://127.0.0.1:3000/cb";
    let client = world.register_at(&[uri]).await;
    let request = World::request(
        &client,
        &[("redirect_uri", Some("http://127.0.0.1:61234/cb"))],
    );
    let Next::Consent(authorization) = world.authorize(&request).await.unwrap() else {
        panic!("a page")
    };
    let page = world.page(&authorization, None).await;
    assert_eq!(page.identity, ClientIdentity::SelfRegistered);
    assert_eq!(page.client_name.as_deref(), Some("A client"));
    assert_eq!(
        (&*page.redirect_host, page.redirect_kind),
        ("127.0.0.1:61234", RedirectKind::Loopback)
    );
    let scopes: Vec<_> = page
        .scopes
        .iter()
        .map(|scope| scope.value.as_str())
        .collect();
    assert_eq!(scopes, ["tools:read", "tools:write"]);
    assert!(!page.can_remember && page.person.is_none());
}

#[tokio::test]
async fn a_name_cannot_hide_or_turn_text_around() {
    let world = World::new();
    let body = serde_json::json!({
        "client_name": "\u{202e}evil\u{200b} \u{7}name\u{feff}",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
    });
    let body = body.to_string();
    let client = world
        .server
        .register(body.as_bytes(), world.now(), &world.random)
        .await
        .unwrap();
    let request = World::request(&client.client.id, &[]);
    let Next::Consent(authorization) = world.authorize(&request).await.unwrap() else {
        panic!("a page")
    };
    let page = world.page(&authorization, None).await;
    assert_eq!(page.client_name.as_deref(), Some("evil name"));
}

#[tokio::test]
async fn an_authorization_lives_ten_minutes_and_then_says_so() {
    let world = World::new();
    let client = world.register().await;
    let handle = handle(
        world
            .authorize(&World::request(&client, &[]))
            .await
            .unwrap(),
    );
    world.wait(seconds(600));
    let late = world
        .decide(&handle, approve("tools:read"))
        .await
        .unwrap_err();
    assert_eq!(late, StepFault::Authorization(AuthorizationFault::Expired));
    assert_eq!(late.status(), 410);
    let unknown = world
        .decide("nonsense", approve("tools:read"))
        .await
        .unwrap_err();
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn a_request_is_kept_server_side_and_not_in_the_form() {
    let world = World::new();
    let client = world.register().await;
    let Ok(Next::Consent(authorization)) = world.authorize(&World::request(&client, &[])).await
    else {
        panic!("a page")
    };
    let page = world.page(&authorization, None).await;
    assert_eq!(
        page.handle.as_str().len(),
        22,
        "128 random bits and nothing else"
    );
    let reloaded = world
        .server
        .authorization_for_page(page.handle.as_str(), &world.browser, world.now())
        .await
        .unwrap();
    assert_eq!(reloaded, *authorization, "the page can be loaded again");
}
