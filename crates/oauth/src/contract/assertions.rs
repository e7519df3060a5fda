//! Assertions that were used.

use std::sync::Arc;
use std::time::Duration;

use super::Subject;
use super::rows::{MINUTE, START, hash};
use super::sweep::sweep;

pub(super) async fn an_assertion_works_once(subject: &Subject) {
    let store = &subject.store;
    let until = START.after(MINUTE);
    assert_eq!(store.use_assertion(hash("one"), until).await, Ok(true));
    assert_eq!(store.use_assertion(hash("one"), until).await, Ok(false));
    let later = until.after(MINUTE);
    assert_eq!(store.use_assertion(hash("one"), later).await, Ok(false));
    assert_eq!(store.use_assertion(hash("other"), until).await, Ok(true));
}

pub(super) async fn one_of_many_concurrent_uses_of_an_assertion_wins(subject: &Subject) {
    let outcomes = subject
        .race(|store: Arc<_>, _| {
            Box::pin(async move {
                let until = START.after(MINUTE);
                store.use_assertion(hash("one"), until).await.unwrap()
            })
        })
        .await;
    assert_eq!(outcomes.iter().filter(|first| **first).count(), 1);
}

pub(super) async fn a_used_assertion_is_kept_until_it_is_over(subject: &Subject) {
    let store = &*subject.store;
    let until = START.after(MINUTE);
    assert_eq!(store.use_assertion(hash("one"), until).await, Ok(true));
    let last = until.before(Duration::from_millis(1));
    assert_eq!(sweep(store, last).await.assertions, 0);
    assert_eq!(store.use_assertion(hash("one"), until).await, Ok(false));
    assert_eq!(sweep(store, until).await.assertions, 1);
    assert_eq!(sweep(store, until).await.assertions, 0);
}
