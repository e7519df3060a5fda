//! Sessions go on after the process was killed, and so does a client's place in their streams.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, NOAH, PRIYA, Tokens};
use crate::support::events::{Event, Events, resume};
use crate::support::mcp::{
    VERSION, at_mcp, call, initialize, initialize_message, message, result, tool_names,
};
use crate::support::server::{CONFIG, Server};

const TIDEPOOL: &str = "org_2EmuTidepoolLabs00000000000";

/// The client is told that the answer is nowhere, and whether its call may have done something.
#[track_caller]
fn assert_lost(answer: &Value, id: &str, code: &str, may_have_taken_effect: bool) {
    assert_eq!(answer["id"], id, "{answer}");
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
    let data = &answer["error"]["data"];
    assert_eq!(data["code"], code, "{answer}");
    assert_eq!(
        data["may_have_taken_effect"], may_have_taken_effect,
        "{answer}"
    );
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("\nhint: "), "{answer}");
}

/// Begins a session whose client can be asked.
fn initialize_asking(server: &Server, tokens: &Tokens) -> String {
    let mut initialize = initialize_message();
    initialize["params"]["capabilities"] = json!({ "elicitation": { "form": {} } });
    let response = at_mcp(server, "POST", &tokens.access)
        .json(&initialize)
        .send();
    assert_eq!(response.status, 200, "{}", response.brief());
    let session = response.header("mcp-session-id").to_owned();
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let response = message(server, &tokens.access, &session, &initialized).send();
    assert_eq!(response.status, 202, "{}", response.brief());
    session
}

/// A call that has to be confirmed: the place where its stream begins, and the question in it.
fn asked(server: &Server, tokens: &Tokens, session: &str) -> (Events, String, Event) {
    asked_as(server, tokens, session, "delete")
}

/// [`asked`], of a call with this id.
fn asked_as(server: &Server, tokens: &Tokens, session: &str, id: &str) -> (Events, String, Event) {
    let delete = json!({
        "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": { "name": "deleteOrganization", "arguments": { "organizationId": TIDEPOOL } },
    });
    let mut stream = Events::of(message(server, &tokens.access, session, &delete).open());
    let (begin, nothing) = stream.next().unwrap();
    assert_eq!(nothing, Value::Null);
    let question = stream.next().unwrap();
    assert_eq!(question.1["method"], "elicitation/create", "{}", question.1);
    (stream, begin, question)
}

fn list(id: u32) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" })
}

#[test]
fn a_session_goes_on_after_a_kill_for_its_principal_alone() {
    let server = Server::start("killed", CONFIG);
    let (owner, strangers) = {
        let client = Client::public(&server, HTTPS_CALLBACK);
        let other_client = Client::public(&server, HTTPS_CALLBACK);
        let strangers = [
            ("another person, same client", client.connect(PRIYA)),
            ("same person, another client", other_client.connect(NOAH)),
        ];
        (client.connect(NOAH), strangers)
    };
    let called = initialize(&server, &owner.access);
    let listed = initialize(&server, &owner.access);
    let streamed = initialize(&server, &owner.access);
    let before = tool_names(&server, &owner.access, &listed);
    result(&call(
        &server,
        &owner.access,
        &called,
        "userInfo",
        &json!({}),
    ));
    let server = server.kill_and_start_again(CONFIG);
    let others_get_nothing = || {
        for (who, stranger) in &strangers {
            for method in ["POST", "GET", "DELETE"] {
                let response = at_mcp(&server, method, &stranger.access)
                    .header("mcp-session-id", &called)
                    .header("mcp-protocol-version", VERSION)
                    .json(&list(1))
                    .send();
                assert_eq!(
                    response.status,
                    404,
                    "{who}, {method}: {}",
                    response.brief()
                );
            }
        }
    };
    others_get_nothing();
    // What is answered without rmcp, what rmcp answers, and a stream: each wakes a session.
    for _ in 0..2 {
        let info = call(&server, &owner.access, &called, "userInfo", &json!({}));
        assert_eq!(result(&info)["user_id"], NOAH);
    }
    assert_eq!(tool_names(&server, &owner.access, &listed), before);
    let get = at_mcp(&server, "GET", &owner.access)
        .header("mcp-session-id", &streamed)
        .header("mcp-protocol-version", VERSION);
    let mut stream = Events::of(get.open());
    assert!(stream.next().is_some());
    assert_eq!(tool_names(&server, &owner.access, &streamed), before);
    assert_eq!(tool_names(&server, &owner.access, &called), before);
    others_get_nothing();
    // The audit still knows which program calls.
    let add = json!({ "a": 1, "b": 2 });
    assert_eq!(
        result(&call(&server, &owner.access, &called, "add", &add))["sum"],
        3
    );
    let rows = server.audited(|row| row["tool"] == "add");
    assert_eq!(rows[0]["client"], "attacker 1", "{rows:?}");
    // And a second time, of sessions that were woken and of one that was begun since.
    let begun = initialize(&server, &owner.access);
    let server = server.kill_and_start_again(CONFIG);
    for session in [&called, &listed, &streamed, &begun] {
        assert_eq!(tool_names(&server, &owner.access, session), before);
    }
}

#[test]
fn a_session_that_ended_or_was_not_used_for_long_is_gone_after_a_kill() {
    let config = CONFIG.replace("[limits]", "[limits]\nsession_idle = \"5m\"");
    let server = Server::start("ended-killed", &config);
    let owner = Client::public(&server, HTTPS_CALLBACK).connect(NOAH);
    let [ended, used, unused] = [(); 3].map(|()| initialize(&server, &owner.access));
    let delete = |server: &Server, session: &str| {
        let delete = at_mcp(server, "DELETE", &owner.access).header("mcp-session-id", session);
        let response = delete.send();
        assert!(response.status < 300, "{}", response.brief());
    };
    let status = |server: &Server, session: &str| {
        let list = message(server, &owner.access, session, &list(1));
        list.send().status
    };
    delete(&server, &ended);
    let server = server.kill_and_start_again(&config);
    assert_eq!(status(&server, &ended), 404);
    server.advance(Duration::from_secs(4 * 60));
    assert_eq!(status(&server, &used), 200);
    server.advance(Duration::from_secs(2 * 60));
    assert_eq!(status(&server, &used), 200);
    assert_eq!(status(&server, &unused), 404);
    // One that sleeps can be ended too.
    let sleeping = initialize(&server, &owner.access);
    let server = server.kill_and_start_again(&config);
    delete(&server, &sleeping);
    assert_eq!(status(&server, &sleeping), 404);
    let server = server.kill_and_start_again(&config);
    assert_eq!(status(&server, &sleeping), 404);
}

#[test]
fn requests_at_the_same_moment_wake_a_session_once() {
    let server = Server::start("woken-once", CONFIG);
    let owner = Client::public(&server, HTTPS_CALLBACK).connect(NOAH);
    let sessions: Vec<String> = (0..4).map(|_| initialize(&server, &owner.access)).collect();
    let server = server.kill_and_start_again(CONFIG);
    for session in &sessions {
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (server, owner, start) = (&server, &owner, &start);
                scope.spawn(move || {
                    start.wait();
                    let answer = message(server, &owner.access, session, &list(number)).send();
                    assert_eq!(answer.status, 200, "{}", answer.brief());
                    let answer = answer.rpc();
                    assert_eq!(answer["id"], number);
                    assert!(answer["result"]["tools"].is_array(), "{answer}");
                });
            }
        });
    }
}

/// Whoever goes in the middle of it leaves the session whole.
#[test]
fn a_client_that_goes_while_its_session_wakes_does_not_break_it() {
    let server = Server::start("woken-alone", CONFIG);
    let owner = Client::public(&server, HTTPS_CALLBACK).connect(NOAH);
    let session = initialize(&server, &owner.access);
    let server = server.kill_and_start_again(CONFIG);
    for _ in 0..8 {
        message(&server, &owner.access, &session, &list(1)).abandon();
    }
    assert!(!tool_names(&server, &owner.access, &session).is_empty());
}

#[test]
fn what_stood_in_a_stream_is_sent_again_after_a_kill_within_its_session_alone() {
    let server = Server::start("resumed", CONFIG);
    let (owner, stranger) = {
        let client = Client::public(&server, HTTPS_CALLBACK);
        (client.connect(AVA), client.connect(PRIYA))
    };
    let session = initialize_asking(&server, &owner);
    let other_session = initialize_asking(&server, &owner);
    let (stream, begin, question) = asked(&server, &owner, &session);
    let (_, other_begin, other_question) = asked_as(&server, &owner, &session, "other");
    drop(stream);
    let server = server.kill_and_start_again(CONFIG);
    let refused = at_mcp(&server, "GET", &stranger.access)
        .header("mcp-session-id", &session)
        .header("last-event-id", &begin)
        .send();
    assert_eq!(refused.status, 404, "{}", refused.brief());
    let after = |session: &str, id: &str| Events::after(&server, &owner, session, id).rest();
    let [again, lost] = after(&session, &begin).try_into().unwrap();
    assert_eq!(again, question);
    assert_lost(&lost.1, "delete", "server_restarted", true);
    let [again, other_lost] = after(&session, &other_begin).try_into().unwrap();
    assert_eq!(again, other_question);
    assert_lost(&other_lost.1, "other", "server_restarted", true);
    assert_eq!(after(&session, &question.0), std::slice::from_ref(&lost));
    assert_ne!(lost.0, other_lost.0, "each has a place of its own");
    // A session's events are none of another one's, even of the same principal.
    assert_eq!(after(&other_session, &begin), []);
    // The call went down with the process: nothing was deleted, and the client calls again.
    let (mut stream, _, again) = asked(&server, &owner, &session);
    let decline = json!({
        "jsonrpc": "2.0", "id": again.1["id"], "result": { "action": "decline" },
    });
    let taken = message(&server, &owner.access, &session, &decline).send();
    assert_eq!(taken.status, 202, "{}", taken.brief());
    let (_, answer) = stream.next().unwrap();
    assert_eq!(answer["id"], "delete", "{answer}");
    assert_eq!(answer["result"]["isError"], true, "{answer}");
}

/// A call that only reads can be sent again without a thought, and its client is told so.
#[test]
fn who_comes_for_an_answer_after_a_kill_is_told_whether_the_call_may_have_taken_effect() {
    let server = Server::start("answer-lost", CONFIG);
    let owner = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let session = initialize(&server, &owner.access);
    let waiting = |tool: &str, arguments: &Value| {
        let call = json!({
            "jsonrpc": "2.0", "id": tool, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments },
        });
        let mut stream = Events::of(message(&server, &owner.access, &session, &call).open());
        let (begin, _) = stream.next().unwrap();
        (stream, begin)
    };
    let slow = json!({ "path": format!("/v1/organizations/{TIDEPOOL}"), "latency_ms": 60_000 });
    server.control("faults", &slow);
    let (read, read_begin) = waiting("getOrganization", &json!({ "organizationId": TIDEPOOL }));
    let arguments = json!({ "organizationId": TIDEPOOL, "name": "Tidepool" });
    let (write, write_begin) = waiting("updateOrganization", &arguments);
    let server = server.kill_and_start_again(CONFIG);
    drop((read, write));
    for (begin, tool, may_have_taken_effect) in [
        (read_begin, "getOrganization", false),
        (write_begin, "updateOrganization", true),
    ] {
        let mut rest = Events::after(&server, &owner, &session, &begin).rest();
        assert_eq!(rest.len(), 1, "{rest:?}");
        let (place, answer) = rest.remove(0);
        assert_lost(&answer, tool, "server_restarted", may_have_taken_effect);
        let nothing = resume(&server, &owner, &session, &place).send();
        assert_eq!(nothing.status, 204, "{}", nothing.brief());
    }
}

/// A client knows that it lost its connection before the server does.
#[test]
fn the_answer_is_for_the_client_that_came_back_and_not_for_the_connection_it_lost() {
    let server = Server::start("came-back", CONFIG);
    let owner = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let session = initialize_asking(&server, &owner);
    for _ in 0..20 {
        let (lost, begin, question) = asked(&server, &owner, &session);
        // It may have come back before, and lost that connection as well.
        let mut lost_too = Events::after(&server, &owner, &session, &begin);
        assert_eq!(lost_too.next(), Some(question.clone()));
        let mut resumed = Events::after(&server, &owner, &session, &begin);
        assert_eq!(resumed.next(), Some(question.clone()));
        let decline = json!({
            "jsonrpc": "2.0", "id": question.1["id"], "result": { "action": "decline" },
        });
        let taken = message(&server, &owner.access, &session, &decline).send();
        assert_eq!(taken.status, 202, "{}", taken.brief());
        let (_, answer) = resumed.next().unwrap();
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert_eq!(resumed.next(), None);
        drop((lost, lost_too));
    }
}

#[test]
fn a_client_that_lost_its_connection_gets_the_rest_of_the_stream_and_the_answer() {
    let server = Server::start("reconnected", CONFIG);
    let owner = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let session = initialize_asking(&server, &owner);
    let (stream, begin, question) = asked(&server, &owner, &session);
    drop(stream);
    let mut resumed = Events::after(&server, &owner, &session, &begin);
    assert_eq!(resumed.next(), Some(question.clone()));
    let decline = json!({
        "jsonrpc": "2.0", "id": question.1["id"], "result": { "action": "decline" },
    });
    let taken = message(&server, &owner.access, &session, &decline).send();
    assert_eq!(taken.status, 202, "{}", taken.brief());
    let (last, answer) = resumed.next().unwrap();
    assert_eq!(answer["id"], "delete", "{answer}");
    assert_eq!(resumed.next(), None);
    // Its place is the end, to which nobody needs to come back.
    let nothing = resume(&server, &owner, &session, &last).send();
    assert_eq!(nothing.status, 204, "{}", nothing.brief());
    // It was taken once.
    let rest = Events::after(&server, &owner, &session, &question.0).rest();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_lost(&rest[0].1, "delete", "answer_not_kept", true);
    // An answer that came while nobody listened waits.
    let (stream, _, question) = asked(&server, &owner, &session);
    drop(stream);
    let decline = json!({
        "jsonrpc": "2.0", "id": question.1["id"], "result": { "action": "decline" },
    });
    let taken = message(&server, &owner.access, &session, &decline).send();
    assert_eq!(taken.status, 202, "{}", taken.brief());
    let rest = Events::after(&server, &owner, &session, &question.0).rest();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0].1["id"], "delete");
    // The answer is nowhere on the disk.
    let kept = std::fs::read(server.folder.join("state/clerk-mcp.db-wal")).unwrap_or_default();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("elicitation/create"));
    assert!(!kept.contains("structuredContent"));
}
