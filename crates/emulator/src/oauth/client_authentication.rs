//! Which client is calling (RFC 6749, 2.3).

use super::error::OAuthError;
use super::state::Application;
use crate::call::Call;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;

/// The client of a request: a confidential one by its secret, in the header or in the form, a
/// public one by its `client_id` alone.
pub(super) fn authenticate(call: &Call<'_>) -> Result<Application, OAuthError> {
    identify(call).map_err(|error| OAuthError {
        challenge: call.headers.contains_key(AUTHORIZATION)
            && error.status == StatusCode::UNAUTHORIZED,
        ..error
    })
}

fn identify(call: &Call<'_>) -> Result<Application, OAuthError> {
    let (client_id, secret) = credentials(call)?;
    let refused = || {
        OAuthError::invalid_client(
            "Client authentication failed: unknown client, no client authentication included, or a wrong secret.",
        )
    };
    let client = call.state.oauth.client(&client_id).ok_or_else(refused)?;
    let given = secret.filter(|secret| !secret.is_empty());
    if client.client_secret == given {
        Ok(client.clone())
    } else {
        Err(refused())
    }
}

fn credentials(call: &Call<'_>) -> Result<(String, Option<String>), OAuthError> {
    let form_id = call.form.text("client_id");
    let form_secret = call.form.text("client_secret");
    let Some(header) = call.headers.get(AUTHORIZATION) else {
        let id = form_id.ok_or_else(|| {
            OAuthError::invalid_client("Client authentication failed: there is no client_id.")
        })?;
        return Ok((id.to_owned(), form_secret.map(str::to_owned)));
    };
    let (id, secret) = header.to_str().ok().and_then(basic).ok_or_else(|| {
        OAuthError::invalid_client(
            "Client authentication failed: the Authorization header is not Basic.",
        )
    })?;
    if form_secret.is_some() {
        let text = "The client authenticates in two ways at once: in the header and in the form.";
        return Err(OAuthError::invalid_request(text));
    }
    if form_id.is_some_and(|other| other != id) {
        let text = "The client_id of the form is not that of the Authorization header.";
        return Err(OAuthError::invalid_request(text));
    }
    Ok((id, Some(secret)))
}

/// `Basic` with both parts form-encoded, as RFC 6749 wants it.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| {
        let text = text.replace('+', " ");
        let decoded = percent_decode_str(&text).decode_utf8().ok()?;
        Some(decoded.into_owned())
    };
    Some((plain(id)?, plain(secret)?))
}
