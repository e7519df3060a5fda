//! An authorization request, checked (RFC 6749, 4.1.1; OpenID Connect Core, 3.1.2.1).

use super::error::OAuthError;
use super::scope;
use super::state::Application;
use crate::query::Query;
use crate::state::State;
use bytes::Bytes;
use http::{Response, StatusCode};

/// The names that a request carries through sign-in and consent.
const NAMES: [&str; 11] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "prompt",
    "response_mode",
    "code_challenge",
    "code_challenge_method",
    "resource",
];

/// A `state` shorter than this is too easy to guess.
const MIN_STATE: usize = 8;
/// The length of a SHA-256 in base64url.
const CHALLENGE_LENGTH: usize = 43;

/// How the answer travels to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    Query,
    FormPost,
}

/// Where the answer goes: a client and a redirect URI that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) redirect_uri: String,
    pub(crate) mode: ResponseMode,
    pub(crate) state: Option<String>,
}

/// A request that may be put to a person.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client: Application,
    pub(crate) destination: Destination,
    pub(crate) redirect_uri_given: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) code_challenge: Option<String>,
    pub(crate) prompts: Vec<String>,
    /// The parameters as they came.
    parameters: Vec<(String, String)>,
}

/// A refused request. It goes to the client only if client and redirect URI are known to belong
/// together; else whoever sits at the browser sees it.
#[derive(Debug)]
pub(crate) enum Refusal {
    Shown(OAuthError),
    Sent(Destination, OAuthError),
}

impl AuthorizationRequest {
    pub(crate) fn read(given: &Query, state: &State) -> Result<Self, Refusal> {
        let shown = |error| Refusal::Shown(error);
        if let Some(name) = given.repeated() {
            let text = format!("The parameter {name} is given more than once.");
            return Err(shown(OAuthError::invalid_request(text)));
        }
        let client_id = given.text("client_id").ok_or_else(|| {
            shown(OAuthError::invalid_request(
                "The parameter client_id is missing.",
            ))
        })?;
        let client = state.oauth.client(client_id).ok_or_else(|| {
            let text = format!("There is no OAuth application with the client_id {client_id}.");
            shown(OAuthError::invalid_client(text))
        })?;
        let redirect_uri = redirect_uri(given, client).map_err(shown)?;
        let destination = Destination {
            redirect_uri,
            mode: match given.text("response_mode") {
                Some("form_post") => ResponseMode::FormPost,
                _ => ResponseMode::Query,
            },
            state: given.text("state").map(str::to_owned),
        };
        match Self::checked(given, client, state) {
            Err(error) => Err(Refusal::Sent(destination, error)),
            Ok(scopes) => Ok(Self {
                client: client.clone(),
                destination,
                redirect_uri_given: given.text("redirect_uri").is_some(),
                scopes,
                audience: audience(given, state),
                nonce: given.text("nonce").map(str::to_owned),
                code_challenge: given.text("code_challenge").map(str::to_owned),
                prompts: scope::split(given.text("prompt").unwrap_or_default()),
                parameters: own_parameters(given),
            }),
        }
    }

    /// The scopes of a request whose other parameters are right.
    fn checked(
        given: &Query,
        client: &Application,
        state: &State,
    ) -> Result<Vec<String>, OAuthError> {
        match given.text("response_type") {
            Some("code") => {}
            None => {
                return Err(OAuthError::invalid_request(
                    "The parameter response_type is missing.",
                ));
            }
            Some(_) => {
                let text =
                    "The authorization server does not support this response_type: only code is.";
                return Err(OAuthError::bad("unsupported_response_type", text));
            }
        }
        if !matches!(
            given.text("response_mode"),
            None | Some("query" | "form_post")
        ) {
            let text = "The response_mode is neither query nor form_post.";
            return Err(OAuthError::bad("unsupported_response_mode", text));
        }
        check_challenge(given, client)?;
        let protected = given.text("code_challenge").is_some();
        match given.text("state") {
            None if protected => {}
            Some(text) if text.chars().count() >= MIN_STATE => {}
            _ => {
                let text = "The state is missing or has fewer than 8 characters.";
                return Err(OAuthError::bad("invalid_state", text));
            }
        }
        let prompts = scope::split(given.text("prompt").unwrap_or_default());
        let known = ["none", "login", "consent", "select_account"];
        if prompts
            .iter()
            .any(|prompt| !known.contains(&prompt.as_str()))
            || (prompts.len() > 1 && prompts.iter().any(|prompt| prompt == "none"))
        {
            let text = "The prompt is none, or login and consent.";
            return Err(OAuthError::invalid_request(text));
        }
        scopes(given, client, state)
    }

    pub(crate) fn wants(&self, prompt: &str) -> bool {
        self.prompts.iter().any(|given| given == prompt)
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    /// The parameters, for a link or the hidden fields of a form.
    pub(crate) fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }

    /// The path of this request at `path`, without the prompts that have been followed.
    pub(crate) fn at(&self, path: &str, followed: &[&str]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.parameters {
            if name != "prompt" {
                query.append_pair(name, value);
            }
        }
        let left = self.prompts.iter();
        let left: Vec<&str> = left
            .map(String::as_str)
            .filter(|prompt| !followed.contains(prompt))
            .collect();
        if !left.is_empty() {
            query.append_pair("prompt", &left.join(" "));
        }
        format!("{path}?{}", query.finish())
    }
}

impl Destination {
    /// Sends the answer, with `state` and `iss` (RFC 9207).
    pub(crate) fn send(&self, issuer: &str, answer: &[(&str, &str)]) -> Response<Bytes> {
        let mut all: Vec<(&str, &str)> = answer.to_vec();
        if let Some(state) = &self.state {
            all.push(("state", state));
        }
        all.push(("iss", issuer));
        match self.mode {
            ResponseMode::Query => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.extend_pairs(all);
                let uri = &self.redirect_uri;
                let joint = if uri.contains('?') { '&' } else { '?' };
                crate::reply::see_other(&format!("{uri}{joint}{}", query.finish()))
            }
            ResponseMode::FormPost => crate::reply::html(
                StatusCode::OK,
                crate::pages::consent::form_post(&self.redirect_uri, &all),
            ),
        }
    }

    pub(crate) fn refuse(&self, issuer: &str, error: &OAuthError) -> Response<Bytes> {
        let answer = [
            ("error", error.error),
            ("error_description", &*error.description),
        ];
        self.send(issuer, &answer)
    }
}

fn redirect_uri(given: &Query, client: &Application) -> Result<String, OAuthError> {
    match given.text("redirect_uri") {
        Some(uri) if client.redirect_uris.iter().any(|known| known == uri) => Ok(uri.to_owned()),
        Some(uri) => Err(OAuthError::invalid_request(format!(
            "The redirect_uri {uri} is none of those of the OAuth application {}.",
            client.name
        ))),
        None => match client.redirect_uris.as_slice() {
            [only] => Ok(only.clone()),
            _ => Err(OAuthError::invalid_request(
                "The parameter redirect_uri is missing, and the OAuth application has more than one.",
            )),
        },
    }
}

/// The resource asked for, if it is registered. Another one changes nothing: Clerk documents no error
/// for it, and its tokens then name no audience.
fn audience(given: &Query, state: &State) -> Option<String> {
    let asked = given.text("resource")?.trim_end_matches('/');
    let mut known = state.oauth.resources.iter();
    known.find(|known| *known == asked).cloned()
}

fn check_challenge(given: &Query, client: &Application) -> Result<(), OAuthError> {
    let Some(challenge) = given.text("code_challenge") else {
        if given.text("code_challenge_method").is_some() {
            let text = "There is a code_challenge_method without a code_challenge.";
            return Err(OAuthError::invalid_request(text));
        }
        // Clerk asks no PKCE of clients that registered themselves.
        if client.pkce_required || (client.is_public() && !client.dynamically_registered) {
            let text = "The client must include a code_challenge (PKCE), but did not.";
            return Err(OAuthError::invalid_request(text));
        }
        return Ok(());
    };
    if given.text("code_challenge_method") != Some("S256") {
        let text = "The code_challenge_method must be S256.";
        return Err(OAuthError::invalid_request(text));
    }
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != CHALLENGE_LENGTH || !challenge.bytes().all(base64url) {
        let text = "The code_challenge is no SHA-256 in base64url.";
        return Err(OAuthError::invalid_request(text));
    }
    Ok(())
}

/// The scopes asked for, which the application must have; those of the instance without any.
fn scopes(given: &Query, client: &Application, state: &State) -> Result<Vec<String>, OAuthError> {
    let enabled = state.instance.organizations.enabled;
    let may = |scope: &str| client.has_scope(scope) && (enabled || scope != scope::ORGANIZATION);
    let Some(text) = given.text("scope") else {
        let mut scopes = state.oauth.settings.default_scopes();
        scopes.retain(|scope| may(scope));
        return Ok(scopes);
    };
    let scopes = scope::split(text);
    match scopes.iter().find(|scope| !may(scope)) {
        None => Ok(scopes),
        Some(wrong) => Err(OAuthError::invalid_scope(format!(
            "The OAuth application may not ask for the scope {wrong}."
        ))),
    }
}

fn own_parameters(given: &Query) -> Vec<(String, String)> {
    let own = given.pairs().filter(|(name, _)| NAMES.contains(name));
    own.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
