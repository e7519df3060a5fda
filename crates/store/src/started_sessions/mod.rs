//! Clerk sessions that servers have started themselves, so that none is forgotten when a process ends
//! without a word.

mod memory;

use oauth::{StoreResult, Timestamp};

pub use self::memory::MemoryStartedSessions;

/// The most sessions that [`StartedSessionStore::unattended`] names at once.
pub const MOST_UNATTENDED: usize = 500;

/// Remembers which Clerk sessions servers have started, and when somebody last looked after each.
///
/// Each method is one atomic transition, as those of [`oauth::Store`] are, and what it has answered is
/// there after a crash. Every implementation passes `tests/started_sessions.rs`.
pub trait StartedSessionStore: Send + Sync {
    /// Notes that these sessions, by Clerk's ids, are looked after at `now`; whether they were known
    /// before or not. An earlier moment than is known changes nothing.
    fn attend<'a>(&'a self, ids: &'a [String], now: Timestamp) -> StoreResult<'a, ()>;

    /// Forgets one: it has ended at Clerk.
    fn forget_started<'a>(&'a self, id: &'a str) -> StoreResult<'a, ()>;

    /// Those that nobody has looked after since `end`, that moment included: the longest first, and at
    /// most [`MOST_UNATTENDED`].
    fn unattended(&self, end: Timestamp) -> StoreResult<'_, Vec<String>>;
}
