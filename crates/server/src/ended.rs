//! Grants that end while somebody uses them: their streams and what is kept of their tokens end with
//! them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use oauth::GrantId;
use tokio_util::sync::CancellationToken;

/// Cancelled when its grant ends. Kept by whoever serves the grant.
pub type GrantEnd = Arc<CancellationToken>;

/// The ends of the grants that are being used.
#[derive(Debug, Default)]
pub struct GrantEnds(Mutex<Ends>);

#[derive(Debug, Default)]
struct Ends {
    of: HashMap<GrantId, Weak<CancellationToken>>,
    /// How many there may be before those that nobody keeps are dropped.
    sweep_at: usize,
}

/// Below it, looking for what can be dropped is not worth it.
const FIRST_SWEEP: usize = 1024;

impl GrantEnds {
    /// The end of this grant.
    #[must_use]
    pub fn of(&self, grant: &GrantId) -> GrantEnd {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = ends.of.get(grant).and_then(Weak::upgrade) {
            return end;
        }
        if ends.of.len() >= ends.sweep_at.max(FIRST_SWEEP) {
            ends.of.retain(|_, end| end.strong_count() > 0);
            ends.sweep_at = ends.of.len() * 2;
        }
        let end = GrantEnd::default();
        ends.of.insert(grant.clone(), Arc::downgrade(&end));
        end
    }

    /// Ends it for everybody who serves it.
    pub fn end(&self, grant: &GrantId) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = ends.of.remove(grant).and_then(|end| end.upgrade()) {
            end.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_serves_a_grant_hears_of_its_end() {
        let ends = GrantEnds::default();
        let (one, other) = (GrantId::from_text("a"), GrantId::from_text("b"));
        let (first, second, foreign) = (ends.of(&one), ends.of(&one), ends.of(&other));
        ends.end(&one);
        assert!(first.is_cancelled() && second.is_cancelled() && !foreign.is_cancelled());
        assert!(
            !ends.of(&one).is_cancelled(),
            "an id is never used again, but if it were"
        );
    }

    #[test]
    fn ends_that_nobody_keeps_are_dropped() {
        let ends = GrantEnds::default();
        let kept = ends.of(&GrantId::from_text("kept"));
        for number in 0..10 * FIRST_SWEEP {
            drop(ends.of(&GrantId::from_text(number.to_string())));
        }
        assert!(
            ends.0
                .lock()
                .is_ok_and(|ends| ends.of.len() <= 2 * FIRST_SWEEP)
        );
        ends.end(&GrantId::from_text("kept"));
        assert!(kept.is_cancelled());
    }
}
