//! What the contract suite leaves to this store: races of many tasks, other processes' locks, batches.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use clerk_mcp_store::SqliteStore;
use oauth::{AuditRecord, CodeFault, Store as _, StoreError, Timestamp};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use support::{NOW, Person, Place};

async fn raw(place: &Place) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(place.file());
    options.connect().await.unwrap()
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_redemptions_of_one_code_one_wins() {
    let place = Place::new();
    let store = Arc::new(place.open().await);
    Person(1).sign_in(&store).await.unwrap();
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { Person(1).redeem(&store).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    let mut replayed = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(_) => won += 1,
            Err(refused) if refused.revoked == Some(Person(1).grant_id()) => replayed += 1,
            Err(refused) => assert_eq!(refused.fault, CodeFault::Unknown),
        }
    }
    assert_eq!((won, replayed), (1, 1), "one wins, the next revokes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_refreshes_with_one_token_none_fails_and_one_rotates() {
    let place = Place::new();
    let store = Arc::new(place.open().await);
    Person(1).sign_in(&store).await.unwrap();
    Person(1).redeem(&store).await.unwrap().unwrap();
    // Access tokens are new each time; only one refresh here can keep its own.
    let racers: Vec<_> = (0..64)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                Person(1)
                    .refresh_with_access(&store, 0, 1000 + number)
                    .await
                    .unwrap()
            })
        })
        .collect();
    for racer in racers {
        racer.await.unwrap().unwrap();
    }
    let (first, _) = store
        .refresh_token(Person(1).refresh(0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.successor, Some(Person(1).refresh(1)));
    assert_eq!(first.dead_since, None);
    for number in 0..64 {
        let access = Person(1).access(1000 + number);
        assert!(store.access_token(access, NOW).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_process_is_waited_for_and_reading_goes_on() {
    let place = Place::new();
    let store = Arc::new(place.open().await);
    Person(1).sign_in(&store).await.unwrap();
    let mut other = raw(&place).await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { Person(1).redeem(&store).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    assert!(
        store.code(Person(1).code()).await.unwrap().is_some(),
        "reading goes on"
    );
    run(&mut other, "COMMIT").await;
    waiting.await.unwrap().unwrap().unwrap();
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_lock_that_is_never_given_up_is_told_and_nothing_is_written() {
    let place = Place::new();
    let store = place.open().await;
    Person(1).sign_in(&store).await.unwrap();
    let mut other = raw(&place).await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let error = Person(1).redeem(&store).await.unwrap_err();
    let StoreError::Unavailable { message } = &error else {
        panic!("{error}");
    };
    assert!(
        message.contains(place.file().to_str().unwrap()),
        "{message}"
    );
    assert!(
        message.contains("\nhint: another process holds the file locked"),
        "{message}"
    );
    run(&mut other, "COMMIT").await;
    assert!(!Person(1).has_redeemed(&store).await);
    Person(1).redeem(&store).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_transitions_fault_spoils_nobody_elses() {
    let place = Place::new();
    let store = Arc::new(place.open().await);
    for person in (0..20).map(Person) {
        person.sign_in(&store).await.unwrap();
    }
    let mut other = raw(&place).await;
    sqlx::query("UPDATE grants SET resource = 'nowhere' WHERE id = ?")
        .bind(Person(7).grant_id().as_str())
        .execute(&mut other)
        .await
        .unwrap();
    // A lock makes them meet in one commit.
    run(&mut other, "BEGIN IMMEDIATE").await;
    let redemptions: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { Person(number).redeem(&store).await })
        })
        .collect();
    let twice = tokio::spawn({
        let store = store.clone();
        async move { store.begin_authorization(&Person(8).authorization()).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    run(&mut other, "COMMIT").await;
    for (number, redemption) in redemptions.into_iter().enumerate() {
        match redemption.await.unwrap() {
            Ok(redeemed) => assert!(redeemed.is_ok() && number != 7),
            Err(error) => {
                assert_eq!(number, 7, "{error}");
                assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
            }
        }
    }
    let twice = twice.await.unwrap().unwrap_err();
    assert!(
        twice.to_string().contains("UNIQUE constraint failed"),
        "{twice}"
    );
}

#[tokio::test]
async fn a_sweep_is_short_and_says_whether_there_is_more() {
    let place = Place::new();
    let store = place.open().await;
    for person in (0..700).map(Person) {
        let authorization = person.authorization();
        store.begin_authorization(&authorization).await.unwrap();
    }
    let later = NOW.after(Duration::from_secs(600) + oauth::AUTHORIZATION_KEPT);
    let early = store.sweep(Timestamp(later.0 - 1)).await.unwrap();
    assert_eq!((early.authorizations, early.more), (0, false));
    let first = store.sweep(later).await.unwrap();
    assert_eq!((first.authorizations, first.more), (500, true));
    let second = store.sweep(later).await.unwrap();
    assert_eq!((second.authorizations, second.more), (200, false));
}

#[tokio::test]
async fn a_revoked_grant_goes_with_the_next_sweep() {
    let place = Place::new();
    let store = place.open().await;
    for person in [Person(1), Person(2)] {
        person.sign_in(&store).await.unwrap();
    }
    assert!(
        store
            .revoke_grant(&Person(1).grant_id(), NOW)
            .await
            .unwrap()
    );
    assert_eq!(store.sweep(NOW).await.unwrap().grants, 1);
    assert_eq!(store.grant(&Person(1).grant_id()).await.unwrap(), None);
    assert!(store.grant(&Person(2).grant_id()).await.unwrap().is_some());
}

#[tokio::test]
async fn audit_rows_can_be_searched_by_column() {
    let place = Place::new();
    let store = place.open().await;
    let row = |at: u64, tool: &str| AuditRecord {
        at: Timestamp(at),
        record: json!({
            "user_id": "user_1", "client_id": "client", "tool": tool, "outcome": "ok",
            "arguments": {"a": 1},
        }),
    };
    let sign_in = AuditRecord {
        at: Timestamp(3),
        record: json!("no object at all"),
    };
    store
        .append_audit(&[row(1, "add"), row(2, "userInfo"), sign_in])
        .await
        .unwrap();
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT at, concat_ws(',', user_id, client_id, tool, outcome) FROM audit ORDER BY number",
    )
    .fetch_all(&mut raw(&place).await)
    .await
    .unwrap();
    let expected = [
        (1, "user_1,client,add,ok"),
        (2, "user_1,client,userInfo,ok"),
        (3, ""),
    ];
    assert_eq!(rows, expected.map(|(at, text)| (at, text.to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finishes_what_waits() {
    let place = Place::new();
    let store = Arc::new(place.open().await);
    let signing_in: Vec<_> = (0..50)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { Person(number).sign_in(&store).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(2)).await;
    store.close().await;
    let mut answers = Vec::new();
    for (number, task) in signing_in.into_iter().enumerate() {
        answers.push((Person(u32::try_from(number).unwrap()), task.await.unwrap()));
    }
    let store: SqliteStore = place.open().await;
    for (person, answer) in answers {
        let kept = store.grant(&person.grant_id()).await.unwrap();
        assert_eq!(kept.is_some(), answer.is_ok(), "{person:?}: {answer:?}");
    }
}
