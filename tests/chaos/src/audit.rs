//! Whether the audit log has a row for every answered call.
//!
//! Rows are written in batches, in the order in which the calls ended, and an answer waits for no
//! batch. So a kill may take the last rows with it, and only those: if the row of a call is missing,
//! so are the rows of all calls that this life of the server was sent after that answer, and the kill
//! came no later than a row may wait and a write may take.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::client::name;
use crate::plan::Tool;
use crate::world::{AnsweredCall, World};

/// `audit_batch`: how long a row waits for others (100 ms), and how long a write may take (10 s).
const BOUND: Duration = Duration::from_millis(10_100);

/// What was found, for the report.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) in_database: usize,
    pub(crate) in_log: usize,
    pub(crate) lost: usize,
    /// The longest time from a lost row's answer to the kill that took it.
    pub(crate) oldest_lost: Duration,
}

/// Compares the answered calls with the rows in `database` and in the server's log.
pub(crate) fn check(
    world: &World,
    database: &Path,
    log: &[String],
    kills: &[Instant],
) -> Result<Found, String> {
    let in_database = read(database)?;
    let in_log: Vec<Value> = log.iter().filter_map(|line| logged(line)).collect();
    let numbers = in_database.iter().chain(&in_log).filter_map(number);
    let (violations, lost) = judge(&world.answered_calls(), numbers, kills);
    violations
        .into_iter()
        .for_each(|what| world.violation(what));
    Ok(Found {
        in_database: in_database.len(),
        in_log: in_log.len(),
        lost: lost.len(),
        oldest_lost: lost.into_iter().max().unwrap_or_default(),
    })
}

/// What is wrong, and for each row that a kill took, how long its call had been answered by then.
/// The server's lives end with the kill of their number, the last one in order.
fn judge(
    calls: &[AnsweredCall],
    numbers: impl Iterator<Item = u64>,
    kills: &[Instant],
) -> (Vec<String>, Vec<Duration>) {
    let mut rows: BTreeMap<u64, usize> = BTreeMap::new();
    numbers.for_each(|number| *rows.entry(number).or_default() += 1);
    let (mut violations, mut lost) = (Vec::new(), Vec::new());
    for (number, _) in rows.iter().filter(|(_, count)| **count > 1) {
        violations.push(format!("call {number} has two audit rows"));
    }
    let has_row = |call: &AnsweredCall| rows.contains_key(&call.number);
    for call in calls.iter().filter(|call| !has_row(call)) {
        let what = format!("the row of {} number {}", name(call.tool), call.number);
        let Some(kill) = kills.get(call.life) else {
            violations.push(format!(
                "{what} is missing, though the server stopped in order"
            ));
            continue;
        };
        let later = |other: &&AnsweredCall| other.life == call.life && other.asked > call.answered;
        if let Some(later) = calls.iter().filter(later).find(|other| has_row(other)) {
            let number = later.number;
            violations.push(format!(
                "{what} is missing, and that of {number} after it is not"
            ));
        }
        let age = kill.saturating_duration_since(call.answered);
        if age > BOUND {
            violations.push(format!("{what} is missing {age:?} before the kill"));
        }
        lost.push(age);
    }
    (violations, lost)
}

/// The rows in the database, which nobody else has open.
fn read(database: &Path) -> Result<Vec<Value>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let read = async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = options.connect().await?;
        let rows = sqlx::query("SELECT record FROM audit ORDER BY number");
        let rows = rows.fetch_all(&mut connection).await?;
        connection.close().await?;
        let records = rows.iter().map(|row| row.try_get::<String, _>(0));
        records.collect::<Result<Vec<String>, sqlx::Error>>()
    };
    let records = runtime.block_on(read);
    let records = records.map_err(|error| format!("{}: {error}", database.display()))?;
    let rows = records.iter().map(|record| serde_json::from_str(record));
    rows.collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// The row in a line of the log that says that it could not be written.
fn logged(line: &str) -> Option<Value> {
    if !line.contains("an audit row could not be written") {
        return None;
    }
    let start = line.find("row=\"")? + 4;
    let mut texts = serde_json::Deserializer::from_str(&line[start..]).into_iter::<String>();
    serde_json::from_str(&texts.next()?.ok()?).ok()
}

/// The number that the call had among its arguments.
fn number(row: &Value) -> Option<u64> {
    let tools = [Tool::Add, Tool::ListMemberships, Tool::GetOrder];
    let tool = tools.into_iter().find(|tool| row["tool"] == name(*tool))?;
    let arguments = &row["arguments"];
    let number = match tool {
        Tool::Add => &arguments["a"],
        Tool::ListMemberships => &arguments["offset"],
        Tool::GetOrder => &arguments["order"],
    };
    number.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn call(number: u64, life: usize, asked: Instant) -> AnsweredCall {
        AnsweredCall {
            tool: Tool::Add,
            number,
            life,
            asked,
            answered: asked + SECOND / 2,
        }
    }

    #[test]
    fn a_kill_takes_the_last_rows_alone() {
        let begun = Instant::now();
        let calls = [
            call(1, 0, begun),
            call(2, 0, begun + SECOND),
            call(3, 0, begun + 2 * SECOND),
            call(4, 1, begun + 4 * SECOND),
        ];
        let kills = [begun + 3 * SECOND];
        let judge = |rows: &[u64]| {
            let (violations, lost) = judge(&calls, rows.iter().copied(), &kills);
            (violations.len(), lost.len())
        };
        assert_eq!(judge(&[1, 2, 3, 4]), (0, 0));
        assert_eq!(judge(&[1, 4]), (0, 2));
        assert_eq!(
            judge(&[1, 3, 4]),
            (1, 1),
            "2 was before 3, whose row is there"
        );
        assert_eq!(judge(&[1, 2, 3]), (1, 0), "nobody was killed after 4");
        assert_eq!(judge(&[1, 2, 2, 3, 4]), (1, 0), "one call, two rows");
        let late = [begun + 20 * SECOND];
        let (violations, _) = super::judge(&calls[..1], [].into_iter(), &late);
        assert_eq!(violations.len(), 1, "there was time enough to write it");
    }

    #[test]
    fn a_row_in_the_log_is_read() {
        let line = r#"2026-12-22T11:47:55Z ERROR audit: an audit row could not be written reason="the disk is full\nhint: \"x\"" row="{\"tool\":\"add\",\"arguments\":{\"a\":7,\"b\":1}}""#;
        assert_eq!(logged(line).as_ref().and_then(number), Some(7));
        assert_eq!(logged("another line"), None);
    }
}
