//! A thin, tolerant client for Clerk's Backend API.
//!
//! * One [`Client`] speaks to one Clerk instance with one [`SecretKey`].
//! * A [`Request`] is data: an operation's name, a method, a path whose parameters are checked and
//!   percent-encoded as one segment each, a query and a JSON body.
//! * Answers are plain JSON ([`Response`]): unknown fields and values pass through.
//! * An [`Error`] says what happened and, on a line of its own, what to do about it.
//!
//! The crate reads no clock, no environment and no file. Time, sleep and randomness come from an
//! [`Env`], bytes travel through a [`Transport`]; with the feature `reqwest` there is a ready one,
//! `HttpTransport`. With the feature `session-token` it verifies session tokens; its cryptography
//! (aws-lc) is not for wasm32, where everything else here builds. With the feature `oauth`, `oauth`
//! signs people in through Clerk's OAuth provider, `machine` makes M2M tokens, and `access_token`
//! verifies the tokens that Clerk gives to OAuth clients, machines and holders of API keys; with the
//! feature `frontend`, `frontend` redeems
//! tickets at the Frontend API. No secret key ever appears in `Debug` or
//! `Display` of anything here.

#[cfg(feature = "oauth")]
pub mod access_token;
mod answer;
mod api_url;
mod api_version;
mod budget;
mod client;
mod encode;
mod env;
mod error;
#[cfg(feature = "frontend")]
pub mod frontend;
mod hint;
#[cfg(feature = "reqwest")]
mod http_transport;
mod id;
#[cfg(feature = "oauth")]
mod jws;
#[cfg(feature = "oauth")]
pub mod machine;
#[cfg(feature = "oauth")]
pub mod oauth;
mod redact;
mod request;
mod response;
mod retry;
mod secret_key;
#[cfg(feature = "session-token")]
mod session_token;
mod transport;

pub use api_url::{ApiUrl, ApiUrlError};
pub use api_version::{ApiVersion, ApiVersionError};
pub use budget::RateLimit;
pub use client::{Client, ClientBuilder};
pub use encode::encode_segment;
pub use env::{BoxFuture, Env};
pub use error::{ApiError, ClerkErrorDetail, Error};
#[cfg(feature = "reqwest")]
pub use http_transport::HttpTransport;
pub use id::{IdError, IdKind, check_id, check_segment};
pub use request::{Priority, Request};
pub use response::Response;
pub use retry::RetryPolicy;
pub use secret_key::{InstanceKind, SecretKey, SecretKeyError};
#[cfg(feature = "session-token")]
pub use session_token::{
    JsonWebKeySet, JsonWebKeySetError, NotASessionToken, SessionClaims, SessionOrganization,
    SessionTokenError, SessionTokenPolicy, TemplateClaims, verify_session_token,
};
pub use transport::{Transport, TransportError, TransportErrorKind};
