//! Sessions of the MCP endpoint (2025-11-25 and before), and what was sent in their streams, so that a
//! client goes on with both after the process ended, however it ended.

mod memory;

use oauth::{StoreResult, Timestamp, TokenHash};

pub use self::memory::MemorySessions;

/// The most events that are kept of one session, over all its streams; older ones make room.
pub const MOST_EVENTS: usize = 256;

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// The hash of its id.
    pub id: TokenHash,
    /// Whose it is: person and client.
    pub principal: String,
    /// The parameters of the client's `initialize`, as JSON.
    pub initialize: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// What its client knows of its tools.
    pub tools: ToolsTold,
}

/// A list of tools, as SHA-256 of all that it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListDigest(pub [u8; 32]);

/// What a client knows of its tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToolsTold {
    /// The list that was last answered.
    pub listed: Option<ListDigest>,
    /// The list that the client was last told of: by that answer, or by a notification since.
    pub told: Option<ListDigest>,
}

/// A message that was sent in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place: the greater, the later, and never the same twice.
    pub number: u64,
    /// The message, as JSON.
    pub message: String,
}

/// Keeps sessions and their events.
///
/// # What security depends on
///
/// * A session is found by the hash of its id and by nothing else, with the principal it was kept for:
///   the caller compares that before it believes anything.
/// * Events are those of one session and one stream: both match as a whole.
/// * Each method is one atomic transition, as those of [`oauth::Store`] are. What was kept is there
///   after a crash, once the method has answered; what was ended is not.
///
/// `now` is the caller's. Every implementation passes `tests/sessions.rs`.
pub trait SessionStore: Send + Sync {
    /// Keeps a session. If the principal has `most_each` or more already, the oldest make room, with
    /// their events.
    fn keep_session<'a>(
        &'a self,
        session: &'a StoredSession,
        most_each: usize,
    ) -> StoreResult<'a, ()>;

    /// The session of this id.
    fn session(&self, id: TokenHash) -> StoreResult<'_, Option<StoredSession>>;

    /// Notes when sessions were used; an earlier moment than is known changes nothing.
    fn touch_sessions<'a>(&'a self, used: &'a [(TokenHash, Timestamp)]) -> StoreResult<'a, ()>;

    /// Deletes a session and its events; whether there was one.
    fn end_session(&self, id: TokenHash) -> StoreResult<'_, bool>;

    /// Keeps a message of a session's stream, and gives back its number. At most [`MOST_EVENTS`] of
    /// the session stay. `None` when there is no such session: then nothing is kept.
    fn keep_event<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        message: &'a str,
        now: Timestamp,
    ) -> StoreResult<'a, Option<u64>>;

    /// Notes that a session's client was answered this list of tools, and so told of it. Nothing is
    /// noted of a session that is not there.
    fn tools_listed(&self, session: TokenHash, list: ListDigest) -> StoreResult<'_, ()>;

    /// Keeps a message that tells a session's client that its list of tools is this one now, and notes
    /// that it was told: both or nothing. Otherwise as [`SessionStore::keep_event`].
    fn keep_tools_news<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        message: &'a str,
        list: ListDigest,
        now: Timestamp,
    ) -> StoreResult<'a, Option<u64>>;

    /// What was kept of a stream after the event `after`, in order.
    fn events_after<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        after: u64,
    ) -> StoreResult<'a, Vec<StoredEvent>>;

    /// Deletes what nobody can use any more. A call may delete a part only, to be short; then it says
    /// so.
    fn sweep_sessions(&self, bounds: SessionBounds) -> StoreResult<'_, SweptSessions>;
}

/// What [`SessionStore::sweep_sessions`] leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionBounds {
    /// Sessions that were last used then or before go.
    pub sessions_end: Timestamp,
    /// Events of then or before go.
    pub events_end: Timestamp,
    /// Of more sessions than these, the ones that were used last stay.
    pub most_sessions: usize,
}

/// How much [`SessionStore::sweep_sessions`] deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweptSessions {
    /// Sessions.
    pub sessions: u64,
    /// Events, without those of the sessions.
    pub events: u64,
    /// Whether there is more to delete.
    pub more: bool,
}
