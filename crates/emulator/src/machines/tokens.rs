//! M2M tokens: a machine makes them for the machines it may talk to, and those verify them. Opaque
//! tokens are kept and can be revoked; JWTs are signed, and kept nowhere.

use super::state::{Machine, MachineToken};
use crate::body::{Body, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::{self, ApiError};
use crate::ids::{self, Id};
use crate::paging::Page;
use crate::reply;
use crate::signing;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

/// `cat` of the header: this is an M2M token.
const CATEGORY: &str = "cl_B7d4PD333AAA";
/// The most rows of a page.
const MAX_LIMIT: u64 = 100;

const CREATE: [Param; 4] = [
    param("token_format", Kind::Text),
    nullable("seconds_until_expiration", Kind::Number),
    nullable("claims", Kind::Any),
    param("min_remaining_ttl_seconds", Kind::Integer),
];

/// `createM2MToken`: with the secret key of a machine, for the machines in its scopes.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let machine = call.machine.as_ref();
    let machine = machine.and_then(|id| call.state.machines.all.get(id));
    let machine = machine
        .cloned()
        .ok_or_else(error::machine_secret_key_needed)?;
    let given = call.take_object()?;
    let wanted = Wanted::of(&given, &machine).map_err(ApiError::into_bad_request)?;
    let view = if wanted.jwt {
        create_jwt(call, &machine, &wanted)?
    } else {
        create_opaque(call, &machine, &wanted)
    };
    let response = reply::json(StatusCode::CREATED, &view);
    Ok(reply::not_stored(response))
}

/// `getM2MTokens`: the opaque ones of a machine, newest first.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (query, now) = (&call.query, call.now);
    let page = Page::within(query, MAX_LIMIT).map_err(ApiError::into_bad_request)?;
    let flag = |name| query.boolean(name).map_err(ApiError::into_bad_request);
    let (revoked, expired) = (flag("revoked")?, flag("expired")?);
    let subject = query.text("subject");
    let subject = subject.ok_or_else(|| error::bad_request("subject must be included."))?;
    if call.machine.as_ref().is_some_and(|own| **own != *subject) {
        return Err(error::other_machine());
    }
    if !call.state.machines.all.contains(subject) {
        return Err(error::machine_not_found(subject));
    }
    let rows = call.state.machines.tokens.iter().rev().filter(|token| {
        &*token.machine_id == subject
            && (revoked == Some(true) || !token.revoked)
            && (expired == Some(true) || now < token.expires_at)
    });
    let list = page.take(rows, |token| view(token, now));
    Ok(list.counted_as("m2m_tokens"))
}

/// `verifyM2MToken`. A machine verifies tokens that are for it; the instance verifies all.
pub(crate) fn verify(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let body = Body::check(&given, &[param("token", Kind::Text)], Unknown::Refused)
        .map_err(ApiError::into_bad_request)?;
    let text = body.text("token");
    let text = text.ok_or_else(|| error::bad_request("token must be included."))?;
    let now = call.now;
    let found = call.state.machines.tokens.iter();
    let found = found
        .filter(|token| !token.revoked && now < token.expires_at)
        .find(|token| token.secret == text);
    let Some(found) = found else {
        return verify_jwt(call, text);
    };
    let for_caller = |own: &Id| found.scopes.contains(own);
    if !call.machine.as_ref().is_none_or(for_caller) {
        return Err(error::machine_token_not_found());
    }
    let id = found.id.clone();
    let token = call.state.machines.tokens.get_mut(&id);
    let token = token.ok_or_else(error::machine_token_not_found)?;
    token.last_used_at = Some(now);
    Ok(view(token, now))
}

/// `revokeM2MToken`: revoking it again changes nothing.
pub(crate) fn revoke(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [nullable("revocation_reason", Kind::Text)];
    let body =
        Body::check(&given, &params, Unknown::Refused).map_err(ApiError::into_bad_request)?;
    let id = call.param("m2m_token_id");
    let (now, own) = (call.now, call.machine.clone());
    let token = call.state.machines.tokens.get_mut(&id);
    let token = token
        .filter(|token| own.is_none_or(|own| token.machine_id == own))
        .ok_or_else(error::machine_token_not_found)?;
    if !token.revoked {
        token.revoked = true;
        token.revocation_reason = body.text("revocation_reason").map(str::to_owned);
        token.updated_at = now;
    }
    Ok(view(token, now))
}

/// What the body of `createM2MToken` asks for.
struct Wanted {
    jwt: bool,
    /// Milliseconds.
    lifetime: u64,
    claims: Value,
    /// A token with these claims is reused if it is good for so many milliseconds more.
    min_remaining: Option<u64>,
}

impl Wanted {
    fn of(given: &Map<String, Value>, machine: &Machine) -> Result<Self, ApiError> {
        let body = Body::check(given, &CREATE, Unknown::Refused)?;
        let jwt = match body.text("token_format") {
            None | Some("opaque") => false,
            Some("jwt") => true,
            Some(other) => {
                let allowed = ["opaque", "jwt"];
                return Err(error::param_value_not_allowed(
                    "token_format",
                    other,
                    &allowed,
                ));
            }
        };
        let lifetime = body.seconds("seconds_until_expiration")?;
        let lifetime = lifetime.unwrap_or(machine.default_token_ttl * SECOND);
        let claims = body.value("claims");
        if jwt && !claims.is_null() && !claims.is_object() {
            return Err(error::param_type_invalid("claims", "object"));
        }
        let remaining = body.integer("min_remaining_ttl_seconds", 0, u64::MAX / SECOND)?;
        let min_remaining = remaining.map(|seconds| seconds * SECOND);
        if min_remaining.is_some_and(|remaining| remaining >= lifetime) {
            let text = "min_remaining_ttl_seconds must be less than the lifetime of the token.";
            return Err(error::bad_request(text));
        }
        Ok(Self {
            jwt,
            lifetime,
            claims,
            min_remaining,
        })
    }
}

fn create_opaque(call: &mut Call<'_>, machine: &Machine, wanted: &Wanted) -> Value {
    let now = call.now;
    let scopes: Vec<Id> = machine
        .scopes
        .iter()
        .map(|scope| scope.machine_id.clone())
        .collect();
    let token = reusable(call, machine, wanted, &scopes).unwrap_or_else(|| MachineToken {
        id: id(call),
        secret: format!("mt_{}", call.ticket()),
        machine_id: machine.id.clone(),
        claims: wanted.claims.clone(),
        scopes,
        revoked: false,
        revocation_reason: None,
        expires_at: now + wanted.lifetime,
        last_used_at: None,
        created_at: now,
        updated_at: now,
    });
    let mut view = view(&token, now);
    view["token"] = json!(token.secret);
    call.state.machines.tokens.insert(token);
    view
}

fn reusable(
    call: &Call<'_>,
    machine: &Machine,
    wanted: &Wanted,
    scopes: &[Id],
) -> Option<MachineToken> {
    let good_until = call.now + wanted.min_remaining?;
    let mut all = call.state.machines.tokens.iter().rev();
    let found = all.find(|token| {
        token.machine_id == machine.id
            && !token.revoked
            && token.expires_at >= good_until.max(call.now + 1)
            && token.claims == wanted.claims
            && token.scopes == scopes
    });
    found.cloned()
}

/// The claims given, and Clerk's own, which win.
fn create_jwt(call: &mut Call<'_>, machine: &Machine, wanted: &Wanted) -> Result<Value, ApiError> {
    let id = id(call);
    let issued_at = call.now / SECOND;
    let mut claims = wanted.claims.as_object().cloned().unwrap_or_default();
    let machines: Vec<&str> = machine
        .scopes
        .iter()
        .map(|scope| &*scope.machine_id)
        .collect();
    let fixed = json!({
        "aud": machines,
        "exp": issued_at + wanted.lifetime.div_ceil(SECOND),
        "iat": issued_at,
        "iss": call.url,
        "jti": id,
        "nbf": issued_at,
        "scopes": machines.join(" "),
        "sub": machine.id,
    });
    if let Value::Object(fixed) = fixed {
        claims.extend(fixed);
    }
    let claims = Value::Object(claims);
    let kid = &call.state.instance.id;
    let kind = signing::Kind::Category(CATEGORY);
    let token = call.signing.sign(kid, kind, &claims).unwrap_or_default();
    let mut view = jwt_view(call, &claims)?;
    view["token"] = json!(token);
    Ok(view)
}

fn verify_jwt(call: &Call<'_>, text: &str) -> Result<Value, ApiError> {
    let claims = signing::read_category(text, CATEGORY);
    let claims = claims.ok_or_else(error::machine_token_not_found)?;
    let expires_at = claims["exp"].as_u64().unwrap_or_default() * SECOND;
    let machine = claims["sub"].as_str().unwrap_or_default();
    if call.now >= expires_at || !call.state.machines.all.contains(machine) {
        return Err(error::machine_token_not_found());
    }
    jwt_view(call, &claims)
}

/// What the claims of a JWT say, in the form of a token that is kept.
fn jwt_view(call: &Call<'_>, claims: &Value) -> Result<Value, ApiError> {
    const OWN: [&str; 8] = ["aud", "exp", "iat", "iss", "jti", "nbf", "scopes", "sub"];
    let all = claims
        .as_object()
        .ok_or_else(error::machine_token_not_found)?;
    let custom: Map<String, Value> = all
        .iter()
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let time = |name: &str| claims[name].as_u64().unwrap_or_default() * SECOND;
    let issued_at = time("iat");
    Ok(json!({
        "object": "machine_to_machine_token",
        "id": claims["jti"],
        "subject": claims["sub"],
        "claims": if custom.is_empty() { Value::Null } else { Value::Object(custom) },
        "scopes": claims["aud"],
        "revoked": false,
        "revocation_reason": null,
        "expired": call.now >= time("exp"),
        "expiration": time("exp"),
        "last_used_at": null,
        "created_at": issued_at,
        "updated_at": issued_at,
    }))
}

fn id(call: &mut Call<'_>) -> Id {
    format!("mt_{}", ids::trace(call.random)).into()
}

/// A token without its secret.
fn view(token: &MachineToken, now: u64) -> Value {
    json!({
        "object": "machine_to_machine_token",
        "id": token.id,
        "subject": token.machine_id,
        "claims": token.claims,
        "scopes": token.scopes,
        "revoked": token.revoked,
        "revocation_reason": token.revocation_reason,
        "expired": now >= token.expires_at,
        "expiration": token.expires_at,
        "last_used_at": token.last_used_at,
        "created_at": token.created_at,
        "updated_at": token.updated_at,
    })
}
