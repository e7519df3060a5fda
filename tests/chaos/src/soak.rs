//! The long run without faults: what the server has must not grow, while its clock runs through the
//! lives of everything that it keeps.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::client::Client;
use crate::plan::faultless;
use crate::processes::{Process, Usage};
use crate::world::World;

/// So often the clock moves, by [`STEP`]: access tokens are over each time, unused refresh tokens and
/// clients (30 days) after 45 s, audit rows (90 days) after 135 s, grants (180 days) after 270 s. A
/// sign-in must come to its end between two moves, also on a machine that does much else.
const EVERY: Duration = Duration::from_secs(15);
const STEP: Duration = Duration::from_secs(10 * 24 * 60 * 60);
const SAMPLED: Duration = Duration::from_secs(5);
/// How often the server sweeps, by the time that is never moved.
const SWEPT: Duration = Duration::from_secs(5 * 60);
/// Two sweeps, and time for the second to come to its end.
const TWO_SWEEPS: Duration = Duration::from_secs(12 * 60);
/// How much more memory the last quarter may have than the second, on average.
const MORE_MEMORY_KIB: u64 = 6 * 1024;
/// How many more descriptors: each client may have two connections more at that moment.
const MORE_DESCRIPTORS: usize = 48;
/// How much more rows and bytes there may be after the second sweep than after the first, in percent.
const MORE_KEPT: u64 = 30;

/// What the server had at a moment.
pub(crate) struct Sample {
    at: Duration,
    usage: Usage,
    /// Of the database and its log.
    bytes: u64,
    /// Of all tables.
    rows: u64,
}

/// Uses the server for so long, and looks at it all the while.
pub(crate) fn run(
    world: &World,
    clients: &mut [Client<'_>],
    server: &Process,
    database: &Path,
    seed: u64,
    length: Duration,
) -> Result<Vec<Sample>, String> {
    let is_over = AtomicBool::new(false);
    let is_over = &is_over;
    std::thread::scope(|scope| {
        for (number, client) in (0_u64..).zip(clients) {
            scope.spawn(move || {
                for operation in faultless(seed, number, world.sign_in) {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    client.run(operation);
                    client.forget_the_oldest_dead();
                }
            });
        }
        let samples = watch(world, server, database, length);
        is_over.store(true, Ordering::Relaxed);
        samples
    })
}

fn watch(
    world: &World,
    server: &Process,
    database: &Path,
    length: Duration,
) -> Result<Vec<Sample>, String> {
    let begun = Instant::now();
    let (mut samples, mut moves) = (Vec::new(), 0);
    while begun.elapsed() < length {
        std::thread::sleep(Duration::from_millis(100));
        let at = begun.elapsed();
        if at >= EVERY * (moves + 1) {
            moves += 1;
            let moved = world.machine.move_clock(STEP);
            moved.map_err(|error| error.to_string())?;
        }
        let taken = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        if at >= SAMPLED * taken {
            let usage = server.usage().map_err(|error| error.to_string())?;
            samples.push(Sample {
                at,
                usage,
                bytes: bytes(database),
                rows: rows(database)?,
            });
        }
    }
    Ok(samples)
}

fn bytes(database: &Path) -> u64 {
    let with = |end: &str| {
        let mut path = database.as_os_str().to_owned();
        path.push(end);
        std::fs::metadata(path).map_or(0, |known| known.len())
    };
    with("") + with("-wal")
}

/// Reads beside the server, as a backup would.
fn rows(database: &Path) -> Result<u64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let counted = runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(database)
            .busy_timeout(Duration::from_secs(10));
        let mut connection = options.connect().await?;
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        let mut rows = 0;
        for table in sqlx::query(tables).fetch_all(&mut connection).await? {
            let name: String = table.try_get(0)?;
            let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM \"{name}\""));
            let count = sqlx::query(count).fetch_one(&mut connection).await?;
            rows += count.try_get::<i64, _>(0)?.unsigned_abs();
        }
        connection.close().await?;
        Ok::<u64, sqlx::Error>(rows)
    });
    counted.map_err(|error| format!("{}: {error}", database.display()))
}

/// Judges the samples, and prints what they come to.
pub(crate) fn judge(world: &World, samples: &[Sample], length: Duration) {
    let quarter = |number: u32| {
        let (from, to) = (length * number / 4, length * (number + 1) / 4);
        samples
            .iter()
            .filter(move |sample| sample.at >= from && sample.at < to)
    };
    let memory = |number| {
        let all: Vec<u64> = quarter(number)
            .map(|sample| sample.usage.resident_kib)
            .collect();
        all.iter().sum::<u64>() / (all.len() as u64).max(1)
    };
    let [second, last] = [1, 3].map(memory);
    println!(
        "  memory, by quarters: {} MiB; in the last three it changes by {:.0} KiB a minute",
        [0, 1, 2, 3]
            .map(|number| (memory(number) / 1024).to_string())
            .join(", "),
        slope(samples.iter().filter(|sample| sample.at >= length / 4))
    );
    if last > second + MORE_MEMORY_KIB {
        world.violation(format!("memory grew from {second} KiB to {last} KiB"));
    }
    let descriptors = |number| {
        let all =
            quarter(number).map(|sample| sample.usage.sockets + sample.usage.other_descriptors);
        all.max().unwrap_or(0)
    };
    let [before, after] = [descriptors(1), descriptors(3)];
    println!("  descriptors, at most: {before} in the second quarter, {after} in the last");
    if after > before + MORE_DESCRIPTORS {
        world.violation(format!("{before} descriptors became {after}"));
    }
    let most = |kept: fn(&Sample) -> u64| samples.iter().map(kept).max().unwrap_or(0);
    println!(
        "  database: {} rows and {} KiB at most",
        most(|sample| sample.rows),
        most(|sample| sample.bytes) / 1024
    );
    if length < TWO_SWEEPS {
        println!(
            "  the server sweeps every 5 minutes: 12 minutes or more judge what that leaves, too"
        );
        return;
    }
    // A sweep takes a while: what it leaves is the least there is until the next.
    let after_sweep = |number: u32| {
        let from = SWEPT * number;
        let until_the_next = samples
            .iter()
            .filter(move |sample| sample.at >= from && sample.at < from + SWEPT);
        until_the_next.min_by_key(|sample| sample.rows)
    };
    let (Some(first), Some(second)) = (after_sweep(1), after_sweep(2)) else {
        return;
    };
    println!(
        "  after a sweep: {} rows and {} KiB, then {} rows and {} KiB",
        first.rows,
        first.bytes / 1024,
        second.rows,
        second.bytes / 1024
    );
    let grew = |before: u64, after: u64| after * 100 > before * (100 + MORE_KEPT);
    if grew(first.rows, second.rows) || grew(first.bytes, second.bytes) {
        world.violation("what is kept grows from sweep to sweep".to_owned());
    }
}

/// The memory's least-squares slope, KiB a minute.
fn slope<'a>(samples: impl Iterator<Item = &'a Sample>) -> f64 {
    let points: Vec<(f64, f64)> = samples
        .map(|sample| {
            let resident = u32::try_from(sample.usage.resident_kib).unwrap_or(u32::MAX);
            (sample.at.as_secs_f64() / 60.0, f64::from(resident))
        })
        .collect();
    let count = f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX)).max(1.0);
    let mean_at = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean = points.iter().map(|point| point.1).sum::<f64>() / count;
    let both = |point: &(f64, f64)| (point.0 - mean_at) * (point.1 - mean);
    let spread = |point: &(f64, f64)| (point.0 - mean_at).powi(2);
    points.iter().map(both).sum::<f64>() / points.iter().map(spread).sum::<f64>().max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line() {
        let sample = |minute: u64| Sample {
            at: Duration::from_secs(60 * minute),
            usage: Usage {
                resident_kib: 1000 + 12 * minute,
                ..Usage::default()
            },
            bytes: 0,
            rows: 0,
        };
        let samples: Vec<Sample> = (0..10).map(sample).collect();
        assert!((slope(samples.iter()) - 12.0).abs() < 1e-6);
    }
}
