//! Attacks on the remote MCP server: each pitfall of an OAuth server and of an MCP endpoint, tried
//! over HTTP against the running binary.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests: they wait for processes, and fail by panicking"
)]

mod access_rules;
mod api_credentials;
mod api_tools;
mod app_sign_in;
mod authorization_server;
mod call_streams;
mod clerk_refresh;
mod clerk_tokens;
mod consent;
mod consents;
mod cors;
mod demo_app;
mod dev_folder;
mod direct_calls;
mod dropped_requests;
mod durable_sessions;
mod health;
mod http_sse;
mod impersonated_sign_in;
mod impersonation;
mod kept_connections;
mod limits;
mod mcp_endpoint;
mod new_scopes;
mod no_organizations;
mod one_server;
mod overload;
mod private_key_jwt;
mod registration;
mod revocation;
mod same_request_id;
mod secrets;
mod serve_check;
mod sessions;
mod shutdown;
mod sign_in;
mod support;
mod token_endpoint;
mod token_sessions;
mod tool_attacks;
mod tool_lists;
mod tool_state;
