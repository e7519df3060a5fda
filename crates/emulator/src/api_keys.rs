//! API keys: long-lived secrets of a user or an organization.

use crate::body::{Body, Change, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::ids::{self, Id};
use crate::paging::Page;
use crate::query::contains;
use crate::table::Row;
use crate::views;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How secrets of API keys start.
pub(crate) const SECRET_PREFIX: &str = "ak_";
/// What a key is, unless it is said.
pub(crate) const DEFAULT_TYPE: &str = "api_key";
const TYPE_LENGTH: std::ops::RangeInclusive<usize> = 3..=25;
const MIN_NAME: usize = 3;
const MAX_DESCRIPTION: usize = 255;
/// The most rows of a page.
const MAX_LIMIT: u64 = 100;

/// An API key. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ApiKey {
    pub(crate) id: Id,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// Whose it is: a user, an organization or a machine.
    pub(crate) subject: Id,
    pub(crate) claims: Value,
    pub(crate) scopes: Vec<String>,
    pub(crate) secret: String,
    pub(crate) revoked: bool,
    pub(crate) revocation_reason: Option<String>,
    pub(crate) expires_at: Option<u64>,
    pub(crate) created_by: Option<Id>,
    pub(crate) last_used_at: Option<u64>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl ApiKey {
    fn is_expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|time| now >= time)
    }

    fn is_good(&self, now: u64) -> bool {
        !self.revoked && !self.is_expired(now)
    }
}

impl Row for ApiKey {
    fn id(&self) -> &Id {
        &self.id
    }
    fn created_at(&self) -> u64 {
        self.created_at
    }
}

const CREATE: [Param; 8] = [
    param("type", Kind::Text),
    param("name", Kind::Text),
    nullable("description", Kind::Text),
    param("subject", Kind::Text),
    nullable("claims", Kind::Any),
    param("scopes", Kind::Texts),
    nullable("created_by", Kind::Text),
    nullable("seconds_until_expiration", Kind::Number),
];
const UPDATE: [Param; 5] = [
    nullable("claims", Kind::Any),
    param("scopes", Kind::Texts),
    nullable("description", Kind::Text),
    param("subject", Kind::Text),
    nullable("seconds_until_expiration", Kind::Number),
];

/// `createApiKey`: beside `getApiKeySecret`, the only answer that tells the secret.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let body =
        Body::check(&given, &CREATE, Unknown::Refused).map_err(ApiError::into_bad_request)?;
    let key = make(call, &body).map_err(ApiError::into_bad_request)?;
    let mut view = view(&key, call.now);
    view["secret"] = json!(key.secret);
    call.state.api_keys.insert(key);
    Ok(view)
}

/// `getApiKeys`: those of a subject, newest first.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (query, now) = (&call.query, call.now);
    let page = Page::within(query, MAX_LIMIT).map_err(ApiError::into_bad_request)?;
    let subject = query.text("subject");
    let subject = subject.ok_or_else(|| error::bad_request("subject must be included."))?;
    let kind = query.text("type").unwrap_or(DEFAULT_TYPE);
    let all = query.boolean("include_invalid");
    let all = all.map_err(ApiError::into_bad_request)?.unwrap_or(false);
    let part = query.text("query").map(str::to_lowercase);
    let rows = call.state.api_keys.iter().rev().filter(|key| {
        &*key.subject == subject
            && key.kind == kind
            && (all || key.is_good(now))
            && part.as_ref().is_none_or(|part| contains(&key.name, part))
    });
    Ok(page.take(rows, |key| view(key, now)).counted())
}

/// `getApiKey`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(view(find(call)?, call.now))
}

/// `getApiKeySecret`.
pub(crate) fn get_secret(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(json!({ "secret": find(call)?.secret }))
}

/// `updateApiKey`.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut key = find(call)?.clone();
    let given = call.take_object()?;
    let body =
        Body::check(&given, &UPDATE, Unknown::Refused).map_err(ApiError::into_bad_request)?;
    if let Some(subject) = body.text("subject") {
        key.subject = find_subject(call, subject).ok_or_else(|| unknown_subject(subject))?;
    }
    if given.contains_key("claims") {
        key.claims = body.value("claims");
    }
    if body.has("scopes") {
        key.scopes = body
            .texts("scopes")
            .into_iter()
            .map(str::to_owned)
            .collect();
    }
    match body.change("description") {
        Change::Keep => {}
        Change::Clear => key.description = None,
        Change::Set(text) => key.description = Some(checked_description(text)?),
    }
    if given.contains_key("seconds_until_expiration") {
        let lifetime = body.seconds("seconds_until_expiration");
        let lifetime = lifetime.map_err(ApiError::into_bad_request)?;
        key.expires_at = lifetime.map(|lifetime| call.now + lifetime);
    }
    key.updated_at = call.now;
    let view = view(&key, call.now);
    call.state.api_keys.insert(key);
    Ok(view)
}

/// `deleteApiKey`.
pub(crate) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = find(call)?.id.clone();
    call.state.api_keys.remove(&id);
    Ok(views::deleted("api_key", &id))
}

/// `revokeApiKey`: revoking it again changes nothing.
pub(crate) fn revoke(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut key = find(call)?.clone();
    let given = call.take_object()?;
    let params = [nullable("revocation_reason", Kind::Text)];
    let body =
        Body::check(&given, &params, Unknown::Refused).map_err(ApiError::into_bad_request)?;
    if !key.revoked {
        key.revoked = true;
        key.revocation_reason = body.text("revocation_reason").map(str::to_owned);
        key.updated_at = call.now;
    }
    let view = view(&key, call.now);
    call.state.api_keys.insert(key);
    Ok(view)
}

/// `verifyApiKey`: one that is revoked or expired is not found, nor is one whose owner is gone.
pub(crate) fn verify(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let body = Body::check(&given, &[param("secret", Kind::Text)], Unknown::Refused)
        .map_err(ApiError::into_bad_request)?;
    let secret = body.text("secret");
    let secret = secret.ok_or_else(|| error::bad_request("secret must be included."))?;
    let now = call.now;
    let id = {
        let mut all = call.state.api_keys.iter();
        let found = all.find(|key| {
            key.secret == secret && key.is_good(now) && find_subject(call, &key.subject).is_some()
        });
        found.ok_or_else(error::api_key_not_found)?.id.clone()
    };
    let key = call.state.api_keys.get_mut(&id);
    let key = key.ok_or_else(error::api_key_not_found)?;
    key.last_used_at = Some(now);
    Ok(view(key, now))
}

/// Is it an id of a key: `ak_` and 32 hexadecimal characters.
pub(crate) fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("ak_");
    digits.is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Is it a name for a key?
pub(crate) fn is_name(text: &str) -> bool {
    text.chars().count() >= MIN_NAME && text.trim() == text && !text.contains('\n')
}

fn make(call: &mut Call<'_>, body: &Body<'_>) -> Result<ApiKey, ApiError> {
    let name = body.required_text("name")?;
    if !is_name(name) {
        let text = "name must have at least 3 characters and no space at its ends.";
        return Err(error::bad_request(text));
    }
    let kind = body.text("type").unwrap_or(DEFAULT_TYPE);
    if !TYPE_LENGTH.contains(&kind.chars().count()) {
        return Err(error::bad_request("type must have 3 to 25 characters."));
    }
    let description = body.text("description");
    let subject = body.required_text("subject")?;
    let lifetime = body.seconds("seconds_until_expiration")?;
    let now = call.now;
    let created_by = match body.text("created_by") {
        None => None,
        Some(id) => {
            let user = call.state.user(id).map(|user| user.id.clone());
            Some(user.ok_or_else(|| error::form_resource_not_found("created_by"))?)
        }
    };
    Ok(ApiKey {
        id: format!("ak_{}", ids::trace(call.random)).into(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        description: description.map(checked_description).transpose()?,
        subject: find_subject(call, subject).ok_or_else(|| unknown_subject(subject))?,
        claims: body.value("claims"),
        scopes: body
            .texts("scopes")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        secret: format!("{SECRET_PREFIX}{}", call.ticket()),
        revoked: false,
        revocation_reason: None,
        expires_at: lifetime.map(|lifetime| now + lifetime),
        created_by,
        last_used_at: None,
        created_at: now,
        updated_at: now,
    })
}

fn checked_description(text: &str) -> Result<String, ApiError> {
    if text.chars().count() > MAX_DESCRIPTION {
        return Err(error::bad_request(
            "description must have at most 255 characters.",
        ));
    }
    Ok(text.to_owned())
}

fn find_subject(call: &Call<'_>, id: &str) -> Option<Id> {
    let user = || call.state.user(id).map(|user| user.id.clone());
    let organization = || call.state.organization(id).map(|found| found.id.clone());
    let machine = || {
        call.state
            .machines
            .all
            .get(id)
            .map(|found| found.id.clone())
    };
    user().or_else(organization).or_else(machine)
}

fn unknown_subject(id: &str) -> ApiError {
    error::bad_request(format!(
        "subject: there is no user, organization or machine {id}"
    ))
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a ApiKey, ApiError> {
    let id = call.param("api_key_id");
    let found = call.state.api_keys.get(&id);
    found.ok_or_else(error::api_key_not_found)
}

/// A key without its secret.
fn view(key: &ApiKey, now: u64) -> Value {
    json!({
        "object": "api_key",
        "id": key.id,
        "type": key.kind,
        "subject": key.subject,
        "name": key.name,
        "description": key.description,
        "claims": key.claims,
        "scopes": key.scopes,
        "revoked": key.revoked,
        "revocation_reason": key.revocation_reason,
        "expired": key.is_expired(now),
        "expiration": key.expires_at,
        "created_by": key.created_by,
        "last_used_at": key.last_used_at,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
    })
}
