//! What a good token says, and whether it says enough: of a signed one's claims, or of what Clerk
//! answers about one that only it can read.

use serde_json::{Map, Value};

use super::error::{AccessTokenError, NotAccepted};
use super::policy::AccessTokenPolicy;
use crate::id::{IdKind, check_id};
use crate::jws::{ClaimFault, optional_text, time};
use crate::redact::quoted;

/// What a verified token says. Only verification makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessTokenClaims {
    /// What it is.
    pub kind: AccessTokenKind,
    /// Its id, `oat_…`, `mt_…` or `ak_…`; it is no secret. Tokens of OAuth clients may come without.
    pub id: Option<String>,
    /// Whose it is: a user, or for [`AccessTokenKind::Machine`] a machine.
    pub subject: String,
    /// The OAuth client that the user approved.
    pub client_id: Option<String>,
    /// The scopes of an OAuth token or an API key.
    pub scopes: Vec<String>,
    /// The organization that the user picked when they approved the client.
    pub organization_id: Option<String>,
    /// When it is over, Unix milliseconds; `None` when it never is.
    pub expires_at: Option<u64>,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokenKind {
    /// An OAuth client's, by which it acts for a user.
    Oauth,
    /// A machine's.
    Machine,
    /// An API key of a user.
    ApiKey,
}

impl AccessTokenClaims {
    /// Of an OAuth client's signed token (RFC 9068 section 4, as far as Clerk goes).
    pub(super) fn of_oauth_jwt(
        claims: &Map<String, Value>,
        now: u64,
        policy: &AccessTokenPolicy,
    ) -> Result<Self, AccessTokenError> {
        let expires_at = check_issuer_and_times(claims, now, policy)?;
        let text = |claim| optional_text(claims, claim);
        Self::of_oauth(
            Said {
                id: text("jti")?,
                client_id: text("client_id")?,
                subject: text("sub")?,
                scopes: match claims.get("scp") {
                    Some(list) => texts(Some(list)),
                    None => words(text("scope")?),
                },
                audiences: texts(claims.get("aud")),
                organization_id: text("org_id")?,
                has_actor: has(claims, "act"),
            },
            Some(expires_at),
            policy,
        )
    }

    /// Of what `verifyOAuthAccessToken` answers.
    pub(super) fn of_oauth_answer(
        answer: &Map<String, Value>,
        now: u64,
        policy: &AccessTokenPolicy,
    ) -> Result<Self, AccessTokenError> {
        let expires_at = check_standing(answer, now)?;
        let text = |name| optional_text(answer, name);
        Self::of_oauth(
            Said {
                id: text("id")?,
                client_id: text("client_id")?,
                subject: text("subject")?,
                scopes: texts(answer.get("scopes")),
                audiences: texts(answer.get("aud")),
                organization_id: text("org_id")?,
                has_actor: has(answer, "act"),
            },
            expires_at,
            policy,
        )
    }

    fn of_oauth(
        said: Said<'_>,
        expires_at: Option<u64>,
        policy: &AccessTokenPolicy,
    ) -> Result<Self, AccessTokenError> {
        let subject = id(IdKind::User, "sub", said.subject)?;
        let client_id = said.client_id.ok_or(ClaimFault::missing("client_id"))?;
        if !policy.accepts_client(client_id) {
            let shown = quoted(client_id);
            return Err(AccessTokenError::Client { shown });
        }
        if !policy.accepts_audience(&said.audiences) {
            let shown = said.audiences.iter().map(|audience| quoted(audience));
            return Err(AccessTokenError::Audience {
                shown: shown.collect::<Vec<_>>().join(", "),
            });
        }
        if said.has_actor {
            return Err(AccessTokenError::Impersonated);
        }
        let organization_id = match said.organization_id {
            Some(given) => Some(id(IdKind::Organization, "org_id", Some(given))?),
            None => None,
        };
        Ok(Self {
            kind: AccessTokenKind::Oauth,
            id: said.id.map(str::to_owned),
            subject,
            client_id: Some(client_id.to_owned()),
            scopes: said.scopes,
            organization_id,
            expires_at,
        })
    }

    /// Of a machine's signed token. The machines it is for are in `scopes`, else in `aud`.
    pub(super) fn of_machine_jwt(
        claims: &Map<String, Value>,
        now: u64,
        policy: &AccessTokenPolicy,
    ) -> Result<Self, AccessTokenError> {
        let expires_at = check_issuer_and_times(claims, now, policy)?;
        let machines = match claims.get("scopes") {
            Some(Value::String(text)) => words(Some(text)),
            Some(list @ Value::Array(_)) => texts(Some(list)),
            _ => texts(claims.get("aud")),
        };
        let id = optional_text(claims, "jti")?;
        let subject = optional_text(claims, "sub")?;
        Self::of_machine(id, subject, &machines, Some(expires_at), policy)
    }

    /// Of what `verifyM2MToken` answers.
    pub(super) fn of_machine_answer(
        answer: &Map<String, Value>,
        now: u64,
        policy: &AccessTokenPolicy,
    ) -> Result<Self, AccessTokenError> {
        let expires_at = check_standing(answer, now)?;
        let machines = texts(answer.get("scopes"));
        let id = optional_text(answer, "id")?;
        let subject = optional_text(answer, "subject")?;
        Self::of_machine(id, subject, &machines, expires_at, policy)
    }

    fn of_machine(
        token_id: Option<&str>,
        subject: Option<&str>,
        machines: &[String],
        expires_at: Option<u64>,
        policy: &AccessTokenPolicy,
    ) -> Result<Self, AccessTokenError> {
        let subject = id(IdKind::Machine, "sub", subject)?;
        let own = policy.machine.as_ref();
        if !own.is_some_and(|own| machines.contains(own)) {
            return Err(AccessTokenError::Machine {
                shown: quoted(&subject),
            });
        }
        Ok(Self {
            kind: AccessTokenKind::Machine,
            id: token_id.map(str::to_owned),
            subject,
            client_id: None,
            scopes: Vec::new(),
            organization_id: None,
            expires_at,
        })
    }

    /// Of what `verifyApiKey` answers. A key of an organization or a machine has no user to act for.
    pub(super) fn of_api_key_answer(
        answer: &Map<String, Value>,
        now: u64,
    ) -> Result<Self, AccessTokenError> {
        let expires_at = check_standing(answer, now)?;
        let subject = optional_text(answer, "subject")?.ok_or(ClaimFault::missing("subject"))?;
        if check_id(IdKind::User, subject).is_err() {
            return Err(AccessTokenError::NotAccepted(NotAccepted::OtherApiKey));
        }
        Ok(Self {
            kind: AccessTokenKind::ApiKey,
            id: Some(id(IdKind::ApiKey, "id", optional_text(answer, "id")?)?),
            subject: subject.to_owned(),
            client_id: None,
            scopes: texts(answer.get("scopes")),
            organization_id: None,
            expires_at,
        })
    }
}

/// What an OAuth token says, wherever it says so.
struct Said<'a> {
    id: Option<&'a str>,
    client_id: Option<&'a str>,
    subject: Option<&'a str>,
    scopes: Vec<String>,
    audiences: Vec<String>,
    organization_id: Option<&'a str>,
    has_actor: bool,
}

/// `iss`, `exp`, `nbf` and `iat`. Returns `exp` in Unix milliseconds.
fn check_issuer_and_times(
    claims: &Map<String, Value>,
    now: u64,
    policy: &AccessTokenPolicy,
) -> Result<u64, AccessTokenError> {
    let issuer = optional_text(claims, "iss")?.ok_or(ClaimFault::missing("iss"))?;
    if issuer.trim_end_matches('/') != policy.issuer {
        return Err(AccessTokenError::Issuer {
            shown: quoted(issuer),
            expected: policy.issuer.clone(),
        });
    }
    let skew = policy.clock_skew_ms();
    let expires_at = time(claims, "exp")?.ok_or(ClaimFault::missing("exp"))?;
    if expires_at <= now.saturating_sub(skew) {
        return Err(AccessTokenError::Expired);
    }
    for claim in ["nbf", "iat"] {
        let begins_at = time(claims, claim)?.unwrap_or_default();
        if begins_at > now.saturating_add(skew) {
            let seconds = (begins_at - now).div_ceil(1_000);
            return Err(AccessTokenError::NotYetValid { seconds });
        }
    }
    Ok(expires_at)
}

/// What Clerk says of a token that it was asked about. Returns when it is over, Unix milliseconds.
fn check_standing(answer: &Map<String, Value>, now: u64) -> Result<Option<u64>, AccessTokenError> {
    let is = |name: &str| answer.get(name).and_then(Value::as_bool);
    if is("active") == Some(false) || is("revoked") != Some(false) {
        return Err(AccessTokenError::Ended);
    }
    let expires_at = match answer.get("expiration") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_u64().ok_or(ClaimFault {
            claim: "expiration",
            problem: "is no time in milliseconds",
        })?),
    };
    if is("expired") != Some(false) || expires_at.is_some_and(|at| at <= now) {
        return Err(AccessTokenError::Expired);
    }
    Ok(expires_at)
}

fn id(kind: IdKind, claim: &'static str, given: Option<&str>) -> Result<String, AccessTokenError> {
    let given = given.ok_or(ClaimFault::missing(claim))?;
    check_id(kind, given).map_err(|_| ClaimFault {
        claim,
        problem: "is no id of its kind",
    })?;
    Ok(given.to_owned())
}

/// A text, or the texts of a list.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => {
            let texts = list.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn words(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split_ascii_whitespace();
    words.map(str::to_owned).collect()
}

fn has(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name).is_some_and(|value| !value.is_null())
}
