//! Calls `add` once with each of many access tokens that a server has not seen yet, and once more with each,
//! when it knows them. Two servers take turns, call by call, so that whatever else the machine does
//! befalls both. Prints one line of JSON.
//!
//! ```text
//! first-looks --url URL --tokens FILE --other-url URL --other-tokens FILE
//! ```
//!
//! Tokens are one a line. Each server is called over one connection, one call after the other.

use std::time::{Duration, Instant};

use bench_remote::{
    Result,
    connection::Connection,
    flags::{flag, lines},
    latencies::Summary,
    mcp::{Requests, Tool, check},
};
use serde_json::json;

struct Side {
    connection: Connection,
    requests: Vec<Vec<u8>>,
    first: Vec<Duration>,
    known: Vec<Duration>,
}

impl Side {
    async fn open(url: &str, tokens: &str) -> Result<Self> {
        let url: String = flag(url, String::new())?;
        let known = lines(tokens)?.ok_or_else(|| format!("{tokens} names a file"))?;
        let requests = known.iter().map(|token| {
            let requests = Requests::new(&url, Some(token))?;
            Ok(requests.standalone_call(&Tool::Add))
        });
        let target = Requests::new(&url, None)?;
        Ok(Self {
            connection: Connection::open(target.target()).await?,
            requests: requests.collect::<Result<_>>()?,
            first: Vec::new(),
            known: Vec::new(),
        })
    }

    async fn call(&mut self, number: usize, is_first: bool) -> Result<()> {
        let began = Instant::now();
        check(&self.connection.exchange(&self.requests[number]).await?)?;
        match is_first {
            true => self.first.push(began.elapsed()),
            false => self.known.push(began.elapsed()),
        }
        Ok(())
    }

    fn summary(self) -> serde_json::Value {
        let of = |took: Vec<Duration>| {
            let elapsed = took.iter().sum();
            Summary::of(took, elapsed)
        };
        json!({"first": of(self.first), "known": of(self.known)})
    }
}

// One thread: the servers have the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut one = Side::open("--url", "--tokens").await?;
    let mut other = Side::open("--other-url", "--other-tokens").await?;
    let count = one.requests.len();
    if other.requests.len() != count {
        return Err("both servers need as many tokens".into());
    }
    for is_first in [true, false] {
        for number in 0..count {
            // Neither always comes after the same.
            if number % 2 == 0 {
                one.call(number, is_first).await?;
                other.call(number, is_first).await?;
            } else {
                other.call(number, is_first).await?;
                one.call(number, is_first).await?;
            }
        }
    }
    println!(
        "{}",
        json!({"one": one.summary(), "other": other.summary()})
    );
    Ok(())
}
