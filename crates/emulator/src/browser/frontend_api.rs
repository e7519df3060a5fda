//! The Frontend API around a client: signing in with a ticket, and its sessions. A browser is known
//! by its cookie, a native application (`_is_native=1`) by the header `Authorization`.

use super::clients;
use super::email_code::CODE_LIFETIME;
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::{self, ApiError};
use crate::jwt_templates;
use crate::model::{Closed, Session};
use crate::reply;
use crate::sessions;
use crate::tickets::{self, Ticket};
use crate::views;
use crate::web;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// How long a sign-in waits to be completed.
const SIGN_IN_LIFETIME: u64 = 24 * 60 * 60 * SECOND;

/// `createSignIn` with `strategy=ticket`. A sign-in token does not stand for a second factor: whoever
/// has one is asked for it, and there is no session yet. An actor token does: nobody but the person
/// could give theirs. (Clerk documents neither; what is here is the stricter reading where a person
/// signs in as themselves.)
pub(crate) fn create_sign_in(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    match call.form.text("strategy") {
        Some("ticket") => {}
        Some(other) => {
            return Err(error::param_value_not_allowed(
                "strategy",
                other,
                &["ticket"],
            ));
        }
        None => return Err(error::param_missing("strategy")),
    }
    let text = call.form.text("ticket").map(str::to_owned);
    let text = text.ok_or_else(|| error::param_missing("ticket"))?;
    let ticket = tickets::pending(call, &text)?;
    clients::may_sign_in(call.state, &ticket.user_id, call.now)?;
    if ticket.actor.is_none() && !second_factors(call, &ticket.user_id).is_empty() {
        return Ok(needs_second_factor(call, &ticket));
    }
    let (client, session) = clients::start_with_ticket(call, &ticket);
    tickets::accept(call, &ticket.id);
    let mut sign_in = sign_in_view(call, &session.user_id, &call_id(&session));
    sign_in["status"] = json!("complete");
    sign_in["created_session_id"] = json!(session.id);
    sign_in["abandon_at"] = json!(session.abandon_at);
    // The token comes first: the client's view shows the session as it then is.
    let response = reply::json(StatusCode::OK, &Value::Null);
    let signed = clients::signed(call, client.clone(), &session, response);
    let body = json!({ "response": sign_in, "client": client_view(call, &client.id) });
    Ok(signed.map(|_| Bytes::from(body.to_string())))
}

/// A sign-in whose ticket was taken, as far as all of them are alike.
fn sign_in_view(call: &Call<'_>, user_id: &str, id: &str) -> Value {
    let user = call.state.user(user_id);
    json!({
        "object": "sign_in_attempt",
        "id": id,
        "status": "needs_second_factor",
        "supported_identifiers": ["email_address", "phone_number", "username", "web3_wallet"],
        "supported_first_factors": [],
        "supported_second_factors": [],
        "first_factor_verification": {
            "object": "verification_ticket",
            "status": "verified",
            "strategy": "ticket",
            "attempts": null,
            "expire_at": null,
        },
        "second_factor_verification": null,
        "identifier": user.and_then(|user| user.identifier()),
        "user_data": null,
        "created_session_id": null,
        "abandon_at": call.now + SIGN_IN_LIFETIME,
    })
}

/// The second factors that somebody has switched on.
fn second_factors(call: &Call<'_>, user_id: &str) -> Vec<Value> {
    let user = call.state.user(user_id);
    let has = |has: bool, strategy: &str| has.then(|| json!({ "strategy": strategy }));
    let factors = user.map(|user| {
        [
            has(user.totp_enabled, "totp"),
            has(user.backup_codes_enabled, "backup_code"),
        ]
    });
    factors.into_iter().flatten().flatten().collect()
}

/// The ticket is used up by it. The emulator takes no second factors: nothing follows.
fn needs_second_factor(call: &mut Call<'_>, ticket: &Ticket) -> Response<Bytes> {
    tickets::accept(call, &ticket.id);
    let id = ticket.id.replacen("sit_", "sia_", 1);
    let mut sign_in = sign_in_view(call, &ticket.user_id, &id);
    sign_in["supported_second_factors"] = json!(second_factors(call, &ticket.user_id));
    let id = clients::of_browser(call).map(|client| client.id.clone());
    let client = id.map_or(Value::Null, |id| client_view(call, &id));
    let body = json!({ "response": sign_in, "client": client });
    reply::not_stored(reply::json(StatusCode::OK, &body))
}

/// `getClient`: null for a browser that has never signed in.
pub(crate) fn get_client(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let id = clients::of_browser(call).map(|client| client.id.clone());
    let view = id.map_or(Value::Null, |id| client_view(call, &id));
    let body = json!({ "response": view, "client": null });
    Ok(reply::not_stored(reply::json(StatusCode::OK, &body)))
}

/// `createSessionToken` of the Frontend API: a token of the session in the path.
pub(crate) fn create_token(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let session = own_session(call)?;
    if let Some(id) = call.form.text("organization_id").map(str::to_owned) {
        choose_organization(call, &session, &id)?;
    }
    let session = touched(call, &session);
    let origin = web::origin(call).map(str::to_owned);
    let jwt = sessions::token(call, &session, origin.as_deref());
    let body = json!({ "object": "token", "jwt": jwt });
    Ok(reply::not_stored(reply::json(StatusCode::OK, &body)))
}

/// `createSessionTokenWithTemplate`.
pub(crate) fn create_token_with_template(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let session = own_session(call)?;
    let name = call.param("template_name");
    let origin = web::origin(call).map(str::to_owned);
    let jwt = jwt_templates::mint(call, &session, &name, None, origin.as_deref())?;
    touched(call, &session);
    let body = json!({ "object": "token", "jwt": jwt });
    Ok(reply::not_stored(reply::json(StatusCode::OK, &body)))
}

/// `touchSession`: the session is in use, perhaps in another organization.
pub(crate) fn touch(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let session = own_session(call)?;
    // An empty one is a choice, too: to leave the organization.
    let chosen = call.form.given("active_organization_id");
    if let Some(id) = chosen.map(str::to_owned) {
        choose_organization(call, &session, &id)?;
    }
    let session = touched(call, &session);
    let client = clients::of_browser(call).cloned();
    let client = client.ok_or_else(error::authentication_invalid)?;
    let response = reply::json(StatusCode::OK, &Value::Null);
    let signed = clients::signed(call, client, &session, response);
    Ok(signed.map(|_| Bytes::from(wrapped(call, &session.id).to_string())))
}

/// `endSession`.
pub(crate) fn end(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    close(call, Closed::Ended)
}

/// `removeSession`.
pub(crate) fn remove(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    close(call, Closed::Removed)
}

/// `acceptTicket`: to the sign-in page, with the ticket.
pub(crate) fn accept_ticket(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let text = call.query.text("ticket").unwrap_or_default();
    let ticket = tickets::pending(call, text)?;
    let mut parameters = vec![("__clerk_ticket", ticket.token.as_str())];
    parameters.extend(
        call.query
            .text("redirect_url")
            .map(|url| ("redirect_url", url)),
    );
    Ok(reply::see_other(&web::link("/sign-in", &parameters)))
}

fn close(call: &mut Call<'_>, how: Closed) -> Result<Response<Bytes>, ApiError> {
    let session = own_session(call)?;
    let now = call.now;
    if let Some(row) = call.state.sessions.get_mut(&session.id) {
        row.closed = Some(how);
        row.updated_at = now;
    }
    clients::forget_ended(call);
    let body = wrapped(call, &session.id);
    Ok(reply::not_stored(reply::json(StatusCode::OK, &body)))
}

/// The active session of the path, if it is one of this client.
fn own_session(call: &Call<'_>) -> Result<Session, ApiError> {
    if clients::of_browser(call).is_none() {
        return Err(error::authentication_invalid());
    }
    let id = call.param("session_id");
    let mut all = clients::everybody(call).into_iter();
    let found = all.find(|(session, _)| *session.id == *id);
    found
        .map(|(session, _)| session.clone())
        .ok_or_else(|| error::session_not_found(&id))
}

/// The empty text is no organization.
fn choose_organization(call: &mut Call<'_>, session: &Session, id: &str) -> Result<(), ApiError> {
    let organization = if id.is_empty() {
        None
    } else {
        let found = call.state.organization(id).map(|found| found.id.clone());
        let member = found.filter(|id| call.state.membership(id, &session.user_id).is_some());
        Some(member.ok_or_else(error::organization_not_found_or_unauthorized)?)
    };
    if let Some(row) = call.state.sessions.get_mut(&session.id) {
        row.active_organization_id = organization;
    }
    Ok(())
}

/// The session as it is after being used now.
fn touched(call: &mut Call<'_>, session: &Session) -> Session {
    let now = call.now;
    match call.state.sessions.get_mut(&session.id) {
        Some(row) => {
            row.touch(now);
            row.clone()
        }
        None => session.clone(),
    }
}

fn wrapped(call: &mut Call<'_>, session_id: &str) -> Value {
    let session = call.state.sessions.get(session_id).cloned();
    let session = session.map(|session| session_view(call, &session));
    let id = clients::of_browser(call).map(|client| client.id.clone());
    let client = id.map(|id| client_view(call, &id));
    json!({ "response": session, "client": client })
}

fn client_view(call: &mut Call<'_>, id: &str) -> Value {
    let Some(client) = call.state.browser.clients.get(id).cloned() else {
        return Value::Null;
    };
    let live: Vec<Session> = clients::sessions_of(call, &client)
        .into_iter()
        .map(|(session, _)| session.clone())
        .collect();
    let sessions: Vec<Value> = live
        .iter()
        .map(|session| session_view(call, session))
        .collect();
    json!({
        "object": "client",
        "id": client.id,
        "sessions": sessions,
        "sign_in": null,
        "sign_up": null,
        "last_active_session_id": client.last_active_session_id,
        "last_authentication_strategy": null,
        "cookie_expires_at": null,
        "captcha_bypass": false,
        "created_at": client.created_at,
        "updated_at": client.created_at,
    })
}

fn session_view(call: &mut Call<'_>, session: &Session) -> Value {
    let mut view = views::session(session, call.now);
    if session.status(call.now) == "active" {
        let jwt = sessions::token(call, session, None);
        view["last_active_token"] = json!({ "object": "token", "jwt": jwt });
    }
    view["factor_verification_age"] = sessions::factor_verification_age(session, call.now);
    view["public_user_data"] = Value::Null;
    if let Some(user) = call.state.user(&session.user_id) {
        let mut person = views::user(user, &call.state.instance.id, call.now);
        if let Some(members) = person.as_object_mut() {
            // A browser never sees it.
            members.remove("private_metadata");
            members.retain(|name, value| name != "create_organizations_limit" || !value.is_null());
        }
        for kind in ["email_addresses", "phone_numbers"] {
            let all = person.get_mut(kind).and_then(Value::as_array_mut);
            all.into_iter().flatten().for_each(date_verification);
        }
        view["user"] = person;
        view["public_user_data"] = views::public_user_data(user, &call.state.instance.id);
    }
    view
}

/// Unlike the Backend API, the Frontend API always says when a code would have expired.
fn date_verification(identification: &mut Value) {
    let created_at = identification["created_at"].as_u64().unwrap_or_default();
    let verification = &mut identification["verification"];
    if verification.is_object() && verification["expire_at"].is_null() {
        verification["expire_at"] = json!(created_at + CODE_LIFETIME);
    }
}

/// The id of the sign-in that made a session.
fn call_id(session: &Session) -> String {
    session.id.replacen("sess_", "sia_", 1)
}
