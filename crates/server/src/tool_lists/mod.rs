//! The tool list follows the person: when what they may call changes while their clients are connected,
//! those are told (`notifications/tools/list_changed`).
//!
//! Who listens is in [`ToolLists`], by person. Whenever Clerk was asked about somebody, for whatever
//! reason, what it said is compared with what it said before; and `follow` asks about people whom
//! nobody else asks about, slowly. There is one task for all streams.

mod follow;
mod heard;
mod mailbox;
mod watch;

use clerk::BoxFuture;
use mcp::Caller;
use oauth::StoreError;
use store::sessions::ListDigest;

pub use self::watch::ToolLists;
pub(crate) use self::{
    follow::{ListsTools, follow},
    heard::Heard,
    mailbox::Mailbox,
    watch::{Reading, Watching},
};

/// The message, in a revision with sessions.
pub(crate) const NEWS: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// A stream whose client is told.
pub(crate) trait Listener: Send + Sync {
    /// As whom its list is to be made; `None` when there is nothing to compare it with.
    fn caller(&self) -> Option<Caller>;

    /// Its list is this one now: tells the client, if that is news to it.
    fn list_is(&self, now: ListDigest) -> BoxFuture<'_, Result<(), NotTold>>;
}

/// Why a client could not be told now. It is tried again when Clerk was next asked about the person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTold {
    /// What is told could not be kept first.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client does not read what it was sent before.
    #[error("the client does not read its stream")]
    Unread,
}
