//! Access tokens that are no session's, with the feature `oauth`: those that Clerk's OAuth server gives
//! its clients, those of machines, and API keys.
//!
//! [`Client::verify_access_token`](crate::Client::verify_access_token) says whose a token is. A JSON
//! Web Token is verified with the instance's keys, anything else by asking Clerk. Which tokens count is
//! an [`AccessTokenPolicy`], under which none does until it says so: every one of these is signed by
//! the same instance, and only its audience or its client tells whether it was meant for this server.

mod claims;
mod error;
mod form;
mod policy;
mod verify;

pub use claims::{AccessTokenClaims, AccessTokenKind};
pub use error::{AccessTokenError, NotAccepted};
pub use form::TokenForm;
pub use policy::AccessTokenPolicy;
