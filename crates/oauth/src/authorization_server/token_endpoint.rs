//! The token endpoint (OAuth 2.1 section 3.2): codes and refresh tokens become access tokens.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, GrantType};
use crate::client_authentication::{AuthenticatedClient, PresentedClient, PresentedFault, Proof};
use crate::client_keys::ClientKeys;
use crate::environment::{BoxFuture, Random};
use crate::error::{TokenError, json_response};
use crate::grant::{
    AccessTokenRecord, CodeFault, Grant, NewRefreshToken, RedeemCode, RefreshFault,
    RefreshTokenRecord, RotateRefreshToken,
};
use crate::parameters::Parameters;
use crate::pkce::CodeChallenge;
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::seal::{GrantKey, Sealed};
use crate::server_key::{Purpose, ServerKey};
use crate::settings::Settings;
use crate::store::UpstreamUpdate;
use crate::time::Timestamp;
use crate::token::{PlainToken, TokenHash, TokenKind};

use super::AuthorizationServer;

/// How often a rotation is tried anew when a server with another newest key was faster.
const ROTATION_TRIES: usize = 3;

/// Asks at each refresh whether the person may still be acted for.
pub trait RefreshCheck: Send + Sync {
    /// Checks the person of `grant`; `upstream` is what the grant keeps, opened. Gives back what it
    /// is to keep from now on, if Clerk gave something new: it is kept at once, whatever becomes of
    /// the refresh. Nothing has been consumed yet.
    ///
    /// Where Clerk refuses what the grant keeps, look at the grant in the store first: another request
    /// may have used it, and kept what it got.
    fn check<'a>(
        &'a self,
        grant: &'a Grant,
        upstream: Option<Vec<u8>>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, RefreshRefusal>>;

    /// What [`RefreshCheck::check`] gave for `grant` is not kept, since the store failed, and what the
    /// grant keeps may be used up at Clerk. So give `renewed` again when asked for the same
    /// `upstream_version`, and have the store keep it as soon as it can: that is
    /// [`Store::update_upstream`](crate::Store::update_upstream) with `sealed`.
    fn unkept(&self, grant: &Grant, renewed: Vec<u8>, sealed: Sealed);
}

/// Why a refresh goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshRefusal {
    /// The person is banned or deleted, or Clerk refuses: the grant is revoked.
    Ended,
    /// The person is locked, or Clerk cannot be reached: the client may try again, nothing changed.
    Unavailable {
        /// How long to wait.
        retry_after: Duration,
    },
}

/// A successful answer (OAuth 2.1 section 3.2.3).
#[derive(Debug, Clone)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: PlainToken,
    /// How long it lives.
    pub expires_in: Duration,
    /// The refresh token, for clients that may refresh.
    pub refresh_token: Option<PlainToken>,
    /// What the access token is good for.
    pub scope: ScopeSet,
    /// The grant, for logs and audit. Not part of the answer.
    pub grant: Grant,
}

impl TokenResponse {
    /// The JSON body. It holds the tokens.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "access_token": self.access_token.reveal(),
            "token_type": "Bearer",
            "expires_in": self.expires_in.as_secs(),
        });
        if let Some(token) = &self.refresh_token {
            body["refresh_token"] = token.reveal().into();
        }
        body["scope"] = self.scope.to_string().into();
        body
    }

    /// The whole answer: JSON, never cached.
    pub fn into_http(self) -> http::Response<String> {
        json_response(StatusCode::OK, &self.body())
    }
}

/// The parameters of a refresh, read.
struct RefreshRequest {
    presented: PlainToken,
    resource: Option<Resource>,
    scope: Option<ScopeSet>,
}

impl AuthorizationServer {
    /// Answers a token request: its form, and its header `Authorization`. `keys` brings what
    /// the check of who the client is needs.
    ///
    /// # Errors
    /// [`TokenError`]. If it says that a grant was revoked, streams and caches are to be told.
    pub async fn token(
        &self,
        form: &Parameters,
        authorization: Option<&str>,
        keys: &dyn ClientKeys,
        check: &dyn RefreshCheck,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<TokenResponse, TokenError> {
        let grant_type = match form
            .get("grant_type")?
            .ok_or(TokenError::Missing("grant_type"))?
        {
            "authorization_code" => GrantType::AuthorizationCode,
            "refresh_token" => GrantType::RefreshToken,
            _ => return Err(TokenError::UnsupportedGrantType),
        };
        let client = self.authenticate(form, authorization, keys, now).await?.0;
        if !client.may_use(grant_type) {
            return Err(TokenError::GrantTypeNotAllowed);
        }
        match grant_type {
            GrantType::AuthorizationCode => self.redeem(&client, form, now, random).await,
            GrantType::RefreshToken => {
                let request = read_refresh(form, &self.settings)?;
                for _ in 1..ROTATION_TRIES {
                    match self.refresh(&client, &request, check, now, random).await {
                        Err(TokenError::Refresh {
                            fault: RefreshFault::OtherSuccessor,
                            ..
                        }) => {}
                        answer => return answer,
                    }
                }
                self.refresh(&client, &request, check, now, random).await
            }
        }
    }

    /// Who calls the token or revocation endpoint.
    pub(super) async fn authenticate(
        &self,
        form: &Parameters,
        authorization: Option<&str>,
        keys: &dyn ClientKeys,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, TokenError> {
        let PresentedClient { id, proof } = PresentedClient::read(form, authorization)?;
        match proof {
            Proof::Secret(secret) => Ok(secret.check(self.known_client(&id, now).await?, keys)?),
            Proof::Assertion(assertion) => self.check_assertion(&id, &assertion, keys, now).await,
        }
    }

    async fn redeem(
        &self,
        client: &Client,
        form: &Parameters,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<TokenResponse, TokenError> {
        let refuse = |fault| TokenError::Code {
            fault,
            revoked: None,
        };
        let code = form.get("code")?.ok_or(TokenError::Missing("code"))?;
        let code = PlainToken::presented(code);
        let verifier = form
            .get("code_verifier")?
            .ok_or(TokenError::Missing("code_verifier"))?;
        let redirect_uri = form.get("redirect_uri")?.map(str::to_owned);
        // A verifier that breaks the grammar answers no challenge.
        let code_challenge =
            CodeChallenge::of_verifier(verifier).ok_or(refuse(CodeFault::OtherChallenge))?;
        let resource =
            resource(form, &self.settings).map_err(|()| refuse(CodeFault::OtherResource))?;
        let found = self.store.code(code.hash()).await?;
        let (record, grant) = found.ok_or(refuse(CodeFault::Unknown))?;
        let key = GrantKey::unwrap(&record.wrapped, &code, &grant.id, &self.settings.keys)
            .ok_or(TokenError::KeyRemoved)?;
        let access_token = PlainToken::generate(TokenKind::AccessToken, random);
        let refresh_token = client
            .may_use(GrantType::RefreshToken)
            .then(|| PlainToken::generate(TokenKind::RefreshToken, random));
        let redeem = RedeemCode {
            code: code.hash(),
            client_id: client.id.clone(),
            redirect_uri,
            code_challenge,
            resource,
            access: self.access(
                &access_token,
                &grant,
                grant.scopes.clone(),
                &key,
                now,
                random,
            ),
            refresh: refresh_token
                .as_ref()
                .map(|token| self.new_refresh(token, &grant, &key, now, random)),
            client_kept_until: self.client_kept_until(now),
        };
        let expires_in = now.until(redeem.access.expires_at);
        let scope = redeem.access.scopes.clone();
        match self.store.redeem_code(&redeem, now).await? {
            Ok(grant) => Ok(TokenResponse {
                access_token,
                expires_in,
                refresh_token,
                scope,
                grant,
            }),
            Err(refused) => Err(TokenError::Code {
                fault: refused.fault,
                revoked: refused.revoked,
            }),
        }
    }

    async fn refresh(
        &self,
        client: &Client,
        request: &RefreshRequest,
        check: &dyn RefreshCheck,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<TokenResponse, TokenError> {
        let refuse = |fault| TokenError::Refresh {
            fault,
            revoked: None,
        };
        let RefreshRequest {
            presented,
            resource,
            scope,
        } = request;
        let found = self.store.refresh_token(presented.hash()).await?;
        let (record, grant) = found.ok_or(refuse(RefreshFault::Unknown))?;
        let key = GrantKey::unwrap(&record.wrapped, presented, &grant.id, &self.settings.keys)
            .ok_or(TokenError::KeyRemoved)?;
        let scopes = match record.judge_presented(&client.id, resource.as_ref(), &grant, now) {
            Ok(()) => {
                let scopes = granted_scopes(scope.as_ref(), &grant)?;
                self.check_person(check, &grant, &key, now, random).await?;
                scopes
            }
            // The store revokes the grant, in the transaction in which it sees the same.
            Err(RefreshFault::Replayed) => grant.scopes.clone(),
            Err(fault) => return Err(refuse(fault)),
        };
        let successor = self.successor(presented, &record);
        let access_token = PlainToken::generate(TokenKind::AccessToken, random);
        let rotate = RotateRefreshToken {
            presented: presented.hash(),
            client_id: client.id.clone(),
            resource: resource.clone(),
            successor: self.new_refresh(&successor, &grant, &key, now, random),
            access: self.access(&access_token, &grant, scopes.clone(), &key, now, random),
            client_kept_until: self.client_kept_until(now),
        };
        let expires_in = now.until(rotate.access.expires_at);
        match self.store.rotate_refresh_token(&rotate, now).await? {
            Ok(grant) => Ok(TokenResponse {
                access_token,
                expires_in,
                refresh_token: Some(successor),
                scope: scopes,
                grant,
            }),
            Err(refused) => Err(TokenError::Refresh {
                fault: refused.fault,
                revoked: refused.revoked,
            }),
        }
    }

    /// Asks about the person, and keeps what Clerk gave anew.
    async fn check_person(
        &self,
        check: &dyn RefreshCheck,
        grant: &Grant,
        key: &GrantKey,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(), TokenError> {
        let opened = grant
            .upstream
            .as_ref()
            .map(|sealed| key.open(sealed, &grant.id));
        let upstream = match opened {
            Some(None) => return Err(TokenError::KeyRemoved),
            Some(opened) => opened,
            None => None,
        };
        match check.check(grant, upstream).await {
            Ok(None) => Ok(()),
            Ok(Some(renewed)) => {
                let sealed = key.seal(&renewed, &grant.id, random);
                let version = grant.upstream_version;
                let kept = self.store.update_upstream(&grant.id, version, &sealed, now);
                let kept = match kept.await {
                    Ok(kept) => kept,
                    Err(error) => {
                        check.unkept(grant, renewed, sealed);
                        return Err(error.into());
                    }
                };
                match kept {
                    // In a conflict another request has kept something newer.
                    UpstreamUpdate::Updated { .. } | UpstreamUpdate::Conflict => Ok(()),
                    UpstreamUpdate::Gone => Err(TokenError::Refresh {
                        fault: RefreshFault::Unknown,
                        revoked: None,
                    }),
                }
            }
            Err(RefreshRefusal::Ended) => {
                let revoked = self.store.revoke_grant(&grant.id, now).await?;
                Err(TokenError::PersonEnded {
                    revoked: revoked.then(|| grant.id.clone()),
                })
            }
            Err(RefreshRefusal::Unavailable { retry_after }) => {
                Err(TokenError::PersonUnknown { retry_after })
            }
        }
    }

    /// The token that follows `presented`. It is made of it and of the server's key, so that whoever
    /// presents the same token twice gets the same successor: two concurrent refreshes are one
    /// rotation, and an answer that was lost can be had again. Nobody can make it from the store's
    /// hashes.
    ///
    /// What it costs: a thief who keeps exactly in step with the client goes unnoticed for longer than
    /// where each rotation makes a token at random. As soon as one of the two is a step behind, the
    /// grant ends; and it ends in any case when its whole time is over.
    ///
    /// Once a successor is kept it stays, also when the server's newest key is another one by now.
    fn successor(&self, presented: &PlainToken, record: &RefreshTokenRecord) -> PlainToken {
        let keys = &self.settings.keys;
        let kept = |hash: TokenHash| {
            let mut tokens = keys.iter().map(|key| follow(presented, key));
            tokens.find(|token| token.hash() == hash)
        };
        record
            .successor
            .and_then(kept)
            .unwrap_or_else(|| follow(presented, keys.first()))
    }

    fn access(
        &self,
        token: &PlainToken,
        grant: &Grant,
        scopes: ScopeSet,
        key: &GrantKey,
        now: Timestamp,
        random: &dyn Random,
    ) -> AccessTokenRecord {
        AccessTokenRecord {
            hash: token.hash(),
            grant_id: grant.id.clone(),
            scopes,
            wrapped: key.wrap(token, &grant.id, &self.settings.keys, random),
            expires_at: now
                .after(self.settings.lifetimes.access_token)
                .min(grant.expires_at),
        }
    }

    fn new_refresh(
        &self,
        token: &PlainToken,
        grant: &Grant,
        key: &GrantKey,
        now: Timestamp,
        random: &dyn Random,
    ) -> NewRefreshToken {
        NewRefreshToken {
            hash: token.hash(),
            wrapped: key.wrap(token, &grant.id, &self.settings.keys, random),
            expires_at: now
                .after(self.settings.lifetimes.refresh_token)
                .min(grant.expires_at),
        }
    }

    /// A client outlives its tokens, whatever was configured.
    pub(super) fn client_kept_until(&self, now: Timestamp) -> Timestamp {
        let lifetimes = &self.settings.lifetimes;
        let longest = lifetimes.registered_client.max(lifetimes.refresh_token);
        now.after(longest.max(lifetimes.access_token))
    }
}

impl From<PresentedFault> for TokenError {
    fn from(fault: PresentedFault) -> Self {
        match fault {
            PresentedFault::Repeated(repeated) => Self::Repeated(repeated),
            PresentedFault::Fault(fault) => Self::Client(fault),
        }
    }
}

fn follow(presented: &PlainToken, key: &ServerKey) -> PlainToken {
    let bytes = key.derive(Purpose::RefreshChain, &[presented.reveal().as_bytes()]);
    PlainToken::of(TokenKind::RefreshToken, &bytes)
}

fn read_refresh(form: &Parameters, settings: &Settings) -> Result<RefreshRequest, TokenError> {
    let token = form
        .get("refresh_token")?
        .ok_or(TokenError::Missing("refresh_token"))?;
    let resource = resource(form, settings).map_err(|()| TokenError::Refresh {
        fault: RefreshFault::OtherResource,
        revoked: None,
    })?;
    let scope = match form.get("scope")?.map(ScopeSet::parse) {
        Some(None) => return Err(TokenError::MoreScopes),
        Some(scope) => scope,
        None => None,
    };
    Ok(RefreshRequest {
        presented: PlainToken::presented(token),
        resource,
        scope,
    })
}

/// The one resource that a request names, if it names any.
fn resource(form: &Parameters, settings: &Settings) -> Result<Option<Resource>, ()> {
    let mut named = None;
    for text in form.all("resource").filter(|text| !text.is_empty()) {
        let resource = settings.meant(Resource::parse(text).ok_or(())?);
        if named
            .replace(resource.clone())
            .is_some_and(|earlier| earlier != resource)
        {
            return Err(());
        }
    }
    Ok(named)
}

/// The scopes of a refreshed access token: the grant's, or fewer if the client wishes (OAuth 2.1
/// section 4.3.1).
fn granted_scopes(wished: Option<&ScopeSet>, grant: &Grant) -> Result<ScopeSet, TokenError> {
    let wished = wished.map(|set| set.filter(|scope| scope != "offline_access"));
    match wished.filter(|set| !set.is_empty()) {
        None => Ok(grant.scopes.clone()),
        Some(set) if grant.scopes.covers(&set) => Ok(set),
        Some(_) => Err(TokenError::MoreScopes),
    }
}
