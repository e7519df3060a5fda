//! Values of tools in memory, for tests and demonstrations.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use oauth::{StoreError, StoreResult, Timestamp};
use serde_json::{Map, Value};

use super::{Changes, Owner, SweptValues, TOUCHED_EVERY, ToolStateStore, ValueFault};

/// Keeps values until the process ends.
#[derive(Debug, Default)]
pub struct MemoryToolState(Mutex<BTreeMap<Owner, BTreeMap<String, Kept>>>);

#[derive(Debug)]
struct Kept {
    text: String,
    touched_at: Timestamp,
}

impl MemoryToolState {
    /// Nothing kept yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn owners(&self) -> MutexGuard<'_, BTreeMap<Owner, BTreeMap<String, Kept>>> {
        // Nothing below leaves a change half done when it panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ready<'a, T: Send + 'a>(answer: T) -> StoreResult<'a, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

impl ToolStateStore for MemoryToolState {
    fn values<'a>(
        &'a self,
        owner: &'a Owner,
        names: &'a [String],
        now: Timestamp,
    ) -> StoreResult<'a, Map<String, Value>> {
        let mut owners = self.owners();
        let kept = owners.get_mut(owner);
        let wanted = kept
            .into_iter()
            .flatten()
            .filter(|(name, _)| names.contains(name));
        let values = wanted.map(|(name, kept)| {
            if kept.touched_at.after(TOUCHED_EVERY).has_passed(now) {
                kept.touched_at = now;
            }
            let value = serde_json::from_str(&kept.text);
            let value = value.map_err(|_| StoreError::Corrupt {
                message: format!("the value `{name}`"),
            })?;
            Ok((name.clone(), value))
        });
        let values = values.collect();
        Box::pin(std::future::ready(values))
    }

    fn change_values<'a>(
        &'a self,
        owner: &'a Owner,
        changes: &'a Changes,
        now: Timestamp,
    ) -> StoreResult<'a, Result<(), ValueFault>> {
        let mut owners = self.owners();
        let kept = owners.entry(owner.clone()).or_default();
        let expected = changes.expected().filter_map(|name| {
            let value = serde_json::from_str(&kept.get(name)?.text).ok()?;
            Some((name.to_owned(), value))
        });
        let judged = changes
            .judge_expected(&expected.collect())
            .and_then(|()| changes.judge(kept.keys().map(String::as_str)));
        if judged.is_ok() {
            for (name, text) in changes.iter() {
                match text {
                    Some(text) => {
                        let text = text.to_owned();
                        let touched_at = now;
                        kept.insert(name.to_owned(), Kept { text, touched_at });
                    }
                    None => drop(kept.remove(name)),
                }
            }
        }
        if kept.is_empty() {
            owners.remove(owner);
        }
        ready(judged)
    }

    fn forget_values<'a>(&'a self, user_id: &'a str) -> StoreResult<'a, u64> {
        let mut forgotten = 0;
        self.owners().retain(|owner, kept| {
            let stays = owner.user_id != user_id;
            if !stays {
                forgotten += kept.len() as u64;
            }
            stays
        });
        ready(forgotten)
    }

    fn sweep_values(&self, end: Timestamp) -> StoreResult<'_, SweptValues> {
        let mut swept = SweptValues::default();
        self.owners().retain(|_, values| {
            let before = values.len();
            values.retain(|_, kept| kept.touched_at > end);
            swept.values += (before - values.len()) as u64;
            !values.is_empty()
        });
        ready(swept)
    }
}
