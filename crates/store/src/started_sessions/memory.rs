//! Started sessions in memory, for tests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use oauth::{StoreResult, Timestamp};

use super::{MOST_UNATTENDED, StartedSessionStore};

/// Remembers them until the process ends.
#[derive(Debug, Default)]
pub struct MemoryStartedSessions(Mutex<BTreeMap<String, Timestamp>>);

impl MemoryStartedSessions {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StartedSessionStore for MemoryStartedSessions {
    fn attend<'a>(&'a self, ids: &'a [String], now: Timestamp) -> StoreResult<'a, ()> {
        let mut all = self.all();
        for id in ids {
            let known = all.entry(id.clone()).or_insert(now);
            *known = now.max(*known);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn forget_started<'a>(&'a self, id: &'a str) -> StoreResult<'a, ()> {
        self.all().remove(id);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unattended(&self, end: Timestamp) -> StoreResult<'_, Vec<String>> {
        let all = self.all();
        let mut old: Vec<(Timestamp, &String)> = all
            .iter()
            .filter(|(_, at)| **at <= end)
            .map(|(id, at)| (*at, id))
            .collect();
        old.sort();
        let ids = old.into_iter().map(|(_, id)| id.clone());
        let ids = ids.take(MOST_UNATTENDED).collect();
        Box::pin(std::future::ready(Ok(ids)))
    }
}
