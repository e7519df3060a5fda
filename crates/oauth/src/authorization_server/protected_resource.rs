//! The protected resource's side: which access tokens count, and what is answered to others
//! (RFC 6750, RFC 9728).

use http::StatusCode;
use serde_json::{Value, json};

use crate::environment::Random;
use crate::error::{ErrorResponse, wire_text};
use crate::grant::Grant;
use crate::json_web_key::SigningAlgorithm;
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::seal::GrantKey;
use crate::settings::Settings;
use crate::store::{StoreError, UpstreamUpdate};
use crate::time::Timestamp;
use crate::token::{PlainToken, TokenHash, TokenKind};

use super::AuthorizationServer;

/// Proof that a request carries a live access token for this resource. Only while one of these
/// exists can what the grant keeps be read.
#[derive(Debug, Clone)]
pub struct Access {
    /// The grant.
    pub grant: Grant,
    /// What the token is good for.
    pub scopes: ScopeSet,
    /// When the token is over.
    pub expires_at: Timestamp,
    /// The token's hash, which names it in caches.
    pub token: TokenHash,
    key: GrantKey,
}

impl Access {
    /// What the grant keeps, opened: what Clerk gave. `None` when there is nothing.
    pub fn open_upstream(&self) -> Option<Vec<u8>> {
        self.key.open(self.grant.upstream.as_ref()?, &self.grant.id)
    }

    /// What the grant is to keep from now on, sealed: here alone, until
    /// [`AuthorizationServer::keep_upstream`].
    pub fn replace_upstream(&mut self, upstream: &[u8], random: &dyn Random) {
        self.grant.upstream = Some(self.key.seal(upstream, &self.grant.id, random));
    }

    /// Whether the token is good for all of `needed`.
    ///
    /// # Errors
    /// [`BearerFault::InsufficientScope`] names all scopes to ask for: those needed and those that
    /// the token has, for a client replaces its token by the new one.
    pub fn require(&self, needed: &ScopeSet) -> Result<(), BearerFault> {
        match self.scopes.covers(needed) {
            true => Ok(()),
            false => Err(BearerFault::InsufficientScope(self.scopes.union(needed))),
        }
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BearerFault {
    /// It carries no bearer token.
    #[error("no access token\nhint: send `Authorization: Bearer <token>`")]
    Missing,
    /// Its token is unknown, expired, revoked or for another resource. Which one is nobody's business.
    #[error("the access token is not valid (any more)\nhint: refresh it, or sign in again")]
    Invalid,
    /// Its token is not good for this. These scopes are to be asked for, all of them.
    #[error("the access token lacks a scope\nhint: ask for `{0}`")]
    InsufficientScope(ScopeSet),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthorizationServer {
    /// Checks the bearer token of a request to the protected resource.
    ///
    /// # Errors
    /// [`BearerFault`]; [`AuthorizationServer::challenge`] makes the answer of it.
    pub async fn check_access_token(
        &self,
        token: &PlainToken,
        now: Timestamp,
    ) -> Result<Access, BearerFault> {
        // What does not look like one of ours needs no look-up.
        if !token.is(TokenKind::AccessToken) {
            return Err(BearerFault::Invalid);
        }
        let found = self.store.access_token(token.hash(), now).await?;
        let (record, grant) = found.ok_or(BearerFault::Invalid)?;
        if grant.resource != *self.settings.resource() {
            return Err(BearerFault::Invalid);
        }
        let key = GrantKey::unwrap(&record.wrapped, token, &grant.id, &self.settings.keys)
            .ok_or(BearerFault::Invalid)?;
        let (scopes, expires_at) = (record.scopes, record.expires_at);
        Ok(Access {
            grant,
            scopes,
            expires_at,
            token: record.hash,
            key,
        })
    }

    /// Keeps what [`Access::replace_upstream`] has put there, if nobody else was faster; then `access`
    /// has the new version. Nothing is kept when there is nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_upstream(
        &self,
        access: &mut Access,
        now: Timestamp,
    ) -> Result<UpstreamUpdate, StoreError> {
        let grant = &mut access.grant;
        let version = grant.upstream_version;
        let Some(sealed) = &grant.upstream else {
            return Ok(UpstreamUpdate::Updated { version });
        };
        let update = self
            .store
            .update_upstream(&grant.id, version, sealed, now)
            .await?;
        if let UpstreamUpdate::Updated { version } = update {
            grant.upstream_version = version;
        }
        Ok(update)
    }

    /// The same proof with the grant as it is kept now; `None` when that is over. The token may have
    /// expired meanwhile: it was live when the request came.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn check_again(
        &self,
        access: &Access,
        now: Timestamp,
    ) -> Result<Option<Access>, StoreError> {
        let grant = self.store.grant(&access.grant.id).await?;
        let live = grant.filter(|grant| grant.is_live(now));
        Ok(live.map(|grant| Access {
            grant,
            ..access.clone()
        }))
    }

    /// The resource whose tokens this server issues.
    pub fn protected_resource(&self) -> ProtectedResource {
        let supported = self.scopes_supported().map(str::to_owned).collect();
        let first = self.settings.scopes.first().clone();
        ProtectedResource::new(&self.settings, self.settings.issuer(), first, supported)
    }

    /// [`ProtectedResource::challenge`] of [`AuthorizationServer::protected_resource`].
    pub fn challenge(&self, fault: &BearerFault, path: &str) -> ErrorResponse {
        self.protected_resource().challenge(fault, path)
    }

    /// [`ProtectedResource::metadata`] of [`AuthorizationServer::protected_resource`].
    pub fn protected_resource_metadata(&self, path: &str) -> Option<Value> {
        self.protected_resource().metadata(path)
    }

    /// The authorization server's metadata (RFC 8414).
    pub fn metadata(&self) -> Value {
        let issuer = self.settings.issuer();
        let at = |path: &str| format!("{issuer}{path}");
        let mut methods = vec!["none", "client_secret_basic", "client_secret_post"];
        if self.takes_assertions() {
            methods.push("private_key_jwt");
        }
        let mut metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": self.token_endpoint(),
            "revocation_endpoint": at("/revoke"),
            "scopes_supported": self.scopes_supported().collect::<Vec<_>>(),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": self.settings.client_documents,
            "protected_resources": [self.settings.resource().as_str()],
        });
        if self.takes_assertions() {
            let algorithms = SigningAlgorithm::ALL.map(SigningAlgorithm::as_str);
            for endpoint in ["token", "revocation"] {
                let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
                metadata[name] = algorithms.as_slice().into();
            }
        }
        if self.settings.registration {
            metadata["registration_endpoint"] = at("/register").into();
        }
        metadata
    }

    /// Whether there can be a client that authenticates by assertion.
    fn takes_assertions(&self) -> bool {
        let mut configured = self.settings.clients.iter();
        self.settings.client_documents || configured.any(|client| client.assertion_keys.is_some())
    }

    fn scopes_supported(&self) -> impl Iterator<Item = &str> {
        let offered = self.settings.scopes.offered().iter();
        offered.map(|definition| definition.value.as_str())
    }
}

/// What clients are told of a protected resource: who issues its tokens, and which scopes to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// The resource itself, then its other addresses.
    addresses: Vec<Address>,
    authorization_server: String,
    first: ScopeSet,
    supported: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    /// Without a slash at its end.
    path: String,
    resource: Resource,
    metadata_url: String,
}

impl ProtectedResource {
    /// The resource of `settings`, whose tokens `issuer` issues. It is asked for the scopes `first`
    /// when nobody is signed in; `supported` are all that make a difference here. Either may be
    /// empty: then nothing is said of scopes.
    pub fn new(settings: &Settings, issuer: &str, first: ScopeSet, supported: Vec<String>) -> Self {
        let addresses = settings.addresses().map(|(path, resource)| Address {
            path,
            metadata_url: settings.resource_metadata_url(resource),
            resource: resource.clone(),
        });
        Self {
            addresses: addresses.collect(),
            authorization_server: issuer.trim_end_matches('/').to_owned(),
            first,
            supported,
        }
    }

    fn at(&self, path: &str) -> Option<&Address> {
        self.addresses.iter().find(|address| address.path == path)
    }

    /// The answer to a request that is not let in, with its `WWW-Authenticate` (RFC 6750 section 3,
    /// RFC 9728 section 5.1): where the metadata of the resource is, by the address at `path`, and
    /// which scopes to ask for.
    pub fn challenge(&self, fault: &BearerFault, path: &str) -> ErrorResponse {
        let scopes = match fault {
            BearerFault::InsufficientScope(scopes) => scopes,
            _ => &self.first,
        };
        let (status, code) = match fault {
            // RFC 6750 section 3.1: without a token there is no error to tell.
            BearerFault::Missing => (StatusCode::UNAUTHORIZED, None),
            BearerFault::Invalid => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
            BearerFault::InsufficientScope(_) => {
                (StatusCode::FORBIDDEN, Some("insufficient_scope"))
            }
            BearerFault::Store(error) => return ErrorResponse::store(error),
        };
        let description = fault.to_string();
        let told = code.map(|code| {
            format!(
                "error={}, error_description={}, ",
                quoted(code),
                quoted(&description)
            )
        });
        // RFC 6750 section 3: `scope` is optional, and must not be empty.
        let asked = match scopes.is_empty() {
            true => String::new(),
            false => format!("scope={}, ", quoted(&scopes.to_string())),
        };
        let address = self.at(path).or(self.addresses.first());
        let metadata_url = address.map_or("", |address| &address.metadata_url);
        let challenge = format!(
            "Bearer {}{asked}resource_metadata={}",
            told.unwrap_or_default(),
            quoted(metadata_url)
        );
        let answer = ErrorResponse::of(status, code.unwrap_or("unauthorized"), description);
        ErrorResponse {
            www_authenticate: Some(challenge),
            ..answer
        }
    }

    /// The protected resource's metadata (RFC 9728) by its address at `path`; the root form is that of
    /// the resource itself. `None` when the resource has no address there.
    pub fn metadata(&self, path: &str) -> Option<Value> {
        let address = match path {
            "" => self.addresses.first()?,
            path => self.at(path)?,
        };
        let mut metadata = json!({
            "resource": address.resource.as_str(),
            "authorization_servers": [self.authorization_server],
            "bearer_methods_supported": ["header"],
        });
        if !self.supported.is_empty() {
            metadata["scopes_supported"] = json!(self.supported);
        }
        Some(metadata)
    }
}

/// A quoted-string (RFC 9110 section 5.6.4) without anything that would need escaping in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", wire_text(text))
}
