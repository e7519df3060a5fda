//! Verifying access tokens with the Backend API.

use super::received::ReceivedToken;
use crate::body::{Body, Kind, Unknown, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use serde_json::{Value, json};

/// `verifyOAuthAccessToken`. Times are milliseconds, as Clerk's SDK takes them.
pub(crate) fn verify(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [
        param("access_token", Kind::Text),
        param("secret", Kind::Text),
    ];
    let body = Body::check(&given, &params, Unknown::Ignored)?;
    let text = body.text("access_token").or_else(|| body.text("secret"));
    let token = text.and_then(|text| ReceivedToken::access(call, text));
    let token = token.ok_or_else(error::oauth_token_not_found)?;
    let expired = call.now >= token.expires_at;
    if token.jwt && expired {
        return Ok(json!({ "active": false }));
    }
    let mut view = json!({
        "object": "clerk_idp_oauth_access_token",
        "id": token.id,
        "client_id": token.client_id,
        "subject": token.user_id,
        "scopes": token.scopes,
        "revoked": token.revoked,
        "revocation_reason": token.revoked.then_some("revoked"),
        "expired": expired,
        "expiration": token.expires_at,
        "created_at": token.created_at,
        "updated_at": token.created_at,
    });
    if let Some(audience) = &token.audience {
        view["aud"] = json!([audience]);
    }
    if let Some(actor) = token.actor {
        view["act"] = actor;
    }
    Ok(view)
}
