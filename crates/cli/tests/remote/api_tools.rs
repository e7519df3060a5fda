//! Tools over the owner's API, through the running server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, NOAH};
use crate::support::mcp::{call, call_stateless, initialize, is_refused, result, tool_names};
use crate::support::server::{CONFIG, Server};

/// An API that says what it was asked; the heads of its requests are kept.
fn api() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                head.push_str(&line);
                line.clear();
            }
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            kept.lock().unwrap().push(head);
            let body = json!({"data": {"path": path}, "secret": "not selected"}).to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            let mut stream = reader.into_inner();
            stream.write_all(answer.as_bytes()).unwrap();
            stream.flush().unwrap();
            let _ = stream.read(&mut [0; 1]);
        }
    });
    (port, heads)
}

fn config(port: u16) -> String {
    format!(
        r#"{CONFIG}
[[access]]
role = "admin"
tools = ["api.*"]

[[oauth.scopes]]
value = "orders:read"
title = "Orders"
description = "Look at orders."

[api]
base_url = "http://127.0.0.1:{port}/v1"
credential = "none"

[[tools]]
name = "getOrder"
title = "Order"
description = "Reads an order."
method = "GET"
path = "/orders/{{order}}"
input = {{ type = "object", required = ["order"], properties = {{ order = {{ type = "string" }} }} }}
output = {{ kind = "json", pointer = "/data" }}
scopes = ["orders:read"]
"#
    )
}

#[test]
fn a_tool_over_the_owners_api_is_for_whom_its_rule_names_and_needs_its_scope() {
    let (port, heads) = api();
    let server = Server::start("api-tools", &config(port));
    let client = Client::public(&server, HTTPS_CALLBACK);

    let member = client.connect_for(NOAH, "tools:read orders:read");
    let session = initialize(&server, &member.access);
    assert!(!tool_names(&server, &member.access, &session).contains(&"getOrder".to_owned()));
    let refused = call(
        &server,
        &member.access,
        &session,
        "getOrder",
        &json!({"order": "1"}),
    );
    assert!(is_refused(&refused), "{}", refused.brief());

    let without_scope = client.connect_for(AVA, "tools:read");
    let lacking = call_stateless(
        &server,
        &without_scope.access,
        "getOrder",
        &json!({"order": "1"}),
    );
    assert_eq!(lacking.status, 403, "{}", lacking.brief());
    assert!(lacking.header("www-authenticate").contains("orders:read"));
    assert!(heads.lock().unwrap().is_empty(), "nothing was sent yet");

    let admin = client.connect_for(AVA, "tools:read orders:read");
    let session = initialize(&server, &admin.access);
    assert!(tool_names(&server, &admin.access, &session).contains(&"getOrder".to_owned()));
    let order = call(
        &server,
        &admin.access,
        &session,
        "getOrder",
        &json!({"order": "a b"}),
    );
    let order = result(&order);
    assert!(order.to_string().contains("/v1/orders/a%20b"), "{order}");
    assert!(!order.to_string().contains("not selected"), "{order}");
    for hostile in ["../admin", "..", "a/b", "a%2fb", "a?b=c", "a#b", ""] {
        let arguments = json!({ "order": hostile });
        let answer = call(&server, &admin.access, &session, "getOrder", &arguments);
        assert!(is_refused(&answer), "{hostile}: {}", answer.brief());
    }
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 1, "{heads:?}");
    // The client's own token goes nowhere.
    assert!(
        !heads[0].to_lowercase().contains("authorization"),
        "{heads:?}"
    );
    assert!(!heads[0].contains(&admin.access));
    let rows = server.audited(|row| row["tool"] == "getOrder" && row["outcome"] == "ok");
    assert_eq!(rows.len(), 1, "{rows:?}");
}
