//! Where the state of clerk-mcp is kept: SQLite.
//!
//! [`SqliteStore`] is [`oauth::Store`] on one file, and on the same [`tool_state::ToolStateStore`] and
//! [`sessions::SessionStore`] and [`started_sessions::StartedSessionStore`].
//! docs/STORAGE.md says what is in it, how durable it is and how to back it up.

pub mod sessions;
mod sqlite;
pub mod started_sessions;
pub mod tool_state;

pub use sqlite::{OpenError, SqliteStore, instance_of};
