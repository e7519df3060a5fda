//! Crashes, full disks, and several processes on one file.
//!
//! The test binary starts itself again as the process that is killed: [`child`] reads from its
//! environment what to do, and tells on its standard output what the store has answered.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::env;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use clerk_mcp_store::SqliteStore;
use oauth::{Store as _, StoreError};
use support::{Person, Place};

const ROLE: &str = "STORE_TEST_ROLE";
const FILE: &str = "STORE_TEST_FILE";
/// How many people the racing processes redeem for.
const RACED: u32 = 200;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is the process that the other tests of this file start"]
async fn child() {
    let role = env::var(ROLE).expect("is started by the other tests of this file");
    let store = SqliteStore::open(env::var(FILE).unwrap()).await.unwrap();
    match role.as_str() {
        "stream" => stream(Arc::new(store)).await,
        "race" => race(&store).await,
        "fill" => fill(&store).await,
        other => panic!("no role `{other}`"),
    }
}

/// Serves people, sixteen at a time, until it is killed.
async fn stream(store: Arc<SqliteStore>) {
    let next = Arc::new(AtomicU32::new(0));
    let workers: Vec<_> = (0..16)
        .map(|_| {
            let (store, next) = (store.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let person = Person(next.fetch_add(1, Ordering::Relaxed));
                    // A bound, should nobody be there to kill it.
                    if person.0 > 100_000 {
                        break;
                    }
                    serve(&store, person).await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

async fn serve(store: &SqliteStore, person: Person) -> Result<(), StoreError> {
    person.sign_in(store).await?;
    tell("signed-in", person);
    person.redeem(store).await?.unwrap();
    tell("redeemed", person);
    person.refresh_from(store, 0).await?.unwrap();
    tell("refreshed", person);
    Ok(())
}

/// Redeems every code, and tells which of them it got.
async fn race(store: &SqliteStore) {
    for person in (0..RACED).map(Person) {
        if person.redeem(store).await.unwrap().is_ok() {
            tell("redeemed", person);
        }
    }
}

/// Serves people until the disk is full, and once more when it is not.
async fn fill(store: &SqliteStore) {
    let mut person = Person(0);
    let error = loop {
        match serve(store, person).await {
            Ok(()) => person.0 += 1,
            Err(error) => break error,
        }
    };
    let first = store.grant(&Person(0).grant_id()).await.unwrap();
    assert_eq!(first, Some(Person(0).grant()), "reading goes on");
    println!("full {}", error.to_string().replace('\n', " "));
    std::io::stdin().lines().next().unwrap().unwrap();
    serve(store, Person(person.0 + 1)).await.unwrap();
    println!("on again");
}

fn tell(what: &str, person: Person) {
    let mut line = Vec::new();
    writeln!(line, "{what} {}", person.0).unwrap();
    // One write, so that a kill leaves no half line but the last.
    std::io::stdout().lock().write_all(&line).unwrap();
}

struct Started {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Starts this binary as [`child`]; `wrapped` in a shell command that ends with `exec "$@"`, if any.
fn start(role: &str, file: &Path, wrapped: Option<&str>) -> Started {
    let me = env::current_exe().unwrap();
    let mut command = match wrapped {
        None => Command::new(me),
        Some(script) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", script, "sh"]).arg(me);
            shell
        }
    };
    command
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .env(FILE, file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    Started { process, lines }
}

/// `redeemed 7`, or a line of the test harness.
fn told(line: &str) -> Option<(String, Person)> {
    let (what, number) = line.split_once(' ')?;
    Some((what.to_owned(), Person(number.parse().ok()?)))
}

/// Every transition that was acknowledged is there, and none is there by half.
async fn assert_whole(store: &SqliteStore, acknowledged: &[(String, Person)]) {
    let last = acknowledged
        .iter()
        .map(|(_, person)| person.0)
        .max()
        .unwrap();
    // Those in flight at the end are beyond the last that was told.
    let mut found: HashMap<Person, [bool; 3]> = HashMap::new();
    for person in (0..last + 64).map(Person) {
        let grant = store.grant(&person.grant_id()).await.unwrap().is_some();
        let code = store.code(person.code()).await.unwrap().is_some();
        assert_eq!(grant, code, "{person:?}: grant and code");
        let redeemed = person.has_redeemed(store).await;
        let refreshed = person.has_refreshed(store, 0).await;
        found.insert(person, [grant, redeemed, refreshed]);
    }
    for (what, person) in acknowledged {
        let [signed_in, redeemed, refreshed] = found[person];
        let there = match what.as_str() {
            "signed-in" => signed_in,
            "redeemed" => redeemed,
            "refreshed" => refreshed,
            other => panic!("nobody tells `{other}`"),
        };
        assert!(there, "{person:?} was told `{what}`");
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_answered_and_leaves_nothing_half_done() {
    // Killed early, late, and past the point where the log is written back into the file.
    for acknowledged in [1, 40, 333, 900] {
        let place = Place::new();
        let mut started = start("stream", &place.file(), None);
        let mut heard: Vec<_> = Vec::new();
        while heard.len() < acknowledged {
            heard.extend(told(&started.lines.next().unwrap().unwrap()));
        }
        started.process.kill().unwrap();
        started.process.wait().unwrap();
        // What it had told before it died.
        heard.extend(started.lines.filter_map(|line| told(&line.ok()?)));
        let store = place.open().await;
        assert_whole(&store, &heard).await;
        Person(u32::MAX).sign_in(&store).await.unwrap();
    }
}

#[tokio::test]
async fn two_processes_share_a_file_and_each_code_is_redeemed_once() {
    let place = Place::new();
    let store = place.open().await;
    for person in (0..RACED).map(Person) {
        person.sign_in(&store).await.unwrap();
    }
    let racers = [(); 2].map(|()| start("race", &place.file(), None));
    let mut winners: HashMap<Person, u32> = HashMap::new();
    for mut racer in racers {
        for (_, person) in racer.lines.filter_map(|line| told(&line.unwrap())) {
            *winners.entry(person).or_default() += 1;
        }
        assert!(racer.process.wait().unwrap().success());
    }
    let twice: Vec<_> = winners.iter().filter(|(_, wins)| **wins != 1).collect();
    assert_eq!(winners.len(), RACED as usize);
    assert!(twice.is_empty(), "{twice:?}");
    for person in (0..RACED).map(Person) {
        // The loser has revoked what the winner got.
        assert!(
            !store
                .grant(&person.grant_id())
                .await
                .unwrap()
                .unwrap()
                .is_live(support::NOW)
        );
        assert_eq!(
            store
                .access_token(person.access(0), support::NOW)
                .await
                .unwrap(),
            None
        );
    }
}

/// The limit is of the size of a file, and lifted by `prlimit` while the process runs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_is_got_over() {
    let place = Place::new();
    let limited = "trap '' XFSZ; ulimit -S -f 2000; exec \"$@\"";
    let mut started = start("fill", &place.file(), Some(limited));
    let mut heard = Vec::new();
    let full = loop {
        let line = started.lines.next().unwrap().unwrap();
        match line.strip_prefix("full ") {
            Some(error) => break error.to_owned(),
            None => heard.extend(told(&line)),
        }
    };
    assert!(full.starts_with("the store is not available: "), "{full}");
    assert!(full.contains(place.file().to_str().unwrap()), "{full}");
    assert!(full.contains("hint: "), "{full}");
    assert!(heard.len() > 10, "{heard:?}");
    let pid = started.process.id().to_string();
    let lifted = Command::new("prlimit")
        .args(["--fsize=unlimited", "--pid", &pid])
        .status();
    assert!(lifted.unwrap().success());
    started
        .process
        .stdin
        .take()
        .unwrap()
        .write_all(b"go\n")
        .unwrap();
    let rest: Vec<_> = started.lines.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line == "on again"), "{rest:?}");
    assert!(started.process.wait().unwrap().success());
    heard.extend(rest.iter().filter_map(|line| told(line)));
    assert_whole(&place.open().await, &heard).await;
}
