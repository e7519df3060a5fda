//! The demonstration's application, beside which `clerk-mcp dev` runs: it stands for an owner's own.
//!
//! A shop that signs people in with Clerk. It has a page, an API whose bearer token is a session token, or
//! the access token that Clerk gave the MCP server ([`OPENAPI`] describes it), and `/auth/mcp`, by which an MCP server with `sign_in.mode = "app"` signs
//! people in. It knows Clerk by its addresses and its secret key alone, as every application does, so
//! that what works here works at an application of somebody else's.
//!
//! [`DemoApp::handle`] is the whole of it: a request in, a response out. Clerk is reached through the
//! [`clerk::Client`] that it is given, and time is that client's; there is no socket and no file here.
//! Orders are kept in memory: a restart forgets those that were placed.

mod api;
mod app;
mod avatar;
mod bearer;
mod bridge;
mod browser;
mod orders;
mod reply;
mod site;

pub use app::{DemoApp, MAX_BODY_BYTES, Parts};

/// The OpenAPI 3.1 file of the API, as it stands at `/openapi.yaml`. Its paths begin at `/api`.
pub const OPENAPI: &str = include_str!("../openapi.yaml");
