//! What probes and passers-by are told.

use std::time::{Duration, Instant};

use crate::support::database::sql;
use crate::support::http::{get, post};
use crate::support::server::{CONFIG, Server, shared};

/// What was found is believed for a second.
const LATER: Duration = Duration::from_secs(2);

/// A read that happens to be answered from memory says nothing of the disk.
#[test]
fn a_server_whose_database_is_gone_is_not_ready() {
    let server = Server::start("not-ready", CONFIG);
    assert!(server.is_ready());
    let database = server.kept_files();
    let database = database
        .iter()
        .find(|file| file.extension().is_some_and(|extension| extension == "db"));
    let database = database.unwrap();
    let away = database.with_extension("away");
    std::fs::rename(database, &away).unwrap();
    server.advance(LATER);
    let response = get(&server.at("/readyz")).send();
    assert_eq!(response.status, 503, "{}", response.text());
    assert_eq!(get(&server.at("/healthz")).send().status, 200, "it runs");
    std::fs::rename(&away, database).unwrap();
    server.advance(LATER);
    assert!(server.is_ready());
}

/// Nor does a read say whether anything can be written.
#[test]
fn a_server_whose_database_cannot_be_written_is_not_ready() {
    let server = Server::start("not-written", CONFIG);
    assert!(server.is_ready());
    // As on a full disk: reading goes on.
    let full = "CREATE TRIGGER full BEFORE INSERT ON used_assertions
                BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    sql(&server, full);
    server.advance(LATER);
    assert!(!server.is_ready());
    sql(&server, "DROP TRIGGER full");
    server.advance(LATER);
    assert!(server.is_ready());
    assert_eq!(
        sql(&server, "SELECT count(*) FROM used_assertions"),
        Some(0)
    );
}

/// Anybody may probe, and each look is a write.
#[test]
fn probes_that_come_often_are_answered_from_one_look() {
    let server = Server::start("probed", CONFIG);
    assert!(server.is_ready());
    let full = "CREATE TRIGGER full BEFORE INSERT ON used_assertions
                BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    sql(&server, full);
    server.advance(LATER);
    let begun = Instant::now();
    assert!(!server.is_ready());
    sql(&server, "DROP TRIGGER full");
    // (Where all of this takes a second, there is a new look.)
    let is_ready = server.is_ready();
    assert!(!is_ready || begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn no_page_is_shown_under_a_foreign_name() {
    let server = shared();
    let port = server.url.rsplit(':').next().unwrap();
    for path in ["/", "/no/such/page", "/consents", "/authorize"] {
        let url = server.at(path);
        for name in ["evil.example", "127.0.0.1.evil.example"] {
            for host in [name.to_owned(), format!("{name}:{port}")] {
                let response = get(&url).header("host", &host).send();
                assert_eq!(response.status, 403, "{path} as {host}");
                assert!(!response.has("location") && !response.has("set-cookie"));
                // Whoever set up the proxy is told what is wrong.
                let text = response.text();
                assert!(text.contains("This server has another name"), "{text}");
                assert!(text.contains(&server.url), "{text}");
            }
        }
    }
    let home = server.at("/");
    let other_name = get(&home)
        .header("host", &format!("localhost:{port}"))
        .send();
    assert_eq!(other_name.location(), home);
    let missing = get(&server.at("/no/such/page")).header("host", &format!("localhost:{port}"));
    assert_eq!(missing.send().status, 404);
    // Probes name whatever address they have.
    for path in ["/healthz", "/readyz"] {
        let probe = get(&server.at(path)).header("host", "10.0.0.7:8788").send();
        assert_eq!(probe.status, 200, "{path}");
    }
    let form = post(&server.at("/consents")).header("host", "evil.example");
    assert_eq!(form.form(&[("do", "forget")]).send().status, 403);
    // The log has it as well, and not each time.
    server.logs("a request for another name was refused");
    let log = server.log();
    let told = log
        .matches("a request for another name was refused")
        .count();
    assert!(told < 5, "{told} times");
}
