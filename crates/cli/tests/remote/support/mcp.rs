//! Messages to the MCP endpoint.

use serde_json::{Value, json};

use super::http::{Request, Response, request};
use super::server::Server;

pub(crate) const VERSION: &str = "2025-11-25";

/// A request to the endpoint with what every MCP client sends.
pub(crate) fn at_mcp(server: &Server, method: &'static str, token: &str) -> Request {
    request(method, &server.mcp())
        .bearer(token)
        .header("accept", "application/json, text/event-stream")
}

/// A message in a session.
pub(crate) fn message(server: &Server, token: &str, session: &str, message: &Value) -> Request {
    at_mcp(server, "POST", token)
        .header("mcp-session-id", session)
        .header("mcp-protocol-version", VERSION)
        .json(message)
}

pub(crate) fn initialize_message() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": VERSION,
            "capabilities": {},
            "clientInfo": { "name": "attacker", "version": "1" },
        },
    })
}

pub(crate) fn call_message(tool: &str, arguments: &Value) -> Value {
    json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": tool, "arguments": arguments },
    })
}

/// Begins a session; gives its id.
#[track_caller]
pub(crate) fn initialize(server: &Server, token: &str) -> String {
    let response = at_mcp(server, "POST", token)
        .json(&initialize_message())
        .send();
    assert_eq!(response.status, 200, "{}", response.text());
    let session = response.header("mcp-session-id").to_owned();
    assert!(!session.is_empty(), "no session: {}", response.text());
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let response = message(server, token, &session, &initialized).send();
    assert_eq!(response.status, 202, "{}", response.text());
    session
}

/// Calls a tool in a session.
pub(crate) fn call(
    server: &Server,
    token: &str,
    session: &str,
    tool: &str,
    arguments: &Value,
) -> Response {
    message(server, token, session, &call_message(tool, arguments)).send()
}

/// The names of the tools that a session lists.
#[track_caller]
pub(crate) fn tool_names(server: &Server, token: &str, session: &str) -> Vec<String> {
    let list = json!({ "jsonrpc": "2.0", "id": 8, "method": "tools/list" });
    let answer = message(server, token, session, &list).send().rpc();
    let tools = answer["result"]["tools"].as_array();
    let tools = tools.unwrap_or_else(|| panic!("no tools: {answer}"));
    let names = tools.iter().filter_map(|tool| tool["name"].as_str());
    names.map(str::to_owned).collect()
}

/// A call without a session, as revision 2026-07-28 has it.
pub(crate) fn call_stateless(
    server: &Server,
    token: &str,
    tool: &str,
    arguments: &Value,
) -> Response {
    let mut call = call_message(tool, arguments);
    call["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    at_mcp(server, "POST", token)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .json(&call)
        .send()
}

/// The structured result of a call that succeeded.
#[track_caller]
pub(crate) fn result(response: &Response) -> Value {
    let answer = response.rpc();
    let result = &answer["result"];
    assert!(
        result.is_object() && result["isError"] != true,
        "the call failed: {answer}"
    );
    result["structuredContent"].clone()
}

/// Whether the server refused the call by an error, or as a failed call.
#[track_caller]
pub(crate) fn is_refused(response: &Response) -> bool {
    let answer = response.rpc();
    answer.get("error").is_some() || answer["result"]["isError"] == true
}

/// The status that a request with this token gets: 200, or 401 when it is not taken (any more).
pub(crate) fn status_with(server: &Server, token: &str) -> u16 {
    at_mcp(server, "POST", token)
        .json(&initialize_message())
        .send()
        .status
}
