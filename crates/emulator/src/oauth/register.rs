//! Dynamic client registration (RFC 7591), where the instance allows it.

use super::applications::{self, is_redirect_uri};
use super::error::{OAuthError, Outcome};
use super::scope;
use super::state::Application;
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::{self, ApiError};
use crate::reply;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

const MAX_NAME: usize = 256;
const MAX_TEXT: usize = 1024;

/// What a client says of itself. Members that Clerk does not know are ignored, as RFC 7591 wants.
#[derive(Debug, Default, Deserialize)]
struct Registration {
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    scope: Option<String>,
}

/// `registerOAuthClient`.
pub(crate) fn register(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    if !call.state.oauth.settings.dynamic_oauth_client_registration {
        return Err(error::dynamic_registration_disabled());
    }
    Ok(add(call).unwrap_or_else(|error| error.response()))
}

fn add(call: &mut Call<'_>) -> Outcome {
    let wrong = |text: String| OAuthError::bad("invalid_client_metadata", text);
    let given: Registration = serde_json::from_slice(call.bytes)
        .map_err(|error| wrong(format!("The body is not client metadata: {error}")))?;
    if given.redirect_uris.is_empty() {
        let text = "There is no redirect URI.";
        return Err(OAuthError::bad("invalid_redirect_uri", text));
    }
    if let Some(uri) = given.redirect_uris.iter().find(|uri| !is_redirect_uri(uri)) {
        let text = format!("{uri} is no redirect URI.");
        return Err(OAuthError::bad("invalid_redirect_uri", text));
    }
    let texts = [
        ("client_name", &given.client_name, MAX_NAME),
        ("client_uri", &given.client_uri, MAX_TEXT),
        ("logo_uri", &given.logo_uri, MAX_TEXT),
        ("scope", &given.scope, MAX_TEXT),
    ];
    for (name, text, limit) in texts {
        if text
            .as_ref()
            .is_some_and(|text| text.chars().count() > limit)
        {
            return Err(wrong(format!("{name} has more than {limit} characters.")));
        }
    }
    let method = given
        .token_endpoint_auth_method
        .as_deref()
        .unwrap_or("client_secret_basic");
    if !["client_secret_basic", "client_secret_post", "none"].contains(&method) {
        return Err(wrong(format!(
            "{method} is not supported as token_endpoint_auth_method."
        )));
    }
    let supported = scope::supported(call.state);
    let scopes = match &given.scope {
        None => call.state.oauth.settings.default_scopes(),
        Some(text) => scope::split(text),
    };
    let unknown = |scope: &&String| !supported.contains(&scope.as_str());
    if let Some(scope) = scopes
        .iter()
        .find(unknown)
        .filter(|_| given.scope.is_some())
    {
        return Err(wrong(format!("The scope {scope} is not supported.")));
    }
    let client_id = applications::client_id(call);
    let now = call.now;
    let application = Application {
        id: call.mint("oa"),
        name: given.client_name.unwrap_or_else(|| client_id.clone()),
        client_id,
        client_secret: (method != "none").then(|| call.ticket()),
        client_uri: given.client_uri,
        logo_uri: given.logo_uri,
        redirect_uris: given.redirect_uris,
        scopes,
        consent_screen_enabled: true,
        pkce_required: false,
        dynamically_registered: true,
        created_at: now,
        updated_at: now,
    };
    let response = response(&application, method);
    call.state.oauth.applications.insert(application);
    Ok(response)
}

fn response(application: &Application, method: &str) -> Response<Bytes> {
    let mut view = json!({
        "client_id": application.client_id,
        "client_id_issued_at": application.created_at / SECOND,
        "client_secret_expires_at": 0,
        "client_name": application.name,
        "redirect_uris": application.redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": application.scopes.join(" "),
        "token_endpoint_auth_method": method,
    });
    let optional = [
        ("client_secret", &application.client_secret),
        ("client_uri", &application.client_uri),
        ("logo_uri", &application.logo_uri),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            view[name] = json!(value);
        }
    }
    reply::not_stored(reply::json(StatusCode::CREATED, &view))
}
