//! The example as its users run it: somebody signs in beside a local Clerk, and an MCP client calls
//! its tools over HTTP.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests: they wait for processes, and fail by panicking"
)]

#[path = "../../../crates/cli/tests/remote/support/browser.rs"]
#[allow(dead_code, reason = "a part is used")]
mod browser;
mod clerk;
#[path = "../../../crates/cli/tests/remote/support/http.rs"]
#[allow(dead_code, reason = "a part is used")]
mod http;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use browser::{Browser, Page};
use clerk::Clerk;
use http::{parameter, post};
use serde_json::{Value, json};

const AVA: &str = "user_2EmuAvaMitchell000000000000";
const NOAH: &str = "user_2EmuNoahTanaka0000000000000";
/// Where the application that people sign in through would be; this test stands for it.
const APP: &str = "http://127.0.0.1:9";
/// The verifier and challenge of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "https://client.example/callback";

const CONFIG: &str = r#"
[sign_in]
mode = "app"

[[oauth.scopes]]
value = "orders:read"
title = "Orders"
description = "Look at your orders."

[[oauth.clients]]
client_id = "one"
name = "One"
redirect_uris = ["https://client.example/callback"]

[[oauth.clients]]
client_id = "other"
name = "Other"
redirect_uris = ["https://client.example/callback"]

[audit]
file = "audit.jsonl"

[[access]]
tools = ["notes.*"]
everyone = true

[[access]]
tools = ["listOrders"]
role = "admin"
"#;

/// A shop with one order for whoever asks; it tells the subject of the token that it was sent.
fn shop() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut first, mut line, mut token) = (String::new(), String::new(), String::new());
            reader.read_line(&mut first).unwrap();
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(("authorization", value)) = line.split_once(": ") {
                    value
                        .trim()
                        .trim_start_matches("Bearer ")
                        .clone_into(&mut token);
                }
                line.clear();
            }
            assert!(first.starts_with("GET /orders?status=open "), "{first}");
            let claims = BASE64.decode(token.split('.').nth(1).unwrap()).unwrap();
            let claims: Value = serde_json::from_slice(&claims).unwrap();
            let body = json!([{"id": claims["sub"], "status": "open"}]).to_string();
            let mut stream = reader.into_inner();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            write!(
                stream,
                "{head}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
            let _ = stream.read(&mut [0; 1]);
        }
    });
    url
}

/// The example, beside this Clerk and shop.
fn program(folder: &Path, clerk: &Clerk, shop: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custom-tools"));
    command
        .arg("clerk-mcp.toml")
        .env("CLERK_SECRET_KEY", "sk_test_emulate")
        .env("CLERK_API_URL", &clerk.url)
        .env("CLERK_FRONTEND_API", &clerk.url)
        .env("APP_URL", APP)
        .env("SHOP_API_URL", shop)
        .current_dir(folder);
    command
}

/// The example, running.
struct Example {
    url: String,
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Example {
    fn start(folder: &Path, clerk: &Clerk, shop: &str) -> Self {
        // The port has to be known before, as the public URL's; somebody may take it in between.
        for _ in 0..5 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            drop(listener);
            let mut child = program(folder, clerk, shop)
                .env("CLERK_MCP_BIND", &address)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut log = BufReader::new(child.stderr.take().unwrap());
            let mut line = String::new();
            log.read_line(&mut line).unwrap();
            if line.contains("serving") {
                let url = format!("http://{address}");
                return Self { url, child, log };
            }
            assert!(line.contains("cannot listen"), "{line}");
            child.wait().unwrap();
        }
        panic!("there was no free port");
    }

    /// Ends it as an operator does.
    fn stop(mut self) {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("SIGTERM: finishing what is open"), "{rest}");
    }

    /// An access token of these scopes for a client, as `person`.
    fn connect(&self, clerk: &Clerk, client: &str, person: &str, scope: &str) -> String {
        let mut browser = Browser::default();
        let mut url = url::Url::parse(&format!("{}/authorize", self.url)).unwrap();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", CALLBACK),
            ("scope", scope),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", &format!("{}/mcp", self.url)),
        ]);
        let response = browser.get(url.as_str());
        let page = browser.follow(response, url.to_string(), &[&self.url]);
        let page: Page = page.unwrap();
        let mut fields = page.form("/authorize/consent");
        fields.push(("decision".to_owned(), "approve".to_owned()));
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let consent = format!("{}/authorize/consent", self.url);
        let to_app = browser.post(&consent, &fields, &self.url).location();
        assert!(to_app.starts_with(&format!("{APP}/auth/mcp?")), "{to_app}");

        // What the route /auth/mcp of the application does.
        let token = clerk.session_token(person);
        let mut callback = url::Url::parse(&parameter(&to_app, "callback_url").unwrap()).unwrap();
        callback.query_pairs_mut().extend_pairs([
            ("state", parameter(&to_app, "state").unwrap()),
            ("clerk_token", token),
        ]);
        let back = browser.get(callback.as_str()).location();
        let answer = post(&format!("{}/token", self.url))
            .form(&[
                ("grant_type", "authorization_code"),
                ("client_id", client),
                ("code", &parameter(&back, "code").unwrap()),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
            ])
            .send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    fn ask(&self, token: &str, method: &str, name: &str, params: Value) -> http::Response {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let request = post(&format!("{}/mcp", self.url))
            .bearer(token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        let request = match name {
            "" => request,
            name => request.header("mcp-name", name),
        };
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        request.json(&message).send()
    }

    fn call(&self, token: &str, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        let answer = self.ask(token, "tools/call", tool, params).rpc();
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    fn notes(&self, token: &str) -> Value {
        self.call(token, "listNotes", json!({}))["structuredContent"]["notes"].clone()
    }
}

#[test]
fn a_program_with_its_own_tools_is_checked_as_serve_is() {
    let clerk = Clerk::start();
    let folder = tempfile::tempdir().unwrap();
    let check = |config: &str| {
        std::fs::write(folder.path().join("clerk-mcp.toml"), config).unwrap();
        let mut program = program(folder.path(), &clerk, "http://127.0.0.1:9");
        let output = program.arg("--check").output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    // Everything is looked at, with the rules over its own tools; nobody answers for the application.
    let (code, said) = check(CONFIG);
    assert_eq!(code, Some(1), "{said}");
    for word in [
        "ok     configuration: serves http://127.0.0.1:8788/mcp",
        "ok     Clerk's Backend API",
        "ok     Clerk's keys",
        "fault  application: http://127.0.0.1:9/auth/mcp",
        "hint: start the application",
    ] {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
    let without = CONFIG.replace(
        "[sign_in]\nmode = \"app\"\n",
        "[sign_in]\nmode = \"clerk-tokens\"\nany_client = true\n",
    );
    let (code, said) = check(&without);
    // The credential of its own tool is one that there is not.
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("listOrders") && said.contains("session = \"ticket\""),
        "{said}"
    );
    let (code, said) = check(&without.replace(
        "any_client = true\n",
        "any_client = true\nsession = \"ticket\"\n",
    ));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("warning: ") && !said.contains("fault"),
        "{said}"
    );
    let (code, said) = check(&CONFIG.replace("notes.*", "note.*"));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("note.*"), "{said}");
    // Nothing was made.
    assert!(!folder.path().join("clerk-mcp.db").exists());
}

#[test]
fn tools_written_in_rust_are_served_as_all_others() {
    let clerk = Clerk::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("clerk-mcp.toml"), CONFIG).unwrap();
    let shop = shop();
    let server = Example::start(folder.path(), &clerk, &shop);
    let all = "tools:read tools:write orders:read";
    let ava = server.connect(&clerk, "one", AVA, all);
    let noah = server.connect(&clerk, "one", NOAH, "tools:read");

    // Listed with the schemas of their types, to whom a rule gives them.
    let tools = server.ask(&ava, "tools/list", "", json!({})).rpc()["result"]["tools"].clone();
    let add = tools
        .as_array()
        .unwrap()
        .iter()
        .find(|tool| tool["name"] == "addNote");
    let add = add.unwrap();
    assert_eq!(
        add["inputSchema"],
        json!({
            "type": "object",
            "required": ["text"],
            "additionalProperties": false,
            "properties": {
                "text": {
                    "type": "string", "minLength": 1, "maxLength": 500,
                    "description": "What to remember.",
                },
            },
        })
    );
    assert_eq!(add["outputSchema"]["required"], json!(["notes"]));
    assert_eq!(add["title"], "Add note");
    assert_eq!(add["annotations"]["readOnlyHint"], false);
    let of_noah = server.ask(&noah, "tools/list", "", json!({})).text();
    assert!(
        of_noah.contains("listNotes") && !of_noah.contains("listOrders"),
        "{of_noah}"
    );

    // Arguments are held to the schema, and each fault is named.
    let wrong = server.call(&ava, "addNote", json!({"text": "", "colour": "red"}));
    assert_eq!(wrong["isError"], true);
    let error = wrong["structuredContent"]["error"].clone();
    assert_eq!(error["code"], "invalid_arguments");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("`/text`") && message.contains("colour"),
        "{message}"
    );

    // Scopes.
    let params = json!({ "name": "addNote", "arguments": { "text": "x" } });
    let lacking = server.ask(&noah, "tools/call", "addNote", params);
    assert_eq!(lacking.status, 403);
    assert!(lacking.header("www-authenticate").contains("tools:write"));
    let without_orders = server.connect(&clerk, "one", AVA, "tools:read");
    let params = json!({ "name": "listOrders", "arguments": {} });
    let lacking = server.ask(&without_orders, "tools/call", "listOrders", params);
    assert_eq!(lacking.status, 403);
    assert!(lacking.header("www-authenticate").contains("orders:read"));

    // The shop gets a session token of the person's, not the MCP client's token.
    let orders = server.call(&ava, "listOrders", json!({"status": "open"}));
    assert_eq!(
        orders["structuredContent"],
        json!({"result": [{"id": AVA, "status": "open"}]})
    );

    // Values are the person's and the client's, and outlive the server.
    server.call(&ava, "addNote", json!({"text": "first"}));
    let both = server.call(&ava, "addNote", json!({"text": "second"}));
    assert_eq!(
        both["structuredContent"]["notes"],
        json!(["first", "second"])
    );
    assert_eq!(server.notes(&noah), json!([]));
    assert_eq!(
        server.notes(&server.connect(&clerk, "other", AVA, all)),
        json!([])
    );
    server.stop();

    let audit = std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    let rows: Vec<Value> = audit
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let added = rows
        .iter()
        .filter(|row| row["tool"] == "addNote" && row["user_id"] == AVA);
    let outcomes: Vec<_> = added.map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["invalid_arguments", "ok", "ok"]);

    let server = Example::start(folder.path(), &clerk, &shop);
    let ava = server.connect(&clerk, "one", AVA, all);
    assert_eq!(server.notes(&ava), json!(["first", "second"]));
    assert!(server.call(&ava, "clearNotes", json!({}))["isError"] != true);
    assert_eq!(server.notes(&ava), json!([]));
    // Those that are added at the same moment are all kept.
    std::thread::scope(|scope| {
        for number in 0..15 {
            let (server, ava) = (&server, &ava);
            scope.spawn(move || {
                let text = format!("note {number}");
                let added = server.call(ava, "addNote", json!({ "text": text }));
                assert!(added["isError"] != true, "{added}");
            });
        }
    });
    assert_eq!(server.notes(&ava).as_array().unwrap().len(), 15);
    server.stop();
}

/// The configuration beside the example, which names the tools, is good as it is.
#[test]
fn the_configuration_beside_it_is_good() {
    let clerk = Clerk::start();
    let folder = tempfile::tempdir().unwrap();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/clerk-mcp.toml");
    std::fs::copy(config, folder.path().join("clerk-mcp.toml")).unwrap();
    let start = |more: &[(&str, &str)]| {
        Command::new(env!("CARGO_BIN_EXE_custom-tools"))
            .env("CLERK_SECRET_KEY", "sk_test_emulate")
            .env("CLERK_API_URL", &clerk.url)
            .env("CLERK_FRONTEND_API", &clerk.url)
            .env("CLERK_CLIENT_ID", "client")
            .env("CLERK_MCP_BIND", "127.0.0.1:0")
            .envs(more.iter().copied())
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut child = start(&[("CLERK_MCP_PUBLIC_URL", "http://127.0.0.1:1")]);
    let mut line = String::new();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    log.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("clerk-mcp: serving http://127.0.0.1:1/mcp on 127.0.0.1:"),
        "{line}"
    );
    let id = child.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(child.wait().unwrap().success());

    // What does not fit is told, and nothing starts.
    let shop = [
        ("CLERK_MCP_PUBLIC_URL", "http://127.0.0.1:1"),
        ("SHOP_API_URL", "http://127.0.0.1:1"),
    ];
    let refused = start(&shop).wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("the Rust tool `listOrders`: nobody can grant the scope `orders:read`"),
        "{said}"
    );
    assert!(said.contains("there are no session tokens"), "{said}");
    assert_eq!(said.matches("hint: ").count(), 2, "{said}");
}
