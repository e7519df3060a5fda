//! `/mcp`: who is let in, from where, and with what.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::actors::{Client, HTTPS_CALLBACK, NOAH, Tokens};
use crate::support::http::{Incoming, Response, get, post, request};
use crate::support::mcp::{
    at_mcp, call, call_message, call_stateless, initialize, initialize_message, is_refused,
    message, result,
};
use crate::support::server::{CONFIGURED_SECRET, Server, shared};

fn connected() -> (Client<'static>, Tokens) {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let tokens = client.connect(NOAH);
    (client, tokens)
}

#[track_caller]
fn challenged(server: &Server, response: &Response) {
    assert_eq!(response.status, 401, "{}", response.brief());
    let challenge = response.header("www-authenticate");
    let metadata = server.at("/.well-known/oauth-protected-resource/mcp");
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    assert!(
        challenge.contains(&format!("resource_metadata=\"{metadata}\"")),
        "{challenge}"
    );
    assert!(challenge.contains("scope=\"tools:read\""), "{challenge}");
    assert!(!challenge.contains("offline_access"), "{challenge}");
}

#[test]
fn protected_resource_metadata_is_at_both_forms() {
    let server = shared();
    for path in ["", "/mcp"] {
        let url = server.at(&format!("/.well-known/oauth-protected-resource{path}"));
        let metadata = get(&url).send().json();
        assert_eq!(metadata["resource"], server.mcp());
        assert_eq!(metadata["authorization_servers"], json!([server.url]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
        assert!(
            !metadata.to_string().contains("offline_access"),
            "{metadata}"
        );
    }
}

#[test]
fn without_a_token_every_method_is_challenged() {
    let server = shared();
    for method in ["GET", "POST", "DELETE", "PUT", "PATCH"] {
        let response = request(method, &server.mcp())
            .json(&initialize_message())
            .send();
        challenged(server, &response);
    }
}

#[test]
fn only_an_access_token_of_ours_lets_in() {
    let (client, tokens) = connected();
    let server = shared();
    // Clerk's own token, as our server gets it, is not for this audience.
    let session = json!({ "user_id": NOAH });
    let session = server.clerk_api("POST", "/sessions", &session).json();
    let path = format!("/sessions/{}/tokens", session["id"].as_str().unwrap());
    let of_clerk = server.clerk_api("POST", &path, &json!({})).json();
    let of_clerk = of_clerk["jwt"].as_str().unwrap();
    let code = client.code(NOAH);
    for token in [
        &*tokens.refresh,
        &code,
        of_clerk,
        "sk_test_emulate",
        CONFIGURED_SECRET,
        &client.id,
        "cma_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyXzEifQ.",
        "",
        "undefined",
    ] {
        let response = at_mcp(server, "POST", token)
            .json(&initialize_message())
            .send();
        challenged(server, &response);
        let challenge = response.header("www-authenticate");
        assert!(
            token.is_empty() || challenge.contains("error=\"invalid_token\""),
            "{challenge}"
        );
    }
    for header in [
        tokens.access.clone(),
        format!("Basic {}", tokens.access),
        format!("Bearer  {}x", tokens.access),
        format!("Bearer {} {}", tokens.access, tokens.access),
        format!("Bearer {},", tokens.access),
    ] {
        let response = post(&server.mcp())
            .header("accept", "application/json, text/event-stream")
            .header("authorization", &header)
            .json(&initialize_message())
            .send();
        challenged(server, &response);
    }
    // The scheme's case is nobody's business (RFC 9110 section 11.1).
    for scheme in ["bearer", "BEARER"] {
        let response = post(&server.mcp())
            .header("accept", "application/json, text/event-stream")
            .header("authorization", &format!("{scheme} {}", tokens.access))
            .json(&initialize_message())
            .send();
        assert_eq!(response.status, 200, "{scheme}: {}", response.brief());
    }
}

#[test]
fn two_authorization_headers_and_tokens_in_the_query_are_refused() {
    let (_, tokens) = connected();
    let server = shared();
    let twice = at_mcp(server, "POST", &tokens.access).bearer(&tokens.access);
    challenged(server, &twice.json(&initialize_message()).send());
    let other = at_mcp(server, "POST", &tokens.access).header("authorization", "Bearer cma_x");
    challenged(server, &other.json(&initialize_message()).send());
    for query in [
        format!("access_token={}", tokens.access),
        format!("x=1&access%5Ftoken={}", tokens.access),
        "access_token=".to_owned(),
    ] {
        let url = format!("{}?{query}", server.mcp());
        let bare = post(&url)
            .header("accept", "*/*")
            .json(&initialize_message());
        challenged(server, &bare.clone().send());
        // Nor beside a good header: the URL is in logs already.
        challenged(server, &bare.bearer(&tokens.access).send());
    }
    let form = post(&server.mcp()).form(&[("access_token", &tokens.access)]);
    challenged(server, &form.send());
}

#[test]
fn other_names_and_origins_are_refused_before_the_token_is_looked_at() {
    let (_, tokens) = connected();
    let server = shared();
    let port = server.url.rsplit(':').next().unwrap();
    let send = |method, name: &str, value: &str| {
        at_mcp(server, method, &tokens.access)
            .header(name, value)
            .json(&initialize_message())
            .send()
    };
    for method in ["POST", "GET", "DELETE", "OPTIONS"] {
        for host in [
            format!("evil.example:{port}"),
            "evil.example".to_owned(),
            format!("localhost.evil.example:{port}"),
            format!("127.0.0.1.nip.io:{port}"),
            format!("127.0.0.1:{port}@evil.example"),
            String::new(),
        ] {
            let response = send(method, "host", &host);
            assert_eq!(
                response.status,
                403,
                "{method} {host}: {}",
                response.brief()
            );
        }
        for origin in [
            "https://evil.example",
            "null",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "https://127.0.0.1",
            "https://inspector.example.evil.example",
            "http://inspector.example",
            "file://",
            "chrome-extension://abcdefghijklmnop",
            "http://user@localhost:3000",
            "http://localhost:3000/",
        ] {
            let response = send(method, "origin", origin);
            assert_eq!(
                response.status,
                403,
                "{method} {origin}: {}",
                response.brief()
            );
            assert!(!response.has("access-control-allow-origin"), "{origin}");
        }
    }
    let twice = at_mcp(server, "POST", &tokens.access)
        .header("origin", &server.url)
        .header("origin", "https://evil.example");
    assert_eq!(twice.json(&initialize_message()).send().status, 403);
    for origin in [&*server.url, "https://inspector.example"] {
        let response = send("POST", "origin", origin);
        assert_eq!(response.status, 200, "{origin}: {}", response.brief());
        assert_eq!(response.header("access-control-allow-origin"), origin);
    }
}

#[test]
fn a_token_that_lacks_a_scope_is_told_all_that_are_needed() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let server = shared();
    let tokens = client.connect_for(NOAH, "tools:read");
    let session = initialize(server, &tokens.access);
    let arguments = json!({ "name": "Attackers" });
    for response in [
        call(
            server,
            &tokens.access,
            &session,
            "createOrganization",
            &arguments,
        ),
        call_stateless(server, &tokens.access, "createOrganization", &arguments),
    ] {
        assert_eq!(response.status, 403, "{}", response.brief());
        let challenge = response.header("www-authenticate");
        assert!(
            challenge.contains("error=\"insufficient_scope\""),
            "{challenge}"
        );
        assert!(
            challenge.contains("scope=\"tools:read tools:write\""),
            "{challenge}"
        );
        assert!(challenge.contains("resource_metadata="), "{challenge}");
        assert!(!challenge.contains("offline_access"), "{challenge}");
    }
    // Tricks that make the front and the service read the message differently change nothing.
    for body in [
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","method":"tools/call","params":{"name":"createOrganization","arguments":{"name":"Attackers"}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"userInfo","name":"createOrganization","arguments":{"name":"Attackers"}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools\u002fcall","params":{"name":"create\u004frganization","arguments":{"name":"Attackers"}}}"#,
        r#"[{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"createOrganization","arguments":{"name":"Attackers"}}}]"#,
    ] {
        let response = at_mcp(server, "POST", &tokens.access)
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25")
            .header("content-type", "application/json")
            .body(body)
            .send();
        let refused = response.status >= 400 || is_refused(&response);
        assert!(refused, "{body}: {}", response.brief());
    }
    let made = server
        .clerk_api("GET", "/organizations?query=Attackers", &json!({}))
        .json();
    assert_eq!(made["total_count"], 0, "{made}");
}

#[test]
fn the_token_is_not_passed_on() {
    let (_, tokens) = connected();
    let server = shared();
    let session = initialize(server, &tokens.access);
    result(&call(
        server,
        &tokens.access,
        &session,
        "userInfo",
        &json!({}),
    ));
    let log = get(&format!("{}/_emulator/requests", server.clerk))
        .send()
        .text();
    assert!(log.contains("GetUser"), "{log}");
    assert!(
        !log.contains(&tokens.access) && !log.contains("cma_"),
        "{log}"
    );
}

#[test]
fn malformed_messages_get_the_protocols_error_and_the_session_goes_on() {
    let (_, tokens) = connected();
    let server = shared();
    let session = initialize(server, &tokens.access);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{{\"name\":\"add\",\"arguments\":{deep}}}}}"
    );
    let send = |body: Vec<u8>| {
        at_mcp(server, "POST", &tokens.access)
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25")
            .header("content-type", "application/json")
            .body(body)
            .send()
    };
    let cut = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} trailing";
    for body in [&b""[..], b"{", b"\0", b"{\xff\xfe}", cut.as_bytes()] {
        let response = send(body.to_vec());
        let begin = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!(response.status, 400, "{begin}: {}", response.brief());
        assert_eq!(
            response.rpc()["error"]["code"],
            -32700,
            "{begin}: {}",
            response.brief()
        );
    }
    for body in [
        "null",
        "7",
        "\"text\"",
        "[]",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        &deep,
        &nested,
    ] {
        let response = send(body.as_bytes().to_vec());
        let body: String = body.chars().take(60).collect();
        assert_eq!(response.status, 400, "{body}: {}", response.brief());
        assert_eq!(
            response.rpc()["error"]["code"],
            -32600,
            "{body}: {}",
            response.brief()
        );
    }
    let other_type = at_mcp(server, "POST", &tokens.access)
        .header("content-type", "text/plain")
        .body(initialize_message().to_string())
        .send();
    assert_eq!(other_type.status, 415, "{}", other_type.brief());
    let unknown = json!({ "jsonrpc": "2.0", "id": 3, "method": "no/such" });
    let answer = message(server, &tokens.access, &session, &unknown)
        .send()
        .rpc();
    assert_eq!(answer["error"]["code"], -32601);
    let sum = call(
        server,
        &tokens.access,
        &session,
        "add",
        &json!({ "a": 2, "b": 3 }),
    );
    assert!(
        result(&sum).to_string().contains('5'),
        "the session is alive"
    );
}

#[test]
fn bodies_and_heads_are_bounded_and_the_server_survives() {
    let (_, tokens) = connected();
    let server = shared();
    let big = call_message("add", &json!({ "a": "x".repeat(2 * 1024 * 1024) }));
    let response = at_mcp(server, "POST", &tokens.access).json(&big).send();
    assert_eq!(response.status, 413, "{}", response.brief());
    // One that does not say how long it is.
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\naccept: */*\r\ntransfer-encoding: chunked\r\n\r\n",
        tokens.access
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..32 {
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(Incoming::read(stream).status, 413);
    // A body too large is not read at all by whom is not let in.
    let stranger = post(&server.mcp()).json(&big).send();
    assert_eq!(stranger.status, 401);
    let head = get(&server.mcp())
        .header("x-padding", &"x".repeat(200 * 1024))
        .send();
    assert!([400, 431].contains(&head.status), "{}", head.brief());
    let mut many = get(&server.mcp());
    for number in 0..500 {
        many = many.header(&format!("x-header-{number}"), "1");
    }
    let many = many.send();
    assert!([400, 431].contains(&many.status), "{}", many.brief());
    // Arguments within a body of the right size have bounds of their own.
    let session = initialize(server, &tokens.access);
    let long = json!({ "organizationId": "x".repeat(100 * 1024) });
    let response = call(server, &tokens.access, &session, "getOrganization", &long);
    assert!(is_refused(&response), "{}", response.brief());
    assert!(server.is_ready());
}

#[test]
fn who_opens_the_address_in_a_browser_is_told_what_it_is() {
    let server = shared();
    let response = get(&server.mcp()).header("accept", "text/html").send();
    assert_eq!(response.location(), "/");
    assert!(get(&server.at("/")).send().text().contains(&server.mcp()));
    let health: Value = get(&server.at("/healthz")).send().status.into();
    assert_eq!(health, 200);
}
