//! Calls of `add` at a fixed rate, whether answers come or not, and one line of JSON about how long they
//! took. A call's time counts from the moment it was due, so that a server which stalls answers for
//! every call that was due meanwhile (no coordinated omission).
//!
//! ```text
//! mcp-paced --url URL --rate N [--connections N] [--seconds S] [--warm-up S] [--sessions true]
//! ```
//!
//! Connections are kept alive; a call that is due takes the next free one, and waits where none is. An
//! access token is taken from the variable `MCP_LOAD_TOKEN`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bench_remote::{
    Result,
    connection::Connection,
    flags::flag,
    latencies::Summary,
    mcp::{Requests, Tool, check},
};
use tokio::sync::Semaphore;

/// How often calls that are due are let go: tokio's own timer counts whole milliseconds.
const TICK: Duration = Duration::from_micros(100);

/// When each call is due.
#[derive(Clone, Debug)]
struct Schedule {
    began: Instant,
    every: Duration,
    calls: usize,
    next: Arc<AtomicUsize>,
    due: Arc<Semaphore>,
}

impl Schedule {
    fn at(&self, number: usize) -> Instant {
        self.began + self.every.mul_f64(number as f64)
    }

    /// Lets calls go once they are due. Blocks.
    fn keep(&self) {
        let mut released = 0;
        while released < self.calls {
            let now = Instant::now();
            let until = now.saturating_duration_since(self.began).as_secs_f64();
            let due = (until / self.every.as_secs_f64()) as usize + usize::from(now >= self.began);
            let due = due.min(self.calls);
            self.due.add_permits(due - released);
            released = due;
            std::thread::sleep(TICK);
        }
    }
}

/// Takes the calls that come its way; how long each took that was due after `from`.
async fn work(
    mut connection: Connection,
    request: Vec<u8>,
    schedule: Schedule,
    from: Instant,
) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    loop {
        let number = schedule.next.fetch_add(1, Ordering::Relaxed);
        if number >= schedule.calls {
            return Ok(took);
        }
        schedule.due.acquire().await?.forget();
        let due = schedule.at(number);
        check(&connection.exchange(&request).await?)?;
        if due >= from {
            took.push(due.elapsed());
        }
    }
}

// One thread for the calls and one that sleeps: the servers have the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url: String = flag("--url", String::new())?;
    let rate: f64 = flag("--rate", 0.0)?;
    if rate <= 0.0 {
        return Err("--rate is a number of calls per second".into());
    }
    let connections: usize = flag("--connections", 64)?;
    let seconds: f64 = flag("--seconds", 5.0)?;
    let warm_up: f64 = flag("--warm-up", 0.5)?;
    let has_sessions: bool = flag("--sessions", false)?;
    let requests = Requests::of_environment(&url)?;
    let mut opened = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(requests.target()).await?;
        let request = match has_sessions {
            true => requests
                .open_session(&mut connection)
                .await?
                .call(&Tool::Add),
            false => requests.standalone_call(&Tool::Add),
        };
        opened.push((connection, request));
    }
    let began = Instant::now();
    let schedule = Schedule {
        began,
        every: Duration::from_secs_f64(1.0 / rate),
        calls: (rate * (warm_up + seconds)) as usize,
        next: Arc::default(),
        due: Arc::new(Semaphore::new(0)),
    };
    let from = began + Duration::from_secs_f64(warm_up);
    let tasks: Vec<_> = opened
        .into_iter()
        .map(|(connection, request)| {
            tokio::spawn(work(connection, request, schedule.clone(), from))
        })
        .collect();
    let pacing = std::thread::spawn(move || schedule.keep());
    let mut all = Vec::new();
    for task in tasks {
        all.append(&mut task.await??);
    }
    let elapsed = from.elapsed();
    pacing.join().map_err(|_| "the schedule was not kept")?;
    println!("{}", serde_json::to_string(&Summary::of(all, elapsed))?);
    Ok(())
}
