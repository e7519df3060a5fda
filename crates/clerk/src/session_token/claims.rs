use std::fmt;

use serde_json::{Map, Value};

use super::error::SessionTokenError;
use super::permissions;
use super::policy::SessionTokenPolicy;
use crate::id::{IdKind, check_id};
use crate::redact::quoted;

/// What a verified session token says. Only verification makes one.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionClaims {
    /// `sub`: the user, `user_…`.
    pub user_id: String,
    /// `sid`: the session, `sess_…`.
    pub session_id: String,
    /// The session's active organization.
    pub organization: Option<SessionOrganization>,
    /// `act`: who really acts, when the user is impersonated.
    pub actor: Option<Value>,
    /// `iat`, in Unix seconds.
    pub issued_at: Option<u64>,
    /// `exp`, in Unix seconds.
    pub expires_at: u64,
    /// `iss`: the instance's Frontend API.
    pub issuer: Option<String>,
    /// `azp`: the origin of the site that the token was made for.
    pub authorized_party: Option<String>,
    /// `v`: 1 or 2; a version after that is read as 2.
    pub version: u64,
    /// Every claim as it is in the token.
    pub raw: Map<String, Value>,
}

/// An organization as a session token shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionOrganization {
    /// `org_…`.
    pub id: String,
    /// The slug, if it has one.
    pub slug: Option<String>,
    /// The role's key, `org:admin`, when the token was made.
    pub role: Option<String>,
    /// The custom permissions, `org:feature:action`. Clerk leaves system permissions
    /// (`org:sys_…`) out of tokens.
    pub permissions: Vec<String>,
}

impl SessionClaims {
    /// Checks signed claims against the time and the policy.
    pub(super) fn check(
        raw: Map<String, Value>,
        now_ms: u64,
        policy: &SessionTokenPolicy,
    ) -> Result<Self, SessionTokenError> {
        let expires_at = check_times(&raw, now_ms, policy.clock_skew_ms())?;
        check_status(&raw)?;
        let issuer = check_issuer(&raw, policy)?;
        let authorized_party = check_party(&raw, policy)?;
        let version = raw.get("v").and_then(Value::as_u64).unwrap_or(1);
        let organization = if version >= 2 {
            organization_v2(&raw)?
        } else {
            organization_v1(&raw)?
        };
        Ok(Self {
            user_id: id(&raw, "sub", IdKind::User)?,
            session_id: id(&raw, "sid", IdKind::Session)?,
            organization,
            actor: raw.get("act").filter(|act| !act.is_null()).cloned(),
            issued_at: time(&raw, "iat")?.map(|at| at / 1_000),
            expires_at: expires_at / 1_000,
            issuer,
            authorized_party,
            version,
            raw,
        })
    }
}

/// Names and ids only: custom claims are the owner's data.
impl fmt::Debug for SessionClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionClaims")
            .field("user_id", &self.user_id)
            .field("session_id", &self.session_id)
            .field("organization", &self.organization)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("issuer", &self.issuer)
            .field("authorized_party", &self.authorized_party)
            .field("version", &self.version)
            .field("raw", &self.raw.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// `exp`, `nbf` and `iat`, each within the skew. Returns `exp` in milliseconds.
fn check_times(raw: &Map<String, Value>, now: u64, skew: u64) -> Result<u64, SessionTokenError> {
    let expires_at = time(raw, "exp")?.ok_or(missing("exp"))?;
    if expires_at <= now.saturating_sub(skew) {
        return Err(SessionTokenError::Expired {
            seconds_ago: (now - expires_at) / 1_000,
        });
    }
    for claim in ["nbf", "iat"] {
        let begins_at = time(raw, claim)?.unwrap_or_default();
        if begins_at > now.saturating_add(skew) {
            return Err(SessionTokenError::NotYetValid {
                seconds: (begins_at - now).div_ceil(1_000),
            });
        }
    }
    Ok(expires_at)
}

fn check_status(raw: &Map<String, Value>) -> Result<(), SessionTokenError> {
    match raw.get("sts").map(Value::as_str) {
        None | Some(Some("active")) => Ok(()),
        Some(Some("pending")) => Err(SessionTokenError::Pending),
        Some(_) => Err(SessionTokenError::Claim {
            claim: "sts",
            problem: "is not `active`",
        }),
    }
}

fn check_issuer(
    raw: &Map<String, Value>,
    policy: &SessionTokenPolicy,
) -> Result<Option<String>, SessionTokenError> {
    let issuer = optional_text(raw, "iss")?;
    let Some(expected) = policy.expected_issuer() else {
        return Ok(issuer);
    };
    let found = issuer.as_deref().ok_or(missing("iss"))?;
    if found.trim_end_matches('/') == expected.trim_end_matches('/') {
        return Ok(issuer);
    }
    Err(SessionTokenError::Issuer {
        shown: quoted(found),
        expected: expected.to_owned(),
    })
}

fn check_party(
    raw: &Map<String, Value>,
    policy: &SessionTokenPolicy,
) -> Result<Option<String>, SessionTokenError> {
    let party = optional_text(raw, "azp")?;
    if policy.accepts_party(party.as_deref()) {
        return Ok(party);
    }
    Err(SessionTokenError::AuthorizedParty {
        shown: party.as_deref().map(quoted),
    })
}

/// What a verified token of a JWT template says. Only verification makes one.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateClaims {
    /// `sub`: the user, `user_…`. Which session it was made for such a token does not say.
    pub user_id: String,
    /// `act`: who really acts, if the template says so (`{{session.actor}}`).
    pub actor: Option<Value>,
    /// `exp`, in Unix seconds.
    pub expires_at: u64,
    /// `azp`: the origin of the site that the token was made for.
    pub authorized_party: Option<String>,
    /// Every claim as it is in the token, the template's own ones among them.
    pub raw: Map<String, Value>,
}

impl TemplateClaims {
    /// Checks signed claims against the time and the policy.
    pub(super) fn check(
        raw: Map<String, Value>,
        now_ms: u64,
        policy: &SessionTokenPolicy,
    ) -> Result<Self, SessionTokenError> {
        let expires_at = check_times(&raw, now_ms, policy.clock_skew_ms())?;
        check_issuer(&raw, policy)?;
        Ok(Self {
            authorized_party: check_party(&raw, policy)?,
            user_id: id(&raw, "sub", IdKind::User)?,
            actor: raw.get("act").filter(|act| !act.is_null()).cloned(),
            expires_at: expires_at / 1_000,
            raw,
        })
    }
}

/// Names and ids only: custom claims are the owner's data.
impl fmt::Debug for TemplateClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateClaims")
            .field("user_id", &self.user_id)
            .field("expires_at", &self.expires_at)
            .field("authorized_party", &self.authorized_party)
            .field("raw", &self.raw.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn organization_v1(
    raw: &Map<String, Value>,
) -> Result<Option<SessionOrganization>, SessionTokenError> {
    if raw.get("org_id").is_none_or(Value::is_null) {
        return Ok(None);
    }
    let permissions = raw.get("org_permissions").and_then(Value::as_array);
    Ok(Some(SessionOrganization {
        id: id(raw, "org_id", IdKind::Organization)?,
        slug: optional_text(raw, "org_slug")?,
        role: optional_text(raw, "org_role")?,
        permissions: permissions
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }))
}

fn organization_v2(
    raw: &Map<String, Value>,
) -> Result<Option<SessionOrganization>, SessionTokenError> {
    let claim = match raw.get("o") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(claim)) => claim,
        Some(_) => {
            return Err(SessionTokenError::Claim {
                claim: "o",
                problem: "is no object",
            });
        }
    };
    let text = |of: &Map<String, Value>, name: &str| {
        let text = of.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let permissions =
        permissions::decode(&text(raw, "fea"), &text(claim, "per"), &text(claim, "fpm"));
    let organization_id = text(claim, "id");
    check_id(IdKind::Organization, &organization_id).map_err(|_| SessionTokenError::Claim {
        claim: "o",
        problem: "has no organization id",
    })?;
    Ok(Some(SessionOrganization {
        id: organization_id,
        slug: optional_text(claim, "slg")?,
        role: optional_text(claim, "rol")?.map(|role| {
            if role.starts_with("org:") {
                role
            } else {
                format!("org:{role}")
            }
        }),
        permissions,
    }))
}

fn id(
    raw: &Map<String, Value>,
    claim: &'static str,
    kind: IdKind,
) -> Result<String, SessionTokenError> {
    let id = optional_text(raw, claim)?.ok_or(missing(claim))?;
    check_id(kind, &id).map_err(|_| SessionTokenError::Claim {
        claim,
        problem: match kind {
            IdKind::User => "is no user id",
            IdKind::Session => "is no session id",
            _ => "is no organization id",
        },
    })?;
    Ok(id)
}

/// A text; `None` when it is absent, null or empty.
fn optional_text(
    raw: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<String>, SessionTokenError> {
    match raw.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(SessionTokenError::Claim {
            claim,
            problem: "is no text",
        }),
    }
}

/// A time in Unix milliseconds. RFC 7519 allows fractions of a second.
fn time(raw: &Map<String, Value>, claim: &'static str) -> Result<Option<u64>, SessionTokenError> {
    /// The year 9999; what lies after it is no time.
    const LATEST: f64 = 253_402_300_799.0;
    match raw.get(claim).map(Value::as_f64) {
        None => Ok(None),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the guard keeps it within u64"
        )]
        Some(Some(seconds)) if (0.0..=LATEST).contains(&seconds) => {
            Ok(Some((seconds * 1_000.0) as u64))
        }
        Some(_) => Err(SessionTokenError::Claim {
            claim,
            problem: "is no time in Unix seconds",
        }),
    }
}

fn missing(claim: &'static str) -> SessionTokenError {
    SessionTokenError::Claim {
        claim,
        problem: "is missing",
    }
}
