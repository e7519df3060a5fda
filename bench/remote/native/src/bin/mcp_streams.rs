//! Opens many idle sessions or streams and keeps them, so that somebody can look at what they cost the
//! server.
//!
//! ```text
//! mcp-streams --url URL --kind sessions|session-streams|sse|calls --count N [--tokens FILE]
//! ```
//!
//! `sessions` are of 2025-11-25 and have no connection of their own, `session-streams` have an open GET
//! besides; `sse` are initialized sessions of HTTP+SSE (2024-11-05); `calls` are streams of 2026-07-28,
//! of a call that has reported progress and waits. The access tokens in FILE, one a line, take turns.
//!
//! Prints `{"opened":N}` once all are open. When its standard input ends, it prints `{"alive":N}`, the
//! number of streams that are still open, and ends.

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

use bench_remote::{
    Result,
    connection::{Connection, EventStream},
    flags::{flag, lines},
    mcp::{Requests, Tool, initialize, initialized},
};
use tokio::task::JoinSet;

/// How many are opened side by side.
const SIDE_BY_SIDE: usize = 32;
/// How long a call of `calls` waits, seconds: longer than anybody looks.
const CALL_SECONDS: u32 = 3000;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Sessions,
    SessionStreams,
    Sse,
    Calls,
}

impl Kind {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "sessions" => Self::Sessions,
            "session-streams" => Self::SessionStreams,
            "sse" => Self::Sse,
            "calls" => Self::Calls,
            other => return Err(format!("--kind {other:?} is none").into()),
        })
    }

    /// Opens one. Messages go over `connection`, which others use after it.
    async fn open(
        self,
        requests: &Requests,
        connection: &mut Connection,
    ) -> Result<Option<EventStream>> {
        match self {
            Self::Sessions => {
                requests.open_session(connection).await?;
                Ok(None)
            }
            Self::SessionStreams => {
                let session = requests.open_session(connection).await?;
                let own = Connection::open(requests.target()).await?;
                let (_, stream) = own.stream(&session.stream(), "\r\n\r\n").await?;
                Ok(Some(stream))
            }
            Self::Sse => open_sse(requests, connection).await.map(Some),
            Self::Calls => {
                let tool = Tool::Wait {
                    seconds: CALL_SECONDS,
                };
                let own = Connection::open(requests.target()).await?;
                let call = requests.standalone_call(&tool);
                let (_, stream) = own.stream(&call, "notifications/progress").await?;
                Ok(Some(stream))
            }
        }
    }
}

async fn open_sse(requests: &Requests, connection: &mut Connection) -> Result<EventStream> {
    let own = Connection::open(requests.target()).await?;
    let (came, stream) = own.stream(&requests.event_stream(&[]), "\n\n").await?;
    let path = came.lines().find_map(|line| line.strip_prefix("data: "));
    let path = path.ok_or_else(|| format!("no endpoint: {came:?}"))?;
    let messages = requests.at(path);
    for message in [initialize("2024-11-05"), initialized()] {
        let answer = connection
            .exchange(&messages.message(&[], &message))
            .await?;
        if answer.status != 202 {
            return Err(format!("a message was refused: {}", answer.text()).into());
        }
    }
    Ok(stream)
}

// One thread: the server has the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url: String = flag("--url", String::new())?;
    let kind = Kind::parse(&flag::<String>("--kind", String::new())?)?;
    let count: usize = flag("--count", 1)?;
    let people: Vec<Requests> = match lines("--tokens")? {
        None => vec![Requests::new(&url, None)?],
        Some(tokens) => tokens
            .iter()
            .map(|token| Requests::new(&url, Some(token)))
            .collect::<Result<_>>()?,
    };
    let people = Arc::new(people);
    let mut openers = JoinSet::new();
    for first in 0..SIDE_BY_SIDE.min(count) {
        let people = Arc::clone(&people);
        openers.spawn(async move {
            let mut connection = Connection::open(people[0].target()).await?;
            let mut streams = Vec::new();
            for number in (first..count).step_by(SIDE_BY_SIDE) {
                let requests = &people[number % people.len()];
                streams.push(kind.open(requests, &mut connection).await?);
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(streams)
        });
    }
    let mut opened = 0;
    let mut kept = JoinSet::new();
    while let Some(streams) = openers.join_next().await {
        let streams: Vec<Option<EventStream>> = streams??;
        opened += streams.len();
        for stream in streams.into_iter().flatten() {
            kept.spawn(stream.ended());
        }
    }
    let mut output = std::io::stdout();
    writeln!(output, "{}", serde_json::json!({"opened": opened}))?;
    output.flush()?;
    let looked_at = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    looked_at.await??;
    while kept.try_join_next().is_some() {}
    writeln!(output, "{}", serde_json::json!({"alive": kept.len()}))?;
    Ok(())
}
