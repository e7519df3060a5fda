//! How an application's server learns who is signed in: it sends the browser here with `redirect_url`,
//! and the browser comes back with a handshake, which holds the cookies to set at the application.
//!
//! A development browser is known by a token that travels in links (`__clerk_db_jwt`), because cookies
//! of the Frontend API do not reach the application. Here it is the token of the client's cookie.

use super::clients;
use super::state::{Client, Handshake};
use crate::call::Call;
use crate::clock::{MINUTE, SECOND};
use crate::error::{self, ApiError};
use crate::model::Session;
use crate::reply;
use crate::sessions;
use crate::signing::Kind;
use crate::web;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// How long an application may wait before it reads a handshake.
const HANDSHAKE_LIFETIME: u64 = MINUTE;
const FORMATS: [&str; 2] = ["nonce", "token"];

/// `createDevBrowser`: a browser that nobody has signed in at yet.
pub(crate) fn create_dev_browser(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let client = clients::client_or_new(call);
    let body = json!({ "object": "dev_browser", "id": clients::token_of(call, &client) });
    Ok(reply::not_stored(reply::json(StatusCode::OK, &body)))
}

/// `handshakeClient`: back to the application, with what its cookies should say.
pub(crate) fn start(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let back = call.query.text("redirect_url").map(str::to_owned);
    let back = back.ok_or_else(|| error::param_missing("redirect_url"))?;
    let origin = web::application_origin(call, &back)
        .ok_or_else(|| error::redirect_url_not_allowed(&back))?;
    let by_nonce = call.query.choice("format", &FORMATS)? == Some("nonce");
    let client = clients::client_or_new(call);
    choose_organization(call);
    let directives = directives(call, &client, &origin);
    let (name, text) = if by_nonce {
        let nonce = call.ticket();
        let expires_at = call.now + HANDSHAKE_LIFETIME;
        let handshake = Handshake {
            nonce: nonce.clone(),
            directives,
            expires_at,
        };
        call.state.browser.keep_handshake(handshake, call.now);
        ("__clerk_handshake_nonce", nonce)
    } else {
        let claims = json!({ "handshake": directives });
        let kid = &call.state.instance.id;
        let token = call.signing.sign(kid, Kind::Plain, &claims);
        ("__clerk_handshake", token.unwrap_or_default())
    };
    let location = web::with_parameter(&back, name, &text);
    let response = reply::temporary_redirect(&location);
    Ok(clients::remembered(call, &client, response))
}

/// What `authenticateRequest` of Clerk's SDKs asks the Backend API for: once per nonce.
pub(crate) fn payload(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let nonce = call.query.text("nonce");
    let nonce = nonce.ok_or_else(|| error::param_missing("nonce"))?;
    let found = call.state.browser.take_handshake(nonce, call.now);
    let found = found.ok_or_else(error::handshake_not_found)?;
    Ok(json!({ "directives": found.directives }))
}

/// The cookies of the application, as `Set-Cookie` has them.
fn directives(call: &mut Call<'_>, client: &Client, origin: &str) -> Vec<String> {
    let lasting = format!("Path=/; SameSite=Lax; Max-Age={}", clients::COOKIE_LIFETIME);
    let dev_browser = clients::token_of(call, client);
    let mut all = vec![format!("__clerk_db_jwt={dev_browser}; {lasting}")];
    if let Some(session) = clients::last_session(call) {
        let jwt = sessions::token(call, &session, Some(origin));
        touch(call, &session);
        let since = session.created_at / SECOND;
        all.push(format!("__client_uat={since}; {lasting}"));
        all.push(format!("__session={jwt}; {lasting}"));
    } else {
        all.push(format!("__client_uat=0; {lasting}"));
        all.push("__session=; Path=/; SameSite=Lax; Max-Age=0".to_owned());
    }
    all
}

/// Makes the organization of the request active, an id or a slug, or none if it is empty. One that
/// the person is no member of changes nothing.
fn choose_organization(call: &mut Call<'_>) {
    let (Some(given), Some(session)) = (
        call.query.given("organization_id"),
        clients::last_session(call),
    ) else {
        return;
    };
    let found = call.state.organization_by_id_or_slug(given);
    let found = found.map(|organization| organization.id.clone());
    let found = found.filter(|id| call.state.membership(id, &session.user_id).is_some());
    if (found.is_some() || given.is_empty())
        && let Some(row) = call.state.sessions.get_mut(&session.id)
    {
        row.active_organization_id = found;
    }
}

fn touch(call: &mut Call<'_>, session: &Session) {
    let now = call.now;
    if let Some(row) = call.state.sessions.get_mut(&session.id) {
        row.touch(now);
    }
}
