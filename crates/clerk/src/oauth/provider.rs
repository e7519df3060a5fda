use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderValue;
use http::header::ACCEPT;
use serde_json::Value;

use super::authorization::AuthorizationRequest;
use super::client::OAuthClient;
use super::error::{OAuthError, OAuthStep};
use super::frontend_api::FrontendApi;
use super::id_token::{self, ExpectedIdToken, IdTokenClaims, IdTokenError};
use super::metadata::ProviderMetadata;
use super::secret::Secret;
use super::token_endpoint::{Exchange, TokenTypeHint, token_set};
use super::token_set::TokenSet;
use crate::session_token::{JsonWebKeySet, Kept};
use crate::transport::Transport;

/// How long metadata is used before it is read anew.
const METADATA_LIFETIME_MS: u64 = 60 * 60 * 1_000;

/// Where the provider's metadata is, the first that answers (RFC 8414 section 3, OpenID Connect
/// Discovery section 4).
const WELL_KNOWN: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

/// Clerk's OAuth provider, as one [`OAuthClient`] sees it.
///
/// It keeps the metadata and the keys for an hour each. For a key id that the keys lack they are read
/// anew at once, but at most once a minute. Times are Unix milliseconds.
pub struct Provider {
    frontend_api: FrontendApi,
    client: OAuthClient,
    transport: Arc<dyn Transport>,
    metadata: Mutex<Option<(Arc<ProviderMetadata>, u64)>>,
    keys: Mutex<Kept>,
}

impl Provider {
    /// The provider at `frontend_api`. Sends nothing.
    pub fn new(
        frontend_api: FrontendApi,
        client: OAuthClient,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            frontend_api,
            client,
            transport,
            metadata: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    /// Who we are to the provider.
    pub fn client(&self) -> &OAuthClient {
        &self.client
    }

    /// Where the provider is, and who issues its ID tokens.
    pub fn frontend_api(&self) -> &FrontendApi {
        &self.frontend_api
    }

    /// What the provider says about itself, read at first and after an hour. While it cannot be read
    /// anew, what it said before still counts.
    ///
    /// # Errors
    /// [`OAuthError`] when it could not be read, or is not to be relied on.
    pub async fn metadata(&self, now_ms: u64) -> Result<Arc<ProviderMetadata>, OAuthError> {
        let kept = lock(&self.metadata).clone();
        if let Some((metadata, read_at)) = &kept
            && now_ms
                .checked_sub(*read_at)
                .is_some_and(|passed| passed < METADATA_LIFETIME_MS)
        {
            return Ok(metadata.clone());
        }
        match (self.discover().await, kept) {
            (Ok(metadata), _) => {
                let metadata = Arc::new(metadata);
                *lock(&self.metadata) = Some((metadata.clone(), now_ms));
                Ok(metadata)
            }
            (Err(error), Some((metadata, _))) if error.is_unavailable() => Ok(metadata),
            (Err(error), _) => Err(error),
        }
    }

    /// Where to send the person's browser.
    ///
    /// # Errors
    /// As [`Provider::metadata`].
    pub async fn authorization_url(
        &self,
        request: &AuthorizationRequest<'_>,
        now_ms: u64,
    ) -> Result<String, OAuthError> {
        let metadata = self.metadata(now_ms).await?;
        Ok(metadata.authorization_url(&self.client, request))
    }

    /// Redeems the code of a callback (RFC 6749 section 4.1.3, RFC 7636 section 4.5). The verifier is
    /// sent with and without a client secret: whoever sent a challenge must.
    ///
    /// # Errors
    /// [`OAuthError`]. After [`OAuthError::Unavailable`] the code may be spent.
    pub async fn redeem_code(
        &self,
        code: &Secret,
        code_verifier: &str,
        now_ms: u64,
    ) -> Result<TokenSet, OAuthError> {
        let secrets = [code.expose(), code_verifier];
        let exchange = self.exchange(OAuthStep::CodeRedemption, &secrets);
        let endpoint = &self.metadata(now_ms).await?.token_endpoint;
        let parameters = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", self.client.redirect_uri()),
            ("code_verifier", code_verifier),
        ];
        let answer = self.post(&exchange, endpoint, &parameters).await?;
        token_set(&exchange, &exchange.json(&answer)?, None, now_ms)
    }

    /// Gets new tokens (RFC 6749 section 6). One at a time for each grant: see the
    /// [module](super).
    ///
    /// # Errors
    /// [`OAuthError`]; the grant has ended when it [says so](OAuthError::is_dead_refresh_token).
    pub async fn refresh(
        &self,
        refresh_token: &Secret,
        now_ms: u64,
    ) -> Result<TokenSet, OAuthError> {
        let secrets = [refresh_token.expose()];
        let exchange = self.exchange(OAuthStep::Refresh, &secrets);
        let endpoint = &self.metadata(now_ms).await?.token_endpoint;
        let parameters = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        let answer = self.post(&exchange, endpoint, &parameters).await?;
        token_set(
            &exchange,
            &exchange.json(&answer)?,
            Some(refresh_token),
            now_ms,
        )
    }

    /// Revokes a token (RFC 7009). One that is not known is revoked already. Does nothing when the
    /// provider revokes no tokens.
    ///
    /// # Errors
    /// [`OAuthError`].
    pub async fn revoke(
        &self,
        token: &Secret,
        hint: TokenTypeHint,
        now_ms: u64,
    ) -> Result<(), OAuthError> {
        let secrets = [token.expose()];
        let exchange = self.exchange(OAuthStep::Revocation, &secrets);
        let metadata = self.metadata(now_ms).await?;
        let Some(endpoint) = &metadata.revocation_endpoint else {
            return Ok(());
        };
        let parameters = [
            ("token", token.expose()),
            ("token_type_hint", hint.as_str()),
        ];
        let answer = self.post(&exchange, endpoint, &parameters).await?;
        exchange.success(&answer).map(|_| ())
    }

    /// Who signed in: the claims of the ID token in `tokens`, which the sign-in with `nonce` brought.
    /// The clocks may differ by `leeway_ms`.
    ///
    /// # Errors
    /// [`OAuthError::IdToken`] when there is none or it is not to be believed; others when the keys
    /// could not be read.
    pub async fn verify_id_token(
        &self,
        tokens: &TokenSet,
        nonce: &str,
        leeway_ms: u64,
        now_ms: u64,
    ) -> Result<IdTokenClaims, OAuthError> {
        let token = tokens.id_token.as_ref().ok_or(IdTokenError::Absent)?;
        let kid = id_token::key_id(token.expose())?;
        let keys = self.keys(kid.as_deref(), now_ms).await?;
        let expected = ExpectedIdToken {
            issuer: self.frontend_api.as_str(),
            client_id: self.client.client_id(),
            nonce,
            leeway_ms,
        };
        Ok(id_token::verify_id_token(
            &keys,
            token.expose(),
            now_ms,
            &expected,
        )?)
    }

    /// The keys that sign ID tokens; for a key id that they lack, read anew at most once a minute.
    async fn keys(&self, kid: Option<&str>, now_ms: u64) -> Result<Arc<JsonWebKeySet>, OAuthError> {
        let kept = lock(&self.keys).fresh(now_ms);
        if let Some(keys) = kept
            && (keys.has(kid) || !lock(&self.keys).may_hurry(now_ms))
        {
            return Ok(keys);
        }
        let exchange = self.exchange(OAuthStep::Keys, &[]);
        let address = &self.metadata(now_ms).await?.jwks_uri;
        let answer = self.get(&exchange, address).await?;
        let keys = JsonWebKeySet::from_json(&exchange.json(&answer)?)
            .map_err(|_| exchange.protocol("it is no JSON Web Key Set".to_owned()))?;
        let keys = Arc::new(keys);
        lock(&self.keys).keep(keys.clone(), now_ms);
        Ok(keys)
    }

    async fn discover(&self) -> Result<ProviderMetadata, OAuthError> {
        let exchange = self.exchange(OAuthStep::Discovery, &[]);
        let [first, second] = WELL_KNOWN.map(|path| format!("{}{path}", self.frontend_api));
        let mut answer = self.get(&exchange, &first).await?;
        if answer.status() == http::StatusCode::NOT_FOUND {
            answer = self.get(&exchange, &second).await?;
        }
        let metadata: Value = match answer.status().as_u16() {
            404 => return Err(exchange.protocol("there is none (404)".to_owned())),
            _ => exchange.json(&answer)?,
        };
        ProviderMetadata::from_json(&metadata, &self.frontend_api)
    }

    fn exchange<'a>(&'a self, step: OAuthStep, secrets: &'a [&'a str]) -> Exchange<'a> {
        Exchange {
            step,
            client: &self.client,
            secrets,
        }
    }

    async fn get(
        &self,
        exchange: &Exchange<'_>,
        address: &str,
    ) -> Result<http::Response<Bytes>, OAuthError> {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = address
            .parse()
            .map_err(|_| exchange.protocol("its address is no URL".to_owned()))?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json);
        self.send(exchange, request).await
    }

    async fn post(
        &self,
        exchange: &Exchange<'_>,
        endpoint: &str,
        parameters: &[(&str, &str)],
    ) -> Result<http::Response<Bytes>, OAuthError> {
        let request = self
            .client
            .form(endpoint, parameters)
            .ok_or_else(|| exchange.protocol("its address is no URL".to_owned()))?;
        self.send(exchange, request).await
    }

    async fn send(
        &self,
        exchange: &Exchange<'_>,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, OAuthError> {
        let sent = self.transport.send(request).await;
        sent.map_err(|error| exchange.unreachable(error))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("frontend_api", &self.frontend_api.as_str())
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
