//! What is opened, what is refused, and what is said then.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use clerk_mcp_store::tool_state::{Changes, Owner, ToolStateStore as _};
use clerk_mcp_store::{OpenError, SqliteStore};
use oauth::{Store as _, StoreError};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use support::{NOW, Person, Place};

async fn raw(place: &Place) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(place.file())
        .create_if_missing(true);
    options.connect().await.unwrap()
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(connection).await.unwrap();
}

async fn refusal(place: &Place) -> String {
    let error = SqliteStore::open(place.file()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(place.file().to_str().unwrap()),
        "names the file: {text}"
    );
    assert!(text.contains("\nhint: "), "says what to do: {text}");
    text
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::new();
    let store = place.open().await;
    Person(1).sign_in(&store).await.unwrap();
    let entries = fs::read_dir(place.folder()).unwrap();
    let modes: Vec<_> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    assert!(modes.len() >= 2, "the file and its log: {modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart() {
    let place = Place::new();
    let store = place.open().await;
    Person(1).sign_in(&store).await.unwrap();
    Person(1).redeem(&store).await.unwrap().unwrap();
    store.close().await;
    assert_eq!(
        fs::read_dir(place.folder()).unwrap().count(),
        1,
        "the log is in the file"
    );
    let store = place.open().await;
    assert!(Person(1).has_redeemed(&store).await);
    assert_eq!(
        store.grant(&Person(1).grant_id()).await.unwrap(),
        Some(Person(1).grant())
    );
}

#[tokio::test]
async fn a_closed_store_refuses() {
    let place = Place::new();
    let store = place.open().await;
    store.check().await.unwrap();
    store.close().await;
    store.close().await;
    let read = store.grant(&Person(1).grant_id()).await.unwrap_err();
    let written = store
        .revoke_grant(&Person(1).grant_id(), NOW)
        .await
        .unwrap_err();
    let checked = store.check().await.unwrap_err();
    for error in [read, written, checked] {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_check_writes_to_the_disk_and_leaves_nothing() {
    let place = Place::new();
    let store = place.open().await;
    let log = place.folder().join("store.db-wal");
    let length = || fs::metadata(&log).unwrap().len();
    let before = length();
    store.check().await.unwrap();
    assert!(length() > before, "nothing came to the log of writes");
    let swept = store.sweep(NOW).await.unwrap();
    assert_eq!(swept, oauth::Swept::default());
}

#[tokio::test]
async fn a_file_that_is_gone_is_noticed() {
    let place = Place::new();
    let store = place.open().await;
    fs::remove_file(place.file()).unwrap();
    let error = store.check().await.unwrap_err().to_string();
    assert!(error.contains("is gone\nhint: "), "{error}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_refused() {
    let place = Place::new();
    let file = place.folder().join("missing/store.db");
    let error = SqliteStore::open(&file).await.unwrap_err();
    assert!(matches!(error, OpenError::Directory { .. }));
    let directory = place.folder().join("missing");
    let hint = format!(
        "hint: create it, owned by the server's user: mkdir -m 700 {}",
        directory.display()
    );
    assert!(error.to_string().contains(&hint), "{error}");
    assert!(!directory.exists(), "nothing was created");
}

#[tokio::test]
async fn a_directory_is_no_file() {
    let place = Place::new();
    fs::create_dir(place.file()).unwrap();
    refusal(&place).await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new();
    place.open().await.close().await;
    let mut connection = raw(&place).await;
    run(&mut connection, "PRAGMA user_version = 77").await;
    connection.close().await.unwrap();
    let before = fs::read(place.file()).unwrap();
    let text = refusal(&place).await;
    assert!(
        text.contains("has schema version 77, this program knows up to 8"),
        "{text}"
    );
    assert_eq!(fs::read(place.file()).unwrap(), before);
}

/// A file as version 1 of the schema left it, in use.
#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let place = Place::new();
    let mut connection = raw(&place).await;
    run(
        &mut connection,
        include_str!("../migrations/0001_oauth_state.sql"),
    )
    .await;
    run(&mut connection, "PRAGMA user_version = 1").await;
    run(
        &mut connection,
        "INSERT INTO audit (at, record) VALUES (1, '{\"tool\":\"getUser\"}')",
    )
    .await;
    connection.close().await.unwrap();

    let store = place.open().await;
    Person(1).sign_in(&store).await.unwrap();
    let owner = Owner {
        user_id: "user_1".into(),
        client_id: "client".into(),
    };
    let values = json!({"cart": 7}).as_object().unwrap().clone();
    let changes = Changes::new(values.clone()).unwrap();
    let changed = store.change_values(&owner, &changes, NOW).await.unwrap();
    changed.unwrap();
    store.close().await;

    let store = place.open().await;
    let names = ["cart".to_owned()];
    assert_eq!(store.values(&owner, &names, NOW).await.unwrap(), values);
    store.close().await;
    let found: (i64, i64) = sqlx::query_as(
        "SELECT user_version, (SELECT count(*) FROM audit) FROM pragma_user_version",
    )
    .fetch_one(&mut raw(&place).await)
    .await
    .unwrap();
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let newest = std::fs::read_dir(migrations).unwrap().count();
    assert_eq!(found, (i64::try_from(newest).unwrap(), 1));
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let place = Place::new();
    let mut connection = raw(&place).await;
    run(&mut connection, "CREATE TABLE grants (theirs TEXT)").await;
    connection.close().await.unwrap();
    let before = fs::read(place.file()).unwrap();
    let text = refusal(&place).await;
    assert!(text.contains("is a database of another program"), "{text}");
    assert_eq!(fs::read(place.file()).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let place = Place::new();
    let text = "port = 3000\n".repeat(1000);
    fs::write(place.file(), &text).unwrap();
    let refused = refusal(&place).await;
    assert!(refused.contains("file is not a database"), "{refused}");
    assert_eq!(fs::read_to_string(place.file()).unwrap(), text);
}

/// Permissions do not stop root, so the file itself says that it may be read only: a write version
/// that SQLite does not know (sqlite.org/fileformat.html, section 1.3.3).
#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused() {
    let place = Place::new();
    place.open().await.close().await;
    let mut bytes = fs::read(place.file()).unwrap();
    bytes[18] = 9;
    fs::write(place.file(), bytes).unwrap();
    let text = refusal(&place).await;
    assert!(text.contains("readonly"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_a_new_file_at_once() {
    let place = Place::new();
    let openings: Vec<_> = (0..8)
        .map(|_| tokio::spawn(SqliteStore::open(place.file())))
        .collect();
    let mut number = 0;
    for opening in openings {
        let store = opening.await.unwrap().unwrap();
        number += 1;
        Person(number).sign_in(&store).await.unwrap();
    }
}
