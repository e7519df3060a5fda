//! The end of a server: calls in flight are finished, streams that wait are not waited for.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK};
use crate::support::mcp::{at_mcp, call_message, initialize, message, result};
use crate::support::patience::PATIENCE;
use crate::support::server::{CONFIG, Server};

/// A server that may take longer to end than any test here waits: what ends sooner did not wait for that.
fn patient(name: &str) -> Server {
    let config = CONFIG.replace("shutdown_grace = \"10s\"", "shutdown_grace = \"2m\"");
    Server::start(name, &config)
}

#[test]
fn calls_in_flight_are_finished_and_waiting_streams_end() {
    let mut server = patient("shutdown");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(AVA);
    let session = initialize(&server, &own.access);
    let mut waiting = at_mcp(&server, "GET", &own.access)
        .header("mcp-session-id", &session)
        .open();
    assert_eq!(waiting.status, 200);
    // Somebody who connected and says nothing holds nobody up.
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let _silent = TcpStream::connect(&address).unwrap();
    server.control(
        "faults",
        &json!({ "operation": "GetUsersCount", "latency_ms": 20_000 }),
    );
    let call = message(
        &server,
        &own.access,
        &session,
        &call_message("getUserCount", &json!({})),
    );
    let calling = std::thread::spawn(move || call.send());
    server.until_clerk_is_asked("GetUsersCount", 1);

    let begun = Instant::now();
    server.terminate();
    while waiting.piece().is_some() {}
    assert!(!calling.is_finished(), "the stream waited for the call");
    let answer = calling.join().unwrap();
    assert!(
        result(&answer).to_string().contains("30"),
        "{}",
        answer.brief()
    );
    assert!(
        TcpStream::connect(&address).is_err(),
        "nobody new is let in"
    );
    let status = server.wait();
    assert!(status.success(), "{status:?}: {}", server.log());
    // The call's 20 s are among them.
    let took = begun.elapsed();
    assert!(took < PATIENCE + Duration::from_secs(20), "{took:?}");
    let rows = server.audited(|row| row["tool"] == "getUserCount");
    assert_eq!(rows.len(), 1, "what was finished is audited");
}

#[test]
fn what_takes_longer_than_the_grace_is_cut_off() {
    let config = CONFIG.replace("shutdown_grace = \"10s\"", "shutdown_grace = \"1s\"");
    let mut server = Server::start("grace", &config);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(AVA);
    let session = initialize(&server, &own.access);
    server.control(
        "faults",
        &json!({ "operation": "GetUsersCount", "latency_ms": 60_000 }),
    );
    let call = message(
        &server,
        &own.access,
        &session,
        &call_message("getUserCount", &json!({})),
    );
    let _calling = call.open();
    server.until_clerk_is_asked("GetUsersCount", 1);
    server.terminate();
    assert!(server.wait().success());
    assert!(server.log().contains("cut off"), "{}", server.log());
}

/// Half a head, and a body that ends too early: nothing has been done for either, and nobody who is not
/// signed in can make every restart last as long as the grace.
#[test]
fn half_a_request_holds_up_no_end() {
    let mut server = patient("half");
    let address = server.url.strip_prefix("http://").unwrap();
    let begin = |text: String| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let _head = begin("POST /mcp HTTP/1.1\r\nHo".to_owned());
    let _body = begin(format!(
        "POST /token HTTP/1.1\r\nHost: {address}\r\nContent-Length: 100\r\n\r\ngrant_type="
    ));
    // Later connections have been answered: those have been read.
    assert_eq!(
        crate::support::http::get(&format!("{}/healthz", server.url))
            .send()
            .status,
        200
    );
    let begun = Instant::now();
    server.terminate();
    assert!(server.wait().success());
    let took = begun.elapsed();
    assert!(took < PATIENCE, "{took:?}");
}
