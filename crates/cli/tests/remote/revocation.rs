//! The ends of a grant: revoked by its client, banned, deleted, or refused by Clerk.

use std::time::Duration;

use serde_json::json;

use crate::api_credentials::{asked, forget};
use crate::support::actors::{Client, HTTPS_CALLBACK, NOAH, PRIYA, RUBY, tokens};
use crate::support::mcp::{
    at_mcp, call, call_message, initialize, initialize_message, message, result,
};
use crate::support::server::{CONFIG, Server, shared};

fn status(server: &Server, token: &str) -> u16 {
    let response = at_mcp(server, "POST", token)
        .json(&initialize_message())
        .send();
    response.status
}

#[test]
fn revoking_either_token_ends_the_grant_at_once() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    for which in ["access", "refresh"] {
        let own = client.connect(NOAH);
        let session = initialize(server, &own.access);
        // It is known, and cached.
        result(&call(server, &own.access, &session, "userInfo", &json!({})));
        let token = if which == "access" {
            &own.access
        } else {
            &own.refresh
        };
        assert_eq!(client.revoke(token).status, 200);
        assert_eq!(status(server, &own.access), 401, "{which}");
        assert_eq!(
            call(server, &own.access, &session, "userInfo", &json!({})).status,
            401
        );
        assert_eq!(
            client.refresh(&own.refresh).error(),
            (400, "invalid_grant".to_owned())
        );
        // Twice, and something that never was, is no error (RFC 7009 section 2.2).
        assert_eq!(client.revoke(token).status, 200);
        assert_eq!(client.revoke("cmr_never").status, 200);
    }
    // A code that is not redeemed yet is no token of RFC 7009, and stays what it is.
    let code = client.code(NOAH);
    assert_eq!(client.revoke(&code).status, 200);
}

#[test]
fn another_client_can_revoke_nothing() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let other = Client::public(server, HTTPS_CALLBACK);
    let own = client.connect(NOAH);
    assert_eq!(other.revoke(&own.access).status, 200);
    assert_eq!(other.revoke(&own.refresh).status, 200);
    assert_eq!(status(server, &own.access), 200);
    assert_eq!(client.refresh(&own.refresh).status, 200);
    let nobody = client
        .bare("/revoke")
        .form(&[("token", &own.refresh)])
        .send();
    assert_eq!(nobody.error(), (400, "invalid_request".to_owned()));
    let unknown = Client {
        id: "nobody".to_owned(),
        ..client.clone()
    };
    assert_eq!(unknown.revoke(&own.refresh).error().0, 401);
    assert_eq!(
        client.post("/revoke", &[]).error(),
        (400, "invalid_request".to_owned())
    );
    assert_eq!(status(server, &own.access), 200);
}

#[test]
fn revocation_ends_streams_that_are_open() {
    let server = Server::start("streams", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(NOAH);
    let bystander = client.connect(PRIYA);
    let session = initialize(&server, &own.access);
    let get = |token: &str, session: &str| {
        at_mcp(&server, "GET", token)
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", "2025-11-25")
            .open()
    };
    let mut waiting = get(&own.access, &session);
    assert_eq!(waiting.status, 200);
    assert!(
        waiting
            .header("content-type")
            .starts_with("text/event-stream")
    );
    let other_session = initialize(&server, &bystander.access);
    let mut others = get(&bystander.access, &other_session);
    // A call that takes longer than this test has patience.
    server.control(
        "faults",
        &json!({ "operation": "GetUser", "latency_ms": 60_000 }),
    );
    let mut calling = message(
        &server,
        &own.access,
        &session,
        &call_message("getUser", &json!({})),
    )
    .open();
    assert_eq!(calling.status, 200);
    assert!(
        calling
            .header("content-type")
            .starts_with("text/event-stream")
    );

    assert_eq!(client.revoke(&own.refresh).status, 200);
    while waiting.piece().is_some() {}
    let mut said = Vec::new();
    while let Some(piece) = calling.piece() {
        said.extend(piece);
    }
    // Had the call gone on, it would have a result, if only that Clerk did not answer in time.
    let said = String::from_utf8_lossy(&said);
    assert!(!said.contains("\"result\""), "{said}");
    // Somebody else's stream goes on.
    let other = std::thread::spawn(move || while others.piece().is_some() {});
    std::thread::sleep(Duration::from_millis(300));
    assert!(!other.is_finished(), "the stream of a bystander has ended");
    assert_eq!(client.revoke(&bystander.refresh).status, 200);
    other.join().unwrap();
}

#[test]
fn a_replay_ends_streams_too() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let code = client.code(NOAH);
    let own = tokens(&client.redeem(&code));
    let session = initialize(server, &own.access);
    let mut waiting = at_mcp(server, "GET", &own.access)
        .header("mcp-session-id", &session)
        .open();
    assert_eq!(waiting.status, 200);
    assert_eq!(client.redeem(&code).error().1, "invalid_grant");
    while waiting.piece().is_some() {}
}

#[test]
fn who_is_banned_or_deleted_is_out() {
    let server = Server::start("banned", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let banned = client.connect(NOAH);
    let deleted = client.connect(RUBY);
    for own in [&banned, &deleted] {
        assert_eq!(status(&server, &own.access), 200);
    }
    server.clerk_api("POST", &format!("/users/{NOAH}/ban"), &json!({}));
    server.clerk_api("DELETE", &format!("/users/{RUBY}"), &json!({}));
    // Within a minute, of the one clock.
    server.advance(Duration::from_secs(61));
    for own in [&banned, &deleted] {
        assert_eq!(status(&server, &own.access), 401);
        assert_eq!(
            client.refresh(&own.refresh).error(),
            (400, "invalid_grant".to_owned())
        );
    }
    // The grant is over: an end to the ban brings nothing back.
    server.clerk_api("POST", &format!("/users/{NOAH}/unban"), &json!({}));
    assert_eq!(
        client.refresh(&banned.refresh).error(),
        (400, "invalid_grant".to_owned())
    );
    server.advance(Duration::from_secs(61));
    assert_eq!(status(&server, &banned.access), 401);
}

#[test]
fn a_request_that_finds_somebody_banned_or_deleted_ends_all_that_is_theirs() {
    let server = Server::start("found-banned", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let other = Client::public(&server, HTTPS_CALLBACK);
    let mut refresh_tokens = Vec::new();
    for person in [NOAH, RUBY] {
        let own = client.connect(person);
        let elsewhere = other.connect(person);
        let session = initialize(&server, &elsewhere.access);
        let mut waiting = at_mcp(&server, "GET", &elsewhere.access)
            .header("mcp-session-id", &session)
            .open();
        assert_eq!(waiting.status, 200);
        match person {
            NOAH => server.clerk_api("POST", &format!("/users/{NOAH}/ban"), &json!({})),
            _ => server.clerk_api("DELETE", &format!("/users/{RUBY}"), &json!({})),
        };
        // Who finds out first is the server, which looks after the person of a waiting stream, or a request.
        forget(&server);
        server.advance(Duration::from_secs(61));
        for _ in 0..20 {
            assert_eq!(status(&server, &own.access), 401);
        }
        // Through whichever client it was seen: the stream of the other one is closed too.
        while waiting.piece().is_some() {}
        assert_eq!(status(&server, &elsewhere.access), 401);
        assert_eq!(
            asked(&server, "GetUser"),
            1,
            "a dead token asks Clerk again"
        );
        refresh_tokens.push(own.refresh);
    }
    // The grants are over: an end to the ban brings nothing back.
    server.clerk_api("POST", &format!("/users/{NOAH}/unban"), &json!({}));
    server.advance(Duration::from_secs(61));
    assert_eq!(
        client.refresh(&refresh_tokens[0]).error(),
        (400, "invalid_grant".to_owned())
    );
    let again = client.connect(NOAH);
    assert_eq!(status(&server, &again.access), 200);
}

#[test]
fn who_is_locked_or_clerk_unreachable_keeps_the_grant() {
    let server = Server::start("locked", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(NOAH);
    let wait = |refused: crate::support::http::Response| {
        assert_eq!(refused.error(), (503, "temporarily_unavailable".to_owned()));
        assert_eq!(refused.header("cache-control"), "no-store");
        refused.header("retry-after").parse::<u64>().unwrap()
    };
    // A stranger who guesses passwords can do that to anybody.
    server.clerk_api("POST", &format!("/users/{NOAH}/lock"), &json!({}));
    assert_eq!(wait(client.refresh(&own.refresh)), 60);
    server.clerk_api("POST", &format!("/users/{NOAH}/unlock"), &json!({}));
    let second = tokens(&client.refresh(&own.refresh));
    let away = json!({ "operation": "GetUser", "status": 503, "retry_after": 30 });
    server.control("faults", &away);
    assert_eq!(wait(client.refresh(&second.refresh)), 30, "as Clerk says");
    server.clear_faults();
    assert_eq!(client.refresh(&second.refresh).status, 200);
}

#[test]
fn when_clerk_ends_its_grant_ours_ends_with_it() {
    let server = Server::start("upstream", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(NOAH);
    let kept = client.connect(PRIYA);
    server.end_grants_at_clerk(NOAH);
    // Once Clerk's access token has run out there is a new one to ask for.
    server.advance(Duration::from_secs(25 * 60 * 60));
    let kept = tokens(&client.refresh(&kept.refresh));
    assert_eq!(status(&server, &kept.access), 200);
    assert_eq!(
        client.refresh(&own.refresh).error(),
        (400, "invalid_grant".to_owned())
    );
    assert_eq!(
        client.refresh(&own.refresh).error(),
        (400, "invalid_grant".to_owned())
    );
}
