//! Too much at the same time is refused with a time to come back, by whoever causes it, and the server is
//! itself again afterwards.

use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, NOAH, PRIYA, Tokens};
use crate::support::http::Response;
use crate::support::mcp::{at_mcp, call_stateless, initialize, result};
use crate::support::server::{CONFIG, Server};

fn with(limits: &str) -> String {
    CONFIG.replace("[limits]", &format!("[limits]\n{limits}"))
}

fn add(server: &Server, tokens: &Tokens) -> Response {
    call_stateless(server, &tokens.access, "add", &json!({ "a": 2, "b": 3 }))
}

#[track_caller]
fn is_refused(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{}", response.brief());
    let seconds: u64 = response.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&seconds));
    assert!(response.text().contains("hint:"), "{}", response.text());
}

/// A call that Clerk keeps waiting.
fn slow_call(server: &Server, tokens: &Tokens) -> JoinHandle<Response> {
    let url = server.mcp();
    let token = tokens.access.clone();
    std::thread::spawn(move || {
        let message: Value = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {
                "name": "getUserCount",
                "arguments": {},
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": { "name": "slow", "version": "1" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        });
        crate::support::http::post(&url)
            .bearer(&token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "getUserCount")
            .json(&message)
            .send()
    })
}

#[test]
fn who_calls_too_often_waits_and_nobody_else_does() {
    let server = Server::start("rate", &with("calls_per_second = 2"));
    let client = Client::public(&server, HTTPS_CALLBACK);
    let (noisy, quiet) = (client.connect(NOAH), client.connect(PRIYA));
    let other = Client::public(&server, HTTPS_CALLBACK).connect(NOAH);
    for number in 0..20 {
        let answer = add(&server, &noisy);
        assert_eq!(answer.status, 200, "{number}: {}", answer.brief());
    }
    // Time goes on between two calls: sooner or later both come too soon. Another client of the same
    // person is that person.
    let both = (0..100).find_map(|_| {
        let both = [&noisy, &other].map(|tokens| add(&server, tokens));
        let refused = both.iter().all(|answer| answer.status == 429);
        refused.then_some(both)
    });
    for refused in both.unwrap_or_else(|| panic!("nobody is refused")) {
        is_refused(&refused, 429);
    }
    // Another person is not.
    assert_eq!(result(&add(&server, &quiet))["sum"], 5);
    server.advance(Duration::from_secs(1));
    assert_eq!(result(&add(&server, &noisy))["sum"], 5);
}

#[test]
fn calls_under_way_are_bounded_for_each_and_for_all() {
    let server = Server::start("calls", &with("max_calls = 3\nmax_calls_per_person = 2"));
    let client = Client::public(&server, HTTPS_CALLBACK);
    let (ava, noah) = (client.connect(AVA), client.connect(NOAH));
    let second = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let third = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    // Who they are is known before Clerk gets slow.
    for tokens in [&ava, &noah, &second, &third] {
        assert_eq!(add(&server, tokens).status, 200);
    }
    let fault = json!({ "operation": "GetUsersCount", "latency_ms": 6000 });
    server.control("faults", &fault);
    let first = slow_call(&server, &ava);
    server.until_clerk_is_asked("GetUsersCount", 1);
    // Half of a person's calls is the most of one client.
    is_refused(&add(&server, &ava), 429);
    let other = slow_call(&server, &second);
    server.until_clerk_is_asked("GetUsersCount", 2);
    is_refused(&add(&server, &third), 429);
    assert_eq!(result(&add(&server, &noah))["sum"], 5);
    for call in [first, other] {
        assert_eq!(call.join().unwrap().status, 200);
    }
    assert_eq!(result(&add(&server, &ava))["sum"], 5);
}

#[test]
fn what_is_too_much_for_the_server_is_nobodys_own_doing() {
    let server = Server::start("all-calls", &with("max_calls = 1"));
    let client = Client::public(&server, HTTPS_CALLBACK);
    let (ava, noah) = (client.connect(AVA), client.connect(NOAH));
    for tokens in [&ava, &noah] {
        assert_eq!(add(&server, tokens).status, 200);
    }
    let fault = json!({ "operation": "GetUsersCount", "latency_ms": 4000 });
    server.control("faults", &fault);
    let slow = slow_call(&server, &ava);
    server.until_clerk_is_asked("GetUsersCount", 1);
    is_refused(&add(&server, &noah), 503);
    assert_eq!(slow.join().unwrap().status, 200);
    assert_eq!(result(&add(&server, &noah))["sum"], 5);
}

#[test]
fn open_streams_are_bounded_for_each_and_for_all() {
    let server = Server::start(
        "streams",
        &with("max_streams = 2\nmax_streams_per_client = 1"),
    );
    let client = Client::public(&server, HTTPS_CALLBACK);
    let people = [AVA, NOAH, PRIYA].map(|person| client.connect(person));
    let sessions = people
        .each_ref()
        .map(|tokens| initialize(&server, &tokens.access));
    let open = |index: usize| {
        at_mcp(&server, "GET", &people[index].access)
            .header("mcp-session-id", &sessions[index])
            .header("mcp-protocol-version", "2025-11-25")
            .open()
    };
    let first = open(0);
    assert_eq!(first.status, 200);
    is_refused(&open(0).finish(), 429);
    let sse = crate::support::http::get(&format!("{}/sse", server.url));
    is_refused(&sse.bearer(&people[0].access).send(), 429);
    let second = open(1);
    assert_eq!(second.status, 200);
    is_refused(&open(2).finish(), 503);
    // Calls are not streams.
    assert_eq!(result(&add(&server, &people[2]))["sum"], 5);
    drop(first);
    let mut tries = 0;
    while open(2).status != 200 {
        tries += 1;
        assert!(
            tries < 100,
            "the place of a closed stream is not given back"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
