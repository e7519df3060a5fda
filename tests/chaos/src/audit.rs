//! Whether the audit log has a row for every answered call.
//!
//! Rows are written in batches, in the order in which the calls ended, and an answer waits for no
//! batch. So a kill may take the last rows with it, and only those: if the row of a call is missing,
//! so are the rows of all calls that were made after its answer and before the kill, and the kill
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
    let mut rows: BTreeMap<u64, usize> = BTreeMap::new();
    for row in in_database.iter().chain(&in_log) {
        if let Some(number) = number(row) {
            *rows.entry(number).or_default() += 1;
        }
    }
    for (number, _) in rows
        .iter()
        .filter(|(number, count)| **number > 0 && **count > 1)
    {
        world.violation(format!("call {number} has two audit rows"));
    }
    let mut found = Found {
        in_database: in_database.len(),
        in_log: in_log.len(),
        lost: 0,
        oldest_lost: Duration::ZERO,
    };
    let calls = world.answered_calls();
    let has_row = |call: &AnsweredCall| rows.contains_key(&call.number);
    for call in calls.iter().filter(|call| !has_row(call)) {
        let what = format!("the row of {} number {}", name(call.tool), call.number);
        let Some(kill) = kills.iter().find(|kill| **kill >= call.answered) else {
            world.violation(format!("{what} is missing, and nobody was killed after it"));
            continue;
        };
        let later = |other: &&AnsweredCall| other.asked > call.answered && other.answered < *kill;
        if let Some(later) = calls.iter().filter(later).find(|other| has_row(other)) {
            let number = later.number;
            world.violation(format!(
                "{what} is missing, and that of {number} after it is not"
            ));
        }
        let age = kill.duration_since(call.answered);
        if age > BOUND {
            world.violation(format!("{what} is missing {age:?} before the kill"));
        }
        found.lost += 1;
        found.oldest_lost = found.oldest_lost.max(age);
    }
    Ok(found)
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
