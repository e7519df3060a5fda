//! Too much at the same time is refused with a time to come back, by whoever causes it, and the server is
//! itself again afterwards.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, NOAH, PRIYA, Tokens};
use crate::support::clerk::{self, machine_token};
use crate::support::http::Response;
use crate::support::mcp::{at_mcp, call_stateless, initialize, message, result};
use crate::support::patience::{PATIENCE, until};
use crate::support::server::{CONFIG, Server, folder};

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

/// From now on Clerk keeps the count of people back, for longer than a test takes.
fn clerk_gets_slow(server: &Server) {
    let fault = json!({ "operation": "GetUsersCount", "latency_ms": 60_000 });
    server.control("faults", &fault);
}

/// A call that Clerk keeps waiting, under way until its connection is closed.
fn slow_call(server: &Server, tokens: &Tokens) -> TcpStream {
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
    at_mcp(server, "POST", &tokens.access)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "getUserCount")
        .json(&message)
        .write()
}

/// Tries until there is room again, for that a client has gone is noticed in a moment.
fn until_a_call_is_taken(server: &Server, tokens: &Tokens) {
    until("the place of a call that has ended is free", || {
        let answer = add(server, tokens);
        let is_taken = answer.status == 200;
        if is_taken {
            assert_eq!(result(&answer)["sum"], 5);
        }
        is_taken
    });
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
    clerk_gets_slow(&server);
    let first = slow_call(&server, &ava);
    server.until_clerk_is_asked("GetUsersCount", 1);
    // Half of a person's calls is the most of one client.
    is_refused(&add(&server, &ava), 429);
    let other = slow_call(&server, &second);
    server.until_clerk_is_asked("GetUsersCount", 2);
    is_refused(&add(&server, &third), 429);
    assert_eq!(result(&add(&server, &noah))["sum"], 5);
    drop((first, other));
    until_a_call_is_taken(&server, &ava);
}

#[test]
fn what_is_too_much_for_the_server_is_nobodys_own_doing() {
    let server = Server::start("all-calls", &with("max_calls = 1"));
    let client = Client::public(&server, HTTPS_CALLBACK);
    let (ava, noah) = (client.connect(AVA), client.connect(NOAH));
    for tokens in [&ava, &noah] {
        assert_eq!(add(&server, tokens).status, 200);
    }
    clerk_gets_slow(&server);
    let slow = slow_call(&server, &ava);
    server.until_clerk_is_asked("GetUsersCount", 1);
    is_refused(&add(&server, &noah), 503);
    drop(slow);
    until_a_call_is_taken(&server, &noah);
}

#[test]
fn open_streams_are_bounded_for_each_and_for_all() {
    let limits = "max_streams = 2\nmax_streams_per_person = 1\nmax_streams_per_client = 1";
    let server = Server::start("streams", &with(limits));
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
    // Another client of the same person has no more.
    let other = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let sse = crate::support::http::get(&format!("{}/sse", server.url));
    is_refused(&sse.bearer(&other.access).send(), 429);
    let second = open(1);
    assert_eq!(second.status, 200);
    is_refused(&open(2).finish(), 503);
    // Calls are not streams.
    assert_eq!(result(&add(&server, &people[2]))["sum"], 5);
    drop(first);
    until("the place of a closed stream is free", || {
        open(2).status == 200
    });
}

#[test]
fn a_person_has_so_many_sessions_through_whatever_clients() {
    let server = Server::start("sessions-each", &with("max_sessions_per_person = 3"));
    let [first, second] = [(); 2].map(|()| Client::public(&server, HTTPS_CALLBACK));
    let (many, few, noah) = (first.connect(AVA), second.connect(AVA), first.connect(NOAH));
    let is_there = |tokens: &Tokens, session: &str| {
        let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        let answer = message(&server, &tokens.access, session, &list).send();
        assert!([200, 404].contains(&answer.status), "{}", answer.brief());
        answer.status == 200
    };
    let others = initialize(&server, &noah.access);
    let sessions = [&many, &many, &few].map(|tokens| initialize(&server, &tokens.access));
    // The client that has the most makes room.
    let next = initialize(&server, &few.access);
    assert!(!is_there(&many, &sessions[0]));
    assert!(is_there(&many, &sessions[1]));
    assert!(is_there(&few, &sessions[2]) && is_there(&few, &next));
    assert!(is_there(&noah, &others), "somebody else's");
}

#[test]
fn a_machine_that_calls_too_often_slows_no_other() {
    const MORE: &str = r#"
[[access]]
machine = ["mch_2EmuOrders00000000000000000", "mch_2EmuBilling0000000000000000"]
tools = ["add"]

[limits]
calls_per_second = 1
"#;
    let audience = "audience = \"resource\"";
    let machine = format!("{audience}\nmachine = \"mch_2EmuServer00000000000000000\"");
    let config = format!("{}{MORE}", clerk::CONFIG.replace(audience, &machine));
    let folder = folder("machines-rate");
    std::fs::write(folder.join("seed.toml"), clerk::MACHINES).unwrap();
    let server = Server::start_in(folder, &config, "warn");
    let [noisy, quiet] = ["ak_orders", "ak_billing"].map(|key| Tokens {
        access: machine_token(&server, key, "jwt"),
        refresh: String::new(),
    });
    let refused = (0..100).find_map(|_| {
        let answer = add(&server, &noisy);
        (answer.status != 200).then_some(answer)
    });
    is_refused(&refused.unwrap_or_else(|| panic!("never refused")), 429);
    assert_eq!(result(&add(&server, &quiet))["sum"], 5);
}

/// A connection on which nothing is said yet.
fn connection(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What is said on a connection that asks whether the server lives.
fn asked_on(mut stream: &TcpStream) -> String {
    let host = stream.peer_addr().unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

/// Tries until there is room again, for what was closed is noticed in a moment.
fn until_there_is_room(server: &Server) {
    until("the place of a closed connection is free", || {
        asked_on(&connection(server)).starts_with("HTTP/1.1 200")
    });
}

#[track_caller]
fn is_turned_away(server: &Server, status: &str) {
    let said = asked_on(&connection(server));
    assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
    assert!(said.contains("\r\nretry-after: 5\r\n"), "{said}");
}

#[test]
fn connections_are_bounded_for_an_address_and_for_all() {
    let config = with("max_connections = 8\nmax_connections_per_address = 4");
    let of_nobody = config.replace("trusted_proxies = [\"127.0.0.1\"]", "");
    let server = Server::start("connections", &of_nobody);
    let idle: Vec<TcpStream> = (0..4).map(|_| connection(&server)).collect();
    is_turned_away(&server, "429");
    drop(idle);
    until_there_is_room(&server);
    // A proxy has as many as there are.
    let server = Server::start("proxied", &config);
    let idle: Vec<TcpStream> = (0..8).map(|_| connection(&server)).collect();
    is_turned_away(&server, "503");
    drop(idle);
    until_there_is_room(&server);
}
