//! The remote MCP server: OAuth 2.1 for MCP clients, sign-in through Clerk.

pub mod access;
pub mod app;
pub mod audit_batch;
pub mod authenticate;
pub mod client_address;
pub mod client_documents;
mod client_keys;
pub mod config;
mod credentials;
pub mod ended;
pub mod front;
pub mod http_tools;
pub mod listen;
pub mod people;
pub mod principals;
pub mod rate_limit;
mod refresh;
mod routes;
mod server;
pub mod sign_in;
mod sweep;
pub mod tool_state;
pub mod tools;

pub use self::{
    routes::Cookies,
    server::{Server, SetUpError, Surroundings, kept_key, provider},
};

/// Where the MCP endpoint is: the one resource that tokens are for.
pub const MCP_PATH: &str = "/mcp";
