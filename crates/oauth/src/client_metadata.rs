//! What a client says about itself, be it in a registration (RFC 7591 section 2) or in the document
//! at its identifier's URL.

use serde::Deserialize;
use url::Url;

use crate::client::{Client, ClientAuthMethod, ClientId, ClientOrigin, GrantType};
use crate::redirect_uri::{RedirectUri, RedirectUriError};
use crate::scope::ScopeSet;
use crate::time::Timestamp;

const MAX_REDIRECT_URIS: usize = 20;
const MAX_NAME_CHARACTERS: usize = 200;
const MAX_LINK_BYTES: usize = 2048;
const MAX_SCOPE_BYTES: usize = 2048;

/// Client metadata as it came, not verified. Unknown members are ignored, as RFC 7591 asks.
#[derive(Deserialize)]
pub(crate) struct UnverifiedClientMetadata {
    pub(crate) client_id: Option<String>,
    redirect_uris: Option<Vec<String>>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    scope: Option<String>,
    client_secret: Option<serde::de::IgnoredAny>,
}

/// What is wrong with client metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientMetadataFault {
    /// It is no JSON object of the right types.
    #[error("the client metadata is not the JSON object it should be: {0}")]
    Json(String),
    /// There is no redirect URI.
    #[error("`redirect_uris` is missing or empty\nhint: name at least one")]
    NoRedirectUri,
    /// There are too many redirect URIs.
    #[error("`redirect_uris` has more than 20 entries")]
    TooManyRedirectUris,
    /// A redirect URI is refused.
    #[error("redirect URI {position}: {fault}")]
    RedirectUri {
        /// Which one, counted from 1.
        position: usize,
        /// What is wrong with it.
        fault: RedirectUriError,
    },
    /// The name is too long.
    #[error("`client_name` has more than 200 characters")]
    LongName,
    /// A link that is no http(s) URL.
    #[error("`{0}` is no `http` or `https` URL of at most 2,048 bytes")]
    Link(&'static str),
    /// An authentication method that is not offered.
    #[error("`token_endpoint_auth_method` is not supported\nhint: {hint}")]
    AuthMethod {
        /// What is supported.
        hint: &'static str,
    },
    /// No grant type that begins anything here.
    #[error("`grant_types` lacks `authorization_code`, the only way to begin here")]
    GrantTypes,
    /// A response type other than `code` alone.
    #[error("`response_types` lacks `code`, the only one here")]
    ResponseTypes,
    /// No scope, or one that RFC 6749 forbids.
    #[error("`scope` is not a list of scopes separated by spaces, of at most 2,048 bytes")]
    Scope,
    /// A secret in a document that everybody can read.
    #[error("a public document cannot hold `client_secret`")]
    PublicSecret,
}

/// Whose metadata is read. The defaults and the methods differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A registration. Without a word about it a client uses HTTP Basic (RFC 7591 section 2).
    Registration,
    /// A Client ID Metadata Document, which anybody can read: no secret can be shared.
    Document,
}

impl UnverifiedClientMetadata {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, ClientMetadataFault> {
        // The parser's message can quote the input; it says where, and what was expected.
        serde_json::from_slice(json).map_err(|error| {
            ClientMetadataFault::Json(format!(
                "{:?} error at line {}, column {}",
                error.classify(),
                error.line(),
                error.column()
            ))
        })
    }

    /// The client that this describes, without a secret and without an end.
    pub(crate) fn verify(
        self,
        source: Source,
        id: ClientId,
        private_use_schemes: &[String],
        now: Timestamp,
    ) -> Result<Client, ClientMetadataFault> {
        if source == Source::Document && self.client_secret.is_some() {
            return Err(ClientMetadataFault::PublicSecret);
        }
        let auth = auth_method(self.token_endpoint_auth_method.as_deref(), source)?;
        let name = self.client_name.filter(|name| !name.trim().is_empty());
        if name
            .as_ref()
            .is_some_and(|name| name.chars().count() > MAX_NAME_CHARACTERS)
        {
            return Err(ClientMetadataFault::LongName);
        }
        let code = |types: Vec<String>| types.iter().any(|one| one == "code");
        if !self.response_types.is_none_or(code) {
            return Err(ClientMetadataFault::ResponseTypes);
        }
        Ok(Client {
            id,
            origin: match source {
                Source::Registration => ClientOrigin::Registered,
                Source::Document => ClientOrigin::MetadataDocument,
            },
            name,
            client_uri: link("client_uri", self.client_uri)?,
            logo_uri: link("logo_uri", self.logo_uri)?,
            policy_uri: link("policy_uri", self.policy_uri)?,
            tos_uri: link("tos_uri", self.tos_uri)?,
            redirect_uris: redirect_uris(self.redirect_uris, private_use_schemes)?,
            auth,
            secret: None,
            scope: scope(self.scope)?,
            grant_types: grant_types(self.grant_types)?,
            created_at: now,
            expires_at: None,
        })
    }
}

fn auth_method(
    method: Option<&str>,
    source: Source,
) -> Result<ClientAuthMethod, ClientMetadataFault> {
    match (method, source) {
        (Some("none"), _) | (None, Source::Document) => Ok(ClientAuthMethod::None),
        (None | Some("client_secret_basic"), Source::Registration) => {
            Ok(ClientAuthMethod::ClientSecretBasic)
        }
        (Some("client_secret_post"), Source::Registration) => {
            Ok(ClientAuthMethod::ClientSecretPost)
        }
        (_, Source::Registration) => Err(ClientMetadataFault::AuthMethod {
            hint: "`none`, `client_secret_basic` or `client_secret_post`",
        }),
        (_, Source::Document) => Err(ClientMetadataFault::AuthMethod { hint: "`none`" }),
    }
}

fn redirect_uris(
    uris: Option<Vec<String>>,
    private_use_schemes: &[String],
) -> Result<Vec<String>, ClientMetadataFault> {
    let uris = uris.unwrap_or_default();
    if uris.is_empty() {
        return Err(ClientMetadataFault::NoRedirectUri);
    }
    if uris.len() > MAX_REDIRECT_URIS {
        return Err(ClientMetadataFault::TooManyRedirectUris);
    }
    for (index, uri) in uris.iter().enumerate() {
        RedirectUri::parse(uri, private_use_schemes).map_err(|fault| {
            ClientMetadataFault::RedirectUri {
                position: index + 1,
                fault,
            }
        })?;
    }
    Ok(uris)
}

fn link(name: &'static str, link: Option<String>) -> Result<Option<String>, ClientMetadataFault> {
    let Some(text) = link.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let web = |url: Url| matches!(url.scheme(), "http" | "https").then(|| url.to_string());
    let short = text.len() <= MAX_LINK_BYTES;
    // As the parser writes it: what a page shows is then what the browser opens.
    match short
        .then(|| Url::parse(&text).ok())
        .flatten()
        .and_then(web)
    {
        Some(url) => Ok(Some(url)),
        None => Err(ClientMetadataFault::Link(name)),
    }
}

/// Those that are known here. RFC 7591 lets a server leave out the others; the answer says so.
fn grant_types(types: Option<Vec<String>>) -> Result<Vec<GrantType>, ClientMetadataFault> {
    let Some(types) = types else {
        return Ok(vec![GrantType::AuthorizationCode]);
    };
    let has = |name: &str| types.iter().any(|one| one == name);
    if !has("authorization_code") {
        return Err(ClientMetadataFault::GrantTypes);
    }
    let refresh = has("refresh_token").then_some(GrantType::RefreshToken);
    Ok([GrantType::AuthorizationCode]
        .into_iter()
        .chain(refresh)
        .collect())
}

fn scope(scope: Option<String>) -> Result<Option<ScopeSet>, ClientMetadataFault> {
    let Some(text) = scope.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.len() > MAX_SCOPE_BYTES {
        return Err(ClientMetadataFault::Scope);
    }
    let set = ScopeSet::parse(&text).ok_or(ClientMetadataFault::Scope)?;
    Ok((!set.is_empty()).then_some(set))
}
