//! `clerk-mcp impersonate` against `clerk-mcp emulate`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

const PRIYA: &str = "user_2EmuPriyaRaman0000000000000";
const AVA: &str = "user_2EmuAvaMitchell000000000000";
const AVAS_ADDRESS: &str = "ava.mitchell@northwind.example";

/// A local Clerk, and a folder for what the command keeps.
struct World {
    clerk: Child,
    address: String,
    state: PathBuf,
}

impl World {
    fn start(name: &str) -> Self {
        let mut clerk = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
            .args(["emulate", "--port", "0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(clerk.stderr.take().unwrap()).lines();
        let line = lines
            .find(|line| line.as_ref().unwrap().contains("http://"))
            .unwrap()
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let state = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("impersonate-{name}"));
        let _ = std::fs::remove_dir_all(&state);
        Self {
            clerk,
            address: line.split("http://").nth(1).unwrap().trim().to_owned(),
            state,
        }
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"));
        command
            .arg(name)
            .args(arguments)
            .env_clear()
            .env("CLERK_SECRET_KEY", "sk_test_emulate")
            .env("CLERK_API_URL", format!("http://{}", self.address))
            .env("XDG_STATE_HOME", &self.state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command("impersonate", arguments).output().unwrap())
    }

    /// As Priya, for a reason.
    fn act(&self, arguments: &[&str]) -> Ran {
        let mut all = vec!["--actor", PRIYA, "--reason", "ticket 7: empty page"];
        all.extend(arguments);
        self.run(&all)
    }

    /// Asks the emulated Clerk.
    fn ask(&self, method: &str, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sk_test_emulate\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// The status of each session of Ava's in which somebody acts.
    fn impersonations(&self) -> Vec<String> {
        let (_, body) = self.ask("GET", &format!("/v1/sessions?user_id={AVA}&limit=100"));
        let sessions: Value = serde_json::from_str(&body).unwrap();
        let acted = sessions.as_array().unwrap().iter();
        acted
            .filter(|session| session["actor"]["sub"] == PRIYA)
            .map(|session| session["status"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What is kept of impersonations that may go on.
    fn kept(&self) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.state.join("clerk-mcp/impersonations"));
        folder.map_or_else(
            |_| Vec::new(),
            |files| files.map(|file| file.unwrap().path()).collect(),
        )
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.clerk.kill();
        let _ = self.clerk.wait();
    }
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    #[track_caller]
    fn refused(&self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.contains(text), "{self:?}");
        assert_eq!(self.out, "");
    }
}

fn claims(jwt: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(jwt.trim().split('.').nth(1).unwrap());
    serde_json::from_slice(&payload.unwrap()).unwrap()
}

#[test]
fn a_link_signs_a_browser_in_and_is_withdrawn() {
    let world = World::start("link");
    let link = world.act(&[AVAS_ADDRESS, "--for", "5m"]).ok();
    let url = link.out.trim();
    assert_eq!(link.out.lines().count(), 1);
    let path = url
        .strip_prefix(&format!("http://{}", world.address))
        .unwrap();
    let (head, _) = world.ask("GET", path);
    assert!(head.starts_with("HTTP/1.1 303"), "{head}");
    // The ticket stands on standard output and nowhere else.
    let ticket = path.split_once("ticket=").unwrap().1;
    assert!(!link.err.contains(ticket), "{}", link.err);
    assert!(link.err.contains("ticket 7: empty page"), "{}", link.err);
    assert!(!link.err.contains("ava.mitchell"), "{}", link.err);
    let kept = world.kept();
    assert_eq!(kept.len(), 1);
    let text = std::fs::read_to_string(&kept[0]).unwrap();
    assert!(text.contains(AVA) && !text.contains(ticket), "{text}");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kept[0]), 0o600);
    assert_eq!(mode(kept[0].parent().unwrap()), 0o700);

    let ended = world.run(&["--revoke-all"]).ok();
    assert!(ended.out.contains("nobody used is withdrawn"), "{ended:?}");
    let (head, _) = world.ask("GET", path);
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let again = world.run(&["--revoke-all"]).ok();
    assert!(again.err.contains("nothing was going on"), "{again:?}");
}

#[test]
fn one_token_for_a_script() {
    let world = World::start("once");
    let audit = world.state.with_extension("audit.jsonl");
    let _ = std::fs::remove_file(&audit);
    let token = world
        .act(&[
            AVA,
            "--token",
            "--once",
            "--audit-log",
            audit.to_str().unwrap(),
        ])
        .ok();
    assert_eq!(token.err, "");
    let claims = claims(&token.out);
    assert_eq!(
        (&claims["sub"], &claims["act"]["sub"]),
        (&AVA.into(), &PRIYA.into())
    );
    assert_eq!(world.impersonations(), ["revoked"]);
    assert!(world.kept().is_empty());
    let audit = std::fs::read_to_string(audit).unwrap();
    let rows: Vec<Value> = audit
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["user_id"], PRIYA);
    assert_eq!(rows[0]["arguments"]["user_id"], AVA);
    assert_eq!(rows[0]["arguments"]["reason"], "ticket 7: empty page");
    assert_eq!(rows[1]["tool"], "endImpersonation");
    assert!(!audit.contains(token.out.trim()));

    let missing = world.act(&[AVA, "--token", "--once", "--template", "none"]);
    missing.refused(1, "resource_not_found");
    assert_eq!(world.impersonations(), ["revoked", "revoked"]);
}

#[test]
fn tokens_until_the_time_is_up() {
    let world = World::start("time");
    let tokens = world.act(&[AVA, "--token", "--for", "1s"]).ok();
    assert_eq!(claims(&tokens.out)["sub"], AVA);
    assert!(tokens.err.contains("the session is ended"), "{tokens:?}");
    // Clerk counts the time too, from a moment before.
    let ended = world.impersonations();
    assert!(ended == ["revoked"] || ended == ["expired"], "{ended:?}");
    assert!(world.kept().is_empty());
}

/// Starts printing tokens, and reads the first.
fn printing(world: &World) -> (Child, String) {
    let arguments = [AVA, "--token", "--actor", PRIYA, "--reason", "ticket 7"];
    let mut child = world.command("impersonate", &arguments).spawn().unwrap();
    let mut token = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut token).unwrap();
    (child, token)
}

#[test]
fn ctrl_c_ends_the_session() {
    let world = World::start("ctrl-c");
    let (child, token) = printing(&world);
    assert_eq!(claims(&token)["act"]["sub"], PRIYA);
    assert_eq!(world.impersonations(), ["active"]);
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-s", "INT", &id]).status();
    assert!(killed.unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap()).ok();
    assert!(ran.err.contains("the session is ended"), "{ran:?}");
    assert!(!ran.err.contains(token.trim()));
    assert_eq!(world.impersonations(), ["revoked"]);
    assert!(world.kept().is_empty());
}

#[test]
fn what_a_killed_program_left_can_be_ended() {
    let world = World::start("killed");
    let (mut child, _) = printing(&world);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world.impersonations(), ["active"]);
    // A file that is no record is in nobody's way.
    let folder = world.state.join("clerk-mcp/impersonations");
    std::fs::write(folder.join("noise.json"), "{").unwrap();
    let ended = world.run(&["--revoke-all"]).ok();
    assert!(ended.out.contains("its session is ended"), "{ended:?}");
    assert_eq!(world.impersonations(), ["revoked"]);
}

#[test]
fn refusals_come_before_anything_is_started() {
    let world = World::start("refusals");
    world.act(&[PRIYA]).refused(1, "cannot act as themselves");
    world
        .act(&["nobody@example.com"])
        .refused(1, "nobody has the e-mail");
    world
        .act(&[AVA, "--for", "31m"])
        .refused(2, "from 1s to 30m");
    world.act(&[AVA, "--for", "ten"]).refused(2, "90s or 10m");
    world.act(&[AVA, "--once"]).refused(2, "--token");
    world.run(&[AVA, "--actor", PRIYA]).refused(2, "--reason");
    world.run(&[AVA, "--reason", "x"]).refused(2, "--actor");
    world
        .run(&[AVA, "--actor", PRIYA, "--reason", " "])
        .refused(2, "--reason");
    world
        .run(&["--revoke-all", "--actor", PRIYA])
        .refused(2, "cannot be used with");

    let order = [AVA, "--actor", PRIYA, "--reason", "x"];
    let with = |name: &str, value: &str, more: &[&str]| {
        let mut command = world.command("impersonate", &order);
        Ran::of(command.args(more).env(name, value).output().unwrap())
    };
    let live = "sk_live_abcdefghijklmnopqrstuvwx1234";
    with("CLERK_SECRET_KEY", live, &[]).refused(2, "--allow-live");
    with("CLERK_MCP_LOG", "off", &[]).refused(2, "--audit-log");
    let foreign = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k";
    with("CLERK_PUBLISHABLE_KEY", foreign, &["--token"]).refused(2, "of a production instance");
    let away = ["--token", "--api-url", "https://api.clerk.com"];
    with("CLERK_SECRET_KEY", "sk_test_emulate", &away).refused(2, "CLERK_PUBLISHABLE_KEY");
    assert!(world.impersonations().is_empty());
    assert!(world.kept().is_empty());
}

#[test]
fn a_relative_state_folder_is_none() {
    let world = World::start("folder");
    let mut command = world.command("impersonate", &["--revoke-all"]);
    let ran = Ran::of(command.env("XDG_STATE_HOME", "here").output().unwrap());
    ran.refused(2, "XDG_STATE_HOME");
}

/// An API on a port of its own that says as whom it is called; it answers one request.
fn api() -> (String, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<String> = lines
            .by_ref()
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        let bearer = head.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_it = name.eq_ignore_ascii_case("authorization");
            is_it.then(|| value.strip_prefix("Bearer ").unwrap().to_owned())
        });
        let token = bearer.unwrap();
        let body = serde_json::json!({
            "claims": claims(&token), "line": head[0], "echo": token,
        });
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).unwrap();
        token
    });
    (address, serving)
}

#[test]
fn the_tool_calls_an_api_as_somebody_else() {
    let world = World::start("tool");
    let (address, serving) = api();
    let audit = world.state.with_extension("audit.jsonl");
    let _ = std::fs::remove_file(&audit);
    let call = |more: &[&str]| {
        let mut all = vec!["callApiAs", "method=GET", "path=/me?x=1", "reason=ticket 9"];
        all.push("user=ava.mitchell@northwind.example");
        all.extend(more);
        Ran::of(world.command("call", &all).output().unwrap())
    };
    // Nobody has allowed it.
    let unknown = call(&[]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    let log = audit.to_str().unwrap();
    let allowed = [
        "--impersonate-api",
        &address,
        "--actor",
        PRIYA,
        "--audit-log",
        log,
    ];
    let read_only = call(&[&allowed[..], &["--read-only"]].concat());
    read_only.refused(2, "cannot be used with");
    // Nobody is at a terminal who could be asked.
    let unasked = call(&allowed);
    assert!(unasked.err.contains("-y"), "{unasked:?}");
    assert_eq!(world.impersonations(), [""; 0]);

    let ran = call(&[&allowed[..], &["-y"]].concat()).ok();
    let token = serving.join().unwrap();
    let result: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(result["body"]["line"], "GET /v1/me?x=1 HTTP/1.1");
    assert_eq!(result["body"]["claims"]["sub"], AVA);
    assert_eq!(result["body"]["claims"]["act"]["sub"], PRIYA);
    let signature = token.rsplit('.').next().unwrap();
    assert!(!format!("{ran:?}").contains(signature));
    assert_eq!(world.impersonations(), ["revoked"]);
    assert!(world.kept().is_empty());
    let audit = std::fs::read_to_string(audit).unwrap();
    assert!(!audit.contains(signature));
    for tool in ["impersonate", "endImpersonation", "callApiAs"] {
        assert!(audit.contains(&format!("\"tool\":\"{tool}\"")), "{audit}");
    }
}

/// The walkthrough of the guide, as it stands there.
#[test]
fn the_guide_works() {
    let world = World::start("guide");
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/guides/impersonation.md"
    );
    let guide = std::fs::read_to_string(path).unwrap();
    let script = guide
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let script = script.replace("127.0.0.1:8789", &world.address);
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_clerk-mcp"));
    let path = format!(
        "{}:{}",
        folder.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("sh")
        .args(["-euc", &script])
        .env_clear()
        .env("PATH", path)
        .env("XDG_STATE_HOME", &world.state)
        .output();
    let ran = Ran::of(output.unwrap()).ok();
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4, "{ran:?}");
    assert!(lines[0].contains("/v1/tickets/accept?ticket="));
    assert_eq!(claims(lines[1])["sub"], AVA);
    assert_eq!(claims(lines[2])["act"]["sub"], PRIYA);
    assert!(lines[3].ends_with("a link that nobody used is withdrawn"));
    assert!(!world.impersonations().contains(&"active".to_owned()));
}
