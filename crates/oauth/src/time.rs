//! Moments and durations. The crate reads no clock: every rule is told what time it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `duration` later; at the end of time it stays there.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }

    /// The moment `duration` earlier, at the earliest the epoch.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(milliseconds(duration)))
    }

    /// How long it is from this moment to `later`; nothing when `later` has passed already.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }

    /// Whether something that expires at this moment is over at `now`. The moment itself is over.
    pub fn has_passed(self, now: Self) -> bool {
        self <= now
    }

    /// Whole seconds since the Unix epoch, as OAuth writes times.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
