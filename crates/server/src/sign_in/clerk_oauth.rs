//! `clerk-oauth`: people sign in at Clerk, whose OAuth client this server is.

use std::{fmt, sync::Arc, time::Duration};

use clerk::{
    Client, Env,
    access_token::AccessTokenError,
    oauth::{AuthorizationRequest, CallbackQuery, OAuthError, Prompt, Provider, TokenSet},
};
use moka::future::Cache;
use oauth::{Grant, RefreshRefusal, SignedIn, Store, UpstreamRequest};

use super::{
    Completed, RETRY_AFTER, SignInFault,
    unkept::{Held, Unkept, Version},
};

/// How far Clerk's clock and ours may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// How long before Clerk's access token expires a new one is asked for: longer than any access token
/// of ours lives, so that whoever holds one can use it.
const REFRESH_MARGIN: Duration = Duration::from_secs(60 * 60);
/// How long what Clerk gave is kept for refreshes that come at the same moment.
const REFRESHED_KEPT: Duration = Duration::from_secs(60);
/// The most grants whose refresh is under way.
const MOST_REFRESHED: u64 = 10_000;

/// Sign-in through Clerk's OAuth provider. There is no Clerk session in this mode.
pub struct ClerkOauth {
    provider: Provider,
    scopes: Vec<&'static str>,
    client: Client,
    env: Arc<dyn Env>,
    /// What Clerk gave for one version of what a grant keeps: asked for once, however many refreshes
    /// come at the same moment.
    refreshed: Cache<Version, Refreshed>,
    unkept: Unkept,
}

/// What Clerk gave, if there was a refresh token.
#[derive(Clone)]
struct Refreshed {
    given: Option<Arc<Vec<u8>>>,
    /// When, Unix milliseconds by the server's clock.
    at: u64,
}

impl fmt::Debug for ClerkOauth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClerkOauth")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl ClerkOauth {
    /// Through this provider; `organizations` lets the person pick one at Clerk. `client` asks the
    /// instance's Backend API about access tokens that only Clerk can read.
    #[must_use]
    pub fn new(provider: Provider, organizations: bool, client: Client, env: Arc<dyn Env>) -> Self {
        Self {
            provider,
            scopes: scopes(organizations),
            client,
            env,
            refreshed: Cache::builder()
                .max_capacity(MOST_REFRESHED)
                .time_to_live(REFRESHED_KEPT)
                .build(),
            unkept: Unkept::default(),
        }
    }

    pub(super) async fn authorization_url(
        &self,
        upstream: &UpstreamRequest,
    ) -> Result<String, SignInFault> {
        let request = AuthorizationRequest {
            state: &upstream.state,
            nonce: &upstream.nonce,
            code_challenge: upstream.code_challenge.as_str(),
            scopes: &self.scopes,
            prompt: None::<Prompt>,
        };
        let url = self.provider.authorization_url(&request, self.env.now());
        Ok(url.await?)
    }

    pub(super) async fn complete(
        &self,
        query: CallbackQuery,
        upstream: &UpstreamRequest,
    ) -> Result<Completed, SignInFault> {
        let now = self.env.now();
        let metadata = self.provider.metadata(now).await?;
        let code = query.into_code(&metadata, self.provider.client())?;
        let verifier = upstream.code_verifier.reveal();
        let tokens = self.provider.redeem_code(&code, verifier, now).await?;
        let leeway = u64::try_from(LEEWAY.as_millis()).unwrap_or(u64::MAX);
        let claims = self
            .provider
            .verify_id_token(&tokens, &upstream.nonce, leeway, self.env.now())
            .await?;
        if self
            .is_impersonated(&tokens)
            .await
            .map_err(SignInFault::Unread)?
        {
            return Err(SignInFault::Impersonated);
        }
        Ok(Completed {
            upstream: Some(tokens.to_bytes()),
            person: SignedIn {
                user_id: claims.user_id,
                session_id: None,
                organization_id: claims.organization_id,
                display_name: claims.name.or(claims.email),
            },
        })
    }

    pub(super) async fn refresh(
        &self,
        grant: &Grant,
        upstream: Option<Vec<u8>>,
        store: &dyn Store,
    ) -> Result<Option<Vec<u8>>, RefreshRefusal> {
        if grant.session_id.is_some() {
            tracing::info!(grant = %grant.id, "a grant ends: it was made with sign_in.mode = \"app\"");
            return Err(RefreshRefusal::Ended);
        }
        let Some(upstream) = upstream else {
            return Ok(None);
        };
        let Ok(tokens) = TokenSet::from_bytes(&upstream) else {
            tracing::error!(grant = %grant.id, "what Clerk gave cannot be read any more");
            return Err(RefreshRefusal::Ended);
        };
        if tokens.is_impersonated() == Some(true) {
            return Err(impersonated(grant));
        }
        let margin = u64::try_from(REFRESH_MARGIN.as_millis()).unwrap_or(u64::MAX);
        if tokens.is_fresh(self.env.now(), margin) {
            return Ok(None);
        }
        // Of a token that only Clerk can read, Clerk is asked before it gives another for it: if it
        // cannot say, nothing is used up.
        let is_told = self.check_actor(grant, &tokens).await?;
        match self.refreshed(grant, tokens).await {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => match TokenSet::from_bytes(&bytes) {
                Ok(given) if self.is_found_out(&given, is_told).await => Err(impersonated(grant)),
                Ok(_) | Err(_) => Ok(Some(bytes.to_vec())),
            },
            Err(error) if error.is_dead_refresh_token() => {
                used_up(grant, store).await.map(|()| None)
            }
            Err(error) => {
                tracing::warn!(grant = %grant.id, %error, "Clerk gave no new tokens");
                let retry_after = error.retry_after().map(Duration::from_secs);
                Err(RefreshRefusal::Unavailable {
                    retry_after: retry_after.unwrap_or(RETRY_AFTER),
                })
            }
        }
    }

    /// Whether somebody else acts as the person, as far as Clerk says. Clerk is asked only where the
    /// access token does not say it itself.
    async fn is_impersonated(&self, tokens: &TokenSet) -> Result<bool, AccessTokenError> {
        match tokens.is_impersonated() {
            Some(is_impersonated) => Ok(is_impersonated),
            None => {
                let access_token = tokens.access_token.expose();
                self.client.is_impersonated(access_token).await
            }
        }
    }

    /// Whether Clerk said that nobody else acts as the person. Of a token that ran out it says nothing
    /// any more: then the one that is given for it tells.
    async fn check_actor(&self, grant: &Grant, tokens: &TokenSet) -> Result<bool, RefreshRefusal> {
        match self.is_impersonated(tokens).await {
            Ok(true) => Err(impersonated(grant)),
            Ok(false) => Ok(true),
            Err(AccessTokenError::Ended) => Ok(false),
            Err(error) => {
                tracing::warn!(grant = %grant.id, %error, "Clerk could not say who acts with a grant");
                let told = error.unavailable().and_then(clerk::Error::retry_after);
                Err(RefreshRefusal::Unavailable {
                    retry_after: told.map_or(RETRY_AFTER, Duration::from_secs),
                })
            }
        }
    }

    /// Whether tokens that were just given show that somebody else acts as the person. Clerk is asked where
    /// they do not say it and the ones before them did not either; if it cannot answer now, the tokens are
    /// kept all the same, for those before are used up, and the next refresh asks.
    async fn is_found_out(&self, given: &TokenSet, is_told: bool) -> bool {
        if is_told {
            return given.is_impersonated() == Some(true);
        }
        self.is_impersonated(given).await.unwrap_or(false)
    }

    /// What Clerk gives for what `grant` keeps, `tokens`: to be kept by the grant, which may hold
    /// tokens that are used up otherwise. `None` when there is no refresh token. Whoever asks for the
    /// same state of the grant within a minute gets the same, for Clerk is asked once.
    ///
    /// Not to be given up half way: Clerk may have answered already.
    ///
    /// # Errors
    /// [`OAuthError`].
    pub(crate) async fn refreshed(
        &self,
        grant: &Grant,
        tokens: TokenSet,
    ) -> Result<Option<Arc<Vec<u8>>>, Arc<OAuthError>> {
        let version = version(grant);
        if let Some(given) = self.unkept.get(&version) {
            return Ok(Some(given));
        }
        let is_old = |refreshed: Refreshed| {
            let lifetime = u64::try_from(REFRESHED_KEPT.as_millis()).unwrap_or(u64::MAX);
            self.env.now().saturating_sub(refreshed.at) >= lifetime
        };
        if self.refreshed.get(&version).await.is_some_and(is_old) {
            self.refreshed.invalidate(&version).await;
        }
        let asking = self.ask(tokens);
        let refreshed = self.refreshed.try_get_with(version, asking).await?;
        Ok(refreshed.given)
    }

    /// Holds what Clerk gave for what `grant` keeps until the guard is dropped: the store failed, and
    /// whoever holds it tries again. `None` when somebody does so already.
    pub(crate) fn hold(&self, grant: &Grant, given: Vec<u8>) -> Option<Held> {
        self.unkept.hold(version(grant), Arc::new(given))
    }

    /// Without a refresh token there is nothing to ask for: the person is read again all the same.
    async fn ask(&self, tokens: TokenSet) -> Result<Refreshed, OAuthError> {
        let given = match &tokens.refresh_token {
            Some(refresh_token) => {
                let refreshed = self.provider.refresh(refresh_token, self.env.now()).await?;
                Some(Arc::new(refreshed.to_bytes()))
            }
            None => None,
        };
        let at = self.env.now();
        Ok(Refreshed { given, at })
    }
}

fn impersonated(grant: &Grant) -> RefreshRefusal {
    tracing::info!(grant = %grant.id, "a grant ends: it was made in an impersonation, where somebody \
        else acts as the person");
    RefreshRefusal::Ended
}

fn version(grant: &Grant) -> Version {
    (grant.id.clone(), grant.upstream_version)
}

/// Clerk does not take the refresh token of `grant`. If another request or process has used it, the store
/// has what that got, and the grant goes on; otherwise Clerk has ended it.
async fn used_up(grant: &Grant, store: &dyn Store) -> Result<(), RefreshRefusal> {
    match store.grant(&grant.id).await {
        Ok(Some(kept)) if kept.upstream_version != grant.upstream_version => Ok(()),
        Ok(_) => {
            tracing::info!(grant = %grant.id, "a grant ends: Clerk does not take its refresh token any more");
            Err(RefreshRefusal::Ended)
        }
        Err(error) => {
            tracing::error!(grant = %grant.id, %error, "the store failed");
            Err(RefreshRefusal::Unavailable {
                retry_after: RETRY_AFTER,
            })
        }
    }
}

/// What this server asks Clerk for: who the person is, and to be able to ask again.
#[must_use]
pub fn scopes(organizations: bool) -> Vec<&'static str> {
    let mut scopes = vec!["openid", "profile", "email", "offline_access"];
    if organizations {
        scopes.push("user:org:read");
    }
    scopes
}
