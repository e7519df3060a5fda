//! Revoking tokens, by their client (RFC 7009) and by the Backend API. Either way the whole grant
//! ends. A JWT cannot be revoked: whoever verifies it does not ask Clerk.

use super::applications;
use super::client_authentication::authenticate;
use super::error::{OAuthError, Outcome};
use super::received::ReceivedToken;
use crate::body::{Body, Kind, Unknown, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::ids::Id;
use crate::reply;
use bytes::Bytes;
use http::{Response, StatusCode};

/// What a token to revoke is.
enum Found {
    Grant(Id),
    Jwt,
    Nothing,
}

/// `revokeOAuthToken`. A token that is unknown, or of another client, is as good as revoked.
pub(crate) fn by_client(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    Ok(revoke(call).unwrap_or_else(|error| error.response()))
}

fn revoke(call: &mut Call<'_>) -> Outcome {
    let client = authenticate(call)?;
    let token = call.form.text("token").ok_or_else(|| {
        OAuthError::invalid_request("The parameter token is missing, or the body is no form.")
    })?;
    match find(call, token, &client.client_id) {
        Found::Grant(id) => call.state.oauth.revoke_grant(&id),
        Found::Nothing => {}
        Found::Jwt => {
            let text = "The token is a JWT, which cannot be revoked.";
            return Err(OAuthError::bad("unsupported_token_type", text));
        }
    }
    Ok(reply::empty(StatusCode::OK))
}

/// `RevokeOAuthApplicationToken`: 204.
pub(crate) fn by_application(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let client_id = applications::find(call)?.client_id.clone();
    let given = call.take_object()?;
    let body = Body::check(&given, &[param("token", Kind::Text)], Unknown::Refused)?;
    let token = body.required_text("token")?;
    match find(call, token, &client_id) {
        Found::Grant(id) => call.state.oauth.revoke_grant(&id),
        Found::Nothing => return Err(error::oauth_token_not_found()),
        Found::Jwt => return Err(error::oauth_token_not_revocable()),
    }
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn find(call: &Call<'_>, text: &str, client_id: &str) -> Found {
    let oauth = &call.state.oauth;
    if let Some(token) = oauth.refresh_tokens.get(text) {
        let grant = oauth.live_grant(&token.grant_id);
        return match grant.filter(|grant| grant.client_id == client_id) {
            Some(grant) => Found::Grant(grant.id.clone()),
            None => Found::Nothing,
        };
    }
    let token = ReceivedToken::access(call, text).filter(|token| token.client_id == client_id);
    match token {
        None => Found::Nothing,
        Some(token) if token.jwt => Found::Jwt,
        Some(token) => match token.grant_id {
            Some(id) if !token.revoked => Found::Grant(id),
            _ => Found::Nothing,
        },
    }
}
