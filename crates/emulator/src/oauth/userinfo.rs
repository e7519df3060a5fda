//! The person behind an access token.

use super::received::ReceivedToken;
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::model::User;
use crate::reply;
use crate::views;
use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

/// `getOAuthUserInfo` and `getOAuthUserInfoPOST`: the token is in the header, or in the form.
pub(crate) fn userinfo(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let Some(view) = answer(call) else {
        let trace = crate::ids::trace(call.random);
        let mut response = reply::refusal(&error::oauth_token_invalid(), &trace);
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return Ok(response);
    };
    Ok(reply::not_stored(reply::json(StatusCode::OK, &view)))
}

fn answer(call: &Call<'_>) -> Option<Value> {
    let token = match call.headers.get(AUTHORIZATION) {
        Some(header) => {
            let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(token.trim())?
        }
        None => call.form.text("access_token")?,
    };
    let token = ReceivedToken::access(call, token).filter(|token| token.is_active(call.now))?;
    let user = call
        .state
        .user(&token.user_id)
        .filter(|user| !user.banned)?;
    let instance_id = &call.state.instance.id;
    let mut view = of_scopes(user, instance_id, &token.scopes);
    view.insert("object".to_owned(), json!("oauth_user_info"));
    view.insert("instance_id".to_owned(), json!(instance_id));
    view.insert("user_id".to_owned(), json!(user.id));
    view.insert("sub".to_owned(), json!(user.id));
    let organization = token.organization_id.as_ref();
    if let Some(organization) = organization.and_then(|id| call.state.organization(id)) {
        view.insert("org_id".to_owned(), json!(organization.id));
        view.insert("org_name".to_owned(), json!(organization.name));
        view.insert("org_slug".to_owned(), json!(organization.slug));
    }
    Some(Value::Object(view))
}

/// The claims about a person that scopes give.
pub(super) fn of_scopes(user: &User, instance_id: &str, scopes: &[String]) -> Map<String, Value> {
    let has = |scope: &str| scopes.iter().any(|own| own == scope);
    let mut view = Map::new();
    let mut add = |name: &str, value: Value| view.insert(name.to_owned(), value);
    if has("email") {
        let mut emails = user.emails.iter();
        let primary = emails.find(|email| Some(&email.id) == user.primary_email.as_ref());
        add("email", json!(primary.map(|email| &email.value)));
        let verified = primary.map(|email| email.is_verified());
        add("email_verified", json!(verified));
    }
    if has("profile") {
        add("given_name", json!(user.first_name));
        add("family_name", json!(user.last_name));
        add("name", json!(user.name()));
        add("username", json!(user.username));
        add("preferred_username", json!(user.username));
        add("picture", json!(views::user_image_url(user, instance_id)));
    }
    if has("public_metadata") {
        add("public_metadata", json!(user.public_metadata));
        add("unsafe_metadata", json!(user.unsafe_metadata));
    }
    if has("private_metadata") {
        add("private_metadata", json!(user.private_metadata));
    }
    view
}
