//! Calls that are answered without rmcp get the answer that rmcp gives. What leaves a call to rmcp changes
//! nothing else here: types with weights in `Accept` and, in a session, a progress token, for none of these
//! tools reports progress.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{Client, HTTPS_CALLBACK, PRIYA, Tokens};
use crate::support::http::{Response, request};
use crate::support::mcp::{at_mcp, call, initialize, initialize_message, message, result};
use crate::support::server::{CONFIG, Server, shared};

/// What every MCP client sends.
const BOTH_TYPES: &str = "application/json, text/event-stream";

fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("add", json!({ "a": 2, "b": 3 })),
        ("add", json!({ "a": 2 })),
        ("add", json!({ "a": 1e308, "b": 1e308 })),
        ("userInfo", json!({})),
        ("userInfo", json!({ "x": 1 })),
        ("generateImage", json!({ "prompt": "a lighthouse" })),
        ("getUser", json!({})),
        ("getUser", json!({ "userId": "user_x" })),
        ("noSuchTool", json!({})),
    ]
}

fn with(mut message: Value, progress: bool) -> Value {
    if progress {
        message["params"]["_meta"]["progressToken"] = json!("p");
    }
    message
}

fn standing_alone(tool: &str, arguments: &Value, id: &Value) -> Value {
    json!({
        "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {
            "name": tool,
            "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    })
}

fn send(server: &Server, tokens: &Tokens, tool: &str, message: &Value) -> Response {
    accepting(BOTH_TYPES, server, tokens, tool, message)
}

/// Sends it so that rmcp answers.
fn weighed(server: &Server, tokens: &Tokens, tool: &str, message: &Value) -> Response {
    let types = "application/json;q=1, text/event-stream";
    accepting(types, server, tokens, tool, message)
}

fn accepting(
    types: &str,
    server: &Server,
    tokens: &Tokens,
    tool: &str,
    message: &Value,
) -> Response {
    request("POST", &server.mcp())
        .bearer(&tokens.access)
        .header("accept", types)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .json(message)
        .send()
}

/// Status, media type and message.
fn seen(response: &Response) -> (u16, String, Value) {
    (
        response.status,
        response.header("content-type").to_owned(),
        response.rpc(),
    )
}

#[test]
fn a_call_that_stands_alone_gets_the_answer_that_rmcp_gives() {
    let server = shared();
    let tokens = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    for (tool, arguments) in calls() {
        for id in [json!(7), json!("seven"), json!(-1)] {
            let call = standing_alone(tool, &arguments, &id);
            let direct = send(server, &tokens, tool, &with(call.clone(), false));
            let told = send(server, &tokens, tool, &with(call.clone(), true));
            let of_rmcp = weighed(server, &tokens, tool, &call);
            assert_eq!(seen(&direct), seen(&of_rmcp), "{tool} {arguments} {id}");
            assert_eq!(seen(&told), seen(&of_rmcp), "{tool} {arguments} {id}");
        }
    }
}

#[test]
fn a_call_in_a_session_gets_the_message_that_rmcp_gives() {
    let server = shared();
    let tokens = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    let session = initialize(server, &tokens.access);
    for (tool, arguments) in calls() {
        let message_with = |progress| {
            let call = json!({
                "jsonrpc": "2.0", "id": 7, "method": "tools/call",
                "params": { "name": tool, "arguments": arguments },
            });
            message(server, &tokens.access, &session, &with(call, progress)).send()
        };
        let (direct, of_rmcp) = (message_with(false), message_with(true));
        assert_eq!(direct.status, of_rmcp.status, "{tool} {arguments}");
        assert_eq!(direct.rpc(), of_rmcp.rpc(), "{tool} {arguments}");
    }
    // One that needs no stream has none; rmcp's always are streams.
    let direct = call(
        server,
        &tokens.access,
        &session,
        "add",
        &json!({ "a": 2, "b": 3 }),
    );
    assert_eq!(direct.header("content-type"), "application/json");
}

#[test]
fn headers_that_contradict_a_call_are_refused_as_ever() {
    let server = shared();
    let tokens = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    let call = standing_alone("add", &json!({ "a": 2, "b": 3 }), &json!(7));
    let other = |headers: &[(&str, &str)]| {
        let mut request = at_mcp(server, "POST", &tokens.access);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.json(&call).send();
        (response.status, response.rpc()["error"]["code"].clone())
    };
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    let name = ("mcp-name", "add");
    for headers in [
        &[version, method][..],
        &[version, name],
        &[version, method, ("mcp-name", "userInfo")],
        &[version, ("mcp-method", "tools/list"), name],
        &[version, method, name, ("mcp-name", "userInfo")],
        &[("mcp-protocol-version", "2025-11-25"), method, name],
        &[method, name],
    ] {
        assert_eq!(other(headers), (400, json!(-32020)), "{headers:?}");
    }
    // And what they say is the rule for messages that declare less than they must.
    let mut silent = call.clone();
    silent["params"]["_meta"]
        .as_object_mut()
        .unwrap()
        .remove("io.modelcontextprotocol/clientCapabilities");
    let response = send(server, &tokens, "add", &silent);
    assert_eq!(
        (response.status, response.rpc()["error"]["code"].clone()),
        (400, json!(-32602))
    );
}

#[test]
fn calls_of_either_kind_keep_a_session_and_silence_ends_it() {
    let server = Server::start(
        "idle",
        &CONFIG.replace("[limits]", "[limits]\nsession_idle = \"10m\""),
    );
    let client = Client::public(&server, HTTPS_CALLBACK);
    let mut tokens = client.connect(PRIYA);
    let session = initialize(&server, &tokens.access);
    let silent = initialize(&server, &tokens.access);
    let add = json!({ "a": 2, "b": 3 });
    for _ in 0..3 {
        server.advance(Duration::from_secs(6 * 60));
        tokens = crate::support::actors::tokens(&client.refresh(&tokens.refresh));
        let sum = call(&server, &tokens.access, &session, "add", &add);
        assert_eq!(result(&sum), json!({ "sum": 5 }));
    }
    let gone = call(&server, &tokens.access, &silent, "add", &add);
    assert_eq!(gone.status, 404, "{}", gone.brief());
    server.advance(Duration::from_secs(10 * 60));
    tokens = crate::support::actors::tokens(&client.refresh(&tokens.refresh));
    let gone = call(&server, &tokens.access, &session, "add", &add);
    assert_eq!(gone.status, 404, "{}", gone.brief());
}

#[test]
fn a_session_whose_stream_is_open_is_in_use() {
    let server = Server::start(
        "open-stream",
        &CONFIG.replace("[limits]", "[limits]\nsession_idle = \"10m\""),
    );
    let client = Client::public(&server, HTTPS_CALLBACK);
    let mut tokens = client.connect(PRIYA);
    let session = initialize(&server, &tokens.access);
    let stream = at_mcp(&server, "GET", &tokens.access)
        .header("mcp-session-id", &session)
        .header("mcp-protocol-version", "2025-11-25")
        .open();
    assert_eq!(stream.status, 200);
    server.advance(Duration::from_secs(14 * 60));
    tokens = crate::support::actors::tokens(&client.refresh(&tokens.refresh));
    let add = json!({ "a": 2, "b": 3 });
    let sum = call(&server, &tokens.access, &session, "add", &add);
    assert_eq!(result(&sum), json!({ "sum": 5 }));
}

#[test]
fn a_session_that_is_not_ready_is_served_as_rmcp_serves_it() {
    let server = shared();
    let tokens = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    let opened = at_mcp(server, "POST", &tokens.access)
        .json(&initialize_message())
        .send();
    let session = opened.header("mcp-session-id").to_owned();
    let sum = call(
        server,
        &tokens.access,
        &session,
        "add",
        &json!({ "a": 2, "b": 3 }),
    );
    // No answer of ours: it comes as rmcp's stream, whatever it says.
    assert_ne!(sum.header("content-type"), "application/json");
}
