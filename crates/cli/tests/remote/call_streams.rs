//! A call of 2026-07-28 whose client asked to hear of its progress is a stream: reports as they come, then
//! the answer.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, Tokens};
use crate::support::http::{Incoming, Request};
use crate::support::mcp::at_mcp;
use crate::support::patience::PATIENCE;
use crate::support::server::{CONFIG, Server};

/// An API whose first page says that there is another, and whose second waits.
struct Pages {
    port: u16,
    /// Told when the second page is asked for.
    asked: Receiver<()>,
    /// Lets the second page go.
    go: Sender<()>,
    /// Told when whoever waited for the second page has gone without it.
    left: Receiver<()>,
}

impl Pages {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (go, may_go) = channel();
        let (leaves, left) = channel();
        let (asks, asked) = channel();
        let may_go = Arc::new(Mutex::new(may_go));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Side by side: a client may open a connection and not use it.
                let (asks, may_go, leaves) = (asks.clone(), Arc::clone(&may_go), leaves.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &asks, &may_go, &leaves));
            }
        });
        Self {
            port,
            asked,
            go,
            left,
        }
    }

    fn server(&self, name: &str) -> Server {
        let config = format!(
            r#"{CONFIG}
[[access]]
role = "admin"
tools = ["api.*"]

[api]
base_url = "http://127.0.0.1:{}"
credential = "none"

[[tools]]
name = "listOrders"
description = "Lists orders."
method = "GET"
path = "/orders"
pagination = {{ kind = "cursor", parameter = "cursor", next = "/next", items = "/data", max_pages = 5 }}
"#,
            self.port
        );
        Server::start(name, &config)
    }
}

fn serve(stream: TcpStream, asks: &Sender<()>, may_go: &Mutex<Receiver<()>>, leaves: &Sender<()>) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    let mut line = String::new();
    if !matches!(reader.read_line(&mut first), Ok(1..)) {
        return;
    }
    while matches!(reader.read_line(&mut line), Ok(3..)) {
        line.clear();
    }
    let mut stream = reader.into_inner();
    let body = if first.contains("cursor=two") {
        asks.send(()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        while may_go.lock().unwrap().try_recv().is_err() {
            // Nothing more is sent: whatever comes but silence is the end of the connection.
            let silence = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
            match stream.read(&mut [0; 1]) {
                Err(error) if silence.contains(&error.kind()) => {}
                _ => return leaves.send(()).unwrap(),
            }
        }
        json!({"data": [{"id": 2}]})
    } else {
        json!({"data": [{"id": 1}], "next": "two"})
    };
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).unwrap();
}

fn list_orders(server: &Server, tokens: &Tokens, meta: &Value) -> Request {
    let mut call = json!({
        "jsonrpc": "2.0", "id": "orders", "method": "tools/call",
        "params": {
            "name": "listOrders",
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    for (name, value) in meta.as_object().unwrap() {
        call["params"]["_meta"][name] = value.clone();
    }
    at_mcp(server, "POST", &tokens.access)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "listOrders")
        .json(&call)
}

/// The next message of a stream.
fn next(incoming: &mut Incoming) -> Option<Value> {
    loop {
        let piece = String::from_utf8(incoming.piece()?).unwrap();
        let data = piece.lines().find_map(|line| line.strip_prefix("data:"));
        if let Some(data) = data {
            return Some(serde_json::from_str(data).unwrap());
        }
    }
}

#[test]
fn progress_is_told_as_it_comes_and_then_the_answer() {
    let pages = Pages::start();
    let server = pages.server("call-streams");
    let tokens = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    for token in [json!(7), json!("seven")] {
        let mut stream = list_orders(&server, &tokens, &json!({ "progressToken": token })).open();
        assert_eq!(stream.status, 200);
        assert_eq!(stream.header("content-type"), "text/event-stream");
        let report = next(&mut stream).unwrap();
        assert_eq!(report["method"], "notifications/progress");
        assert_eq!(report["params"]["progressToken"], token);
        assert_eq!(report["params"]["progress"], 1);
        assert_eq!(report["params"]["total"], 5);
        // The second page has not been given yet.
        pages.go.send(()).unwrap();
        let answer = next(&mut stream).unwrap();
        assert_eq!(answer["id"], "orders", "{answer}");
        let items = &answer["result"]["structuredContent"]["items"];
        assert_eq!(*items, json!([{ "id": 1 }, { "id": 2 }]), "{answer}");
        assert_eq!(next(&mut stream), None);
    }
    // Whoever does not ask hears nothing of it.
    pages.go.send(()).unwrap();
    let answer = list_orders(&server, &tokens, &json!({})).send();
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.rpc()["id"], "orders");
}

#[test]
fn a_call_ends_when_its_client_leaves_its_stream() {
    let pages = Pages::start();
    let server = pages.server("left-call-streams");
    let tokens = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let mut stream = list_orders(&server, &tokens, &json!({ "progressToken": 7 })).open();
    assert_eq!(next(&mut stream).unwrap()["params"]["progress"], 1);
    pages.asked.recv_timeout(PATIENCE).unwrap();
    drop(stream);
    pages.left.recv_timeout(PATIENCE).unwrap();
    let rows = server.audited(|row| row["tool"] == "listOrders");
    assert_eq!(rows[0]["outcome"], "cancelled", "{rows:?}");
}

#[test]
fn the_stream_of_a_call_ends_with_its_grant() {
    let pages = Pages::start();
    let server = pages.server("ended-call-streams");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let tokens = client.connect(AVA);
    let mut stream = list_orders(&server, &tokens, &json!({ "progressToken": 7 })).open();
    assert_eq!(next(&mut stream).unwrap()["params"]["progress"], 1);
    pages.asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(client.revoke(&tokens.refresh).status, 200);
    assert_eq!(next(&mut stream), None);
    pages.left.recv_timeout(PATIENCE).unwrap();
}
