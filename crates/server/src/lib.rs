//! The remote MCP server: OAuth 2.1 for MCP clients, sign-in through Clerk.
//!
//! [`Serve`] is the whole program, to which [`Tool`]s written in Rust can be added
//! (docs/guides/rust-tools.md). [`Server`] is the server alone, for whoever has a socket, a store and a
//! clock of their own.

pub mod access;
pub mod app;
pub mod audit_batch;
pub mod authenticate;
mod check;
pub mod clerk_pace;
pub mod clerk_tokens;
pub mod client_address;
pub mod client_documents;
mod client_keys;
pub mod config;
pub mod connections;
mod credentials;
pub mod ended;
pub mod front;
pub mod http_tools;
mod impersonation;
pub mod impersonation_journal;
mod keep_alive;
mod kept_key;
pub mod listen;
pub mod people;
pub mod principals;
pub mod process;
pub mod rate_limit;
mod readiness;
mod refresh;
mod routes;
pub mod rust_tools;
pub mod scope_mapping;
mod serve;
mod server;
pub mod sign_in;
mod sse;
mod sweep;
mod token_ends;
pub mod tool_lists;
pub mod tool_state;
pub mod tools;
mod unread_body;

pub use mcp::{Content, OwnToolError as ToolError};
pub use toolkit::operation::Hints;

pub use self::{
    check::{Checked, check},
    kept_key::kept_key,
    routes::Cookies,
    rust_tools::{Context, Json, NoArguments, Tool},
    serve::{DEFAULT_CONFIG, Serve},
    server::{Server, SetUpError, Surroundings, frontend, machine, provider},
};

/// Where the MCP endpoint is: the one resource that tokens are for.
pub const MCP_PATH: &str = "/mcp";
pub use sse::SSE_PATH;
