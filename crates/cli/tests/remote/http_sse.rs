//! HTTP+SSE, the transport of revision 2024-11-05, with the same rights and bounds as `/mcp`; and the
//! batches of revision 2025-03-26.

use serde_json::{Value, json};

use crate::support::actors::{Client, HTTPS_CALLBACK, NOAH, PRIYA, Tokens};
use crate::support::http::{Response, get, post};
use crate::support::mcp::{at_mcp, tool_names};
use crate::support::patience::PATIENCE;
use crate::support::server::{CONFIG, Server, shared};
use crate::support::sse::{Stream, initialize};

fn request(id: u32, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn add(id: u32) -> Value {
    request(
        id,
        "tools/call",
        &json!({ "name": "add", "arguments": { "a": 2, "b": id } }),
    )
}

#[test]
fn every_answer_comes_through_the_stream_and_is_that_of_the_mcp_endpoint() {
    let server = shared();
    let tokens = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    let mut stream = Stream::ready(server, &tokens);
    let session = crate::support::mcp::initialize(server, &tokens.access);
    let template = json!({
        "ref": { "type": "ref/resource", "uri": "clerk://users/{id}" },
        "argument": { "name": "id", "value": "user" },
    });
    let requests = [
        ("ping", json!({})),
        ("tools/list", json!({})),
        (
            "tools/call",
            json!({ "name": "add", "arguments": { "a": 1, "b": 2 } }),
        ),
        ("tools/call", json!({ "name": "getUser", "arguments": {} })),
        ("tools/call", json!({ "name": "noSuchTool" })),
        ("tools/call", json!({ "name": 1 })),
        ("prompts/list", json!({})),
        ("prompts/get", json!({ "name": "nothing" })),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({ "uri": "clerk://nothing" })),
        ("resources/read", json!({})),
        ("completion/complete", template),
        ("logging/setLevel", json!({ "level": "info" })),
        ("no/such/method", json!({})),
    ];
    for (method, params) in requests {
        let message = request(5, method, &params);
        let streamed = stream.exchange(&tokens, &message);
        let direct = crate::support::mcp::message(server, &tokens.access, &session, &message);
        assert_eq!(streamed, direct.send().rpc(), "{method} {params}");
    }
}

#[test]
fn a_stream_belongs_to_one_principal_and_ends_with_its_grant() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let (noah, priya) = (client.connect(NOAH), client.connect(PRIYA));
    let other = Client::public(server, HTTPS_CALLBACK).connect(NOAH);
    let mut stream = Stream::ready(server, &noah);
    for (who, stranger) in [("another person", &priya), ("another client", &other)] {
        let refused = stream.send(stranger, &add(1));
        assert_eq!(refused.status, 404, "{who}: {}", refused.brief());
    }
    let nobody = post(&stream.messages).json(&add(1)).send();
    assert_eq!(nobody.status, 401);
    assert_eq!(
        stream.exchange(&noah, &add(1))["result"]["structuredContent"]["sum"],
        3
    );
    assert_eq!(client.revoke(&noah.refresh).status, 200);
    assert_eq!(stream.event(), None, "the stream outlived its grant");
    assert_eq!(stream.send(&noah, &add(1)).status, 401);
}

#[test]
fn its_metadata_and_challenges_name_its_own_address() {
    let server = shared();
    let path = "/.well-known/oauth-protected-resource/sse";
    let metadata = get(&format!("{}{path}", server.url)).send().json();
    assert_eq!(metadata["resource"], format!("{}/sse", server.url));
    for (method, path_of) in [("GET", "/sse"), ("POST", "/messages")] {
        let refused =
            crate::support::http::request(method, &format!("{}{path_of}", server.url)).send();
        assert_eq!(refused.status, 401, "{method} {path_of}");
    }
    let refused = get(&format!("{}/sse", server.url)).send();
    assert!(
        refused.header("www-authenticate").contains(path),
        "{}",
        refused.brief()
    );
    // A client that names it as the resource gets a token, and one for something else gets none.
    let client = Client::public(server, HTTPS_CALLBACK);
    let sse = format!("{}/sse", server.url);
    let url = client.url_with(&[("resource", &sse)]);
    let mut browser = client.browser();
    let back = crate::support::actors::sign_in(server, &mut browser, &url, PRIYA);
    let code = crate::support::http::parameter(&back, "code").unwrap();
    let tokens = client.redeem_with(&code, &[("resource", &sse)]);
    let tokens = crate::support::actors::tokens(&tokens);
    Stream::ready(server, &tokens);
    let messages = format!("{}/messages", server.url);
    let other = client.redeem_with("x", &[("resource", &messages)]);
    assert_eq!(other.error().0, 400);
}

#[test]
fn what_is_no_message_is_refused_and_the_stream_lives_on() {
    let server = shared();
    let tokens = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    let mut stream = Stream::open(server, &tokens);
    // Before the handshake there is only ping.
    let early = stream.exchange(&tokens, &add(1));
    assert_eq!(early["error"]["code"], -32600, "{early}");
    assert_eq!(
        stream.exchange(&tokens, &request(2, "ping", &json!({})))["result"],
        json!({})
    );
    stream.exchange(&tokens, &initialize("2024-11-05"));
    let again = stream.exchange(&tokens, &initialize("2024-11-05"));
    assert_eq!(again["error"]["code"], -32600, "{again}");
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("[]", -32600),
        ("1", -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
    ] {
        let refused = post(&stream.messages)
            .bearer(&tokens.access)
            .header("content-type", "application/json")
            .body(body)
            .send();
        assert_eq!(
            (refused.status, refused.json()["error"]["code"].clone()),
            (400, json!(code)),
            "{body}"
        );
    }
    for path in [
        "",
        "?session_id=",
        "?session_id=x",
        "?session_id=x&session_id=x",
    ] {
        let url = format!("{}/messages{path}", server.url);
        let refused = post(&url).bearer(&tokens.access).json(&add(1)).send();
        assert_eq!(refused.status, 404, "{path}");
    }
    let huge = post(&stream.messages)
        .bearer(&tokens.access)
        .header("content-type", "application/json")
        .body(vec![b' '; 1024 * 1024 + 1])
        .send();
    assert_eq!(huge.status, 413);
    assert_eq!(
        stream.exchange(&tokens, &add(1))["result"]["structuredContent"]["sum"],
        3
    );
}

#[test]
fn origins_and_hosts_are_checked_and_missing_scopes_challenged() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let tokens = client.connect(PRIYA);
    let elsewhere = get(&format!("{}/sse", server.url))
        .bearer(&tokens.access)
        .header("origin", "https://evil.example")
        .send();
    assert_eq!(elsewhere.status, 403);
    let reader = client.connect_for(PRIYA, "tools:read");
    let stream = Stream::ready(server, &reader);
    let delete = request(
        3,
        "tools/call",
        &json!({ "name": "updateUser", "arguments": {} }),
    );
    let lacking = stream.send(&reader, &delete);
    assert_eq!(lacking.status, 403, "{}", lacking.brief());
    assert!(
        lacking
            .header("www-authenticate")
            .contains("insufficient_scope")
    );
}

#[test]
fn it_can_be_switched_off() {
    let server = Server::start("no-sse", &format!("{CONFIG}\n[transports]\nsse = false\n"));
    let tokens = Client::public(&server, HTTPS_CALLBACK).connect(PRIYA);
    for (method, path) in [("GET", "/sse"), ("POST", "/messages?session_id=x")] {
        let refused = crate::support::http::request(method, &format!("{}{path}", server.url))
            .bearer(&tokens.access)
            .send();
        assert_eq!(refused.status, 404, "{path}");
    }
    let metadata = get(&format!(
        "{}/.well-known/oauth-protected-resource/sse",
        server.url
    ))
    .send();
    assert_eq!(metadata.status, 404);
}

#[test]
fn open_streams_end_at_shutdown() {
    let config = CONFIG.replace("shutdown_grace = \"10s\"", "shutdown_grace = \"2m\"");
    let mut server = Server::start("sse-shutdown", &config);
    let tokens = Client::public(&server, HTTPS_CALLBACK).connect(PRIYA);
    let mut stream = Stream::ready(&server, &tokens);
    let before = std::time::Instant::now();
    server.terminate();
    assert_eq!(stream.event(), None);
    assert!(
        before.elapsed() < PATIENCE,
        "it waited for the end of its grace"
    );
}

#[test]
fn the_oldest_stream_of_a_principal_makes_room() {
    let server = Server::start("sse-many", CONFIG);
    let tokens = Client::public(&server, HTTPS_CALLBACK).connect(PRIYA);
    let mut oldest = Stream::open(&server, &tokens);
    let others: Vec<Stream> = (0..100).map(|_| Stream::open(&server, &tokens)).collect();
    assert_eq!(oldest.event(), None);
    assert_eq!(
        others[0]
            .send(&tokens, &request(2, "ping", &json!({})))
            .status,
        202
    );
}

/// Begins a session of the revision with batches.
fn batch_session(server: &Server, tokens: &Tokens) -> String {
    let opened = at_mcp(server, "POST", &tokens.access)
        .json(&initialize("2025-03-26"))
        .send();
    let session = opened.header("mcp-session-id").to_owned();
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(
        in_session(server, tokens, &session, &initialized).status,
        202
    );
    session
}

/// A message as that revision sends it: without a header for the revision.
fn in_session(server: &Server, tokens: &Tokens, session: &str, message: &Value) -> Response {
    at_mcp(server, "POST", &tokens.access)
        .header("mcp-session-id", session)
        .json(message)
        .send()
}

#[test]
fn a_batch_is_answered_by_one_array() {
    let server = shared();
    let tokens = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    let session = batch_session(server, &tokens);
    let cancelled = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 99 },
    });
    let batch = json!([
        add(1),
        request(2, "tools/list", &json!({})),
        cancelled,
        request(3, "no/such/method", &json!({})),
        { "jsonrpc": "2.0", "id": 4 },
        initialize("2025-03-26"),
        add(6),
    ]);
    let response = in_session(server, &tokens, &session, &batch);
    assert_eq!(response.status, 200, "{}", response.brief());
    assert_eq!(response.header("content-type"), "application/json");
    let answers = response.json();
    let answer = |id: Value| {
        let mut found = answers
            .as_array()
            .unwrap()
            .iter()
            .filter(|answer| answer["id"] == id);
        let answer = found.next().cloned().unwrap_or_default();
        assert!(found.next().is_none());
        answer
    };
    assert_eq!(answers.as_array().unwrap().len(), 6);
    assert_eq!(answer(json!(1))["result"]["structuredContent"]["sum"], 3);
    assert_eq!(answer(json!(6))["result"]["structuredContent"]["sum"], 8);
    assert_eq!(answer(json!(3))["error"]["code"], -32601);
    assert_eq!(answer(json!(4))["error"]["code"], -32600);
    assert_eq!(answer(json!("i"))["error"]["code"], -32600);
    let listed = answer(json!(2))["result"]["tools"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(listed, tool_names(server, &tokens.access, &session).len());
    // Only notifications: nothing to answer.
    let silent = in_session(server, &tokens, &session, &json!([cancelled]));
    assert_eq!((silent.status, silent.text()), (202, String::new()));
}

#[test]
fn batches_are_bounded_and_of_their_revision_alone() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let tokens = client.connect(PRIYA);
    let session = batch_session(server, &tokens);
    let many: Vec<Value> = (0..51).map(add).collect();
    for wrong in [json!([]), Value::Array(many)] {
        let refused = in_session(server, &tokens, &session, &wrong);
        assert_eq!(refused.status, 400, "{}", refused.brief());
        assert!(
            refused.text().contains("1 to 50 messages"),
            "{}",
            refused.brief()
        );
    }
    let newer = crate::support::mcp::initialize(server, &tokens.access);
    let refused = in_session(server, &tokens, &newer, &json!([add(1)]));
    assert_eq!(refused.status, 400, "{}", refused.brief());
    assert!(refused.text().contains("2025-03-26"), "{}", refused.brief());
    // A tool that lacks a scope is no tool in a batch either.
    let reader = client.connect_for(PRIYA, "tools:read");
    let session = batch_session(server, &reader);
    let delete = request(
        3,
        "tools/call",
        &json!({ "name": "updateUser", "arguments": {} }),
    );
    let lacking = in_session(server, &reader, &session, &json!([add(1), delete]));
    assert_eq!(lacking.status, 403, "{}", lacking.brief());
}

#[test]
fn a_batch_through_a_stream_is_taken_whole_or_not_at_all() {
    let config = CONFIG.replace("[limits]", "[limits]\nmax_calls_per_person = 8");
    let server = Server::start("sse-batch", &config);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let tokens = client.connect(PRIYA);
    let mut stream = Stream::ready(&server, &tokens);
    let ping = |id: u32| request(id, "ping", &json!({}));
    // More at once than one client may have under way, too many messages, and the same id twice.
    let too_many: Vec<Value> = (100..105).map(ping).collect();
    let too_long: Vec<Value> = (100..151).map(ping).collect();
    for (batch, status) in [
        (json!(too_many), 429),
        (json!(too_long), 400),
        (json!([ping(100), ping(101), ping(100)]), 400),
        (json!([]), 400),
    ] {
        let refused = stream.send(&tokens, &batch);
        assert_eq!(refused.status, status, "{}", refused.brief());
    }
    // Had any of those been taken, its answer would be here, before these.
    let mixed = json!([ping(1), 42, { "jsonrpc": "2.0", "id": 2 }, ping(3)]);
    let taken = stream.send(&tokens, &mixed);
    assert_eq!(taken.status, 202, "{}", taken.brief());
    let mut answers: Vec<(Value, Value)> = (0..4)
        .map(|_| stream.message())
        .map(|answer| (answer["id"].clone(), answer["error"]["code"].clone()))
        .collect();
    answers.sort_by_key(|(id, _)| id.to_string());
    let expected = json!([[1, null], [2, -32600], [3, null], [null, -32600]]);
    assert_eq!(json!(answers), expected);
    // A call that lacks a scope is one in a batch too.
    let reader = client.connect_for(PRIYA, "tools:read");
    let mut stream = Stream::ready(&server, &reader);
    let update = json!({ "name": "updateUser", "arguments": {} });
    let batch = json!([ping(1), request(2, "tools/call", &update)]);
    let lacking = stream.send(&reader, &batch);
    assert_eq!(lacking.status, 403, "{}", lacking.brief());
    let challenge = lacking.header("www-authenticate");
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
    assert_eq!(stream.exchange(&reader, &ping(3))["id"], 3);
}

#[test]
fn the_longest_batch_is_taken_through_a_stream() {
    let server = shared();
    let tokens = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    let mut stream = Stream::ready(server, &tokens);
    let longest: Vec<Value> = (100..150).map(add).collect();
    let taken = stream.send(&tokens, &Value::Array(longest));
    assert_eq!(taken.status, 202, "{}", taken.brief());
    let answered = (0..50).filter(|_| stream.message()["result"].is_object());
    assert_eq!(answered.count(), 50);
}

#[test]
fn each_request_of_a_batch_counts() {
    let config = CONFIG.replace("[limits]", "[limits]\nmax_calls_per_person = 4");
    let server = Server::start("batch-bounds", &config);
    let tokens = Client::public(&server, HTTPS_CALLBACK).connect(PRIYA);
    let session = batch_session(&server, &tokens);
    let send = |messages| in_session(&server, &tokens, &session, &messages).status;
    assert_eq!(send(json!([add(1), add(2), add(3)])), 429);
    assert_eq!(send(json!([add(1)])), 200);
}
