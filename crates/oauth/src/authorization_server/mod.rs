//! The authorization server: its endpoints as functions of requests, time and randomness over a
//! [`Store`]. Each method is what one HTTP route does, without the HTTP.

mod authorization_endpoint;
mod callback;
mod client_assertions;
mod own_page;
mod person_cookie;
mod protected_resource;
mod registration;
mod revocation;
mod token_endpoint;

use std::fmt;
use std::sync::Arc;

use crate::authorization::{AuthorizationFault, AuthorizationId};
use crate::client::{Client, ClientId};
use crate::client_keys::KeySets;
use crate::client_metadata_document::{
    self as document, DocumentFault, FetchDocument, is_document_url,
};
use crate::settings::{Settings, SettingsError};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

pub use authorization_endpoint::{Answer, Next};
pub use callback::{Callback, SignInFailure};
pub use own_page::{Allowed, Forget, Forgotten, Remembered, Visitor};
pub use protected_resource::{Access, BearerFault, ProtectedResource};
pub use registration::{MAX_REGISTRATION_BYTES, RegistrationError, RegistrationResponse};
pub use token_endpoint::{RefreshCheck, RefreshRefusal, TokenResponse};

/// An OAuth 2.1 authorization server for one protected resource.
#[derive(Clone)]
pub struct AuthorizationServer {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    key_sets: Arc<KeySets>,
}

impl AuthorizationServer {
    /// A server over `store`.
    ///
    /// # Errors
    /// [`SettingsError`] when a configured client makes no sense.
    pub fn new(settings: Settings, store: Arc<dyn Store>) -> Result<Self, SettingsError> {
        settings.check_clients()?;
        Ok(Self {
            settings: Arc::new(settings),
            store,
            key_sets: Arc::default(),
        })
    }

    /// How it is set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it keeps.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Where clients get their tokens.
    fn token_endpoint(&self) -> String {
        format!("{}/token", self.settings.issuer())
    }

    /// The client of this identifier, for the authorization endpoint: a metadata document that is
    /// not fresh is fetched.
    async fn client_at_authorize(
        &self,
        id: &ClientId,
        fetch: &dyn FetchDocument,
        now: Timestamp,
    ) -> Result<Option<Client>, ClientLookupFault> {
        if !self.is_by_document(id) {
            return Ok(self.known_client(id, now).await?);
        }
        let url = document::document_url(id)?;
        let kept = self.store.client_document(id).await?;
        if let Some(kept) = kept.filter(|kept| !kept.fresh_until.has_passed(now)) {
            return Ok(Some(kept.client));
        }
        let fetched = fetch.fetch(&url).await.map_err(DocumentFault::from)?;
        let read = document::read(id, &fetched, &self.settings.private_use_schemes, now)?;
        self.store.put_client_document(&read).await?;
        Ok(Some(read.client))
    }

    /// The client of this identifier, for the token and revocation endpoints. A metadata document is
    /// taken as it was kept, fresh or not: where codes may go was decided at the authorization
    /// endpoint, a public client's document says nothing else that matters here, and a client whose
    /// host is down can go on refreshing. One that comes with an assertion is looked up by
    /// `client_with_keys`.
    async fn known_client(
        &self,
        id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Client>, StoreError> {
        let configured = self.settings.clients.iter().find(|client| client.id == *id);
        if let Some(client) = configured {
            return Ok(Some(client.clone()));
        }
        if self.is_by_document(id) {
            return Ok(self
                .store
                .client_document(id)
                .await?
                .map(|kept| kept.client));
        }
        self.store.client(id, now).await
    }

    /// Whether the identifier is the URL of a metadata document, and such clients are let in.
    fn is_by_document(&self, id: &ClientId) -> bool {
        let configured = || self.settings.clients.iter().any(|client| client.id == *id);
        self.settings.client_documents && is_document_url(id) && !configured()
    }
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizationServer")
            .finish_non_exhaustive()
    }
}

/// Why a client could not be looked up.
enum ClientLookupFault {
    Document(DocumentFault),
    Store(StoreError),
}

impl From<DocumentFault> for ClientLookupFault {
    fn from(fault: DocumentFault) -> Self {
        Self::Document(fault)
    }
}

impl From<StoreError> for ClientLookupFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why a person's step towards an authorization is refused. A page shows it; nothing is redirected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepFault {
    /// The authorization does not allow it.
    #[error(transparent)]
    Authorization(#[from] AuthorizationFault),
    /// `state` was not made here.
    #[error("the link was not made by this server\nhint: start again from your MCP client")]
    State,
    /// The same link is being worked on by another request of this browser.
    #[error("the sign-in is being finished\nhint: wait a moment and reload")]
    InProgress,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StepFault {
    /// The status of the page that shows it.
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::Authorization(AuthorizationFault::Unknown) => http::StatusCode::NOT_FOUND,
            Self::Authorization(AuthorizationFault::OtherBrowser) => http::StatusCode::FORBIDDEN,
            Self::Authorization(AuthorizationFault::Expired) => http::StatusCode::GONE,
            Self::Authorization(AuthorizationFault::OtherScopes) | Self::State => {
                http::StatusCode::BAD_REQUEST
            }
            Self::Authorization(AuthorizationFault::AlreadyUsed) | Self::InProgress => {
                http::StatusCode::CONFLICT
            }
            Self::Store(StoreError::Unavailable { .. }) => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(StoreError::Corrupt { .. }) => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Reads a form's handle.
fn authorization_id(handle: &str) -> Result<AuthorizationId, AuthorizationFault> {
    AuthorizationId::parse(handle).ok_or(AuthorizationFault::Unknown)
}
