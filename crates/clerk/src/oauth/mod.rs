//! This program as a client of Clerk's OAuth provider (RFC 6749, RFC 7636, RFC 7009, RFC 9207,
//! OpenID Connect Core), with the feature `oauth`.
//!
//! A sign-in, step by step:
//!
//! 1. A [`FrontendApi`] says where the provider is; an [`OAuthClient`] says who we are; a
//!    [`Provider`] brings the two together with a [`Transport`](crate::Transport).
//! 2. [`Provider::authorization_url`] is where the person's browser is sent.
//! 3. [`CallbackQuery::parse`] reads what the browser brings back; [`CallbackQuery::into_code`] checks
//!    who answered before it gives the code.
//! 4. [`Provider::redeem_code`] turns the code into a [`TokenSet`], and [`Provider::verify_id_token`]
//!    says who the person is.
//! 5. [`Provider::refresh`] and [`Provider::revoke`] follow the grant to its end.
//!
//! Nothing here reads a clock or makes randomness: the time comes as `now_ms`, Unix milliseconds, and
//! `state`, `nonce` and the PKCE verifier are the caller's. Nothing is sent twice either: a code or a
//! refresh token may be spent even if the answer was lost.
//!
//! **One at a time.** Metadata and keys are kept by the [`Provider`]; two tasks that miss them at once
//! both fetch, which is harmless. Two refreshes of one refresh token at once are not: Clerk may rotate
//! it, and the second would end the grant. The caller holds a lock for each grant around reading the
//! stored [`TokenSet`], [`Provider::refresh`] and writing the new one.

mod application;
mod authorization;
mod callback;
mod client;
mod error;
mod frontend_api;
mod id_token;
mod metadata;
mod provider;
mod secret;
mod token_endpoint;
mod token_set;

pub use application::{ApplicationFault, OAuthApplication, list_oauth_applications};
pub use authorization::{AuthorizationRequest, Prompt};
pub use callback::{CallbackError, CallbackQuery};
pub use client::{OAuthClient, OAuthClientError};
pub use error::{OAuthError, OAuthStep};
pub use frontend_api::{FrontendApi, FrontendApiError, PublishableKey, PublishableKeyError};
pub use id_token::{ExpectedIdToken, IdTokenClaims, IdTokenError, verify_id_token};
pub use metadata::ProviderMetadata;
pub use provider::Provider;
pub use secret::{Secret, SecretError};
pub use token_endpoint::TokenTypeHint;
pub use token_set::{TokenSet, TokenSetError};
