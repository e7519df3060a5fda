//! The remote MCP server: OAuth 2.1 for MCP clients, sign-in through Clerk.

pub mod access;
pub mod config;
pub mod ended;
pub mod front;
pub mod listen;
pub mod people;
pub mod principals;
pub mod tools;
