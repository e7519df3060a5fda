//! The binary over standard input and output: rmcp's own client, and lines that no client sends.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};

fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"));
    command.args(arguments);
    for name in [
        "CLERK_SECRET_KEY",
        "CLERK_API_URL",
        "CLERK_API_VERSION",
        "CLERK_MCP_LOG",
    ] {
        command.env_remove(name);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs to the end with this on standard input.
fn run(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = binary(arguments).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_ref())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A session that is initialized and speaks in lines.
struct Session {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Session {
    fn start(arguments: &[&str], version: &str, capabilities: Value) -> Self {
        let mut child = binary(arguments).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut session = Self { child, lines };
        session.initialize(version, capabilities);
        session
    }

    fn initialize(&mut self, version: &str, capabilities: Value) {
        let params = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"},
        });
        let initialized = self.request(json!({"id": 0, "method": "initialize", "params": params}));
        assert_eq!(
            initialized["result"]["protocolVersion"], version,
            "{initialized}"
        );
        // The list of one process never changes: no news of it are promised.
        assert_eq!(
            initialized["result"]["capabilities"]["tools"],
            json!({}),
            "{initialized}"
        );
        self.send(json!({"method": "notifications/initialized"}));
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        self.send_raw(&message.to_string());
    }

    fn send_raw(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        assert_ne!(
            self.lines.read_line(&mut line).unwrap(),
            0,
            "the server has gone"
        );
        serde_json::from_str(&line).unwrap()
    }

    /// The answer to this request; notifications before it are passed over.
    fn request(&mut self, message: Value) -> Value {
        let id = message["id"].clone();
        self.send(message);
        loop {
            let next = self.next();
            if next["id"] == id && next.get("method").is_none() {
                return next;
            }
        }
    }

    fn call(&mut self, id: u64, name: &str, arguments: Value) -> Value {
        let params = json!({"name": name, "arguments": arguments});
        self.request(json!({"id": id, "method": "tools/call", "params": params}))
    }

    fn end(mut self) -> (String, String, i32) {
        drop(self.child.stdin.take());
        let (mut rest, mut errors) = (String::new(), String::new());
        self.lines.read_to_string(&mut rest).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut errors)
            .unwrap();
        (rest, errors, self.child.wait().unwrap().code().unwrap())
    }
}

#[test]
fn every_version_with_a_handshake_is_spoken() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut session = Session::start(&["stdio", "--emulate"], version, json!({}));
        let tools = session.request(json!({"id": 1, "method": "tools/list"}));
        assert_eq!(
            tools["result"]["tools"].as_array().unwrap().len(),
            27,
            "{version}"
        );
        let called = session.call(2, "getUserCount", json!({}));
        assert_eq!(
            called["result"]["structuredContent"]["total_count"], 30,
            "{version}"
        );
        let (_, _, code) = session.end();
        assert_eq!(code, 0);
    }
}

#[test]
fn the_version_without_a_handshake_is_spoken_too() {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    });
    let call = |id: u64, extra: Value| {
        let mut params = json!({
            "name": "deleteOrganization",
            "arguments": {"organizationId": "org_2EmuTidepoolLabs00000000000"},
            "_meta": meta,
        });
        for (name, value) in extra.as_object().unwrap() {
            params[name] = value.clone();
        }
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
    };
    let mut child = binary(&["stdio", "--emulate"]).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let mut session = Session { child, lines };
    let asked = session.request(call(1, json!({})));
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let state = asked["result"]["requestState"].clone();
    let yes = json!({"confirmation": {"action": "accept", "content": {"confirm": true}}});
    // The state of this call does not confirm another one.
    let mut other = call(2, json!({"requestState": state, "inputResponses": yes}));
    other["params"]["arguments"]["organizationId"] = "org_2EmuQuarrySons0000000000000".into();
    let refused = session.request(other);
    let code = &refused["result"]["structuredContent"]["error"]["code"];
    assert_eq!(code, "confirmation_invalid", "{refused}");
    let deleted = session.request(call(
        3,
        json!({"requestState": state, "inputResponses": yes}),
    ));
    assert_eq!(
        deleted["result"]["structuredContent"]["deleted"], true,
        "{deleted}"
    );
    let again = session.request(call(
        4,
        json!({"requestState": state, "inputResponses": yes}),
    ));
    assert_eq!(
        again["result"]["isError"], true,
        "a confirmation works once: {again}"
    );
}

#[test]
fn a_client_that_can_ask_is_asked() {
    let capabilities = json!({"elicitation": {}});
    let mut session = Session::start(&["stdio", "--emulate"], "2025-11-25", capabilities);
    for (id, answer, code) in [
        (1, json!({"action": "decline"}), "declined"),
        (
            2,
            json!({"action": "accept", "content": {"confirm": false}}),
            "declined",
        ),
        (3, json!({"action": "cancel"}), "not_confirmed"),
    ] {
        let params = json!({
            "name": "deleteOrganization",
            "arguments": {"organizationId": "org_2EmuTidepoolLabs00000000000"},
        });
        session.send(json!({"id": id, "method": "tools/call", "params": params}));
        let question = session.next();
        assert_eq!(question["method"], "elicitation/create");
        assert!(
            question["params"]["message"]
                .as_str()
                .unwrap()
                .contains("org_2EmuTidepool")
        );
        session.send(json!({"id": question["id"], "result": answer}));
        let answer = session.next();
        assert_eq!(
            answer["result"]["structuredContent"]["error"]["code"], code,
            "{answer}"
        );
    }
    let found = session.call(9, "getOrganization", json!({"slug": "tidepool-labs"}));
    assert_eq!(found["result"]["isError"], false, "it is still there");
}

#[test]
fn confirm_always_refuses_where_nobody_can_be_asked() {
    let mut session = Session::start(
        &["stdio", "--emulate", "--confirm", "always"],
        "2025-11-25",
        json!({}),
    );
    let arguments = json!({"organizationId": "org_2EmuTidepoolLabs00000000000"});
    let refused = session.call(1, "deleteOrganization", arguments);
    let error = &refused["result"]["structuredContent"]["error"];
    assert_eq!(error["code"], "confirmation_impossible", "{refused}");
    assert!(error["hint"].as_str().unwrap().contains("--confirm auto"));
}

#[test]
fn bad_lines_are_answered_and_survived() {
    let mut session = Session::start(&["stdio", "--emulate"], "2025-11-25", json!({}));
    session.send_raw("{not json");
    assert_eq!(session.next()["error"]["code"], -32700);
    session.send_raw(&format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"x\":\"{}\"}}",
        "y".repeat(5 << 20)
    ));
    assert!(
        session.next()["error"]["code"].is_i64(),
        "an oversized line is answered"
    );
    let unknown = session.request(json!({"id": 2, "method": "no/such"}));
    assert_eq!(unknown["error"]["code"], -32601);
    let unknown = session.call(3, "noSuchTool", json!({}));
    let known = unknown["error"]["code"].is_i64() || unknown["result"]["isError"] == true;
    assert!(known, "{unknown}");
    let wrong = session.call(4, "getUser", json!({"userId": 7}));
    assert_eq!(wrong["result"]["isError"], true);
    let fine = session.call(5, "getUserCount", json!({}));
    assert_eq!(fine["result"]["structuredContent"]["total_count"], 30);
}

#[test]
fn bad_lines_before_the_end_of_input_are_all_answered() {
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }});
    for first in [String::new(), format!("{initialize}\n")] {
        let mut input = first.clone().into_bytes();
        input.extend_from_slice(
            b"hello\n\xff\xfe\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}\n",
        );
        input.extend_from_slice("{\n".repeat(50).as_bytes());
        input.extend_from_slice(b"no line feed");
        let output = run(&["stdio", "--emulate"], input);
        let answers = text(&output.stdout);
        let complaints = answers
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|answer| answer["error"]["code"] == -32700)
            .count();
        assert_eq!(complaints, 54, "{answers}");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}

#[test]
fn no_log_level_shows_tickets_or_private_metadata() {
    let mut child = binary(&["stdio", "--emulate", "--allow-private-metadata"])
        .env("CLERK_MCP_LOG", "trace")
        .spawn()
        .unwrap();
    let mut session = Session {
        lines: BufReader::new(child.stdout.take().unwrap()),
        child,
    };
    session.initialize("2025-11-25", json!({}));
    let invited = session.call(
        1,
        "createInvitation",
        json!({"emailAddress": "ada@example.com", "includeUrl": true}),
    );
    let url = invited["result"]["structuredContent"]["url"]
        .as_str()
        .unwrap_or_else(|| panic!("{invited}"));
    let (_, ticket) = url.split_once("ticket=").unwrap();
    let users = session.call(2, "getUserList", json!({"limit": 1}));
    let user = users["result"]["structuredContent"]["data"][0]["id"].clone();
    let updated = session.call(
        3,
        "updateUserMetadata",
        json!({"userId": user, "privateMetadata": {"note": "hidden-value"}}),
    );
    assert_eq!(updated["result"]["isError"], false, "{updated}");
    let (_, errors, _) = session.end();
    assert!(errors.contains("createInvitation"), "it does log: {errors}");
    for secret in [ticket, "hidden-value"] {
        assert!(!errors.contains(secret), "{secret} is in {errors}");
    }
}

#[test]
fn closed_input_in_the_middle_of_a_call_does_not_lose_the_answer() {
    let mut session = Session::start(&["stdio", "--emulate"], "2025-11-25", json!({}));
    let params = json!({"name": "findUsers", "arguments": {}});
    session.send(json!({"id": 7, "method": "tools/call", "params": params}));
    let (rest, _, code) = session.end();
    assert_eq!(code, 0);
    assert!(
        rest.contains("\"id\":7") && rest.contains("scanned"),
        "{rest}"
    );
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_with_a_sentence() {
    let session = Session::start(&["stdio", "--emulate"], "2025-11-25", json!({}));
    let pid = session.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let mut session = session;
    // Waiting closes it otherwise, and a client that leaves ends it as well.
    let input = session.child.stdin.take();
    let status = session.child.wait().unwrap();
    drop(input);
    let mut errors = String::new();
    session
        .child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert!(errors.contains("stopped by SIGTERM"), "{errors}");
}

#[test]
fn an_old_configuration_works_with_its_command_changed() {
    for arguments in [
        &["-p", "local-mcp", "--tools", "users", "--sk", "sk_test_old"][..],
        &[
            "-p=local-mcp",
            "-t",
            "users.*",
            "organizations",
            "--secret-key=sk_test_old",
        ][..],
    ] {
        let mut session = Session::start(arguments, "2025-06-18", json!({}));
        let id = session.call(1, "getUserId", json!({}));
        assert_eq!(id["result"]["structuredContent"], json!({"userId": null}));
        let (_, errors, _) = session.end();
        assert!(errors.contains("can be seen by other users"), "{errors}");
        assert!(!errors.contains("sk_test_old"), "{errors}");
    }
}

#[test]
fn what_is_wrong_at_the_start_is_said_in_a_sentence() {
    for (arguments, sentence) in [
        (&["stdio"][..], "hint: set CLERK_SECRET_KEY"),
        (&["stdio", "--secret-key", "pk_test_abc"], "sk_"),
        (&["stdio", "--secret-key", "hunter2"], "sk_test_"),
        (&["stdio", "--secret-key", ""], "hint:"),
        (
            &["stdio", "--emulate", "--tools", "users.getUsr"],
            "getUser",
        ),
        (&["stdio", "--emulate", "--tools", ""], "empty"),
        (
            &["stdio", "--emulate", "--tools", "billing"],
            "organizations",
        ),
        (
            &["stdio", "--emulate", "--tools", "updateUser", "--read-only"],
            "--read-only",
        ),
        (&["stdio", "--emulate", "--org", "org_a"], "--user"),
        (&["stdio", "--emulate", "--user", "org_a"], "user_"),
        (
            &["stdio", "--emulate", "--secret-key", "sk_test_x"],
            "--emulate",
        ),
        (
            &["stdio", "--emulate", "--seed", "/no/such.toml"],
            "/no/such.toml",
        ),
        (&["stdio", "--emulate", "--seed", "/no/such.ini"], ".toml"),
        (
            &["emulate", "--seed", "/no/such.toml"],
            "/no/such.toml: cannot be read: No such file or directory (os error 2)\nhint: ",
        ),
        (
            &["stdio", "--emulate", "--audit-log", "/no/such/a.log"],
            "/no/such/a.log: cannot be opened: No such file or directory (os error 2)\nhint: ",
        ),
        (
            &[
                "stdio",
                "--secret-key",
                "sk_test_x",
                "--api-url",
                "http://clerk.example",
            ],
            "https",
        ),
        (&["-p", "remote-mcp"], "remote-mcp"),
        (&["call", "--emulate", "getUser", "userId"], "userId=user_"),
    ] {
        let output = run(arguments, "");
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(sentence), "{arguments:?}: {errors}");
        assert!(
            !errors.contains("hunter2") && !errors.contains("pk_test_abc"),
            "{errors}"
        );
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
}

#[test]
fn call_prints_json_into_a_pipe() {
    let output = run(
        &["call", "--emulate", "getUserList", "limit=2", "fields=/id"],
        "",
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    assert_eq!(output.status.code(), Some(0));
    // As a client would write it.
    let same = [
        "call",
        "--emulate",
        "getUserList",
        "limit=2",
        r#"fields=["/id"]"#,
    ];
    assert_eq!(run(&same, "").stdout, output.stdout);
    let output = run(
        &["call", "--emulate", "getUser", "--json", "-"],
        r#"{"userId": "user_none"}"#,
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["error"]["status"], 404);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("hint:"));
}

/// A script, or the shell of a coding agent: nobody is there who could be asked.
#[test]
fn call_takes_nothing_away_unasked() {
    let delete = [
        "call",
        "--emulate",
        "deleteOrganization",
        "organizationId=org_2EmuTidepoolLabs00000000000",
    ];
    for when in [&[][..], &["--confirm", "auto"], &["--confirm", "always"]] {
        let refused = run(&[&delete[..], when].concat(), "y\n");
        let errors = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{when:?}: {errors}");
        let answer: Value = serde_json::from_slice(&refused.stdout).unwrap();
        assert_eq!(answer["error"]["code"], "confirmation_impossible");
        assert!(
            errors.contains("hint: ") && errors.contains("-y"),
            "{errors}"
        );
        assert!(!errors.contains("start the server"), "{errors}");
    }
    for sure in [
        &["-y"][..],
        &["--yes", "--confirm", "always"],
        &["--confirm", "never"],
    ] {
        let done = run(&[&delete[..], sure].concat(), "");
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(answer["deleted"], true);
    }
    let other = [
        "call",
        "--emulate",
        "updateOrganization",
        delete[3],
        "name=Tidepool",
    ];
    let done = run(&other, "");
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
}

#[test]
fn call_tells_a_wrong_call_from_one_that_failed() {
    for (arguments, code) in [
        (&["call", "--emulate", "noSuchTool"][..], 2),
        (&["call", "--emulate", "getUser", "userId=nobody"], 2),
        (&["call", "--emulate", "getUser", "userId=user_none"], 1),
    ] {
        let output = run(arguments, "");
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_and_no_panic() {
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let call = binary(&["call", "--emulate", "getUser"])
        .env("CLERK_MCP_LOG", "trace")
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(call.code(), Some(2));
    for arguments in [
        &["tools"][..],
        &["tools", "--json"],
        &["call", "--emulate", "getUserCount"],
    ] {
        let child = binary(arguments).stdout(full()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.contains("cannot be written"), "{errors}");
    }
}

#[test]
fn the_audit_log_has_one_line_for_each_call_and_no_personal_data() {
    let path = std::env::temp_dir().join(format!("clerk-mcp-audit-{}.jsonl", std::process::id()));
    let log = path.to_str().unwrap();
    let mut session = Session::start(
        &["stdio", "--emulate", "--audit-log", log],
        "2025-11-25",
        json!({}),
    );
    session.call(1, "createInvitation", json!({"emailAddress": "ada.lovelace@example.com", "publicMetadata": {"plan": "secret-plan"}}));
    session.call(2, "getUser", json!({"userId": "nobody"}));
    session.end();
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2, "{lines}");
    assert_eq!(
        (&rows[0]["tool"], &rows[0]["outcome"]),
        (&json!("createInvitation"), &json!("ok"))
    );
    assert_eq!(
        (&rows[0]["client"], &rows[1]["outcome"]),
        (&json!("test 1"), &json!("invalid_arguments"))
    );
    assert!(rows[0]["clerk_trace_id"].is_string());
    assert!(
        !lines.contains("lovelace") && !lines.contains("secret-plan"),
        "{lines}"
    );
}
