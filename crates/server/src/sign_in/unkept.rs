//! What Clerk gave and no store keeps yet: the store failed, and what the grant keeps is used up at Clerk.
//! Without it the next refresh would find a dead refresh token, and log an honest client out.

use std::{
    collections::HashMap,
    iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oauth::GrantId;

/// For which grant, and for which version of what it keeps.
pub(super) type Version = (GrantId, u64);

/// How soon to try again, after the first failure and at most: a store that comes back is not waited for.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The most grants of which something is held, some 20 MB. Clerk gives each something new once a day.
const MOST_HELD: usize = 10_000;

/// When to try again to keep something: as long as the process runs, since nobody else has it.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> {
    iter::successors(Some(FIRST_PAUSE), |pause| {
        Some((*pause * 2).min(LONGEST_PAUSE))
    })
}

/// What is held, for whoever asks for the same version again.
#[derive(Default)]
pub(super) struct Unkept(Arc<Mutex<HashMap<Version, Arc<Vec<u8>>>>>);

impl Unkept {
    /// What Clerk gave for this version.
    pub(super) fn get(&self, version: &Version) -> Option<Arc<Vec<u8>>> {
        lock(&self.0).get(version).cloned()
    }

    /// Holds what Clerk gave until the guard is dropped. `None`: somebody holds it already, and tries to
    /// keep it; or too much is held.
    pub(super) fn hold(&self, version: Version, given: Arc<Vec<u8>>) -> Option<Held> {
        let mut held = lock(&self.0);
        if held.contains_key(&version) {
            return None;
        }
        if held.len() >= MOST_HELD {
            tracing::error!(grant = %version.0, "what Clerk gave anew is lost: too much waits for the store");
            return None;
        }
        held.insert(version.clone(), given);
        Some(Held {
            version,
            of: Arc::clone(&self.0),
        })
    }
}

/// Something that is held.
pub(crate) struct Held {
    version: Version,
    of: Arc<Mutex<HashMap<Version, Arc<Vec<u8>>>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.of).remove(&self.version);
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_found_by_its_version_until_it_is_let_go() {
        let unkept = Unkept::default();
        let version = (GrantId::from_text("g"), 3);
        let given = Arc::new(b"new".to_vec());
        let held = unkept.hold(version.clone(), Arc::clone(&given));
        assert!(held.is_some());
        assert_eq!(unkept.get(&version), Some(Arc::clone(&given)));
        assert_eq!(unkept.get(&(GrantId::from_text("g"), 4)), None);
        // Whoever comes second does not try besides, and lets nothing go.
        assert!(unkept.hold(version.clone(), given).is_none());
        assert!(unkept.get(&version).is_some());
        drop(held);
        assert_eq!(unkept.get(&version), None);
    }

    #[test]
    fn trying_goes_on_and_never_pauses_for_long() {
        let pauses: Vec<_> = pauses().take(10_000).collect();
        assert_eq!(pauses.len(), 10_000);
        assert_eq!(pauses.first(), Some(&FIRST_PAUSE));
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
    }
}
