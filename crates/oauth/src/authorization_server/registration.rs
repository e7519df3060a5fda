//! Dynamic client registration (RFC 7591).

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::base64url;
use crate::client::{Client, ClientAuthMethod, ClientId, Fingerprint};
use crate::client_metadata::{ClientMetadataFault, Source, UnverifiedClientMetadata};
use crate::environment::{Random, random_bytes};
use crate::error::{ErrorResponse, json_response};
use crate::store::{Registered, StoreError};
use crate::time::Timestamp;
use crate::token::{PlainToken, TokenKind};

use super::AuthorizationServer;

/// The largest registration that is read.
pub const MAX_REGISTRATION_BYTES: usize = 16 * 1024;

/// Why a registration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The owner switched it off.
    #[error("clients cannot register here\nhint: ask the server's owner for a client identifier")]
    SwitchedOff,
    /// The document is too large.
    #[error("the registration is larger than 16 KB")]
    TooLarge,
    /// What it says is refused.
    #[error(transparent)]
    Metadata(#[from] ClientMetadataFault),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RegistrationError {
    /// The error on the wire (RFC 7591 section 3.2.2).
    pub fn response(&self) -> ErrorResponse {
        let (status, code) = match self {
            Self::SwitchedOff => (StatusCode::FORBIDDEN, "access_denied"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_client_metadata"),
            Self::Metadata(
                ClientMetadataFault::NoRedirectUri
                | ClientMetadataFault::TooManyRedirectUris
                | ClientMetadataFault::RedirectUri { .. },
            ) => (StatusCode::BAD_REQUEST, "invalid_redirect_uri"),
            Self::Metadata(_) => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
            Self::Store(error) => return ErrorResponse::store(error),
        };
        ErrorResponse::of(status, code, self.to_string())
    }
}

/// A client that is registered now.
#[derive(Debug, Clone)]
pub struct RegistrationResponse {
    /// The client.
    pub client: Client,
    /// Its secret, told this one time.
    pub secret: Option<PlainToken>,
}

impl RegistrationResponse {
    /// The JSON body (RFC 7591 section 3.2.1). It holds the secret.
    pub fn body(&self) -> Value {
        let client = &self.client;
        let mut body = json!({
            "client_id": client.id,
            "client_id_issued_at": client.created_at.seconds(),
            "redirect_uris": client.redirect_uris,
            "token_endpoint_auth_method": client.auth,
            "grant_types": client.grant_types,
            "response_types": ["code"],
        });
        if let Some(secret) = &self.secret {
            body["client_secret"] = secret.reveal().into();
            // 0 is for ever: a client that is not used is forgotten as a whole.
            body["client_secret_expires_at"] = 0.into();
        }
        let scope = client.scope.as_ref().map(ToString::to_string);
        for (name, value) in [
            ("client_name", &client.name),
            ("client_uri", &client.client_uri),
            ("logo_uri", &client.logo_uri),
            ("policy_uri", &client.policy_uri),
            ("tos_uri", &client.tos_uri),
            ("scope", &scope),
        ] {
            if let Some(value) = value {
                body[name] = value.as_str().into();
            }
        }
        body
    }

    /// The whole answer: JSON, never cached.
    pub fn into_http(self) -> http::Response<String> {
        json_response(StatusCode::CREATED, &self.body())
    }
}

impl AuthorizationServer {
    /// Registers the client that the JSON document `body` describes. The same document of a public
    /// client is the same client again, as long as it is kept; a client with a secret is always new,
    /// for its secret is told once.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub async fn register(
        &self,
        body: &[u8],
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<RegistrationResponse, RegistrationError> {
        if !self.settings.registration {
            return Err(RegistrationError::SwitchedOff);
        }
        if body.len() > MAX_REGISTRATION_BYTES {
            return Err(RegistrationError::TooLarge);
        }
        let id = ClientId(base64url::encode(&random_bytes::<16>(random)));
        let metadata = UnverifiedClientMetadata::parse(body)?;
        let schemes = &self.settings.private_use_schemes;
        let mut client = metadata.verify(Source::Registration, id, schemes, now)?;
        client.expires_at = Some(self.client_kept_until(now));
        let secret = (client.auth != ClientAuthMethod::None)
            .then(|| PlainToken::generate(TokenKind::ClientSecret, random));
        client.secret = secret.as_ref().map(PlainToken::hash);
        let fingerprint = secret.is_none().then(|| fingerprint(&client));
        match self
            .store
            .register_client(&client, fingerprint, now)
            .await?
        {
            Registered::New => Ok(RegistrationResponse { client, secret }),
            Registered::Existing(client) => Ok(RegistrationResponse {
                client,
                secret: None,
            }),
        }
    }
}

/// Everything that the document said, and nothing else.
fn fingerprint(client: &Client) -> Fingerprint {
    let said = json!([
        client.name,
        client.client_uri,
        client.logo_uri,
        client.policy_uri,
        client.tos_uri,
        client.redirect_uris,
        client.auth,
        client.scope,
        client.grant_types,
    ]);
    Fingerprint(Sha256::digest(said.to_string().as_bytes()).into())
}
