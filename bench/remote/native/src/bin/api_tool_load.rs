//! Calls an API directly and through a tool of the server, in turns, and prints one line of JSON with
//! how long each took. Both ways are one kept-alive connection of the same client, and every answer is
//! looked at.
//!
//! ```text
//! api-tool-load --api URL --mcp URL [--blocks N] [--calls N]
//! ```
//!
//! Each block is so many calls of either way; the first is thrown away. The server's access token is
//! taken from the variable `MCP_LOAD_TOKEN`.

use std::time::{Duration, Instant};

use bench_remote::{
    Result, answer,
    connection::{Connection, Target},
    flags::flag,
    latencies::Summary,
};
use memchr::memmem;
use serde_json::json;

/// One of the two ways.
struct Way {
    connection: Connection,
    request: Vec<u8>,
    took: Vec<Duration>,
}

impl Way {
    async fn open(target: &Target, request: Vec<u8>) -> Result<Self> {
        Ok(Self {
            connection: Connection::open(target).await?,
            request,
            took: Vec::new(),
        })
    }

    async fn block(&mut self, calls: usize, is_kept: bool) -> Result<()> {
        for _ in 0..calls {
            let began = Instant::now();
            let answer = self.connection.exchange(&self.request).await?;
            let took = began.elapsed();
            if answer.status != 200 || memmem::find(answer.body, answer::LAST_ORDER).is_none() {
                return Err(format!("these are not the orders: {}", answer.text()).into());
            }
            if is_kept {
                self.took.push(took);
            }
        }
        Ok(())
    }

    fn summary(self) -> Summary {
        let elapsed = self.took.iter().sum();
        Summary::of(self.took, elapsed)
    }
}

fn through_a_tool(target: &Target, token: &str) -> Vec<u8> {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("authorization", authorization.as_str()),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "listOrders"),
    ];
    let call = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "listOrders",
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "api-tool-load", "version": "1.0.0"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    target.post(&headers, &call.to_string())
}

// One thread: the servers have the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let api = Target::parse(&flag("--api", String::new())?)?;
    let mcp = Target::parse(&flag("--mcp", String::new())?)?;
    let blocks: usize = flag("--blocks", 20)?;
    let calls: usize = flag("--calls", 250)?;
    let token = std::env::var("MCP_LOAD_TOKEN")?;
    let direct = api.get(&[("authorization", "Bearer of-nobody"), ("accept", "*/*")]);
    let mut direct = Way::open(&api, direct).await?;
    let mut tool = Way::open(&mcp, through_a_tool(&mcp, &token)).await?;
    for block in 0..=blocks {
        direct.block(calls, block > 0).await?;
        tool.block(calls, block > 0).await?;
    }
    let line = json!({"direct": direct.summary(), "tool": tool.summary()});
    println!("{line}");
    Ok(())
}
