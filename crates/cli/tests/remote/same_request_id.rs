//! Two requests of one session that have the same id at the same time: the second is refused.

use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK};
use crate::support::http::Response;
use crate::support::mcp::{call_message, initialize, message};
use crate::support::server::{CONFIG, Server};

/// A call that reports progress, and so has a stream.
fn counting(id: &Value) -> Value {
    let mut call = call_message("getUserCount", &json!({}));
    call["id"] = id.clone();
    call["params"]["_meta"] = json!({ "progressToken": "p" });
    call
}

fn later(server: &Server, token: &str, session: &str, id: &Value) -> JoinHandle<Response> {
    let request = message(server, token, session, &counting(id));
    std::thread::spawn(move || request.send())
}

#[test]
fn a_request_whose_id_is_in_use_is_refused_and_nobody_waits_for_ever() {
    let server = Server::start("same-id", CONFIG);
    let token = Client::public(&server, HTTPS_CALLBACK).connect(AVA).access;
    let session = initialize(&server, &token);
    // Longer than all that follows: the first one is cancelled.
    let slow = json!({ "operation": "GetUsersCount", "latency_ms": 60_000 });
    server.control("faults", &slow);
    let first = later(&server, &token, &session, &json!(7));
    server.until_clerk_is_asked("GetUsersCount", 1);
    let others: Vec<_> = (0..9)
        .map(|_| later(&server, &token, &session, &json!(7)))
        .collect();
    for other in others {
        let refused = other.join().unwrap();
        assert_eq!(refused.status, 400, "{}", refused.brief());
        let answer = refused.json();
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!(7), &json!(-32600))
        );
    }
    server.clear_faults();
    // A text is another id, and so is that of another session.
    let text = later(&server, &token, &session, &json!("7"));
    let elsewhere = later(&server, &token, &initialize(&server, &token), &json!(7));
    for call in [text, elsewhere] {
        let answer = call.join().unwrap().rpc();
        assert!(answer["result"].is_object(), "{answer}");
    }
    // Once the call was cancelled, the id is free; and so it is once it is answered.
    let cancelled = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 },
    });
    let taken = message(&server, &token, &session, &cancelled).send();
    assert_eq!(taken.status, 202, "{}", taken.brief());
    for _ in 0..2 {
        let anew = message(&server, &token, &session, &counting(&json!(7))).send();
        assert!(anew.rpc()["result"].is_object());
    }
    drop(first);
}
