//! The authorization server over the store in memory: what SECURITY asks of it, rule by rule.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod authorize;
mod client_assertions;
mod client_documents;
mod codes;
mod consent;
mod new_scopes;
mod own_page;
mod properties;
mod protected_resource;
mod refresh;
mod registration;
mod remembered_consent;
mod token_endpoint;
mod world;
