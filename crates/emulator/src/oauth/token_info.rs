//! Introspection (RFC 7662): whether a token is good, and what for.

use super::client_authentication::authenticate;
use super::error::{OAuthError, Outcome};
use super::received::ReceivedToken;
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::ApiError;
use crate::reply;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// `getOAuthTokenInfo`, for clients that authenticate. A client learns of its own tokens only.
pub(crate) fn token_info(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    Ok(introspect(call).unwrap_or_else(|error| error.response()))
}

fn introspect(call: &mut Call<'_>) -> Outcome {
    let client = authenticate(call)?;
    let token = call.form.text("token").ok_or_else(|| {
        OAuthError::invalid_request("The parameter token is missing, or the body is no form.")
    })?;
    let found = access_token(call, token).or_else(|| refresh_token(call, token));
    let found = found.filter(|view| view["client_id"] == client.client_id.as_str());
    let view = found.unwrap_or_else(|| json!({ "active": false }));
    Ok(reply::not_stored(reply::json(StatusCode::OK, &view)))
}

fn access_token(call: &Call<'_>, text: &str) -> Option<Value> {
    let token = ReceivedToken::access(call, text).filter(|token| token.is_active(call.now))?;
    let mut view = json!({
        "active": true,
        "client_id": token.client_id,
        "iat": token.created_at / SECOND,
        "scope": token.scopes.join(" "),
        "sub": token.user_id,
    });
    if let Some(organization) = token.organization_id {
        view["org_id"] = json!(organization);
    }
    Some(view)
}

fn refresh_token(call: &Call<'_>, text: &str) -> Option<Value> {
    let oauth = &call.state.oauth;
    let token = oauth.refresh_tokens.get(text)?;
    let grant = oauth.live_grant(&token.grant_id)?;
    let mut view = json!({
        "active": true,
        "client_id": grant.client_id,
        "iat": token.created_at / SECOND,
        "scope": grant.scopes.join(" "),
        "sub": grant.user_id,
    });
    if let Some(organization) = &grant.organization_id {
        view["org_id"] = json!(organization);
    }
    Some(view)
}
