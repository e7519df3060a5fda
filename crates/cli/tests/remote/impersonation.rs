//! `callApiAs` in the running server: who may act as whom, and that every session ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, LUCAS, NOAH, PRIYA};
use crate::support::http::{post, request};
use crate::support::mcp::{
    call, call_message, call_stateless, initialize, is_refused, result, tool_names,
};
use crate::support::patience::until;
use crate::support::server::{CONFIG, Server, folder};

/// An API that keeps the tokens it is sent, and answers unless it is asked to be silent.
struct Api {
    port: u16,
    tokens: Arc<Mutex<Vec<String>>>,
    silent: Arc<Mutex<Vec<TcpStream>>>,
}

impl Api {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = Self {
            port: listener.local_addr().unwrap().port(),
            tokens: Arc::default(),
            silent: Arc::default(),
        };
        let (tokens, silent) = (Arc::clone(&api.tokens), Arc::clone(&api.silent));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while reader.read_line(&mut head).unwrap() > 2 {}
                let bearer = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    let is_it = name.eq_ignore_ascii_case("authorization");
                    is_it.then(|| value.trim_start_matches("Bearer ").to_owned())
                });
                let bearer = bearer.unwrap_or_default();
                tokens.lock().unwrap().push(bearer.clone());
                let mut stream = reader.into_inner();
                if head.contains("/silent ") {
                    silent.lock().unwrap().push(stream);
                    continue;
                }
                // It says what it got, as a careless API does.
                let body = json!({ "orders": [4711], "token": bearer }).to_string();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).unwrap();
                let _ = stream.read(&mut [0; 1]);
            }
        });
        api
    }

    fn config(&self, rules: &str) -> String {
        format!(
            "{CONFIG}\n{rules}\n[api]\nbase_url = \"http://127.0.0.1:{}/v1\"\ncredential = \"none\"\n\
             [impersonation]\nceiling = \"2m\"\n",
            self.port
        )
    }

    /// The claims of the last token that it was sent.
    fn claims(&self) -> Value {
        let tokens = self.tokens.lock().unwrap();
        let claims = tokens.last().unwrap().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }
}

const ADMINS_MAY: &str = "[[access]]\nrole = \"admin\"\ntools = [\"callApiAs\"]\n";

fn arguments(person: &str, path: &str) -> Value {
    json!({ "user": person, "method": "GET", "path": path, "reason": "ticket 4711: no orders" })
}

/// The active sessions of somebody that somebody else started.
fn acted_sessions(server: &Server, person: &str) -> Vec<Value> {
    let path = format!("/sessions?user_id={person}&status=active");
    let sessions = server.clerk_api("GET", &path, &json!({})).json();
    let sessions = sessions.as_array().unwrap().iter();
    let acted = sessions.filter(|session| !session["actor"].is_null());
    acted.cloned().collect()
}

fn journal_is_empty(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.count() == 0,
        Err(_) => true,
    }
}

#[test]
fn who_is_allowed_acts_as_somebody_else_on_the_record() {
    let api = Api::start();
    let server = Server::start("acting", &api.config(ADMINS_MAY));
    let client = Client::public(&server, HTTPS_CALLBACK);
    let operator = client.connect(AVA);
    let session = initialize(&server, &operator.access);
    let names = tool_names(&server, &operator.access, &session);
    assert!(names.iter().any(|name| name == "callApiAs"), "{names:?}");
    let answer = call(
        &server,
        &operator.access,
        &session,
        "callApiAs",
        &arguments("noah.tanaka@northwind.example", "/orders"),
    );
    let answered = result(&answer);
    assert_eq!(
        (&answered["user_id"], &answered["status"]),
        (&json!(NOAH), &json!(200))
    );
    assert_eq!(answered["body"]["orders"], json!([4711]));
    let claims = api.claims();
    assert_eq!(claims["sub"], NOAH, "{claims}");
    assert_eq!(claims["act"]["sub"], AVA, "{claims}");
    // The token is in no result, and its session is over.
    let token = api.tokens.lock().unwrap()[0].clone();
    let signature = token.rsplit('.').next().unwrap();
    assert!(!answer.text().contains(signature), "{}", answer.text());
    assert!(acted_sessions(&server, NOAH).is_empty());
    assert!(journal_is_empty(
        &server.folder.join("state/clerk-mcp.db.impersonations")
    ));
    let begun = server.audited(|row| row["tool"] == "impersonate");
    let begun = &begun[0];
    assert_eq!(
        (&begun["user_id"], &begun["outcome"]),
        (&json!(AVA), &json!("ok")),
        "{begun}"
    );
    assert_eq!(begun["arguments"]["reason"], "ticket 4711: no orders");
    assert_eq!(begun["arguments"]["user_id"], NOAH);
    assert_eq!(begun["client_id"], *client.id);
    let ended = server.audited(|row| row["tool"] == "endImpersonation");
    assert_eq!(
        ended[0]["arguments"]["impersonation"],
        begun["arguments"]["impersonation"]
    );
    let called = server.audited(|row| row["tool"] == "callApiAs" && row["outcome"] == "ok");
    assert_eq!(called.len(), 1, "{called:?}");
    server.never_writes(&[signature]);

    // Without a reason, or beyond the API, nothing is started.
    for wrong in [
        json!({ "user": NOAH, "method": "GET", "path": "/orders" }),
        json!({ "user": NOAH, "method": "GET", "path": "/orders", "reason": " " }),
        arguments(NOAH, "//evil.example/"),
        arguments(NOAH, "/../admin"),
        arguments(NOAH, "/%2e%2e/admin"),
        arguments(AVA, "/orders"),
        arguments("user_2EmuNobody00000000000000000", "/orders"),
    ] {
        let answer = call(&server, &operator.access, &session, "callApiAs", &wrong);
        assert!(is_refused(&answer), "{wrong}: {}", answer.brief());
    }
    assert_eq!(api.tokens.lock().unwrap().len(), 1);
    // It changes things: the scope for reading is not enough.
    let reader = client.connect_for(AVA, "tools:read");
    let lacking = call_stateless(
        &server,
        &reader.access,
        "callApiAs",
        &arguments(NOAH, "/orders"),
    );
    assert_eq!(lacking.status, 403, "{}", lacking.brief());
    // Whom it was about and why is on the record as it is of any call.
    let allowed = arguments(NOAH, "/orders");
    let allowed = call(&server, &operator.access, &session, "callApiAs", &allowed);
    assert!(!is_refused(&allowed), "{}", allowed.brief());
    let row = |outcome: &str| {
        let rows = server.audited(|row| {
            let (tool, arguments) = (&row["tool"], &row["arguments"]);
            *tool == "callApiAs" && row["outcome"] == outcome && arguments["user"] == NOAH
        });
        rows.last().unwrap_or_else(|| panic!("no row of {outcome}"))["arguments"].clone()
    };
    let refused = row("insufficient_scope");
    assert_eq!(refused, row("ok"));
}

#[test]
fn only_a_rule_that_names_it_gives_it() {
    let api = Api::start();
    let everything = "[[access]]\nrole = \"admin\"\ntools = [\"*\", \"impersonation.*\"]\n\
                      clerk = \"instance\"\n[[access]]\nuser = \"user_2EmuPriyaRaman0000000000000\"\n\
                      tools = [\"impersonation.callApiAs\"]\n";
    let server = Server::start("acting-rules", &api.config(everything));
    let client = Client::public(&server, HTTPS_CALLBACK);
    for (person, may) in [(AVA, false), (LUCAS, false), (NOAH, false), (PRIYA, true)] {
        let own = client.connect(person);
        let session = initialize(&server, &own.access);
        let names = tool_names(&server, &own.access, &session);
        let has = names.iter().any(|name| name == "callApiAs");
        assert_eq!(has, may, "{person}: {names:?}");
        let whom = if person == NOAH { AVA } else { NOAH };
        let answer = call(
            &server,
            &own.access,
            &session,
            "callApiAs",
            &arguments(whom, "/orders"),
        );
        assert_eq!(is_refused(&answer), !may, "{person}: {}", answer.brief());
    }
    assert_eq!(api.tokens.lock().unwrap().len(), 1);
}

#[test]
fn who_is_acted_as_acts_as_nobody() {
    let api = Api::start();
    let server = Server::start("acting-chain", &api.config(ADMINS_MAY));
    let operator = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let begun = begin(&server.clerk, AVA, PRIYA);
    let answer = call_stateless(
        &server,
        &operator.access,
        "callApiAs",
        &arguments(NOAH, "/orders"),
    );
    assert!(
        answer.text().contains("chained_impersonation"),
        "{}",
        answer.text()
    );
    assert!(api.tokens.lock().unwrap().is_empty());
    let path = format!("/sessions/{begun}/revoke");
    server.clerk_api("POST", &path, &json!({}));
    let answer = call_stateless(
        &server,
        &operator.access,
        "callApiAs",
        &arguments(NOAH, "/orders"),
    );
    assert_eq!(result(&answer)["status"], 200);
}

#[test]
fn no_session_outlives_the_server() {
    let api = Api::start();
    let config = api
        .config(ADMINS_MAY)
        .replace("shutdown_grace = \"10s\"", "shutdown_grace = \"0s\"");
    let mut server = Server::start("acting-shutdown", &config);
    let operator = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let url = server.url.clone();
    let access = operator.access;
    let calling = std::thread::spawn({
        let arguments = arguments(NOAH, "/silent");
        move || {
            let mut message = call_message("callApiAs", &arguments);
            message["params"]["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
            let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
            let body = message.to_string();
            let head = format!(
                "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {access}\r\n\
                 accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n\
                 mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\n\
                 mcp-name: callApiAs\r\ncontent-length: {}\r\n\r\n{body}",
                url.trim_start_matches("http://"),
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    until("the API is called", || {
        !api.silent.lock().unwrap().is_empty()
    });
    assert_eq!(acted_sessions(&server, NOAH).len(), 1);
    server.terminate();
    server.wait();
    calling.join().unwrap();
    assert!(journal_is_empty(
        &server.folder.join("state/clerk-mcp.db.impersonations")
    ));
    let kept = std::fs::read_to_string(server.folder.join("state/clerk.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert!(!active_with_actor(&kept["state"]), "a session goes on");
}

#[test]
fn what_a_crash_leaves_is_ended_by_the_next_start_or_by_hand() {
    let folder = folder("acting-crash");
    let (mut emulator, clerk) = emulator();
    let journal = folder.join("server.db.impersonations");
    // What a server has written when it is killed in the middle of a call.
    let leave = |id: &str| {
        let session = begin(&clerk, NOAH, PRIYA);
        let left = json!({
            "id": id, "api_url": clerk, "operator": PRIYA, "user_id": NOAH, "session_id": session,
            "started_at": 1, "ends_at": 9_999_999_999_999_u64,
        });
        std::fs::create_dir_all(&journal).unwrap();
        std::fs::write(journal.join(format!("{id}.json")), left.to_string()).unwrap();
        session
    };
    let by_hand = leave("imp_1");
    let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
        .args(["impersonate", "--revoke-all", "--journal"])
        .arg(&journal)
        .env_clear()
        .env("CLERK_SECRET_KEY", "sk_test_emulate")
        .env("CLERK_API_URL", &clerk)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("its session is ended"), "{said}");
    assert_eq!(session_status(&clerk, &by_hand), "revoked");
    assert!(journal_is_empty(&journal));
    // A folder that is not there holds no record of anything: it was mistyped.
    let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
        .args(["impersonate", "--revoke-all", "--journal"])
        .arg(folder.join("nope.db.impersonations"))
        .env_clear()
        .env("CLERK_SECRET_KEY", "sk_test_emulate")
        .env("CLERK_API_URL", &clerk)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said.contains("nope.db.impersonations"), "{said}");
    assert!(said.contains("hint:"), "{said}");

    let at_start = leave("imp_2");
    let config = "[api]\nbase_url = \"http://127.0.0.1:9/v1\"\ncredential = \"none\"\n\
                  [impersonation]\nceiling = \"2m\"\n[[access]]\nrole = \"admin\"\n\
                  tools = [\"callApiAs\"]\n";
    std::fs::write(folder.join("clerk-mcp.toml"), config).unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
        .args(["serve", "--database", "server.db", "--bind", "127.0.0.1:0"])
        .args(["--public-url", "http://127.0.0.1:8788"])
        .current_dir(&folder)
        .env_clear()
        .env("CLERK_SECRET_KEY", "sk_test_emulate")
        .env("CLERK_API_URL", &clerk)
        .env("CLERK_FRONTEND_API", &clerk)
        .env("CLERK_CLIENT_ID", "client")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the session is ended", || {
        session_status(&clerk, &at_start) == "revoked"
    });
    until("the journal is empty", || journal_is_empty(&journal));
    for process in [&mut server, &mut emulator] {
        let _ = process.kill();
        let _ = process.wait();
    }
    let _ = std::fs::remove_dir_all(&folder);
}

/// Somebody acts as somebody else; gives the session.
fn begin(clerk: &str, person: &str, actor: &str) -> String {
    let token = request("POST", &format!("{clerk}/v1/actor_tokens"))
        .bearer("sk_test_emulate")
        .json(&json!({ "user_id": person, "actor": { "sub": actor } }))
        .send();
    let ticket = token.json()["token"].as_str().unwrap().to_owned();
    let signed_in = post(&format!("{clerk}/v1/client/sign_ins?_is_native=1"))
        .form(&[("strategy", "ticket"), ("ticket", &ticket)])
        .send();
    assert_eq!(signed_in.status, 200, "{}", signed_in.brief());
    let session = &signed_in.json()["response"]["created_session_id"];
    session.as_str().unwrap().to_owned()
}

fn session_status(clerk: &str, session: &str) -> String {
    let answer = request("GET", &format!("{clerk}/v1/sessions/{session}"))
        .bearer("sk_test_emulate")
        .send();
    answer.json()["status"].as_str().unwrap().to_owned()
}

/// Whether anything in a kept state is an active session with an actor.
fn active_with_actor(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let is_one = members.get("status") == Some(&json!("active"))
                && members.get("actor").is_some_and(|actor| !actor.is_null());
            is_one || members.values().any(active_with_actor)
        }
        Value::Array(items) => items.iter().any(active_with_actor),
        _ => false,
    }
}

fn emulator() -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
        .args(["emulate", "--port", "0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains("http://"));
    let url = line.unwrap().split_whitespace().last().unwrap().to_owned();
    std::thread::spawn(move || lines.for_each(drop));
    (child, url)
}
