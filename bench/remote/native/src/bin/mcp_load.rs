//! Calls over and over on kept-alive connections, each waiting for its answer before the next call, and
//! prints one line of JSON. Every answer is looked at; a wrong one ends the program.
//!
//! ```text
//! mcp-load --url URL [--work add|progress|whole] [--connections N] [--seconds S] [--warm-up S]
//!          [--calls N] [--calls-each N] [--sessions true] [--refusals true]
//! ```
//!
//! Requests are of protocol 2026-07-28, which has no sessions; with `--sessions true`, of 2025-11-25,
//! each connection in a session of its own. `add` is a call of that tool, `progress` one of `wait`, which
//! reports progress first, and `whole` opens a session, calls `add` as often as `--calls-each` says and ends it, all
//! of it counted as one.
//! With `--calls` that many calls are made and nothing is measured. With `--refusals true` 429 and 503
//! are answers too, and counted. An access token is taken from the variable `MCP_LOAD_TOKEN`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bench_remote::{
    Result,
    connection::Connection,
    flags::flag,
    latencies::Summary,
    mcp::{Requests, Tool, check},
};
use serde::Serialize;

/// What is done over and over.
#[derive(Clone, Debug)]
enum Work {
    /// The same request.
    Call(Vec<u8>),
    /// A session from its beginning to its end.
    WholeSession {
        requests: Arc<Requests>,
        calls: usize,
    },
}

#[derive(Debug, Default)]
struct Done {
    took: Vec<Duration>,
    refused: usize,
}

#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    summary: Summary,
    refused: usize,
}

impl Work {
    async fn of(
        requests: &Arc<Requests>,
        work: &str,
        has_sessions: bool,
        connection: &mut Connection,
    ) -> Result<Self> {
        let tool = match work {
            "add" => Tool::Add,
            "progress" => Tool::Wait { seconds: 0 },
            "whole" => {
                let requests = Arc::clone(requests);
                let calls = flag("--calls-each", 1)?;
                return Ok(Self::WholeSession { requests, calls });
            }
            other => return Err(format!("--work {other:?} is none").into()),
        };
        Ok(Self::Call(match has_sessions {
            true => requests.open_session(connection).await?.call(&tool),
            false => requests.standalone_call(&tool),
        }))
    }

    /// Does it once; whether it was not refused.
    async fn once(&self, connection: &mut Connection, may_be_refused: bool) -> Result<bool> {
        match self {
            Self::Call(request) => {
                let answer = connection.exchange(request).await?;
                if may_be_refused && matches!(answer.status, 429 | 503) {
                    return Ok(false);
                }
                check(&answer)?;
            }
            Self::WholeSession { requests, calls } => {
                let session = requests.open_session(connection).await?;
                let call = session.call(&Tool::Add);
                for _ in 0..*calls {
                    check(&connection.exchange(&call).await?)?;
                }
                let ended = connection.exchange(&session.end()).await?;
                if !(200..300).contains(&ended.status) {
                    return Err(format!("a session was not ended: {}", ended.text()).into());
                }
            }
        }
        Ok(true)
    }
}

/// Works until `until`; how long each took that began after `from`.
async fn work_on(
    mut connection: Connection,
    work: Work,
    (from, until): (Instant, Instant),
    may_be_refused: bool,
) -> Result<Done> {
    let mut done = Done::default();
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok(done);
        }
        let was_answered = work.once(&mut connection, may_be_refused).await?;
        match (began >= from, was_answered) {
            (true, true) => done.took.push(began.elapsed()),
            (true, false) => done.refused += 1,
            (false, _) => {}
        }
    }
}

// One thread: the servers have the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url: String = flag("--url", String::new())?;
    let kind: String = flag("--work", "add".to_owned())?;
    let connections: usize = flag("--connections", 1)?;
    let seconds: f64 = flag("--seconds", 1.0)?;
    let warm_up: f64 = flag("--warm-up", 0.0)?;
    let count: usize = flag("--calls", 0)?;
    let has_sessions: bool = flag("--sessions", false)?;
    let may_be_refused: bool = flag("--refusals", false)?;
    let requests = Arc::new(Requests::of_environment(&url)?);
    let mut opened = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(requests.target()).await?;
        let work = Work::of(&requests, &kind, has_sessions, &mut connection).await?;
        opened.push((connection, work));
    }
    if count > 0 {
        if let Some((connection, work)) = opened.first_mut() {
            for _ in 0..count {
                work.once(connection, false).await?;
            }
        }
        return Ok(());
    }
    let from = Instant::now() + Duration::from_secs_f64(warm_up);
    let until = from + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = opened
        .into_iter()
        .map(|(connection, work)| {
            tokio::spawn(work_on(connection, work, (from, until), may_be_refused))
        })
        .collect();
    let mut all = Done::default();
    for task in tasks {
        let mut done = task.await??;
        all.took.append(&mut done.took);
        all.refused += done.refused;
    }
    let printed = Printed {
        summary: Summary::of(all.took, Duration::from_secs_f64(seconds)),
        refused: all.refused,
    };
    println!("{}", serde_json::to_string(&printed)?);
    Ok(())
}
