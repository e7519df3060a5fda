//! Sessions and the tokens made of them.

use crate::body::{Body, Kind, Unknown, nullable, param};
use crate::call::Call;
use crate::clock::{DAY, MINUTE, SECOND};
use crate::error::{self, ApiError};
use crate::ids::{self, Id};
use crate::jwt_templates;
use crate::model::Session;
use crate::paging::Page;
use crate::signing;
use crate::views;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Clerk's defaults for how long a session lives, and how long without being used.
const LIFETIME: u64 = 7 * DAY;
const ABANDONED_AFTER: u64 = 30 * DAY;
/// Seconds a session token is good for.
const TOKEN_LIFETIME: u64 = 60;
/// Seconds `nbf` lies before `iat`, for clocks that differ.
const CLOCK_SKEW: u64 = 10;
/// `cat` of the header: this is a session token.
const SESSION_TOKEN: &str = "cl_B7d4PD111AAA";

const STATUSES: [&str; 7] = [
    "abandoned",
    "active",
    "ended",
    "expired",
    "removed",
    "replaced",
    "revoked",
];

/// `GetSessionList`: newest first.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (query, now) = (&call.query, call.now);
    let page = Page::of(query)?;
    let status = query.choice("status", &STATUSES)?;
    let (user, client) = (query.text("user_id"), query.text("client_id"));
    let rows = call.state.sessions.iter().rev().filter(|session| {
        user.is_none_or(|id| &*session.user_id == id)
            && client.is_none_or(|id| &*session.client_id == id)
            && status.is_none_or(|status| session.status(now) == status)
    });
    page.take(rows, |row| views::session(row, now))
        .bare_unless_paginated(query)
}

/// `createSession`: for development instances, like this one.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [
        param("user_id", Kind::Text),
        nullable("active_organization_id", Kind::Text),
    ];
    let body = Body::check(&given, &params, Unknown::Ignored)?;
    let user_id = body.required_text("user_id")?;
    let user = call
        .state
        .user(user_id)
        .ok_or_else(|| error::user_not_found(user_id))?;
    if user.banned {
        return Err(error::user_banned());
    }
    let user_id = user.id.clone();
    let organization = match body.text("active_organization_id") {
        None => None,
        Some(id) => {
            let found = call
                .state
                .organization(id)
                .map(|organization| organization.id.clone());
            let member = found.filter(|id| call.state.membership(id, &user_id).is_some());
            Some(member.ok_or_else(error::organization_not_found_or_unauthorized)?)
        }
    };
    let client_id = call.mint("client");
    let session = start(call, &user_id, client_id, organization);
    Ok(views::session(&session, call.now))
}

/// A new session of a user on a client.
pub(crate) fn start(
    call: &mut Call<'_>,
    user_id: &Id,
    client_id: Id,
    organization: Option<Id>,
) -> Session {
    let now = call.now;
    let session = Session {
        id: call.mint("sess"),
        client_id,
        user_id: user_id.clone(),
        revoked: false,
        closed: None,
        actor: None,
        active_organization_id: organization,
        last_active_at: now,
        expire_at: now + LIFETIME,
        abandon_at: now + ABANDONED_AFTER,
        created_at: now,
        updated_at: now,
    };
    call.state.sessions.insert(session.clone());
    call.state.change_user(user_id, |user| {
        user.last_sign_in_at = Some(now);
        user.last_active_at = Some(now);
    });
    session
}

/// `GetSession`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(views::session(find(call)?, call.now))
}

/// `RevokeSession`: a session that has ended stays as it is.
pub(crate) fn revoke(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (id, now) = (find(call)?.id.clone(), call.now);
    if let Some(session) = call.state.sessions.get_mut(&id)
        && session.status(now) == "active"
    {
        session.revoked = true;
        session.updated_at = now;
    }
    get(call)
}

/// `CreateSessionToken`: a signed session token of version 2.
pub(crate) fn create_token(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let lifetime = token_lifetime(&given)?;
    let session = find_active(call)?;
    let jwt = sign(call, &session, lifetime.unwrap_or(TOKEN_LIFETIME), None);
    touch(call, &session.id);
    Ok(json!({ "object": "token", "jwt": jwt }))
}

/// The cookie's token of a session, good for a minute. `authorized_party` is the origin of the
/// application that it is for.
pub(crate) fn token(
    call: &mut Call<'_>,
    session: &Session,
    authorized_party: Option<&str>,
) -> String {
    sign(call, session, TOKEN_LIFETIME, authorized_party)
}

fn sign(
    call: &mut Call<'_>,
    session: &Session,
    lifetime: u64,
    authorized_party: Option<&str>,
) -> String {
    let mut claims = claims(call, session, lifetime);
    if let Some(origin) = authorized_party {
        claims["azp"] = json!(origin);
    }
    let kid = call.state.instance.id.clone();
    let kind = signing::Kind::Category(SESSION_TOKEN);
    call.signing.sign(&kid, kind, &claims).unwrap_or_default()
}

/// `CreateSessionTokenFromTemplate`.
pub(crate) fn create_token_from_template(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let lifetime = token_lifetime(&given)?;
    let session = find_active(call)?;
    let name = call.param("template_name");
    let jwt = jwt_templates::mint(call, &session, &name, lifetime, None)?;
    touch(call, &session.id);
    Ok(json!({ "object": "token", "jwt": jwt }))
}

/// The session of the path, if tokens may be made of it.
fn find_active(call: &Call<'_>) -> Result<Session, ApiError> {
    let session = find(call)?;
    if session.status(call.now) == "active" {
        Ok(session.clone())
    } else {
        Err(error::session_not_found(&session.id))
    }
}

fn touch(call: &mut Call<'_>, id: &str) {
    let now = call.now;
    if let Some(row) = call.state.sessions.get_mut(id) {
        row.touch(now);
    }
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a Session, ApiError> {
    let id = call.param("session_id");
    call.state
        .sessions
        .get(&id)
        .ok_or_else(|| error::session_not_found(&id))
}

fn token_lifetime(given: &serde_json::Map<String, Value>) -> Result<Option<u64>, ApiError> {
    let params = [nullable("expires_in_seconds", Kind::Integer)];
    let body = Body::check(given, &params, Unknown::Ignored)?;
    body.integer("expires_in_seconds", 30, 315_360_000)
}

/// Minutes since the first and the second factor were verified; -1 is never.
pub(crate) fn factor_verification_age(session: &Session, now: u64) -> Value {
    json!([now.saturating_sub(session.created_at) / MINUTE, -1])
}

fn claims(call: &mut Call<'_>, session: &Session, lifetime: u64) -> Value {
    let issued_at = call.now / SECOND;
    let mut claims = json!({
        "exp": issued_at + lifetime,
        "fva": factor_verification_age(session, call.now),
        "iat": issued_at,
        "iss": call.url,
        "jti": ids::trace(call.random)[..20],
        "nbf": issued_at.saturating_sub(CLOCK_SKEW),
        "sid": session.id,
        "sts": "active",
        "sub": session.user_id,
        "v": 2,
    });
    if let Some(actor) = &session.actor {
        claims["act"] = actor.clone();
    }
    if let Some((organization, features)) = organization_claims(call, session) {
        claims["o"] = organization;
        if !features.is_empty() {
            claims["fea"] = Value::String(features);
        }
    }
    claims
}

/// The claims `o` and `fea` of a session with an active organization. Custom permissions
/// (`org:feature:action`) are packed: `per` lists the actions, and for each feature bit i of `fpm`
/// says whether action i is allowed. System permissions are never in a token.
fn organization_claims(call: &Call<'_>, session: &Session) -> Option<(Value, String)> {
    let id = session.active_organization_id.as_ref()?;
    let organization = call.state.organization(id)?;
    let membership = call.state.membership(id, &session.user_id)?;
    let role = call.state.role(&membership.role)?;
    let parts = |key: &'_ str| -> Option<(String, String)> {
        let (feature, action) = key.strip_prefix("org:")?.split_once(':')?;
        (!feature.starts_with("sys_")).then(|| (feature.to_owned(), action.to_owned()))
    };
    let held: BTreeSet<(String, String)> = role
        .permissions
        .iter()
        .filter_map(|key| parts(key))
        .collect();
    let offered = call
        .state
        .permissions
        .iter()
        .filter_map(|permission| parts(&permission.key));
    let features: BTreeSet<String> = offered.map(|(feature, _)| feature).collect();
    let actions: BTreeSet<&String> = held.iter().map(|(_, action)| action).collect();

    let mut claim = json!({
        "id": organization.id,
        "slg": organization.slug,
        "rol": role.key.strip_prefix("org:").unwrap_or(&role.key),
    });
    if !held.is_empty() {
        let mask = |feature: &String| {
            let bits = actions.iter().enumerate().filter(|(_, action)| {
                held.iter()
                    .any(|(of, may)| of == feature && may == **action)
            });
            bits.fold(0_u64, |mask, (bit, _)| mask | 1 << bit)
                .to_string()
        };
        let join = |texts: Vec<String>| texts.join(",");
        claim["per"] = json!(join(
            actions.iter().map(|action| (*action).clone()).collect()
        ));
        claim["fpm"] = json!(join(features.iter().map(mask).collect()));
    }
    let features: Vec<String> = features
        .iter()
        .map(|feature| format!("o:{feature}"))
        .collect();
    Some((claim, features.join(",")))
}
