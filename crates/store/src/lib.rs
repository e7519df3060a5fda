//! Where the OAuth state of clerk-mcp is kept: SQLite.
//!
//! [`SqliteStore`] is [`oauth::Store`] on one file. docs/STORAGE.md says what is in it, how durable
//! it is and how to back it up.

mod sqlite;

pub use sqlite::{OpenError, SqliteStore};
