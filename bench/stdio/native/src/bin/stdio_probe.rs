//! Measures from a process that itself costs next to nothing, where a Node client would add its own
//! time to every answer. Prints JSON lines.
//!
//! - `stdio-probe start -- COMMAND…`: starts the server, asks for its tools, prints the time from
//!   before the start to the answer, and the server's memory at that moment.
//! - `stdio-probe calls USER -- COMMAND…`: starts the server; for each number on standard input
//!   calls `getUser` that often, one call after the other, and prints the microseconds of each.
//! - `stdio-probe get ADDRESS USER KEY`: the same with `GET /v1/users/USER` over one connection.

use std::{
    env,
    error::Error,
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["start", "--", command @ ..] => start(command),
        ["calls", user, "--", command @ ..] => {
            let mut server = Server::start(command)?;
            server.list_tools()?;
            let call = json!({ "name": "getUser", "arguments": { "userId": user } }).to_string();
            blocks(|| server.call(&call, user))
        }
        ["get", address, user, key] => {
            let mut connection = Connection::open(address, user, key)?;
            blocks(|| connection.get())
        }
        _ => Err("usage: start -- COMMAND | calls USER -- COMMAND | get ADDRESS USER KEY".into()),
    }
}

fn start(command: &[&str]) -> Outcome<()> {
    let before = Instant::now();
    let mut server = Server::start(command)?;
    let answer = server.list_tools()?;
    let micros = before.elapsed().as_nanos() as f64 / 1e3;
    let process = server.child.id();
    let resident = proc_kilobytes(process, "status", "VmRSS:")?;
    let anonymous = proc_kilobytes(process, "status", "RssAnon:")?;
    let proportional = proc_kilobytes(process, "smaps_rollup", "Pss:")?;
    let line = json!({
        "micros": micros, "rss_kb": resident, "anonymous_kb": anonymous, "pss_kb": proportional,
        "answer": answer.trim_end(),
    });
    println!("{line}");
    Ok(())
}

/// Reads how many to measure, measures that many, prints the times; until standard input ends.
fn blocks(mut one: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    for line in io::stdin().lines() {
        let mut micros = Vec::new();
        for _ in 0..line?.trim().parse::<usize>()? {
            let before = Instant::now();
            one()?;
            micros.push(before.elapsed().as_nanos() as f64 / 1e3);
        }
        println!("{}", json!(micros));
    }
    Ok(())
}

/// An MCP server on pipes.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    id: u64,
}

impl Server {
    fn start(command: &[&str]) -> Outcome<Self> {
        let (program, arguments) = command.split_first().ok_or("no command")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Self {
            child,
            input,
            output,
            id: 0,
        })
    }

    fn list_tools(&mut self) -> Outcome<String> {
        self.request(
            "initialize",
            r#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"stdio-probe","version":"0.1.0"}}"#,
        )?;
        writeln!(
            self.input,
            r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#
        )?;
        self.request("tools/list", "{}")
    }

    fn call(&mut self, parameters: &str, user: &str) -> Outcome<()> {
        let answer = self.request("tools/call", parameters)?;
        if answer.contains(user) && !answer.contains(r#""isError":true"#) {
            return Ok(());
        }
        Err(format!("getUser failed: {answer}").into())
    }

    fn request(&mut self, method: &str, parameters: &str) -> Outcome<String> {
        self.id += 1;
        let id = self.id;
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{parameters}}}\n"
        );
        self.input.write_all(line.as_bytes())?;
        let mut answer = String::new();
        loop {
            answer.clear();
            if self.output.read_line(&mut answer)? == 0 {
                return Err(format!("the server ended before it answered {method}").into());
            }
            if answer.contains(&format!("\"id\":{id}")) {
                return Ok(answer);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One kept-alive connection to the emulator.
struct Connection {
    stream: BufReader<TcpStream>,
    request: String,
    body: Vec<u8>,
}

impl Connection {
    fn open(address: &str, user: &str, key: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let request = format!(
            "GET /v1/users/{user} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
             Accept: application/json\r\nClerk-API-Version: 2026-05-12\r\n\
             Content-Type: application/json\r\n\r\n"
        );
        Ok(Self {
            stream: BufReader::new(stream),
            request,
            body: Vec::new(),
        })
    }

    fn get(&mut self) -> Outcome<()> {
        self.stream.get_mut().write_all(self.request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200") {
            return Err(format!("the emulator answered {line:?}").into());
        }
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>()?);
            }
        }
        self.body.resize(length.ok_or("no Content-Length")?, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok(())
    }
}

fn proc_kilobytes(process: u32, file: &str, name: &str) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .ok_or_else(|| format!("no {name} in {file}"))?
        .parse()?)
}
