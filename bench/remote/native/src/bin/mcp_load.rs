//! Calls `add` over and over on kept-alive connections, each waiting for its answer before the next
//! call, and prints one line of JSON. Every answer is looked at; a wrong one ends the program.
//!
//! ```text
//! mcp-load --url URL [--connections N] [--seconds S] [--warm-up S] [--calls N] [--sessions true]
//! ```
//!
//! Requests are of protocol 2026-07-28, which has no sessions; with `--sessions true`, of 2025-11-25,
//! each connection in a session of its own. With `--calls` that many calls are made and nothing is
//! measured. An access token is taken from the variable `MCP_LOAD_TOKEN`.

use std::time::{Duration, Instant};

use bench_remote::{
    Result, answer,
    connection::{Answer, Connection, Target},
    flags::flag,
    latencies::Summary,
};
use memchr::memmem;
use serde_json::{Value, json};

/// How the requests look.
struct Requests {
    target: Target,
    authorization: Option<String>,
    has_sessions: bool,
}

impl Requests {
    fn post(&self, more: &[(&str, &str)], message: &Value) -> Vec<u8> {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        if let Some(authorization) = &self.authorization {
            headers.push(("authorization", authorization));
        }
        headers.extend(more);
        self.target.post(&headers, &message.to_string())
    }

    /// A call that stands for itself.
    fn stateless(&self) -> Vec<u8> {
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "add"),
        ];
        let params = json!({
            "name": "add",
            "arguments": answer::arguments(),
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "mcp-load", "version": "1.0.0"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        });
        self.post(&headers, &call(&params))
    }

    /// Opens a session; its calls.
    async fn session(&self, connection: &mut Connection) -> Result<Vec<u8>> {
        let initialize = json!({
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "mcp-load", "version": "1.0.0"},
            },
        });
        let answer = connection.exchange(&self.post(&[], &initialize)).await?;
        let session = answer.header("mcp-session-id");
        let session = session.ok_or_else(|| format!("no session was opened: {}", answer.text()))?;
        let headers = [
            ("mcp-protocol-version", "2025-11-25"),
            ("mcp-session-id", session.as_str()),
        ];
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let answer = connection
            .exchange(&self.post(&headers, &initialized))
            .await?;
        if answer.status != 202 {
            return Err(format!("a notification was refused: {}", answer.text()).into());
        }
        let params = json!({"name": "add", "arguments": answer::arguments()});
        Ok(self.post(&headers, &call(&params)))
    }

    async fn open(&self) -> Result<(Connection, Vec<u8>)> {
        let mut connection = Connection::open(&self.target).await?;
        let request = match self.has_sessions {
            true => self.session(&mut connection).await?,
            false => self.stateless(),
        };
        Ok((connection, request))
    }
}

fn call(params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
}

fn check(answer: &Answer<'_>) -> Result<()> {
    if answer.status == 200 && memmem::find(answer.body, answer::RIGHT).is_some() {
        return Ok(());
    }
    Err(format!("this is not the answer to 17 + 25: {}", answer.text()).into())
}

/// Calls until `until`; how long each call took that began after `from`.
async fn calls(
    mut connection: Connection,
    request: Vec<u8>,
    from: Instant,
    until: Instant,
) -> Result<Vec<Duration>> {
    let mut calls = Vec::new();
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok(calls);
        }
        check(&connection.exchange(&request).await?)?;
        if began >= from {
            calls.push(began.elapsed());
        }
    }
}

// One thread: the servers have the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url: String = flag("--url", String::new())?;
    let connections: usize = flag("--connections", 1)?;
    let seconds: f64 = flag("--seconds", 1.0)?;
    let warm_up: f64 = flag("--warm-up", 0.0)?;
    let count: usize = flag("--calls", 0)?;
    let requests = Requests {
        target: Target::parse(&url)?,
        authorization: std::env::var("MCP_LOAD_TOKEN")
            .ok()
            .map(|token| format!("Bearer {token}")),
        has_sessions: flag("--sessions", false)?,
    };
    if count > 0 {
        let (mut connection, request) = requests.open().await?;
        for _ in 0..count {
            check(&connection.exchange(&request).await?)?;
        }
        return Ok(());
    }
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(requests.open().await?);
    }
    let from = Instant::now() + Duration::from_secs_f64(warm_up);
    let until = from + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = opened
        .into_iter()
        .map(|(connection, request)| tokio::spawn(calls(connection, request, from, until)))
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.append(&mut task.await??);
    }
    let summary = Summary::of(all, Duration::from_secs_f64(seconds));
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}
