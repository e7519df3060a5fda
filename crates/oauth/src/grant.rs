//! Grants, and the codes and tokens that stand for them, as stores keep them. The rules by which a
//! code is redeemed and a refresh token rotates are functions of these values; a store makes them
//! atomic.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base64url;
use crate::client::ClientId;
use crate::environment::{Random, random_bytes};
use crate::pkce::CodeChallenge;
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::seal::{Sealed, Wrapped};
use crate::time::Timestamp;
use crate::token::TokenHash;

/// A grant's name, 128 random bits. It is no secret.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantId(String);

impl GrantId {
    /// A fresh one.
    pub fn generate(random: &dyn Random) -> Self {
        Self(base64url::encode(&random_bytes::<16>(random)))
    }

    /// The id that a store or a page kept.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GrantId({})", self.0)
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What one person granted to one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its name.
    pub id: GrantId,
    /// The client that may act.
    pub client_id: ClientId,
    /// What the client called itself then. Untrusted text.
    pub client_name: Option<String>,
    /// For whom: Clerk's id of the user.
    pub user_id: String,
    /// Clerk's id of the session, where the way of signing in has one.
    pub session_id: Option<String>,
    /// Clerk's id of the organization that the person chose, if any.
    pub organization_id: Option<String>,
    /// The one audience of its tokens.
    pub resource: Resource,
    /// What was approved.
    pub scopes: ScopeSet,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it is over, however much it is used.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// What Clerk gave, sealed with the grant's key. `None` when there is nothing, or not any more.
    pub upstream: Option<Sealed>,
    /// Counts the changes of `upstream`, from 0.
    pub upstream_version: u64,
}

impl Grant {
    /// Whether its tokens still count.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && !self.expires_at.has_passed(now)
    }
}

/// An authorization code, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRecord {
    /// The code's hash.
    pub hash: TokenHash,
    /// Its grant.
    pub grant_id: GrantId,
    /// Who may redeem it.
    pub client_id: ClientId,
    /// The redirect URI of the request, exactly as it was sent.
    pub redirect_uri: String,
    /// The request's PKCE challenge.
    pub code_challenge: CodeChallenge,
    /// The request's resource.
    pub resource: Resource,
    /// The grant's key, for whoever holds the code.
    pub wrapped: Wrapped,
    /// When it is too late to redeem it.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub redeemed_at: Option<Timestamp>,
}

/// A refresh token, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshTokenRecord {
    /// The token's hash.
    pub hash: TokenHash,
    /// Its grant.
    pub grant_id: GrantId,
    /// The token that it follows; `None` for a grant's first.
    pub predecessor: Option<TokenHash>,
    /// The token that follows it, once it was presented. Every token has at most one successor.
    pub successor: Option<TokenHash>,
    /// The grant's key, for whoever holds the token.
    pub wrapped: Wrapped,
    /// When it is too late to use it.
    pub expires_at: Timestamp,
    /// When its successor was first presented. From then on it is dead: presenting it is a replay.
    pub dead_since: Option<Timestamp>,
}

/// An access token, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenRecord {
    /// The token's hash.
    pub hash: TokenHash,
    /// Its grant.
    pub grant_id: GrantId,
    /// What it is good for: the grant's scopes, or fewer.
    pub scopes: ScopeSet,
    /// The grant's key, for whoever holds the token.
    pub wrapped: Wrapped,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// A refresh token that is about to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefreshToken {
    /// The token's hash.
    pub hash: TokenHash,
    /// The grant's key, for whoever holds the token.
    pub wrapped: Wrapped,
    /// When it is too late to use it; never after the grant's own end.
    pub expires_at: Timestamp,
}

/// Everything needed to redeem a code. See [`crate::Store::redeem_code`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemCode {
    /// The hash of what was presented.
    pub code: TokenHash,
    /// The client that presented it, authenticated as far as it can be.
    pub client_id: ClientId,
    /// `redirect_uri` of the token request; OAuth 2.1 lets clients leave it out.
    pub redirect_uri: Option<String>,
    /// The challenge that the presented verifier answers.
    pub code_challenge: CodeChallenge,
    /// `resource` of the token request; absent means the grant's.
    pub resource: Option<Resource>,
    /// The access token to keep.
    pub access: AccessTokenRecord,
    /// The first refresh token to keep, for clients that may refresh.
    pub refresh: Option<NewRefreshToken>,
    /// A registered client that is in use is kept at least until then.
    pub client_kept_until: Timestamp,
}

/// Why a code is refused. Nothing was consumed, unless it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeFault {
    /// There is no such code, or its grant is over.
    #[error("the authorization code is not known (any more)")]
    Unknown,
    /// It was issued to another client.
    #[error("the authorization code was issued to another client")]
    OtherClient,
    /// It was redeemed before; the grant has been revoked now.
    #[error("the authorization code was used before; what it had given is revoked")]
    Replayed,
    /// It is too late.
    #[error("the authorization code has expired")]
    Expired,
    /// `redirect_uri` differs from the authorization request's.
    #[error("`redirect_uri` differs from that of the authorization request")]
    OtherRedirectUri,
    /// The verifier does not answer the challenge.
    #[error("`code_verifier` does not match the authorization request's `code_challenge`")]
    OtherChallenge,
    /// The code is for another resource.
    #[error("the code is for another resource")]
    OtherResource,
}

/// What to do about a presented refresh token. See [`RefreshTokenRecord::judge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefreshFault {
    /// There is no such token, or its grant is over.
    #[error("the refresh token is not known (any more)")]
    Unknown,
    /// It was issued to another client.
    #[error("the refresh token was issued to another client")]
    OtherClient,
    /// Its successor was in use already; the grant has been revoked now.
    #[error("the refresh token was replaced and its successor used; the grant is revoked")]
    Replayed,
    /// It is too late.
    #[error("the refresh token has expired")]
    Expired,
    /// The token is for another resource.
    #[error("the refresh token is for another resource")]
    OtherResource,
    /// It has another successor already, made by a server whose newest key differs. Read the record
    /// again and go on with that successor.
    #[error("the refresh token was rotated at the same moment under another server key")]
    OtherSuccessor,
}

/// Everything needed to rotate a refresh token. See [`crate::Store::rotate_refresh_token`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateRefreshToken {
    /// The hash of what was presented.
    pub presented: TokenHash,
    /// The client that presented it, authenticated as far as it can be.
    pub client_id: ClientId,
    /// `resource` of the token request; absent means the grant's.
    pub resource: Option<Resource>,
    /// The token that follows.
    pub successor: NewRefreshToken,
    /// The access token to keep.
    pub access: AccessTokenRecord,
    /// A registered client that is in use is kept at least until then.
    pub client_kept_until: Timestamp,
}

impl CodeRecord {
    /// Whether `redeem` may redeem this code of `grant` at `now`. A fault of
    /// [`CodeFault::Replayed`] means that the grant is to be revoked in the same transaction; every
    /// other fault changes nothing. Somebody who guesses can so neither use a code up nor revoke
    /// anything: the client is judged first, and what is wrong is told before anything is consumed.
    /// Who has caught a code that is used already, and knows its client, can end the grant; that is
    /// the replay which OAuth 2.1 section 4.1.3 has servers answer so.
    ///
    /// # Errors
    /// [`CodeFault`].
    pub fn judge(
        &self,
        redeem: &RedeemCode,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<(), CodeFault> {
        if !grant.is_live(now) {
            return Err(CodeFault::Unknown);
        }
        if self.client_id != redeem.client_id {
            return Err(CodeFault::OtherClient);
        }
        if self.redeemed_at.is_some() {
            return Err(CodeFault::Replayed);
        }
        if self.expires_at.has_passed(now) {
            return Err(CodeFault::Expired);
        }
        if redeem
            .redirect_uri
            .as_ref()
            .is_some_and(|uri| *uri != self.redirect_uri)
        {
            return Err(CodeFault::OtherRedirectUri);
        }
        if self.code_challenge != redeem.code_challenge {
            return Err(CodeFault::OtherChallenge);
        }
        if redeem
            .resource
            .as_ref()
            .is_some_and(|resource| *resource != self.resource)
        {
            return Err(CodeFault::OtherResource);
        }
        Ok(())
    }
}

impl RefreshTokenRecord {
    /// Whether `rotate` may rotate this token of `grant` at `now`. A fault of
    /// [`RefreshFault::Replayed`] means that the grant is to be revoked in the same transaction;
    /// every other fault changes nothing.
    ///
    /// # Errors
    /// [`RefreshFault`].
    pub fn judge(
        &self,
        rotate: &RotateRefreshToken,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<(), RefreshFault> {
        self.judge_presented(&rotate.client_id, rotate.resource.as_ref(), grant, now)?;
        match self.successor {
            Some(successor) if successor != rotate.successor.hash => {
                Err(RefreshFault::OtherSuccessor)
            }
            _ => Ok(()),
        }
    }

    /// As [`RefreshTokenRecord::judge`], before a successor is made.
    ///
    /// # Errors
    /// [`RefreshFault`].
    pub fn judge_presented(
        &self,
        client_id: &ClientId,
        resource: Option<&Resource>,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<(), RefreshFault> {
        if !grant.is_live(now) {
            return Err(RefreshFault::Unknown);
        }
        if grant.client_id != *client_id {
            return Err(RefreshFault::OtherClient);
        }
        if self.dead_since.is_some() {
            return Err(RefreshFault::Replayed);
        }
        if self.expires_at.has_passed(now) {
            return Err(RefreshFault::Expired);
        }
        if resource.is_some_and(|resource| *resource != grant.resource) {
            return Err(RefreshFault::OtherResource);
        }
        Ok(())
    }
}

/// How long things live. Each is configurable; these are the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// An authorization request, from the first page to the code. 10 minutes.
    pub authorization: Duration,
    /// A code. 60 seconds.
    pub code: Duration,
    /// An access token. 15 minutes.
    pub access_token: Duration,
    /// A refresh token that is not used. 30 days.
    pub refresh_token: Duration,
    /// A grant, however much it is used. 180 days.
    pub grant: Duration,
    /// A registered client that is not used. 90 days; never less than a refresh token.
    pub registered_client: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            authorization: Duration::from_secs(10 * 60),
            code: Duration::from_secs(60),
            access_token: Duration::from_secs(15 * 60),
            refresh_token: 30 * DAY,
            grant: 180 * DAY,
            registered_client: 90 * DAY,
        }
    }
}
