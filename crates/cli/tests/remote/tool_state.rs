//! Values that tools keep from call to call: whose they are, and how long.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, NOAH};
use crate::support::http::Response;
use crate::support::mcp::{call_stateless, result};
use crate::support::server::{CONFIG, Server, folder};

/// An API that opens carts, numbered as it was asked to, and says where it was asked.
fn api() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            reader.read_line(&mut head).unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            let path = head.split(' ').nth(1).unwrap_or_default();
            let body = match path.strip_prefix("/v1/open/") {
                Some("none") => json!({ "id": null }),
                Some(id) => json!({ "id": id }),
                None => json!({ "path": path }),
            };
            let body = body.to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            let mut stream = reader.into_inner();
            stream.write_all(answer.as_bytes()).unwrap();
            let _ = stream.read(&mut [0; 1]);
        }
    });
    port
}

fn config(port: u16) -> String {
    format!(
        r#"{CONFIG}
[[access]]
everyone = true
tools = ["api.*"]

[api]
base_url = "http://127.0.0.1:{port}/v1"
credential = "none"

[[tools]]
name = "openCart"
description = "Opens a cart."
method = "GET"
path = "/open/{{id}}"
input = {{ required = ["id"], properties = {{ id = {{ type = "string" }} }} }}
save = {{ cart = "/id" }}

[[tools]]
name = "showCart"
description = "Shows the cart."
method = "GET"
path = "/carts/{{state.cart}}"
"#
    )
}

fn open(client: &Client<'_>, token: &str, id: &str) -> Value {
    result(&call_stateless(
        client.server,
        token,
        "openCart",
        &json!({ "id": id }),
    ))
}

fn show(client: &Client<'_>, token: &str) -> Response {
    call_stateless(client.server, token, "showCart", &json!({}))
}

#[track_caller]
fn shows(client: &Client<'_>, token: &str, id: &str) {
    let shown = result(&show(client, token));
    assert_eq!(shown["path"], format!("/v1/carts/{id}"));
}

#[track_caller]
fn has_none(client: &Client<'_>, token: &str) {
    let error = show(client, token).rpc()["result"]["structuredContent"]["error"].clone();
    assert_eq!(error["code"], "state_missing", "{error}");
    assert!(
        error["message"].as_str().unwrap().contains("`cart`"),
        "{error}"
    );
    assert!(
        error["hint"].as_str().unwrap().contains("openCart"),
        "{error}"
    );
}

/// The client that the configuration knows: the same one whenever the server starts.
fn configured(server: &Server) -> Client<'_> {
    let mut client = Client::public(server, "https://configured.example/callback");
    client.id = "configured".to_owned();
    client.secret = Some(crate::support::server::CONFIGURED_SECRET.to_owned());
    client
}

#[test]
fn values_of_tools_belong_to_one_person_and_client_and_outlive_the_server() {
    let (port, place) = (api(), folder("tool-state"));
    let config = config(port);
    let mut server = Server::start_in(place.clone(), &config, "warn");
    {
        let client = configured(&server);
        let other = Client::public(&server, HTTPS_CALLBACK);
        let ava = client.connect(AVA).access;
        has_none(&client, &ava);
        assert_eq!(open(&client, &ava, "cart-1")["id"], "cart-1");
        shows(&client, &ava, "cart-1");

        let noah = client.connect(NOAH).access;
        has_none(&client, &noah);
        open(&client, &noah, "cart-2");
        let ava_elsewhere = other.connect(AVA).access;
        has_none(&other, &ava_elsewhere);
        open(&other, &ava_elsewhere, "none");
        shows(&client, &ava, "cart-1");
        shows(&client, &noah, "cart-2");
        // What is kept is the person's and client's, not the sign-in's.
        shows(&client, &client.connect(AVA).access, "cart-1");
    }
    server.terminate();
    assert!(server.wait().success());

    let server = Server::start_in(place, &config, "warn");
    let client = configured(&server);
    let ava = client.connect(AVA).access;
    shows(&client, &ava, "cart-1");
    // Null removes.
    open(&client, &ava, "none");
    has_none(&client, &ava);
    shows(&client, &client.connect(NOAH).access, "cart-2");
}
