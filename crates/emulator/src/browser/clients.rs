//! Who is signed in: the cookie `__client` names the browser, the browser's sessions the people.

use super::state::Client;
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::{self, ApiError};
use crate::ids::Id;
use crate::model::{Session, User};
use crate::sessions;
use crate::signing::{self, Kind};
use crate::state::State;
use crate::tickets::{self, Ticket};
use crate::web;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderValue, Response};
use serde_json::{Value, json};

/// How long a browser keeps its cookie: a year, in seconds.
pub(super) const COOKIE_LIFETIME: u64 = 365 * 24 * 60 * 60;

/// A person who is signed in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SignedIn {
    pub(crate) user_id: Id,
    pub(crate) active_organization_id: Option<Id>,
    /// Who acts as them, in an impersonation.
    pub(crate) actor: Option<Value>,
    /// When they signed in.
    pub(crate) since: u64,
}

/// The live session that this browser used last.
pub(super) fn last_session(call: &Call<'_>) -> Option<Session> {
    let id = of_browser(call)?.last_active_session_id.as_ref()?;
    let session = call.state.sessions.get(id)?;
    is_live(call, session).then(|| session.clone())
}

/// The person whose session this browser used last.
pub(crate) fn current(call: &Call<'_>) -> Option<SignedIn> {
    let session = last_session(call)?;
    Some(SignedIn {
        user_id: session.user_id,
        active_organization_id: session.active_organization_id,
        actor: session.actor,
        since: session.created_at,
    })
}

/// Everybody who is signed in at this browser, with their sessions.
pub(crate) fn everybody<'a>(call: &'a Call<'_>) -> Vec<(&'a Session, &'a User)> {
    of_browser(call).map_or_else(Vec::new, |client| sessions_of(call, client))
}

/// The live sessions of a client, with their users.
pub(crate) fn sessions_of<'a>(call: &'a Call<'_>, client: &Client) -> Vec<(&'a Session, &'a User)> {
    let own = call.state.sessions.iter();
    own.filter(|session| session.client_id == client.id && is_live(call, session))
        .filter_map(|session| Some((session, call.state.user(&session.user_id)?)))
        .collect()
}

/// Whether a user may sign in; a ban and a lock are Clerk's reasons why not.
pub(crate) fn may_sign_in(state: &State, user_id: &str, now: u64) -> Result<(), ApiError> {
    let user = state.user(user_id);
    let user = user.ok_or_else(|| error::user_not_found(user_id))?;
    if user.banned {
        return Err(error::user_banned());
    }
    match user.locked_until.filter(|until| now < *until) {
        Some(until) => Err(error::user_locked((until - now).div_ceil(SECOND))),
        None => Ok(()),
    }
}

/// Signs a user in at this browser and sets its cookies.
pub(crate) fn sign_in(
    call: &mut Call<'_>,
    user_id: &Id,
    response: Response<Bytes>,
) -> Result<Response<Bytes>, ApiError> {
    may_sign_in(call.state, user_id, call.now)?;
    let client = client_or_new(call);
    let mut former = everybody(call).into_iter();
    let former = former.find(|(session, _)| session.user_id == *user_id);
    if let Some(id) = former.map(|(session, _)| session.id.clone()) {
        end(call, &id);
    }
    let session = sessions::start(call, user_id, client.id.clone(), None);
    Ok(signed(call, client, &session, response))
}

/// Accepts a ticket at this browser and sets its cookies.
pub(crate) fn sign_in_with_ticket(
    call: &mut Call<'_>,
    text: &str,
    response: Response<Bytes>,
) -> Result<Response<Bytes>, ApiError> {
    let ticket = tickets::pending(call, text)?;
    may_sign_in(call.state, &ticket.user_id, call.now)?;
    let (client, session) = start_with_ticket(call, &ticket);
    tickets::accept(call, &ticket.id);
    Ok(signed(call, client, &session, response))
}

/// Signs in the user of a ticket at this client, on behalf of the actor if it has one.
pub(super) fn start_with_ticket(call: &mut Call<'_>, ticket: &Ticket) -> (Client, Session) {
    let client = client_or_new(call);
    let organization = ticket.organization_id.clone();
    let mut session = sessions::start(call, &ticket.user_id, client.id.clone(), organization);
    session.actor.clone_from(&ticket.actor);
    if let Some(lifetime) = ticket.session_lifetime {
        session.expire_at = call.now + lifetime;
        session.touch(call.now);
    }
    call.state.sessions.insert(session.clone());
    (client, session)
}

/// The client that asks, or a new one.
pub(super) fn client_or_new(call: &mut Call<'_>) -> Client {
    if let Some(client) = of_browser(call) {
        return client.clone();
    }
    let client = Client {
        id: call.mint("client"),
        rotating_token: call.ticket(),
        last_active_session_id: None,
        created_at: call.now,
    };
    call.state.browser.clients.insert(client.clone());
    client
}

/// Goes on as somebody who is signed in at this browser already.
pub(crate) fn switch(
    call: &mut Call<'_>,
    session_id: &str,
    response: Response<Bytes>,
) -> Result<Response<Bytes>, ApiError> {
    let mut all = everybody(call).into_iter();
    let session = all
        .find(|(session, _)| &*session.id == session_id)
        .map(|(session, _)| session.clone());
    let client = of_browser(call).cloned();
    let (Some(session), Some(client)) = (session, client) else {
        return Err(error::session_not_found(session_id));
    };
    may_sign_in(call.state, &session.user_id, call.now)?;
    Ok(signed(call, client, &session, response))
}

/// Ends one session of this browser, or all of them.
pub(crate) fn sign_out(
    call: &mut Call<'_>,
    session_id: Option<&str>,
    mut response: Response<Bytes>,
) -> Response<Bytes> {
    let chosen = everybody(call)
        .into_iter()
        .filter(|(session, _)| session_id.is_none_or(|id| &*session.id == id))
        .map(|(session, _)| session.id.clone());
    for id in chosen.collect::<Vec<_>>() {
        end(call, &id);
    }
    forget_ended(call);
    set_cookie(&mut response, "__session=; Path=/; Max-Age=0; SameSite=Lax");
    match of_browser(call) {
        Some(client) => introduced(response, &token_of(call, client)),
        None => response,
    }
}

/// The client's last active session is one that lives.
pub(super) fn forget_ended(call: &mut Call<'_>) {
    let next = everybody(call)
        .last()
        .map(|(session, _)| session.id.clone());
    let id = of_browser(call).map(|client| client.id.clone());
    if let Some(client) = id.and_then(|id| call.state.browser.clients.get_mut(&id)) {
        client.last_active_session_id = next;
    }
}

fn end(call: &mut Call<'_>, session_id: &str) {
    let now = call.now;
    if let Some(session) = call.state.sessions.get_mut(session_id) {
        session.revoked = true;
        session.updated_at = now;
    }
}

fn is_live(call: &Call<'_>, session: &Session) -> bool {
    session.status(call.now) == "active"
        && call
            .state
            .user(&session.user_id)
            .is_some_and(|user| !user.banned)
}

/// The client that asks: by its cookie, for a native application by its header, and for an
/// application's development browser by the token in the link.
pub(crate) fn of_browser<'a>(call: &'a Call<'_>) -> Option<&'a Client> {
    if is_native(call) {
        let header = call.headers.get(AUTHORIZATION)?.to_str().ok()?;
        return of_token(call, header.strip_prefix("Bearer ").unwrap_or(header));
    }
    let token = call.dev_browser.as_deref();
    if let Some(client) = token.and_then(|token| of_token(call, token)) {
        return Some(client);
    }
    let cookies = call.headers.get_all(COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, token) = pairs.find(|(name, _)| *name == "__client")?;
    of_token(call, token)
}

fn is_native(call: &Call<'_>) -> bool {
    call.query.text("_is_native") == Some("1")
}

fn of_token<'a>(call: &'a Call<'_>, token: &str) -> Option<&'a Client> {
    let (_, claims) = signing::read(token)?;
    let client = call
        .state
        .browser
        .clients
        .get(claims.get("id")?.as_str()?)?;
    (claims.get("rotating_token")?.as_str()? == client.rotating_token).then_some(client)
}

/// Tells the client who it is and who has signed in: a native application in the header
/// `Authorization`, a browser in cookies as Clerk names them. Those reach every port of this host: browsers do not separate
/// those.
pub(super) fn signed(
    call: &mut Call<'_>,
    mut client: Client,
    session: &Session,
    mut response: Response<Bytes>,
) -> Response<Bytes> {
    client.last_active_session_id = Some(session.id.clone());
    let token = token_of(call, &client);
    call.state.browser.clients.insert(client);
    if is_native(call) {
        if let Ok(value) = HeaderValue::from_str(&token) {
            response.headers_mut().insert(AUTHORIZATION, value);
        }
        return response;
    }
    let jwt = sessions::token(call, session, None);
    let seconds = session.created_at / SECOND;
    for cookie in [
        client_cookie(&token),
        format!("__client_uat={seconds}; Path=/; SameSite=Lax; Max-Age={COOKIE_LIFETIME}"),
        format!("__session={jwt}; Path=/; SameSite=Lax; Max-Age={COOKIE_LIFETIME}"),
    ] {
        set_cookie(&mut response, &cookie);
    }
    introduced(response, &token)
}

/// Lets the browser remember which client it is, whoever is signed in there.
pub(super) fn remembered(
    call: &Call<'_>,
    client: &Client,
    mut response: Response<Bytes>,
) -> Response<Bytes> {
    set_cookie(&mut response, &client_cookie(&token_of(call, client)));
    response
}

/// What a client is known by: the value of its cookie.
pub(super) fn token_of(call: &Call<'_>, client: &Client) -> String {
    let claims = json!({ "id": client.id, "rotating_token": client.rotating_token });
    let kid = &call.state.instance.id;
    let token = call.signing.sign(kid, Kind::Plain, &claims);
    token.unwrap_or_default()
}

fn client_cookie(token: &str) -> String {
    format!("__client={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={COOKIE_LIFETIME}")
}

/// A redirect to an application tells it which client the browser is, so that it asks anew who is
/// signed in. Paths of the emulator need no telling.
fn introduced(mut response: Response<Bytes>, token: &str) -> Response<Bytes> {
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    if let Some(location) = location.filter(|location| !location.starts_with('/'))
        && let Ok(value) =
            HeaderValue::from_str(&web::with_parameter(location, "__clerk_db_jwt", token))
    {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn set_cookie(response: &mut Response<Bytes>, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
