//! What durable SQLite costs alone: transactions of one small row each, one after the other, with the
//! write-ahead log and a flush to the disk at every commit, as in the server's store.
//!
//! ```text
//! sqlite-commits --file FILE [--count N]
//! ```

use std::time::{Duration, Instant};

use bench_remote::{Result, flags::flag, latencies::Summary};
use rusqlite::Connection;

fn main() -> Result<()> {
    let file: String = flag("--file", String::new())?;
    let count: u64 = flag("--count", 500)?;
    let database = Connection::open(&file)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    )?;
    let mut insert = database.prepare("INSERT INTO row (text) VALUES (?)")?;
    let text = "x".repeat(200);
    let mut commits: Vec<Duration> = Vec::new();
    let began = Instant::now();
    for _ in 0..count {
        let begun = Instant::now();
        insert.execute([&text])?;
        commits.push(begun.elapsed());
    }
    let summary = Summary::of(commits, began.elapsed());
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}
