//! Session tokens of Clerk, versions 1 and 2: whose they are, and whether they may be believed.
//!
//! [`verify_session_token`] is pure: token, keys, time and policy in, claims out.
//! [`Client::verify_session_token`](crate::Client::verify_session_token) brings the keys and the
//! time. `jsonwebtoken` checks the signature and nothing else; header, category and time claims are
//! checked here.

mod claims;
mod error;
mod fetch;
mod keys;
mod permissions;
mod policy;
mod unverified;

pub use claims::{SessionClaims, SessionOrganization, TemplateClaims};
pub use error::{NotASessionToken, SessionTokenError};
#[cfg(feature = "oauth")]
pub(crate) use fetch::Kept;
pub(crate) use fetch::SessionKeys;
pub use keys::{JsonWebKeySet, JsonWebKeySetError};
pub use policy::SessionTokenPolicy;

use unverified::UnverifiedToken;

/// Verifies a session token: form, algorithm (RS256), type, category, key, signature, times, status,
/// issuer and authorized party, in this order. `now_ms` is the time in Unix milliseconds.
///
/// # Errors
/// [`SessionTokenError`] with what is wrong. No error holds the token.
pub fn verify_session_token(
    token: &str,
    keys: &JsonWebKeySet,
    now_ms: u64,
    policy: &SessionTokenPolicy,
) -> Result<SessionClaims, SessionTokenError> {
    UnverifiedToken::parse(token)?.verify(keys, now_ms, policy)
}
