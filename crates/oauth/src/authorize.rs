//! The authorization request (OAuth 2.1 section 4.1.1): what is checked before anything is shown.
//!
//! Until client and redirect URI are validated, a fault is shown to the person and nothing is
//! redirected; from then on it goes to the client, with `state` and `iss` (RFC 9207).

use crate::authorization::AuthorizationRequest;
use crate::client::{Client, GrantType};
use crate::client_metadata_document::DocumentFault;
use crate::parameters::{Parameters, Repeated};
use crate::pkce::CodeChallenge;
use crate::redirect_uri::{RedirectUri, RedirectUriError};
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::settings::Settings;
use crate::store::StoreError;

/// The longest `state` that is kept for a client.
const MAX_STATE_BYTES: usize = 4096;

/// The parameters of an authorization request, each of which may come once. `resource` is apart.
const ONCE: [&str; 10] = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "nonce",
];

/// Why an authorization request goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizeFault {
    /// Show this to the person. Nothing may be redirected: who asked is not known.
    Show(ShownFault),
    /// Redirect the browser there: the client is told.
    Redirect {
        /// The redirect URI with `error`, `error_description`, `state` and `iss`.
        location: String,
    },
    /// The store did not answer.
    Store(StoreError),
}

/// A fault of an authorization request that is shown to the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShownFault {
    /// A parameter that decides where errors go was sent twice.
    #[error(transparent)]
    Repeated(#[from] Repeated),
    /// There is no `client_id`.
    #[error("the request does not say which client it is from\nhint: it lacks `client_id`")]
    NoClient,
    /// The client is not known, or its registration has expired.
    #[error(
        "the client is not known here, or not any more\nhint: remove this server from your MCP client and add it again, so that it registers anew"
    )]
    UnknownClient,
    /// The client's metadata document is refused.
    #[error(transparent)]
    Document(#[from] DocumentFault),
    /// There is no `redirect_uri`, and more than one is registered.
    #[error("the request does not say where to go afterwards\nhint: it lacks `redirect_uri`")]
    NoRedirectUri,
    /// `redirect_uri` breaks a rule.
    #[error("the request's `redirect_uri` is refused: {0}")]
    RedirectUri(#[from] RedirectUriError),
    /// `redirect_uri` is not the client's.
    #[error(
        "the request's `redirect_uri` is not one that the client registered\nhint: it must be exactly the same; on loopback the port alone may differ"
    )]
    OtherRedirectUri,
}

/// An authorization request that passed every check: the only thing from which an authorization can
/// begin.
#[derive(Debug, Clone)]
pub struct ValidRequest {
    pub(crate) client: Client,
    pub(crate) request: AuthorizationRequest,
    pub(crate) redirect_uri: RedirectUri,
    /// `prompt=consent`: the page is wanted, whatever is remembered.
    pub(crate) consent_wanted: bool,
}

impl ValidRequest {
    /// Who asks.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What is asked for.
    pub fn request(&self) -> &AuthorizationRequest {
        &self.request
    }
}

/// An error that goes to the client's redirect URI (OAuth 2.1 section 4.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RedirectError {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
}

impl RedirectError {
    pub(crate) const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description }
    }

    /// The address that tells the client.
    pub(crate) fn location(
        self,
        redirect_uri: &RedirectUri,
        state: Option<&str>,
        issuer: &str,
    ) -> String {
        let error = [
            ("error", self.code),
            ("error_description", self.description),
        ];
        let state = state.map(|state| ("state", state));
        redirect_uri.with_parameters(error.into_iter().chain(state).chain([("iss", issuer)]))
    }
}

/// The client's redirect URI that the request names.
pub(crate) fn redirect_uri(
    client: &Client,
    parameters: &Parameters,
    settings: &Settings,
) -> Result<RedirectUri, ShownFault> {
    let read = |uri: &str| RedirectUri::parse(uri, &settings.private_use_schemes);
    let Some(sent) = parameters.get("redirect_uri")? else {
        return match client.redirect_uris.as_slice() {
            [only] => Ok(read(only)?),
            _ => Err(ShownFault::NoRedirectUri),
        };
    };
    let sent = read(sent)?;
    // A registered URI that the rules refuse today (a scheme was taken off the list) matches nothing.
    let mut registered = client.redirect_uris.iter().filter_map(|uri| read(uri).ok());
    match registered.any(|registered| registered.matches(&sent)) {
        true => Ok(sent),
        false => Err(ShownFault::OtherRedirectUri),
    }
}

/// Checks everything else about a request from `client`.
pub(crate) fn validate(
    client: Client,
    redirect_uri: RedirectUri,
    parameters: &Parameters,
    settings: &Settings,
) -> Result<ValidRequest, RedirectError> {
    const INVALID: &str = "invalid_request";
    let wrong = |description| RedirectError::new(INVALID, description);
    if ONCE
        .iter()
        .any(|name| parameters.all(name).nth(1).is_some())
    {
        return Err(wrong("a parameter was sent more than once"));
    }
    let get = |name| parameters.get(name).ok().flatten();
    if parameters.all("request").next().is_some() {
        let description = "request objects are not supported";
        return Err(RedirectError::new("request_not_supported", description));
    }
    if parameters.all("request_uri").next().is_some() {
        let description = "request objects are not supported";
        return Err(RedirectError::new("request_uri_not_supported", description));
    }
    match get("response_type") {
        Some("code") => {}
        None => return Err(wrong("response_type is missing; it must be code")),
        Some(_) => {
            let description = "response_type must be code";
            return Err(RedirectError::new("unsupported_response_type", description));
        }
    }
    if get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(wrong("response_mode must be query"));
    }
    if !client.may_use(GrantType::AuthorizationCode) {
        let description = "the client did not register for authorization_code";
        return Err(RedirectError::new("unauthorized_client", description));
    }
    if get("state").is_some_and(|state| state.len() > MAX_STATE_BYTES) {
        return Err(wrong("state is longer than 4096 bytes"));
    }
    let code_challenge = code_challenge(get("code_challenge"), get("code_challenge_method"))?;
    let resource = resource(parameters, settings)?;
    let scope = scope(get("scope"), &client, settings)?;
    let consent_wanted = prompt(get("prompt"))?;
    let request = AuthorizationRequest {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.as_str().to_owned(),
        state: parameters.all("state").next().map(str::to_owned),
        scope,
        code_challenge,
        resource,
    };
    Ok(ValidRequest {
        client,
        request,
        redirect_uri,
        consent_wanted,
    })
}

fn code_challenge(
    challenge: Option<&str>,
    method: Option<&str>,
) -> Result<CodeChallenge, RedirectError> {
    let wrong = |description| RedirectError::new("invalid_request", description);
    let challenge = challenge.ok_or(wrong("code_challenge is missing; PKCE is required"))?;
    // Without a method it would be `plain` (RFC 7636 section 4.3).
    if method != Some("S256") {
        return Err(wrong("code_challenge_method must be S256"));
    }
    CodeChallenge::parse(challenge).ok_or(wrong(
        "code_challenge must be 43 characters of base64url, a SHA-256",
    ))
}

fn resource(parameters: &Parameters, settings: &Settings) -> Result<Resource, RedirectError> {
    let named = parameters.all("resource").filter(|text| !text.is_empty());
    for text in named {
        let meant = Resource::parse(text).map(|named| settings.meant(named));
        if meant.as_ref() != Some(settings.resource()) {
            let description = "resource is not the one that this server protects";
            return Err(RedirectError::new("invalid_target", description));
        }
    }
    Ok(settings.resource().clone())
}

fn scope(
    scope: Option<&str>,
    client: &Client,
    settings: &Settings,
) -> Result<ScopeSet, RedirectError> {
    const INVALID: &str = "invalid_scope";
    let requested = match scope.map(ScopeSet::parse) {
        Some(None) => {
            return Err(RedirectError::new(
                INVALID,
                "scope holds a character that no scope has",
            ));
        }
        Some(Some(set)) => Some(set),
        None => None,
    };
    settings
        .scopes
        .grantable(requested.as_ref(), client.scope.as_ref())
        .ok_or(RedirectError::new(
            INVALID,
            "none of the scopes is offered here",
        ))
}

/// Whether the consent page is wanted. `none` cannot be done: the person has to go to Clerk.
fn prompt(prompt: Option<&str>) -> Result<bool, RedirectError> {
    let values = || prompt.unwrap_or("").split(' ');
    if values().any(|value| value == "none") {
        let description = "the person has to sign in, which prompt=none forbids";
        return Err(RedirectError::new("interaction_required", description));
    }
    Ok(values().any(|value| value == "consent"))
}
