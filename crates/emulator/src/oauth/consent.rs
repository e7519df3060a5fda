//! Consent: the emulator's page, and the Frontend API for consent pages of one's own.

use super::authorize::{consented, refused};
use super::request::AuthorizationRequest;
use super::scope;
use crate::browser::clients::{self, SignedIn};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::pages;
use crate::query::Query;
use crate::reply;
use crate::web;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// `GET /oauth/consent`: the page, whose form posts the same parameters with a decision.
pub(crate) fn page(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let given = std::mem::take(&mut call.query);
    let request = match AuthorizationRequest::read(&given, call.state) {
        Ok(request) => request,
        Err(refusal) => return Ok(refused(call, &refusal)),
    };
    let Some(person) = clients::current(call) else {
        return Ok(to_sign_in(&request));
    };
    let user = call.state.user(&person.user_id);
    let choice = if request.has_scope(scope::ORGANIZATION) {
        let memberships = call.state.memberships_of_user(&person.user_id);
        memberships
            .filter_map(|membership| call.state.organization(&membership.organization_id))
            .collect()
    } else {
        Vec::new()
    };
    let view = pages::consent::View {
        request: &request,
        account: user.map(pages::account).unwrap_or_default(),
        organizations: choice,
        active: person.active_organization_id.as_deref(),
    };
    Ok(reply::html(StatusCode::OK, pages::consent::page(&view)))
}

/// `POST /oauth/consent` with `decision=allow` or `decision=deny`, and `organization_id`.
pub(crate) fn decide(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    web::check_origin(call)?;
    let form = std::mem::take(&mut call.form);
    let decision = match form.text("decision") {
        Some("allow") => true,
        Some("deny") => false,
        Some(other) => {
            return Err(error::param_value_not_allowed(
                "decision",
                other,
                &["allow", "deny"],
            ));
        }
        None => return Err(error::param_missing("decision")),
    };
    let request = match AuthorizationRequest::read(&form, call.state) {
        Ok(request) => request,
        Err(refusal) => return Ok(refused(call, &refusal)),
    };
    let Some(person) = clients::current(call) else {
        return Ok(to_sign_in(&request));
    };
    consented(
        call,
        &request,
        &person,
        decision,
        form.text("organization_id"),
    )
}

/// `getOAuthConsent`: what a consent page needs to show.
pub(crate) fn describe(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    signed_in(call)?;
    let client_id = call.param("client_id");
    let client = call.state.oauth.client(&client_id);
    let client = client.ok_or_else(|| error::oauth_application_not_found(&client_id))?;
    let asked = scope::split(call.query.text("scope").unwrap_or_default());
    let shown = client.scopes.iter();
    let shown: Vec<Value> = shown
        .filter(|scope| asked.is_empty() || asked.contains(scope))
        .map(|scope| {
            json!({
                "scope": scope,
                "description": scope::description(scope),
                "requires_consent": scope != "openid",
            })
        })
        .collect();
    let uri = call.query.text("redirect_uri");
    let known = uri.filter(|uri| client.redirect_uris.iter().any(|own| own == uri));
    let view = json!({
        "oauth_application_name": client.name,
        "oauth_application_logo_url": client.logo_uri,
        "oauth_application_url": client.client_uri,
        "client_id": client.client_id,
        "redirect_domain": known.and_then(web::domain),
        "scopes": shown,
    });
    Ok(reply::json(StatusCode::OK, &view))
}

/// `submitOAuthConsent`: the parameters of the request in a form, with `consented` and
/// `organization_id`.
pub(crate) fn submit(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    web::check_origin(call)?;
    let person = signed_in(call)?;
    let client_id = call.param("client_id");
    let mut pairs: Vec<(&str, &str)> = call
        .form
        .pairs()
        .filter(|(name, _)| *name != "client_id")
        .collect();
    pairs.push(("client_id", &client_id));
    let form = Query::of(pairs);
    let request = match AuthorizationRequest::read(&form, call.state) {
        Ok(request) => request,
        Err(refusal) => return Ok(refused(call, &refusal)),
    };
    let allowed = form.text("consented") == Some("true");
    consented(
        call,
        &request,
        &person,
        allowed,
        form.text("organization_id"),
    )
}

fn signed_in(call: &Call<'_>) -> Result<SignedIn, ApiError> {
    clients::current(call).ok_or_else(error::authentication_invalid)
}

fn to_sign_in(request: &AuthorizationRequest) -> Response<Bytes> {
    let back = request.at("/oauth/authorize", &[]);
    reply::see_other(&web::link("/sign-in", &[("redirect_url", &back)]))
}
