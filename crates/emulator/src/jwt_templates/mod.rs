//! JWT templates: what custom tokens of a session say, and minting those tokens.

mod claims;
mod shortcodes;

use crate::body::{Body, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::{self, ApiError};
use crate::ids::{self, Id};
use crate::model::{Metadata, Session};
use crate::paging::Page;
use crate::signing;
use crate::table::Row;
use crate::views;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Clerk's defaults and limits, in seconds.
pub(crate) const DEFAULT_LIFETIME: u64 = 60;
pub(crate) const DEFAULT_CLOCK_SKEW: u64 = 5;
const LIFETIME: (u64, u64) = (30, 315_360_000);
const MAX_CLOCK_SKEW: u64 = 300;
/// `cat` of the header: this is a token of a template, and no session token.
const CATEGORY: &str = "cl_B7d4PD222AAA";
/// Tokens of the emulator are signed with the key of the instance.
const ALGORITHM: &str = "RS256";

/// Claims that Clerk sets itself, or that only session tokens have.
const RESERVED: [&str; 11] = [
    "azp", "exp", "fea", "iat", "iss", "jti", "nbf", "pla", "sid", "sub", "v",
];

/// A JWT template. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JwtTemplate {
    pub(crate) id: Id,
    pub(crate) name: String,
    /// May hold shortcodes such as `{{user.id}}`.
    pub(crate) claims: Metadata,
    /// Seconds from `iat` to `exp`.
    pub(crate) lifetime: u64,
    /// Seconds from `nbf` to `iat`.
    pub(crate) allowed_clock_skew: u64,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl Row for JwtTemplate {
    fn id(&self) -> &Id {
        &self.id
    }
    fn created_at(&self) -> u64 {
        self.created_at
    }
}

const PARAMS: [Param; 7] = [
    param("name", Kind::Text),
    param("claims", Kind::Object),
    nullable("lifetime", Kind::Integer),
    nullable("allowed_clock_skew", Kind::Integer),
    param("custom_signing_key", Kind::Boolean),
    nullable("signing_algorithm", Kind::Text),
    nullable("signing_key", Kind::Text),
];

/// `ListJWTTemplates`: newest first.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Page::of(&call.query)?
        .take(call.state.jwt_templates.iter().rev(), view)
        .bare_unless_paginated(&call.query)
}

/// `CreateJWTTemplate`.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = Given::take(call)?;
    check_free(call, &given.name, None)?;
    let now = call.now;
    let template = JwtTemplate {
        id: call.mint("jtmp"),
        name: given.name,
        claims: given.claims,
        lifetime: given.lifetime.unwrap_or(DEFAULT_LIFETIME),
        allowed_clock_skew: given.allowed_clock_skew.unwrap_or(DEFAULT_CLOCK_SKEW),
        created_at: now,
        updated_at: now,
    };
    let view = view(&template);
    call.state.jwt_templates.insert(template);
    Ok(view)
}

/// `GetJWTTemplate`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(view(find(call)?))
}

/// `UpdateJWTTemplate`: name and claims are always given; other settings stay unless given.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut template = find(call)?.clone();
    let given = Given::take(call)?;
    check_free(call, &given.name, Some(&template.id))?;
    template.name = given.name;
    template.claims = given.claims;
    template.lifetime = given.lifetime.unwrap_or(template.lifetime);
    template.allowed_clock_skew = given
        .allowed_clock_skew
        .unwrap_or(template.allowed_clock_skew);
    template.updated_at = call.now;
    let view = view(&template);
    call.state.jwt_templates.insert(template);
    Ok(view)
}

/// `DeleteJWTTemplate`.
pub(crate) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = find(call)?.id.clone();
    call.state.jwt_templates.remove(&id);
    Ok(views::deleted("jwt_template", &id))
}

/// A token of a template for the user of a session. It is not tied to the session: it has no `sid`.
/// `lifetime` in seconds replaces that of the template; `authorized_party` is the origin that asks.
pub(crate) fn mint(
    call: &mut Call<'_>,
    session: &Session,
    name: &str,
    lifetime: Option<u64>,
    authorized_party: Option<&str>,
) -> Result<String, ApiError> {
    let mut all = call.state.jwt_templates.iter();
    let template = all
        .find(|template| template.name == name)
        .ok_or_else(|| error::jwt_template_not_found(name))?
        .clone();
    let context = shortcodes::of(call.state, session);
    let mut claims = claims::render(&template.claims, &context);
    let issued_at = call.now / SECOND;
    let fixed = json!({
        "exp": issued_at + lifetime.unwrap_or(template.lifetime),
        "iat": issued_at,
        "iss": call.url,
        "jti": ids::trace(call.random)[..20],
        "nbf": issued_at.saturating_sub(template.allowed_clock_skew),
        "sub": session.user_id,
    });
    if let Value::Object(fixed) = fixed {
        claims.extend(fixed);
    }
    if let Some(origin) = authorized_party {
        claims.insert("azp".to_owned(), json!(origin));
    }
    let kid = &call.state.instance.id;
    let kind = signing::Kind::Category(CATEGORY);
    let token = call.signing.sign(kid, kind, &Value::Object(claims));
    Ok(token.unwrap_or_default())
}

/// Why claims cannot be those of a template: the name of the first reserved one.
pub(crate) fn reserved_claim(claims: &Metadata) -> Option<&str> {
    let mut names = claims.keys().map(String::as_str);
    names.find(|name| RESERVED.contains(name))
}

/// Names are part of a path.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(plain)
}

/// Are these seconds a lifetime that Clerk allows?
pub(crate) fn is_lifetime(seconds: u64) -> bool {
    (LIFETIME.0..=LIFETIME.1).contains(&seconds)
}

/// Are these seconds a clock skew that Clerk allows?
pub(crate) fn is_clock_skew(seconds: u64) -> bool {
    seconds <= MAX_CLOCK_SKEW
}

/// The body of `CreateJWTTemplate` and `UpdateJWTTemplate`.
struct Given {
    name: String,
    claims: Map<String, Value>,
    lifetime: Option<u64>,
    allowed_clock_skew: Option<u64>,
}

impl Given {
    fn take(call: &mut Call<'_>) -> Result<Self, ApiError> {
        let object = call.take_object()?;
        let body = Body::check(&object, &PARAMS, Unknown::Ignored)?;
        let name = body.required_text("name")?;
        if !is_name(name) {
            let text = "name may hold letters, digits, `-`, `_` and `.` only.";
            return Err(error::param_format_invalid("name", text));
        }
        let claims = body
            .object("claims")
            .ok_or_else(|| error::param_missing("claims"))?;
        if let Some(claim) = reserved_claim(claims) {
            return Err(error::jwt_template_reserved_claim(claim));
        }
        if body.boolean("custom_signing_key") == Some(true) {
            return Err(error::custom_signing_key_unsupported());
        }
        Ok(Self {
            name: name.to_owned(),
            claims: claims.clone(),
            lifetime: body.integer("lifetime", LIFETIME.0, LIFETIME.1)?,
            allowed_clock_skew: body.integer("allowed_clock_skew", 0, MAX_CLOCK_SKEW)?,
        })
    }
}

fn check_free(call: &Call<'_>, name: &str, own: Option<&Id>) -> Result<(), ApiError> {
    let mut all = call.state.jwt_templates.iter();
    if all.any(|other| other.name == name && Some(&other.id) != own) {
        return Err(error::identifier_exists("name"));
    }
    Ok(())
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a JwtTemplate, ApiError> {
    let id = call.param("template_id");
    let found = call.state.jwt_templates.get(&id);
    found.ok_or_else(|| error::jwt_template_id_not_found(&id))
}

fn view(template: &JwtTemplate) -> Value {
    json!({
        "object": "jwt_template",
        "id": template.id,
        "name": template.name,
        "claims": template.claims,
        "lifetime": template.lifetime,
        "allowed_clock_skew": template.allowed_clock_skew,
        "custom_signing_key": false,
        "signing_algorithm": ALGORITHM,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
    })
}
