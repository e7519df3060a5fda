//! A session or a stream belongs to one principal: person and client.

use serde_json::json;

use crate::support::actors::{Client, HTTPS_CALLBACK, NOAH, PRIYA, tokens};
use crate::support::database::sql;
use crate::support::mcp::{
    at_mcp, call, call_message, initialize, initialize_message, message, result,
};
use crate::support::server::{CONFIG, Server, shared};

#[test]
fn a_session_of_somebody_else_does_not_exist_on_any_method() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let other_client = Client::public(server, HTTPS_CALLBACK);
    let owner = client.connect(NOAH);
    let session = initialize(server, &owner.access);
    let strangers = [
        ("another person, same client", client.connect(PRIYA)),
        ("same person, another client", other_client.connect(NOAH)),
        ("another person and client", other_client.connect(PRIYA)),
    ];
    for (who, stranger) in &strangers {
        for method in ["POST", "GET", "DELETE"] {
            let response = at_mcp(server, method, &stranger.access)
                .header("mcp-session-id", &session)
                .header("mcp-protocol-version", "2025-11-25")
                .json(&call_message("userInfo", &json!({})))
                .send();
            assert_eq!(
                response.status,
                404,
                "{who}, {method}: {}",
                response.brief()
            );
        }
        let resumed = at_mcp(server, "GET", &stranger.access)
            .header("mcp-session-id", &session)
            .header("last-event-id", "0")
            .send();
        assert_eq!(resumed.status, 404, "{who}: {}", resumed.brief());
        let cancel = json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 },
        });
        let cancel = message(server, &stranger.access, &session, &cancel).send();
        assert_eq!(cancel.status, 404, "{who}: {}", cancel.brief());
        // The answer is the one for a session that never was.
        let guessed = call(
            server,
            &stranger.access,
            "no-such-session",
            "userInfo",
            &json!({}),
        );
        let known = call(server, &stranger.access, &session, "userInfo", &json!({}));
        assert_eq!(
            (guessed.status, guessed.text()),
            (known.status, known.text())
        );
    }
    // None of the DELETEs has ended it.
    let info = call(server, &owner.access, &session, "userInfo", &json!({}));
    assert_eq!(result(&info)["user_id"], NOAH);
}

#[test]
fn a_session_survives_a_new_token_and_a_new_authorization_of_its_principal() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let first = client.connect(NOAH);
    let session = initialize(server, &first.access);
    let refreshed = tokens(&client.refresh(&first.refresh));
    let info = call(server, &refreshed.access, &session, "userInfo", &json!({}));
    assert_eq!(result(&info)["user_id"], NOAH);
    // Signed in again: another grant, the same principal. The first grant ends, the session not.
    let second = client.connect(NOAH);
    assert_eq!(client.revoke(&first.refresh).status, 200);
    let info = call(server, &second.access, &session, "userInfo", &json!({}));
    assert_eq!(result(&info)["user_id"], NOAH);
    let gone = call(server, &refreshed.access, &session, "userInfo", &json!({}));
    assert_eq!(gone.status, 401);
}

#[test]
fn an_identity_is_that_of_the_request_and_not_of_the_session() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let wide = client.connect(NOAH);
    let narrow = client.connect_for(NOAH, "tools:read");
    // A session that was begun with more scopes lends them to nobody.
    let session = initialize(server, &wide.access);
    let arguments = json!({ "name": "Lent" });
    let response = call(
        server,
        &narrow.access,
        &session,
        "createOrganization",
        &arguments,
    );
    assert_eq!(response.status, 403, "{}", response.brief());
}

#[test]
fn a_session_that_was_ended_is_gone() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let owner = client.connect(NOAH);
    let session = initialize(server, &owner.access);
    let delete = at_mcp(server, "DELETE", &owner.access)
        .header("mcp-session-id", &session)
        .send();
    assert!(delete.status < 300, "{}", delete.brief());
    assert_eq!(
        call(server, &owner.access, &session, "userInfo", &json!({})).status,
        404
    );
    let twice = at_mcp(server, "POST", &owner.access)
        .header("mcp-session-id", &session)
        .header("mcp-session-id", &initialize(server, &owner.access))
        .json(&call_message("userInfo", &json!({})));
    assert_eq!(twice.send().status, 404);
}

#[test]
fn sessions_are_bounded() {
    let config = CONFIG.replace("[limits]", "[limits]\nmax_sessions = 3");
    let server = Server::start("few-sessions", &config);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let owner = client.connect(NOAH);
    let sessions: Vec<String> = (0..3).map(|_| initialize(&server, &owner.access)).collect();
    let full = at_mcp(&server, "POST", &owner.access)
        .json(&initialize_message())
        .send();
    assert_eq!(full.status, 503, "{}", full.brief());
    assert!(full.has("retry-after"));
    let delete = at_mcp(&server, "DELETE", &owner.access)
        .header("mcp-session-id", &sessions[0])
        .send();
    assert!(delete.status < 300);
    initialize(&server, &owner.access);
}

#[test]
fn a_client_that_never_ends_a_session_loses_its_oldest_and_is_not_locked_out() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let tokens = client.connect(NOAH);
    let sessions: Vec<String> = (0..101)
        .map(|_| initialize(server, &tokens.access))
        .collect();
    let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
    let status = |session: &str| {
        message(server, &tokens.access, session, &ping)
            .send()
            .status
    };
    assert_eq!(status(&sessions[0]), 404);
    assert_eq!(status(&sessions[1]), 200);
    assert_eq!(status(&sessions[100]), 200);
}

#[test]
fn a_session_that_cannot_be_ended_now_is_not_said_to_be() {
    let server = Server::start("unended", CONFIG);
    let owner = Client::public(&server, HTTPS_CALLBACK).connect(NOAH);
    let session = initialize(&server, &owner.access);
    let end = || {
        at_mcp(&server, "DELETE", &owner.access)
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25")
            .send()
    };
    let info = || call(&server, &owner.access, &session, "userInfo", &json!({}));
    let full = "CREATE TRIGGER full BEFORE DELETE ON sessions
                BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    sql(&server, full);
    let refused = end();
    assert_eq!(refused.status, 503, "{}", refused.brief());
    assert!(refused.has("retry-after"));
    // What is wrong is the operator's to know.
    let text = refused.text();
    assert!(
        !text.contains("full") && !text.contains("clerk-mcp.db"),
        "{text}"
    );
    assert_eq!(result(&info())["user_id"], NOAH);
    sql(&server, "DROP TRIGGER full");
    assert_eq!(end().status, 202);
    assert_eq!(info().status, 404);
}
