//! Clerk's refresh token, which works once: whatever comes between its use and the store, nobody honest is
//! logged out.

use std::time::Duration;

use serde_json::json;

use crate::support::actors::{Client, HTTPS_CALLBACK, NOAH, tokens};
use crate::support::database::sql;
use crate::support::mcp::status_with;
use crate::support::patience::until;
use crate::support::server::{CONFIG, Server};

/// Clerk's access token has run out by then, and a new one is asked for.
const LATER: Duration = Duration::from_secs(25 * 60 * 60);
/// From now on nothing that Clerk gives can be kept, as on a full disk.
const FAIL: &str = "CREATE TRIGGER full BEFORE UPDATE OF upstream ON grants
                    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
const WORK: &str = "DROP TRIGGER full";
const VERSION: &str = "SELECT upstream_version FROM grants";

#[test]
fn what_clerk_gave_while_the_store_failed_is_used_and_kept_later() {
    let server = Server::start("unkept", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(NOAH);
    server.advance(LATER);
    sql(&server, FAIL);
    assert_eq!(client.refresh(&own.refresh).error().0, 503);
    // Far longer than anybody remembers answers of Clerk's for requests that come at once.
    for _ in 0..3 {
        server.advance(Duration::from_secs(120));
        assert_eq!(client.refresh(&own.refresh).error().0, 503);
    }
    assert_eq!(sql(&server, VERSION), Some(0));
    sql(&server, WORK);
    // The client need not come back for it.
    until("what Clerk gave is kept", || {
        sql(&server, VERSION) != Some(0)
    });
    let Client {
        id,
        secret,
        redirect_uri,
        address,
        ..
    } = client;
    let server = server.start_again(CONFIG, "warn");
    let client = Client {
        server: &server,
        id,
        secret,
        redirect_uri,
        address,
    };
    let second = tokens(&client.refresh(&own.refresh));
    assert_eq!(status_with(&server, &second.access), 200);
    // And it is the right one: the next day Clerk takes it.
    server.advance(LATER);
    assert_eq!(client.refresh(&second.refresh).status, 200);
}

#[test]
fn a_client_that_comes_back_once_the_store_works_is_not_logged_out() {
    let server = Server::start("unkept-retry", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(NOAH);
    server.advance(LATER);
    sql(&server, FAIL);
    assert_eq!(client.refresh(&own.refresh).error().0, 503);
    server.advance(Duration::from_secs(120));
    sql(&server, WORK);
    let second = tokens(&client.refresh(&own.refresh));
    assert_eq!(status_with(&server, &second.access), 200);
}

#[test]
fn a_refresh_token_that_another_process_has_used_ends_nothing() {
    let server = Server::start("another-process", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    // The other process is faster between our look at the grant and Clerk's answer: on a slow machine it
    // may have been before, and then Clerk's word counts.
    for half_seconds in 1..=5 {
        let own = client.connect(NOAH);
        server.end_grants_at_clerk(NOAH);
        server.advance(LATER);
        let pause = Duration::from_millis(500 * half_seconds);
        let slow = json!({ "path": "/oauth/token", "latency_ms": 2_000 * half_seconds });
        server.control("faults", &slow);
        let (refreshing, refresh) = (client.clone(), own.refresh);
        let answer = std::thread::scope(|scope| {
            let asking = scope.spawn(move || refreshing.refresh(&refresh));
            std::thread::sleep(pause);
            // It keeps what it got.
            let keeps = "UPDATE grants SET upstream_version = upstream_version + 1
                         WHERE revoked_at IS NULL";
            sql(&server, keeps);
            asking.join().unwrap()
        });
        server.clear_faults();
        if answer.status != 200 {
            assert_eq!(answer.error(), (400, "invalid_grant".to_owned()));
            continue;
        }
        let second = tokens(&answer);
        assert_eq!(status_with(&server, &second.access), 200);
        // Nobody has been faster now: Clerk has ended it.
        let refused = client.refresh(&second.refresh).error();
        assert_eq!(refused, (400, "invalid_grant".to_owned()));
        return;
    }
    panic!("the client is logged out each time");
}
