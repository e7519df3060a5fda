//! Codes and refresh tokens: whose they are, how often they work, and what a wrong guess does.

use std::time::Duration;

use base64::Engine as _;
use serde_json::json;

use crate::support::actors::{
    Client, HTTPS_CALLBACK, NOAH, OTHER_VERIFIER, PRIYA, RUBY, Tokens, VERIFIER, tokens,
};
use crate::support::http::{Response, post};
use crate::support::mcp::{at_mcp, initialize_message};
use crate::support::server::{CONFIG, CONFIGURED_SECRET, Server, shared};

#[track_caller]
fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!(
        response.error(),
        (status, code.to_owned()),
        "{}",
        response.text()
    );
    assert_eq!(response.header("cache-control"), "no-store");
}

/// Whether the access token opens the MCP endpoint.
fn is_live(server: &Server, tokens: &Tokens) -> bool {
    let response = at_mcp(server, "POST", &tokens.access)
        .json(&initialize_message())
        .send();
    match response.status {
        200 => true,
        401 => false,
        status => panic!("{status}: {}", response.text()),
    }
}

#[test]
fn a_good_answer_is_never_cached() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let response = client.redeem(&client.code(NOAH));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(response.header("content-type"), "application/json");
    let answer = response.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 900);
    assert_eq!(answer["scope"], "tools:read tools:write");
}

#[test]
fn a_stolen_code_is_nothing_without_the_verifier() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let code = client.code(NOAH);
    refused(
        &client.redeem_with(&code, &[("code_verifier", OTHER_VERIFIER)]),
        400,
        "invalid_grant",
    );
    // The challenge itself is public, and no verifier.
    let challenge = crate::support::actors::CHALLENGE;
    refused(
        &client.redeem_with(&code, &[("code_verifier", challenge)]),
        400,
        "invalid_grant",
    );
    refused(
        &client.redeem_with(&code, &[("code_verifier", "short")]),
        400,
        "invalid_grant",
    );
    refused(
        &client.redeem_with(&code, &[("code_verifier", "")]),
        400,
        "invalid_request",
    );
    // None of it has used the code up.
    assert!(is_live(shared(), &tokens(&client.redeem(&code))));
}

#[test]
fn a_code_is_bound_to_its_redirect_uri_and_resource() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let code = client.code(NOAH);
    let other = "https://app.example.com/other";
    refused(
        &client.redeem_with(&code, &[("redirect_uri", other)]),
        400,
        "invalid_grant",
    );
    let resource = "https://other.example/mcp";
    refused(
        &client.redeem_with(&code, &[("resource", resource)]),
        400,
        "invalid_target",
    );
    let resource = shared().mcp();
    assert_eq!(
        client.redeem_with(&code, &[("resource", &resource)]).status,
        200
    );
}

#[test]
fn a_code_works_once_and_a_replay_ends_the_grant() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let code = client.code(NOAH);
    let first = tokens(&client.redeem(&code));
    assert!(is_live(server, &first));
    refused(&client.redeem(&code), 400, "invalid_grant");
    assert!(
        !is_live(server, &first),
        "the access token survives the replay"
    );
    refused(&client.refresh(&first.refresh), 400, "invalid_grant");
}

#[test]
fn a_guessed_code_and_another_clients_code_end_nothing() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let thief = Client::public(server, HTTPS_CALLBACK);
    let code = client.code(NOAH);
    refused(&thief.redeem(&code), 400, "invalid_grant");
    refused(
        &client.redeem("cmc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        400,
        "invalid_grant",
    );
    refused(&client.redeem("' OR 1=1 --"), 400, "invalid_grant");
    let own = tokens(&client.redeem(&code));
    assert!(is_live(server, &own));
    // Nor when it was redeemed already.
    refused(&thief.redeem(&code), 400, "invalid_grant");
    assert!(is_live(server, &own), "a stranger has ended the grant");
}

#[test]
fn only_one_of_many_that_redeem_a_code_at_once_gets_tokens() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let code = client.code(NOAH);
    let answers = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| client.redeem(&code).status))
            .collect();
        calls
            .into_iter()
            .map(|call| call.join().unwrap())
            .collect::<Vec<_>>()
    });
    let good = answers.iter().filter(|status| **status == 200).count();
    assert_eq!(good, 1, "{answers:?}");
}

#[test]
fn a_code_lives_a_minute_and_tokens_their_time() {
    let server = Server::start("lifetimes", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let code = client.code(NOAH);
    server.advance(Duration::from_secs(61));
    refused(&client.redeem(&code), 400, "invalid_grant");

    let first = client.connect(NOAH);
    server.advance(Duration::from_secs(14 * 60));
    assert!(is_live(&server, &first));
    server.advance(Duration::from_secs(61));
    assert!(!is_live(&server, &first), "an access token of 15 minutes");
    let mut latest = tokens(&client.refresh(&first.refresh));
    assert!(is_live(&server, &latest));
    // Idle for 30 days.
    let idle = client.connect(PRIYA);
    for _ in 0..7 {
        server.advance(Duration::from_secs(25 * 24 * 60 * 60));
        let answer = client.refresh(&latest.refresh);
        if answer.status == 200 {
            latest = tokens(&answer);
        }
    }
    refused(&client.refresh(&idle.refresh), 400, "invalid_grant");
    // 180 days in all.
    server.advance(Duration::from_secs(6 * 24 * 60 * 60));
    refused(&client.refresh(&latest.refresh), 400, "invalid_grant");
}

#[test]
fn a_lost_refresh_answer_costs_nothing_until_its_successor_is_used() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let first = client.connect(NOAH);
    let lost = tokens(&client.refresh(&first.refresh));
    let again = tokens(&client.refresh(&first.refresh));
    assert_eq!(lost.refresh, again.refresh, "one rotation, not two");
    assert_ne!(lost.access, again.access);
    assert_ne!(first.refresh, again.refresh, "it rotates");
    assert!(is_live(server, &again));
    // The successor is used: from now on the first is a replay, and the grant ends.
    let third = tokens(&client.refresh(&again.refresh));
    assert!(is_live(server, &third));
    refused(&client.refresh(&first.refresh), 400, "invalid_grant");
    assert!(
        !is_live(server, &third),
        "the thief's or the owner's: both end"
    );
    refused(&client.refresh(&third.refresh), 400, "invalid_grant");
}

#[test]
fn refreshes_at_once_are_one_rotation() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let first = client.connect(NOAH);
    let answers = std::thread::scope(|scope| {
        let refresh = || tokens(&client.refresh(&first.refresh));
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(refresh)).collect();
        calls
            .into_iter()
            .map(|call| call.join().unwrap())
            .collect::<Vec<_>>()
    });
    for answer in &answers {
        assert_eq!(answer.refresh, answers[0].refresh);
        assert!(is_live(shared(), answer));
    }
    assert_eq!(client.refresh(&answers[0].refresh).status, 200);
}

#[test]
fn another_clients_refresh_token_is_refused_and_ends_nothing() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let thief = Client::public(server, HTTPS_CALLBACK);
    let own = client.connect(NOAH);
    refused(&thief.refresh(&own.refresh), 400, "invalid_grant");
    refused(
        &client.refresh("cmr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        400,
        "invalid_grant",
    );
    refused(&client.refresh(&own.access), 400, "invalid_grant");
    assert!(is_live(server, &own));
    // A dead one in a stranger's hands ends nothing either.
    let second = tokens(&client.refresh(&own.refresh));
    let third = tokens(&client.refresh(&second.refresh));
    refused(&thief.refresh(&own.refresh), 400, "invalid_grant");
    assert!(is_live(server, &third));
}

#[test]
fn a_refresh_cannot_widen_scopes_or_change_the_audience() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let narrow = client.connect_for(NOAH, "tools:read");
    let refresh = |more: &[(&str, &str)]| client.refresh_with(&narrow.refresh, more);
    refused(
        &refresh(&[("scope", "tools:read tools:write")]),
        400,
        "invalid_scope",
    );
    refused(&refresh(&[("scope", "tools:write")]), 400, "invalid_scope");
    refused(
        &refresh(&[("resource", "https://other.example/mcp")]),
        400,
        "invalid_target",
    );
    refused(
        &refresh(&[("resource", &server.at("/"))]),
        400,
        "invalid_target",
    );
    // None of them has consumed the token.
    let answer = refresh(&[("resource", &server.mcp())]);
    assert_eq!(answer.json()["scope"], "tools:read");
    assert_eq!(answer.status, 200);

    // Narrowed once, the next refresh has the grant's scopes again, and no more.
    let wide = client.connect(RUBY);
    let narrowed = client.refresh_with(&wide.refresh, &[("scope", "tools:read")]);
    assert_eq!(narrowed.json()["scope"], "tools:read");
}

#[test]
fn a_confidential_client_is_nobody_without_its_secret() {
    let server = shared();
    let client = Client::register(server, HTTPS_CALLBACK, "client_secret_post", "Confidential");
    let secret = client.secret.clone().unwrap();
    let public = Client {
        secret: None,
        ..client.clone()
    };
    let wrong = Client {
        secret: Some("cms_wrong".to_owned()),
        ..client.clone()
    };
    let code = client.code(NOAH);
    refused(&public.redeem(&code), 401, "invalid_client");
    refused(&wrong.redeem(&code), 401, "invalid_client");
    let prefix = Client {
        secret: Some(secret[..secret.len() - 1].to_owned()),
        ..client.clone()
    };
    refused(&prefix.redeem(&code), 401, "invalid_client");
    let own = tokens(&client.redeem(&code));
    refused(&public.refresh(&own.refresh), 401, "invalid_client");
    refused(&public.revoke(&own.refresh), 401, "invalid_client");
    refused(&wrong.revoke(&own.refresh), 401, "invalid_client");
    assert!(is_live(server, &own));
    assert_eq!(client.refresh(&own.refresh).status, 200);

    // A public client that comes with a secret is not who registered.
    let open = Client::public(server, HTTPS_CALLBACK);
    let pretending = Client {
        secret: Some(secret),
        ..open.clone()
    };
    refused(&pretending.redeem(&open.code(NOAH)), 401, "invalid_client");
}

#[test]
fn one_way_to_say_who_one_is_and_no_two() {
    let server = shared();
    let client = Client {
        server,
        id: "configured".to_owned(),
        secret: Some(CONFIGURED_SECRET.to_owned()),
        redirect_uri: "https://configured.example/callback".to_owned(),
        address: crate::support::actors::new_address(),
    };
    let basic = |user: &str, secret: &str| {
        let pair = format!("{user}:{secret}");
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    };
    let code = client.code(NOAH);
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &client.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let send = |authorization: &[&str], more: &[(&str, &str)]| {
        let mut request = client.bare("/token");
        for value in authorization {
            request = request.header("authorization", value);
        }
        request.form(&[&fields[..], more].concat()).send()
    };
    let good = basic("configured", CONFIGURED_SECRET);
    let both = [
        ("client_id", "configured"),
        ("client_secret", CONFIGURED_SECRET),
    ];
    refused(&send(&[&good], &both), 400, "invalid_request");
    refused(
        &send(&[&good], &[("client_id", "another")]),
        400,
        "invalid_request",
    );
    for bad in [
        &basic("configured", "wrong"),
        &basic("nobody", CONFIGURED_SECRET),
        "Basic not-base64!",
        "Basic",
        "Bearer cma_x",
    ] {
        let response = send(&[bad], &[]);
        refused(&response, 401, "invalid_client");
        assert!(
            response.header("www-authenticate").starts_with("Basic"),
            "{bad}"
        );
    }
    refused(&send(&[&good, &good], &[]), 401, "invalid_client");
    refused(&send(&[], &[]), 400, "invalid_request");
    assert_eq!(send(&[&good], &[]).status, 200);
}

#[test]
fn what_is_no_token_request_gets_the_right_error() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    refused(&client.post("/token", &[]), 400, "invalid_request");
    let twice = [
        ("grant_type", "refresh_token"),
        ("grant_type", "authorization_code"),
    ];
    refused(&client.post("/token", &twice), 400, "invalid_request");
    refused(
        &client.post("/token", &[("grant_type", "refresh_token")]),
        400,
        "invalid_request",
    );
    refused(
        &client.post("/token", &[("grant_type", "authorization_code")]),
        400,
        "invalid_request",
    );
    let json = client
        .bare("/token")
        .body("{\"grant_type\":\"authorization_code\"}")
        .send();
    refused(&json, 400, "invalid_request");
    let json = client.bare("/revoke").json(&json!({ "token": "cmr_x" }));
    let json = json.send();
    refused(&json, 400, "invalid_request");
    let said = json.text();
    assert!(said.contains("application/x-www-form-urlencoded"), "{said}");
    for (path, bytes) in [
        ("/token", 40_000),
        ("/revoke", 40_000),
        ("/register", 80_000),
    ] {
        let large = client.bare(path).body(vec![b'a'; bytes]).send();
        refused(&large, 413, "invalid_request");
        assert_eq!(large.header("access-control-allow-origin"), "*");
    }
    let nobody = Client {
        id: "nobody".to_owned(),
        ..client.clone()
    };
    refused(&nobody.redeem("cmc_x"), 401, "invalid_client");
    let get = crate::support::http::get(&shared().at("/token?grant_type=refresh_token")).send();
    assert_eq!(get.status, 405, "a token request in a URL would be in logs");
}

/// JSON in place of a form, or parameters in the address: what is wrong is that they stand there.
#[test]
fn parameters_that_stand_elsewhere_are_told_where_they_belong() {
    let url = format!("{}/token", shared().url);
    let grant = "grant_type=authorization_code";
    for request in [
        post(&url).json(&serde_json::json!({ "grant_type": "authorization_code" })),
        post(&format!("{url}?{grant}")),
    ] {
        let response = request.send();
        refused(&response, 400, "invalid_request");
        let said = response.text();
        assert!(said.contains("'grant_type' is missing"), "{said}");
        assert!(
            said.contains("in the body, as application/x-www-form-urlencoded"),
            "{said}"
        );
    }
    // A form that this way to sign in has no use for.
    let callback = post(&format!("{}/callback", shared().url)).send();
    assert_eq!(callback.status, 405);
    assert_eq!(callback.header("allow"), "GET,HEAD");
}
