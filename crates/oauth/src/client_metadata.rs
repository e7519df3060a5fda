//! What a client says about itself, be it in a registration (RFC 7591 section 2) or in the document
//! at its identifier's URL.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::client::{Client, ClientAuthMethod, ClientId, ClientOrigin, GrantType};
use crate::client_keys::{AssertionKeys, KeySource};
use crate::json_web_key::{KeySet, KeySetFault, SigningAlgorithm};
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
    /// In a document, which every server reads, a client can offer several (OpenID Connect Relying
    /// Party Metadata Choices); then the single one does not count.
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_signing_alg: Option<String>,
    token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
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
    /// An algorithm for assertions that is not offered.
    #[error("`token_endpoint_auth_signing_alg` is not supported\nhint: RS256 or ES256")]
    SigningAlgorithm,
    /// Assertions, but nothing to check them with, or two things.
    #[error("`private_key_jwt` needs the client's keys\nhint: either `jwks` or `jwks_uri`")]
    KeySource,
    /// Keys at a URL that is not fetched.
    #[error(
        "`jwks_uri` is no URL of a key set\nhint: `https`, no user name, no fragment, at most 2,048 bytes"
    )]
    KeySetUrl,
    /// Keys that cannot be used.
    #[error("`jwks`: {0}")]
    KeySet(#[from] KeySetFault),
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
        let (auth, assertion_keys) = match source {
            Source::Registration => (self.registered_method()?, None),
            Source::Document => self.published_methods()?,
        };
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
            assertion_keys,
            secret: None,
            scope: scope(self.scope)?,
            grant_types: grant_types(self.grant_types)?,
            created_at: now,
            expires_at: None,
        })
    }

    fn registered_method(&self) -> Result<ClientAuthMethod, ClientMetadataFault> {
        match self.token_endpoint_auth_method.as_deref() {
            Some("none") => Ok(ClientAuthMethod::None),
            None | Some("client_secret_basic") => Ok(ClientAuthMethod::ClientSecretBasic),
            Some("client_secret_post") => Ok(ClientAuthMethod::ClientSecretPost),
            Some(_) => Err(ClientMetadataFault::AuthMethod {
                hint: "`none`, `client_secret_basic` or `client_secret_post`",
            }),
        }
    }

    /// What a document offers. One that offers `none` beside assertions may come without one, and is
    /// taken as public where its assertions could not be checked here.
    fn published_methods(
        &self,
    ) -> Result<(ClientAuthMethod, Option<AssertionKeys>), ClientMetadataFault> {
        let several = &self.token_endpoint_auth_methods_supported;
        let offered = choices(several.as_deref(), &self.token_endpoint_auth_method);
        let offers = |name: &str| match &offered {
            None => name == "none",
            Some(offered) => offered.contains(&name),
        };
        match (offers("none"), offers("private_key_jwt")) {
            (true, false) => Ok((ClientAuthMethod::None, None)),
            (true, true) => {
                let keys = match self.assertion_keys() {
                    Err(ClientMetadataFault::KeySource | ClientMetadataFault::SigningAlgorithm) => {
                        None
                    }
                    keys => Some(keys?),
                };
                Ok((ClientAuthMethod::None, keys))
            }
            (false, true) => Ok((
                ClientAuthMethod::PrivateKeyJwt,
                Some(self.assertion_keys()?),
            )),
            (false, false) => Err(ClientMetadataFault::AuthMethod {
                hint: "`none` or `private_key_jwt`",
            }),
        }
    }

    fn assertion_keys(&self) -> Result<AssertionKeys, ClientMetadataFault> {
        let source = match (&self.jwks, &self.jwks_uri) {
            (Some(keys), None) => KeySource::Inline(KeySet::from_json(keys)?),
            (None, Some(url)) => KeySource::at(url)?,
            _ => return Err(ClientMetadataFault::KeySource),
        };
        let several = &self.token_endpoint_auth_signing_alg_values_supported;
        let algorithms = choices(several.as_deref(), &self.token_endpoint_auth_signing_alg);
        let algorithms = match algorithms {
            None => SigningAlgorithm::ALL.to_vec(),
            Some(names) => names
                .into_iter()
                .filter_map(SigningAlgorithm::parse)
                .collect(),
        };
        if algorithms.is_empty() {
            return Err(ClientMetadataFault::SigningAlgorithm);
        }
        Ok(AssertionKeys { source, algorithms })
    }
}

/// What a client says it can do: the list if there is one, else the one thing, else nothing.
fn choices<'a>(several: Option<&'a [String]>, one: &'a Option<String>) -> Option<Vec<&'a str>> {
    let of_list = several.map(|several| several.iter().map(String::as_str).collect());
    of_list.or_else(|| one.as_deref().map(|one| vec![one]))
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
