//! What every store of started sessions promises, tried on each of them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod each_store;
mod support;

use std::{sync::Arc, time::Duration};

use clerk_mcp_store::started_sessions::{
    MOST_UNATTENDED, MemoryStartedSessions, StartedSessionStore,
};
use each_store::for_each_store;
use support::NOW;

type Subject = each_store::Subject<dyn StartedSessionStore>;

async fn memory() -> Subject {
    Subject::in_memory(Arc::new(MemoryStartedSessions::new()))
}

async fn sqlite() -> Subject {
    Subject::in_sqlite(|store| Arc::new(store)).await
}

for_each_store! { memory sqlite: {
    what_is_looked_after_is_not_named_and_the_rest_is,
    what_has_ended_is_forgotten,
    no_more_than_the_most_are_named_at_once,
} }

const MINUTE: Duration = Duration::from_secs(60);

fn ids(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn what_is_looked_after_is_not_named_and_the_rest_is(subject: &Subject) {
    let store = &subject.store;
    assert_eq!(store.unattended(NOW).await, Ok(Vec::new()));
    store.attend(&ids(&["b", "a"]), NOW).await.unwrap();
    store
        .attend(&ids(&["c"]), NOW.before(MINUTE))
        .await
        .unwrap();
    assert_eq!(store.unattended(NOW.before(MINUTE)).await, Ok(ids(&["c"])));
    assert_eq!(store.unattended(NOW).await, Ok(ids(&["c", "a", "b"])));
    store
        .attend(&ids(&["a", "c"]), NOW.after(MINUTE))
        .await
        .unwrap();
    // A clock that was set back takes nothing away.
    store.attend(&ids(&["a"]), NOW).await.unwrap();
    assert_eq!(store.unattended(NOW).await, Ok(ids(&["b"])));
    store.attend(&[], NOW).await.unwrap();
}

async fn what_has_ended_is_forgotten(subject: &Subject) {
    let store = &subject.store;
    store.attend(&ids(&["a", "b"]), NOW).await.unwrap();
    store.forget_started("a").await.unwrap();
    store.forget_started("nobody").await.unwrap();
    assert_eq!(store.unattended(NOW).await, Ok(ids(&["b"])));
}

async fn no_more_than_the_most_are_named_at_once(subject: &Subject) {
    let store = &subject.store;
    let many: Vec<String> = (0..MOST_UNATTENDED + 2)
        .map(|n| format!("{n:05}"))
        .collect();
    store.attend(&many, NOW).await.unwrap();
    let named = store.unattended(NOW).await.unwrap();
    assert_eq!(named, many[..MOST_UNATTENDED]);
    for id in &named {
        store.forget_started(id).await.unwrap();
    }
    assert_eq!(
        store.unattended(NOW).await,
        Ok(many[MOST_UNATTENDED..].to_vec())
    );
}
