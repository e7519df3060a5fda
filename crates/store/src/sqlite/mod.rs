//! The store on one SQLite file.
//!
//! Reads go to a few connections of their own and never wait for a writer (WAL). Every write goes
//! through the one connection of [`writer`], inside `BEGIN IMMEDIATE`, so what it reads stays true
//! until it has written. The topics' modules hold the SQL and nothing else does; which rule applies
//! is the business of `oauth`'s pure functions.

mod access_tokens;
mod assertions;
mod audit;
mod authorizations;
mod clients;
mod codes;
mod consents;
mod error;
mod grants;
mod instance;
mod open;
#[cfg(test)]
mod plans;
mod probe;
mod refresh_tokens;
mod rows;
mod sessions;
mod started_sessions;
mod store;
mod sweep;
mod tool_state;
mod writer;

pub use instance::instance_of;
pub use open::OpenError;
pub use store::SqliteStore;
