//! The remote MCP server: OAuth 2.1 for MCP clients, sign-in through Clerk.

pub mod front;
pub mod listen;
