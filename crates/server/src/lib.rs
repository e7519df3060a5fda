//! The remote MCP server: OAuth 2.1 for MCP clients, sign-in through Clerk.

pub mod access;
pub mod client_address;
pub mod config;
pub mod ended;
pub mod front;
pub mod listen;
pub mod people;
pub mod principals;
pub mod rate_limit;
pub mod tools;

/// Where the MCP endpoint is: the one resource that tokens are for.
pub const MCP_PATH: &str = "/mcp";
