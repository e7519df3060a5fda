//! `clerk-mcp emulate` as a process.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

struct Emulator {
    child: Child,
    address: String,
    /// What follows the address, up to the last line.
    banner: String,
}

impl Emulator {
    /// Starts on a free port and reads the address from the banner.
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
            .args(["emulate", "--port", "0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines
            .find(|line| line.as_ref().unwrap().contains("http://"))
            .unwrap()
            .unwrap();
        let rest = lines.by_ref().map(Result::unwrap);
        let banner: Vec<String> = rest.take_while(|line| !line.starts_with("Stop")).collect();
        let banner = banner.join("\n");
        std::thread::spawn(move || lines.for_each(drop));
        let address = line.split("http://").nth(1).unwrap().trim().to_owned();
        Self {
            child,
            address,
            banner,
        }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        BufReader::new(TcpStream::connect(&self.address).unwrap())
    }

    /// Ends it with a signal and gives the exit code.
    fn end(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Emulator {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(stream: &mut BufReader<TcpStream>, method: &str, path: &str, body: &str) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sk_test_emulate\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(request.as_bytes()).unwrap();
}

/// Sends a request over a kept connection and reads the status and the body.
fn ask(stream: &mut BufReader<TcpStream>, method: &str, path: &str, body: &str) -> (u16, Value) {
    send(stream, method, path, body);
    let mut status = String::new();
    stream.read_line(&mut status).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let status = status.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("emulate-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn one_connection_carries_many_requests() {
    let emulator = Emulator::start(&[]);
    let mut stream = emulator.connect();
    for _ in 0..20 {
        let (status, body) = ask(&mut stream, "GET", "/v1/users/count", "");
        assert_eq!((status, &body["total_count"]), (200, &Value::from(30)));
    }
    let (_, invitation) = ask(
        &mut stream,
        "POST",
        "/v1/invitations",
        r#"{"email_address":"x@example.com"}"#,
    );
    let url = invitation["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("http://{}/", emulator.address)),
        "{url}"
    );
    drop(stream);
    assert_eq!(emulator.end("TERM"), Some(0));
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let emulator = Emulator::start(&[]);
    let mut stream = emulator.connect();
    ask(&mut stream, "GET", "/v1/users/count", "");
    assert_eq!(emulator.end("INT"), Some(0));
}

#[test]
fn the_state_survives_a_restart() {
    let file = scratch("restart").join("state.json");
    let arguments = ["--state", file.to_str().unwrap()];
    let emulator = Emulator::start(&arguments);
    let mut stream = emulator.connect();
    let (status, user) = ask(
        &mut stream,
        "POST",
        "/v1/users",
        r#"{"username":"somebody"}"#,
    );
    assert_eq!(status, 200, "{user}");
    assert_eq!(emulator.end("TERM"), Some(0));

    let emulator = Emulator::start(&arguments);
    let path = format!("/v1/users/{}", user["id"].as_str().unwrap());
    assert_eq!(ask(&mut emulator.connect(), "GET", &path, ""), (200, user));
    assert_eq!(emulator.end("TERM"), Some(0));
    let left = std::fs::read_dir(file.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "no temporary files stay behind");
}

#[test]
fn the_state_is_written_at_the_start_and_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = scratch("private").join("state.json");
    let arguments = ["--state", file.to_str().unwrap()];
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    let emulator = Emulator::start(&arguments);
    assert_eq!(mode(), 0o600);
    assert_eq!(emulator.end("TERM"), Some(0));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let emulator = Emulator::start(&arguments);
    assert_eq!(mode(), 0o600);
    assert_eq!(emulator.end("TERM"), Some(0));
}

#[test]
fn an_unwritable_state_file_fails_at_once() {
    let folder = scratch("unwritable");
    for file in [folder.join("none").join("state.json"), folder] {
        let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
            .args(["emulate", "--port", "0", "--state", file.to_str().unwrap()])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains("cannot ") && text.contains(file.to_str().unwrap()),
            "{text}"
        );
        assert!(!text.contains("http://"), "{text}");
    }
}

#[test]
fn the_banner_has_the_key_of_the_seed() {
    let emulator = Emulator::start(&[]);
    assert!(emulator.banner.contains("30 users, 5 organizations,"));
    assert!(emulator.banner.contains("sk_test_emulate"));
    let file = scratch("banner").join("seed.toml");
    let seed = "instance = { secret_keys = ['sk_test_mine'] }\nusers = [{}]\norganizations = [{ name = 'A' }]";
    std::fs::write(&file, seed).unwrap();
    let emulator = Emulator::start(&["--seed", file.to_str().unwrap()]);
    let banner = &emulator.banner;
    assert!(banner.contains("1 user, 1 organization,"), "{banner}");
    assert!(banner.contains("CLERK_SECRET_KEY=sk_test_mine"), "{banner}");
    assert!(!banner.contains("sk_test_emulate"), "{banner}");
}

#[test]
fn a_broken_state_file_is_named_and_kept() {
    let file = scratch("broken").join("state.json");
    std::fs::write(&file, "not json").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
        .args(["emulate", "--port", "0", "--state", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("is not a state of the emulator") && text.contains("hint:"),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not json");
}

#[test]
fn seeds_limits_and_drops() {
    let file = scratch("seed").join("seed.yaml");
    std::fs::write(&file, "users:\n  - username: only_one\n").unwrap();
    let emulator = Emulator::start(&["--seed", file.to_str().unwrap(), "--rate-limit", "2"]);
    let mut stream = emulator.connect();
    let (_, count) = ask(&mut stream, "GET", "/v1/users/count", "");
    assert_eq!(count["total_count"], 1);
    let drop_next = r#"{"drop_connection":true,"times":1}"#;
    assert_eq!(
        ask(&mut stream, "POST", "/_emulator/faults", drop_next).0,
        200
    );
    send(&mut stream, "GET", "/v1/users", "");
    assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
    let mut stream = emulator.connect();
    assert_eq!(ask(&mut stream, "GET", "/v1/users", "").0, 200);
    assert_eq!(ask(&mut stream, "GET", "/v1/users", "").0, 429);
    assert_eq!(emulator.end("TERM"), Some(0));
}
