//! Code redemptions and refreshes per second on the durable store, and bare SQLite commits beside
//! them: the same pragmas, the same disk, the same run, round after round, medians of all rounds.

#[path = "../../../crates/store/tests/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clerk_mcp_store::SqliteStore;
use oauth::Store as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use support::{NOW, Person, Place};

/// How many callers refresh at the same moment.
const CALLERS: [u32; 4] = [1, 4, 16, 64];

struct Size {
    rounds: usize,
    /// Commits, or redemptions plus refreshes, per measurement.
    people: u32,
}

fn main() -> ExitCode {
    let mut size = Size {
        rounds: 7,
        people: 1000,
    };
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => {
                size = Size {
                    rounds: 3,
                    people: 400,
                }
            }
            other => {
                eprintln!("`{other}` is no option\nhint: bench/store/run [--quick]");
                return ExitCode::from(2);
            }
        }
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(measure(&size));
    ExitCode::SUCCESS
}

async fn measure(size: &Size) {
    let people = size.people;
    let mut bare = Vec::new();
    let mut pairs = CALLERS.map(|_| Vec::new());
    let mut ratios = CALLERS.map(|_| Vec::new());
    let mut checks = Vec::new();
    for _ in 0..size.rounds {
        for (index, callers) in CALLERS.into_iter().enumerate() {
            // A disk is not as fast at one moment as at another: each is held against its neighbour.
            let beside = rate(people, bare_commits(people).await);
            let pair = rate(people, redeem_and_refresh(people, callers).await);
            bare.push(beside);
            pairs[index].push(pair);
            // Each is two transitions, and each transition is durable before it is answered.
            ratios[index].push(2.0 * pair / beside);
        }
        checks.push(rate(people, check_tokens(people).await));
    }
    println!(
        "Medians of {} rounds of {people} each; WAL, synchronous=FULL, in {}\n",
        size.rounds,
        std::env::temp_dir().display()
    );
    println!(
        "{:<48} {:>8} {:>8} {:>8} {:>8}",
        "per second", "median", "least", "most", "ratio"
    );
    print("bare SQLite commits, one INSERT each", &bare, Some(1.0));
    for ((callers, rates), ratios) in CALLERS.into_iter().zip(&pairs).zip(&ratios) {
        let what = match callers {
            1 => "code redemption plus refresh, 1 caller".to_owned(),
            many => format!("code redemption plus refresh, {many} callers"),
        };
        print(&what, rates, Some(median(ratios)));
    }
    print("access token checks, 1 caller", &checks, None);
    println!(
        "\nratio: durable transitions (a redemption plus refresh is two) to the bare commits measured just before"
    );
}

fn print(what: &str, rates: &[f64], ratio: Option<f64>) {
    let [least, most] =
        [f64::min, f64::max].map(|choose| rates.iter().copied().reduce(choose).unwrap_or(f64::NAN));
    let ratio = ratio.map_or_else(|| "—".to_owned(), |ratio| format!("{ratio:.2}"));
    println!(
        "{what:<48} {:>8.0} {least:>8.0} {most:>8.0} {ratio:>8}",
        median(rates)
    );
}

fn rate(count: u32, took: Duration) -> f64 {
    f64::from(count) / took.as_secs_f64()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

/// One INSERT per transaction, of a row about as large as an access token's.
async fn bare_commits(count: u32) -> Duration {
    let place = Place::new();
    let options = SqliteConnectOptions::new()
        .filename(place.file())
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    let mut connection = options.connect().await.expect("a new file");
    let table = "CREATE TABLE rows (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)";
    sqlx::raw_sql(table)
        .execute(&mut connection)
        .await
        .expect("a table");
    let bytes = vec![7_u8; 200];
    let began = Instant::now();
    for number in 0..count {
        sqlx::query("INSERT INTO rows (number, bytes) VALUES (?, ?)")
            .bind(number)
            .bind(&bytes)
            .execute(&mut connection)
            .await
            .expect("a row");
    }
    let took = began.elapsed();
    connection.close().await.expect("closed");
    took
}

/// What `POST /token` asks of the store, twice: the read and the transition of a code, and then those
/// of the refresh token that it gave.
async fn redeem_and_refresh(people: u32, callers: u32) -> Duration {
    let place = Place::new();
    let store = signed_in(&place, people).await;
    let began = Instant::now();
    let workers: Vec<_> = (0..callers)
        .map(|first| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (first..people).step_by(callers as usize) {
                    let person = Person(number);
                    store
                        .code(person.code())
                        .await
                        .expect("read")
                        .expect("a code");
                    person
                        .redeem(&store)
                        .await
                        .expect("written")
                        .expect("redeemed");
                    let token = store.refresh_token(person.refresh(0)).await.expect("read");
                    token.expect("a refresh token");
                    let rotated = person.refresh_from(&store, 0).await.expect("written");
                    rotated.expect("rotated");
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker");
    }
    let took = began.elapsed();
    store.close().await;
    took
}

/// What each request at `/mcp` asks of the store.
async fn check_tokens(people: u32) -> Duration {
    let place = Place::new();
    let store = signed_in(&place, people).await;
    for person in (0..people).map(Person) {
        person
            .redeem(&store)
            .await
            .expect("written")
            .expect("redeemed");
    }
    let began = Instant::now();
    for person in (0..people).map(Person) {
        let token = store
            .access_token(person.access(0), NOW)
            .await
            .expect("read");
        token.expect("an access token");
    }
    let took = began.elapsed();
    store.close().await;
    took
}

async fn signed_in(place: &Place, people: u32) -> Arc<SqliteStore> {
    let store = Arc::new(place.open().await);
    let workers: Vec<_> = (0..64)
        .map(|first| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (first..people).step_by(64) {
                    Person(number).sign_in(&store).await.expect("signed in");
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker");
    }
    store
}
