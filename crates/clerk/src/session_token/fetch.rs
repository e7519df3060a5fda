use std::sync::{Arc, Mutex, PoisonError};

use http::Method;

use super::claims::{SessionClaims, TemplateClaims};
use super::error::SessionTokenError;
use super::keys::JsonWebKeySet;
use super::policy::SessionTokenPolicy;
use super::unverified::UnverifiedToken;
use crate::client::Client;
use crate::error::Error;
use crate::request::Request;

const HOUR_MS: u64 = 60 * 60 * 1_000;
const MINUTE_MS: u64 = 60 * 1_000;

/// Where a client has the keys of its instance from.
#[derive(Debug)]
pub(crate) enum SessionKeys {
    /// They were given (`CLERK_JWT_KEY`) and are never fetched.
    Given(Arc<JsonWebKeySet>),
    /// They are fetched and kept for an hour.
    Fetched(Mutex<Kept>),
}

/// Fetched keys. Times are Unix milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    keys: Option<(Arc<JsonWebKeySet>, u64)>,
    /// When they were last fetched before their time, for a key id that they lack.
    hurried_at: Option<u64>,
}

impl Default for SessionKeys {
    fn default() -> Self {
        Self::Fetched(Mutex::default())
    }
}

impl Kept {
    pub(crate) fn fresh(&self, now: u64) -> Option<Arc<JsonWebKeySet>> {
        let (keys, fetched_at) = self.keys.as_ref()?;
        is_within(now, *fetched_at, HOUR_MS).then(|| keys.clone())
    }

    /// Whether the keys may be fetched before their time; if so, not again for a minute.
    pub(crate) fn may_hurry(&mut self, now: u64) -> bool {
        let rests = |at: u64| is_within(now, at, MINUTE_MS);
        if self.hurried_at.is_some_and(rests) {
            return false;
        }
        self.hurried_at = Some(now);
        true
    }

    pub(crate) fn keep(&mut self, keys: Arc<JsonWebKeySet>, now: u64) {
        self.keys = Some((keys, now));
    }
}

/// Whether less than `span` passed since `then`. A clock that was set back counts as more.
fn is_within(now: u64, then: u64, span: u64) -> bool {
    now.checked_sub(then).is_some_and(|passed| passed < span)
}

/// Session tokens; with the feature `session-token`.
impl Client {
    /// The keys that sign the instance's session tokens (`GetJWKS`): those the client was given, or
    /// else fetched, and kept for an hour.
    ///
    /// # Errors
    /// [`Error`] when they could not be fetched.
    pub async fn session_keys(&self) -> Result<Arc<JsonWebKeySet>, Error> {
        Ok(self.keys_or_fetch().await?.0)
    }

    /// Verifies a session token with the instance's keys, at the time of the client's
    /// [`Env`](crate::Env). Keys are fetched only for what could be a session token. For a key id
    /// that they lack they are fetched anew at once, but at most once a minute.
    ///
    /// # Errors
    /// [`SessionTokenError`] with what is wrong; [`SessionTokenError::Keys`] when the keys could not
    /// be fetched.
    pub async fn verify_session_token(
        &self,
        token: &str,
        policy: &SessionTokenPolicy,
    ) -> Result<SessionClaims, SessionTokenError> {
        let token = UnverifiedToken::parse(token)?;
        let unavailable = |error| SessionTokenError::Keys(Box::new(error));
        let keys = self.keys_with(token.kid()).await.map_err(unavailable)?;
        token.verify(&keys, self.env().now(), policy)
    }

    /// The same for a token of a JWT template. Such a token says who somebody is and what the template
    /// adds, and nothing of a session: it is for APIs that the owner wrote the template for.
    ///
    /// # Errors
    /// [`SessionTokenError`] with what is wrong; [`SessionTokenError::NotASessionToken`] for a
    /// session's own token too.
    pub async fn verify_template_token(
        &self,
        token: &str,
        policy: &SessionTokenPolicy,
    ) -> Result<TemplateClaims, SessionTokenError> {
        let token = UnverifiedToken::parse(token)?;
        let unavailable = |error| SessionTokenError::Keys(Box::new(error));
        let keys = self.keys_with(token.kid()).await.map_err(unavailable)?;
        token.verify_template(&keys, self.env().now(), policy)
    }

    /// The instance's keys, fetched anew if they lack this key id, but at most once a minute.
    pub(crate) async fn keys_with(&self, kid: Option<&str>) -> Result<Arc<JsonWebKeySet>, Error> {
        let (keys, just_fetched) = self.keys_or_fetch().await?;
        if keys.has(kid) || just_fetched || !self.may_hurry() {
            return Ok(keys);
        }
        self.fetch_keys().await
    }

    /// The keys, and whether they were fetched just now.
    async fn keys_or_fetch(&self) -> Result<(Arc<JsonWebKeySet>, bool), Error> {
        let kept = match self.keys() {
            SessionKeys::Given(keys) => Some(keys.clone()),
            SessionKeys::Fetched(kept) => lock(kept).fresh(self.env().now()),
        };
        match kept {
            Some(keys) => Ok((keys, false)),
            None => Ok((self.fetch_keys().await?, true)),
        }
    }

    fn may_hurry(&self) -> bool {
        match self.keys() {
            SessionKeys::Given(_) => false,
            SessionKeys::Fetched(kept) => lock(kept).may_hurry(self.env().now()),
        }
    }

    async fn fetch_keys(&self) -> Result<Arc<JsonWebKeySet>, Error> {
        let answer = self
            .send(&Request::new("GetJWKS", Method::GET, "/jwks"))
            .await?;
        let keys = JsonWebKeySet::from_json(&answer.body).map_err(|_| Error::InvalidJson {
            operation: "GetJWKS",
            status: answer.status,
            trace_id: answer.trace_id,
            preview: None,
            may_have_run: false,
        })?;
        let keys = Arc::new(keys);
        if let SessionKeys::Fetched(kept) = self.keys() {
            lock(kept).keep(keys.clone(), self.env().now());
        }
        Ok(keys)
    }
}

fn lock(kept: &Mutex<Kept>) -> std::sync::MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
