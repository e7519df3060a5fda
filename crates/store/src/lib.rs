//! Where the state of clerk-mcp is kept: SQLite.
//!
//! [`SqliteStore`] is [`oauth::Store`] on one file, and [`tool_state::ToolStateStore`] on the same.
//! docs/STORAGE.md says what is in it, how durable it is and how to back it up.

mod sqlite;
pub mod tool_state;

pub use sqlite::{OpenError, SqliteStore};
