//! What the attacks are made with.

pub(crate) mod actors;
pub(crate) mod api;
pub(crate) mod browser;
pub(crate) mod clerk;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod mcp;
pub(crate) mod patience;
pub(crate) mod published;
pub(crate) mod server;
pub(crate) mod sse;
