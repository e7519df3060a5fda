use std::fmt;

use serde_json::{Map, Value};

use crate::id::{IdKind, check_id, check_segment};
use crate::jws::{ClaimFault, JwsFault, SignatureFault, Unverified, optional_text, time};
use crate::redact::quoted;
use crate::session_token::JsonWebKeySet;

/// What an ID token must be, beyond signed by the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedIdToken<'a> {
    /// Who issued it, to the letter.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// For which sign-in.
    pub nonce: &'a str,
    /// By how many milliseconds the clocks of Clerk and of this machine may differ.
    pub leeway_ms: u64,
}

/// Who signed in, as the provider attests. `Debug` shows ids only.
#[derive(Clone, PartialEq)]
pub struct IdTokenClaims {
    /// The user's id, `user_…` (`sub`).
    pub user_id: String,
    /// The Clerk session in which the person approved, where the token says so (`sid`).
    pub session_id: Option<String>,
    /// The organization that the person chose, with the scope `user:org:read` (`org_id`).
    pub organization_id: Option<String>,
    /// The e-mail address, with the scope `email`.
    pub email: Option<String>,
    /// Whether Clerk has verified that address. Without the claim it has not.
    pub email_verified: bool,
    /// The person's name, with the scope `profile`.
    pub name: Option<String>,
    /// When the person signed in, in Unix seconds (`auth_time`).
    pub authenticated_at: Option<u64>,
    /// When the token was made, in Unix seconds.
    pub issued_at: u64,
    /// When the token expires, in Unix seconds.
    pub expires_at: u64,
    /// All claims.
    pub raw: Map<String, Value>,
}

/// Why an ID token is not believed. Never holds the token.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdTokenError {
    /// The answer brought none.
    Absent,
    /// It is no JSON Web Token.
    Malformed {
        /// What is wrong with its form.
        problem: &'static str,
    },
    /// It is signed with an algorithm other than RS256, or not at all.
    Algorithm {
        /// The algorithm, as shown to people.
        shown: String,
    },
    /// None of the provider's keys has its key id.
    UnknownKey {
        /// The key id, as shown to people; `None` when the token names none.
        shown: Option<String>,
    },
    /// The signature is not of the key that the token names.
    Signature,
    /// Another provider issued it.
    Issuer {
        /// The issuer, as shown to people.
        shown: String,
        /// Who should have.
        expected: String,
    },
    /// It is for another client (`aud`, `azp`).
    Audience,
    /// It belongs to another sign-in, or to none.
    Nonce,
    /// It was good until some time ago.
    Expired {
        /// How long ago, in seconds.
        seconds_ago: u64,
    },
    /// It is not good yet, or was made in the future.
    NotYetValid {
        /// In how many seconds it is.
        seconds: u64,
    },
    /// A claim is missing, or is not what it should be.
    Claim {
        /// The claim's name.
        claim: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Verifies an ID token (OpenID Connect Core section 3.1.3.7): form, algorithm (RS256), type, key,
/// signature, issuer, audience, times, nonce and subject, in this order. `now_ms` is the time in Unix
/// milliseconds.
///
/// # Errors
/// [`IdTokenError`] with what is wrong.
pub fn verify_id_token(
    keys: &JsonWebKeySet,
    token: &str,
    now_ms: u64,
    expected: &ExpectedIdToken<'_>,
) -> Result<IdTokenClaims, IdTokenError> {
    let claims = unverified(token)?.verify(keys)?;
    check_issuer(&claims, expected)?;
    check_audience(&claims, expected)?;
    let (issued_at, expires_at) = check_times(&claims, now_ms, expected.leeway_ms)?;
    if expected.nonce.is_empty() || optional_text(&claims, "nonce")? != Some(expected.nonce) {
        return Err(IdTokenError::Nonce);
    }
    read(claims, issued_at, expires_at)
}

/// The key id that a token names, once it could be an ID token: no key is fetched for anything else.
pub(super) fn key_id(token: &str) -> Result<Option<String>, IdTokenError> {
    Ok(unverified(token)?.kid().map(str::to_owned))
}

/// A token whose header could be one of an ID token.
fn unverified(token: &str) -> Result<Unverified<'_>, IdTokenError> {
    let token = Unverified::parse(token)?;
    match token.header.get("typ").map(Value::as_str) {
        None => Ok(token),
        Some(Some(typ)) if typ.eq_ignore_ascii_case("JWT") => Ok(token),
        Some(_) => Err(malformed("it is a token of another type (`typ`)")),
    }
}

fn check_issuer(
    claims: &Map<String, Value>,
    expected: &ExpectedIdToken<'_>,
) -> Result<(), IdTokenError> {
    let issuer = optional_text(claims, "iss")?.ok_or(missing("iss"))?;
    if issuer == expected.issuer {
        return Ok(());
    }
    Err(IdTokenError::Issuer {
        shown: quoted(issuer),
        expected: expected.issuer.to_owned(),
    })
}

/// We are an audience; with others beside us, and wherever the token says for which client it was
/// made, that client is us.
fn check_audience(
    claims: &Map<String, Value>,
    expected: &ExpectedIdToken<'_>,
) -> Result<(), IdTokenError> {
    let client_id = expected.client_id;
    let (named, several) = match claims.get("aud") {
        Some(Value::String(audience)) => (audience == client_id, false),
        Some(Value::Array(list)) => (
            list.iter().any(|audience| audience == client_id),
            list.len() > 1,
        ),
        _ => return Err(missing("aud")),
    };
    let party = match optional_text(claims, "azp")? {
        Some(party) => party == client_id,
        None => !several,
    };
    (named && party).then_some(()).ok_or(IdTokenError::Audience)
}

/// `exp`, `iat` and `nbf`, each within the leeway. Returns `iat` and `exp` in Unix seconds.
fn check_times(
    claims: &Map<String, Value>,
    now_ms: u64,
    leeway_ms: u64,
) -> Result<(u64, u64), IdTokenError> {
    let expires_at = time(claims, "exp")?.ok_or(missing("exp"))?;
    if expires_at <= now_ms.saturating_sub(leeway_ms) {
        return Err(IdTokenError::Expired {
            seconds_ago: (now_ms - expires_at) / 1_000,
        });
    }
    let issued_at = time(claims, "iat")?.ok_or(missing("iat"))?;
    let begins_at = time(claims, "nbf")?.unwrap_or_default().max(issued_at);
    if begins_at > now_ms.saturating_add(leeway_ms) {
        return Err(IdTokenError::NotYetValid {
            seconds: (begins_at - now_ms).div_ceil(1_000),
        });
    }
    Ok((issued_at / 1_000, expires_at / 1_000))
}

fn read(
    raw: Map<String, Value>,
    issued_at: u64,
    expires_at: u64,
) -> Result<IdTokenClaims, IdTokenError> {
    let text =
        |claim| -> Result<_, IdTokenError> { Ok(optional_text(&raw, claim)?.map(str::to_owned)) };
    // Ids end in paths of requests to Clerk.
    let segment = |claim| match optional_text(&raw, claim)? {
        Some(id) if check_segment(id).is_err() => Err(IdTokenError::Claim {
            claim,
            problem: "is no id",
        }),
        id => Ok(id.map(str::to_owned)),
    };
    let user_id = optional_text(&raw, "sub")?.ok_or(missing("sub"))?;
    check_id(IdKind::User, user_id).map_err(|_| IdTokenError::Claim {
        claim: "sub",
        problem: "is no user id",
    })?;
    Ok(IdTokenClaims {
        user_id: user_id.to_owned(),
        session_id: segment("sid")?,
        organization_id: segment("org_id")?,
        email: text("email")?,
        email_verified: raw.get("email_verified") == Some(&Value::Bool(true)),
        name: text("name")?,
        authenticated_at: time(&raw, "auth_time")?.map(|at| at / 1_000),
        issued_at,
        expires_at,
        raw,
    })
}

impl From<JwsFault> for IdTokenError {
    fn from(fault: JwsFault) -> Self {
        match fault {
            JwsFault::Malformed(problem) => Self::Malformed { problem },
            JwsFault::Algorithm(shown) => Self::Algorithm { shown },
        }
    }
}

impl From<SignatureFault> for IdTokenError {
    fn from(fault: SignatureFault) -> Self {
        match fault {
            SignatureFault::UnknownKey(shown) => Self::UnknownKey { shown },
            SignatureFault::Wrong => Self::Signature,
            SignatureFault::Claims => malformed("its claims are no JSON in base64url"),
        }
    }
}

impl From<ClaimFault> for IdTokenError {
    fn from(fault: ClaimFault) -> Self {
        let ClaimFault { claim, problem } = fault;
        Self::Claim { claim, problem }
    }
}

fn missing(claim: &'static str) -> IdTokenError {
    ClaimFault::missing(claim).into()
}

fn malformed(problem: &'static str) -> IdTokenError {
    IdTokenError::Malformed { problem }
}

impl IdTokenError {
    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::Absent => "Clerk gave no ID token".to_owned(),
            Self::Malformed { problem } => format!("this is no ID token: {problem}"),
            Self::Algorithm { shown } => {
                format!("the ID token is signed with {shown} instead of RS256")
            }
            Self::UnknownKey { shown: Some(kid) } => {
                format!(
                    "the ID token is signed with the key {kid}, which this instance does not have"
                )
            }
            Self::UnknownKey { shown: None } => {
                "the ID token does not say which key it is signed with".to_owned()
            }
            Self::Signature => "the signature of the ID token is wrong".to_owned(),
            Self::Issuer { shown, expected } => {
                format!("the ID token was issued by {shown}, not by {expected:?}")
            }
            Self::Audience => "the ID token is for another OAuth application".to_owned(),
            Self::Nonce => "the ID token belongs to another sign-in (`nonce`)".to_owned(),
            Self::Expired { seconds_ago } => format!("the ID token expired {seconds_ago} s ago"),
            Self::NotYetValid { seconds } => {
                format!("the ID token is not valid for another {seconds} s")
            }
            Self::Claim { claim, problem } => {
                format!("the claim `{claim}` of the ID token {problem}")
            }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Absent => {
                "allow the scope `openid` for the OAuth application in the Clerk dashboard"
            }
            Self::Expired { .. } | Self::NotYetValid { .. } => {
                "compare this machine's clock with Clerk's"
            }
            Self::Issuer { .. } => "check CLERK_FRONTEND_API",
            Self::Audience => "check CLERK_CLIENT_ID",
            Self::Nonce => "sign in again",
            _ => "do not trust it; sign in again, and check CLERK_FRONTEND_API if this stays",
        }
        .to_owned()
    }
}

impl fmt::Display for IdTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message(), self.hint())
    }
}

impl std::error::Error for IdTokenError {}

/// Ids only: the rest is the person's data.
impl fmt::Debug for IdTokenClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenClaims")
            .field("user_id", &self.user_id)
            .field("session_id", &self.session_id)
            .field("organization_id", &self.organization_id)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
