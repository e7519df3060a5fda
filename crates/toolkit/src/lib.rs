//! Clerk operations as tools for AI agents.
//!
//! Tools are data: a row of the operations table ([`operations`]) says which Clerk operation a tool
//! is, what it takes, who may call it and what it answers. A request and a shaped answer are pure
//! functions of the row; only [`ClerkToolkit::call`] talks to Clerk.

pub mod adapters;
pub mod arguments;
mod auth_context;
#[cfg(feature = "axum")]
pub mod axum;
pub mod cut;
mod error;
pub mod find_users;
pub mod operation;
pub mod operations;
pub mod pattern;
pub mod pointer;
pub mod redact;
pub mod request;
pub mod schema;
mod scope;
mod session_claims;
pub mod shape;
mod subject;
pub mod text;
pub mod time_expression;
mod tool;
mod toolkit;
mod toolkit_error;

pub use auth_context::AuthContext;
pub use error::{ArgumentError, ToolError};
pub use subject::SubjectLine;
pub use tool::{Bound, Tool};
pub use toolkit::{
    BuildError, ClerkToolkit, ClerkToolkitBuilder, Outcome, Prepared, Progress, Quiet,
};
pub use toolkit_error::{ErrorKind, ToolkitError};
