//! Tokens that Clerk issued, where Clerk is the authorization server (`sign_in.mode =
//! "clerk-tokens"`): whose they are.

use std::{fmt, time::Duration};

use clerk::{
    Client,
    access_token::{
        AccessTokenClaims, AccessTokenError, AccessTokenKind, AccessTokenPolicy, TokenForm,
    },
};
use mcp::Caller;
use moka::future::Cache;
use oauth::{PlainToken, Timestamp};

/// How long Clerk may take to say whose a token is, its own retries included: clients give up too.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a token that was refused is refused without being looked at.
const REFUSED_KEPT: Duration = Duration::from_secs(30);
/// The most of them that are kept.
const MOST_REFUSED: u64 = 10_000;

/// Verifies Clerk's tokens. What is found good is not kept here but by who asks (`authenticate`),
/// for half a minute: so long a token that Clerk has revoked still counts.
pub struct ClerkTokens {
    client: Client,
    policy: AccessTokenPolicy,
    refused: Cache<oauth::TokenHash, ()>,
}

impl fmt::Debug for ClerkTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClerkTokens")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Somebody whom Clerk gave a token.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) caller: Caller,
    /// When the token is over; `None` when it never is.
    pub(crate) expires_at: Option<Timestamp>,
}

/// Why nobody is known by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClerkTokenFault {
    /// It does not count.
    Refused,
    /// Clerk cannot be asked now.
    Unavailable {
        /// When to try again, if Clerk said so.
        retry_after: Option<Duration>,
    },
}

impl ClerkTokens {
    /// Verifies with this client what the policy accepts.
    #[must_use]
    pub fn new(client: Client, policy: AccessTokenPolicy) -> Self {
        Self {
            client,
            policy,
            refused: Cache::builder()
                .max_capacity(MOST_REFUSED)
                .time_to_live(REFUSED_KEPT)
                .build(),
        }
    }

    /// Whether Clerk has to be asked about this token: each costs a request.
    pub(crate) fn asks_clerk(&self, token: &PlainToken) -> bool {
        TokenForm::of(token.reveal()).is_ok_and(TokenForm::is_opaque)
            && !self.refused.contains_key(&token.hash())
    }

    /// Whose a token is.
    pub(crate) async fn holder(&self, token: &PlainToken) -> Result<Holder, ClerkTokenFault> {
        let hash = token.hash();
        if self.refused.contains_key(&hash) {
            return Err(ClerkTokenFault::Refused);
        }
        let verifying = self
            .client
            .verify_access_token(token.reveal(), &self.policy);
        let Ok(verified) = tokio::time::timeout(PATIENCE, verifying).await else {
            tracing::warn!("Clerk did not say in time whose a token is");
            return Err(ClerkTokenFault::Unavailable { retry_after: None });
        };
        match verified {
            Ok(claims) => Ok(holder(claims)),
            Err(AccessTokenError::Unavailable(error)) => {
                tracing::warn!(%error, "Clerk could not say whose a token is");
                let retry_after = error.retry_after().map(Duration::from_secs);
                Err(ClerkTokenFault::Unavailable { retry_after })
            }
            Err(fault) => {
                let is_misdirected = fault.is_misdirected();
                if is_misdirected {
                    tracing::warn!(%fault, "a token of this instance is refused");
                } else {
                    tracing::debug!(%fault, "a token is refused");
                }
                // Of the rest, looking again is as cheap as looking it up.
                if is_misdirected || TokenForm::of(token.reveal()).is_ok_and(TokenForm::is_opaque) {
                    self.refused.insert(hash, ()).await;
                }
                Err(ClerkTokenFault::Refused)
            }
        }
    }
}

/// A machine is its own client, and so is an API key.
fn holder(claims: AccessTokenClaims) -> Holder {
    let (user_id, client_id) = match claims.kind {
        AccessTokenKind::Machine => (None, Some(claims.subject)),
        AccessTokenKind::ApiKey => (Some(claims.subject), claims.id),
        AccessTokenKind::Oauth => (Some(claims.subject), claims.client_id),
    };
    Holder {
        caller: Caller {
            user_id,
            session_id: None,
            organization_id: claims.organization_id,
            role: None,
            client_id,
            scopes: claims.scopes,
            ..Caller::default()
        },
        expires_at: claims.expires_at.map(Timestamp),
    }
}
