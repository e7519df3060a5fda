//! What the programs of the remote benchmark share.

pub mod answer;
pub mod connection;
pub mod flags;
pub mod latencies;
pub mod mcp;

/// Whatever goes wrong ends the program with its message.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
