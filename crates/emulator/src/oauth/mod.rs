//! Clerk's OAuth 2.0 and OpenID Connect provider.

pub(crate) mod applications;
pub(crate) mod authorize;
mod client_authentication;
pub(crate) mod consent;
pub(crate) mod ensured;
mod error;
mod issue;
pub(crate) mod metadata;
mod received;
pub(crate) mod register;
pub(crate) mod request;
pub(crate) mod revoke;
pub(crate) mod scope;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod token;
pub(crate) mod token_info;
pub(crate) mod userinfo;
pub(crate) mod verify;
