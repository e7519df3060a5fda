use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::claims::{SessionClaims, TemplateClaims};
use super::error::{NotASessionToken, SessionTokenError};
use super::keys::JsonWebKeySet;
use super::policy::SessionTokenPolicy;
use crate::redact::quoted;

/// No header or cookie that reaches a server is longer.
const LONGEST: usize = 16 * 1024;

/// Categories (`cat` of the header) of tokens that stand for a session: its own, and those of JWT
/// templates.
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";
const TEMPLATE_CATEGORY: &str = "cl_B7d4PD222AAA";
const MACHINE_CATEGORY: &str = "cl_B7d4PD333AAA";

/// A token whose header could be one of a session token. Nothing in it is believed yet.
pub(super) struct UnverifiedToken<'t> {
    kid: Option<String>,
    category: Option<String>,
    /// What is signed: header, a dot, and the claims.
    message: &'t str,
    claims: &'t str,
    signature: Vec<u8>,
}

impl<'t> UnverifiedToken<'t> {
    /// Checks all that needs no key, so that no key is fetched for what cannot be a session token.
    pub(super) fn parse(token: &'t str) -> Result<Self, SessionTokenError> {
        if token.is_empty() {
            return Err(malformed("it is empty"));
        }
        if token.len() > LONGEST {
            return Err(malformed("it is longer than 16 KiB"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(malformed("it does not have three parts between dots"));
        };
        let header = object(header).ok_or(malformed("its header is no JSON in base64url"))?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| malformed("its signature is no base64url"))?;
        check_kind(&header)?;
        check_algorithm(&header)?;
        if header.contains_key("crit") {
            return Err(malformed("its header demands an extension (`crit`)"));
        }
        let message = token.rsplit_once('.').map_or("", |(message, _)| message);
        let text = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            kid: text("kid"),
            category: text("cat"),
            message,
            claims,
            signature,
        })
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Checks the signature, then the claims.
    pub(super) fn verify(
        &self,
        keys: &JsonWebKeySet,
        now_ms: u64,
        policy: &SessionTokenPolicy,
    ) -> Result<SessionClaims, SessionTokenError> {
        if policy.requires_session_category() {
            self.check_category()?;
        }
        SessionClaims::check(self.signed_claims(keys)?, now_ms, policy)
    }

    /// The same for a token of a JWT template, and for nothing else.
    pub(super) fn verify_template(
        &self,
        keys: &JsonWebKeySet,
        now_ms: u64,
        policy: &SessionTokenPolicy,
    ) -> Result<TemplateClaims, SessionTokenError> {
        if self.category.as_deref() != Some(TEMPLATE_CATEGORY) {
            return Err(SessionTokenError::NotASessionToken(NotASessionToken::Other));
        }
        TemplateClaims::check(self.signed_claims(keys)?, now_ms, policy)
    }

    fn signed_claims(&self, keys: &JsonWebKeySet) -> Result<Map<String, Value>, SessionTokenError> {
        match keys.verify(self.kid(), self.message.as_bytes(), &self.signature) {
            None => Err(SessionTokenError::UnknownKey {
                shown: self.kid().map(quoted),
            }),
            Some(false) => Err(SessionTokenError::Signature),
            Some(true) => {
                object(self.claims).ok_or(malformed("its claims are no JSON in base64url"))
            }
        }
    }

    fn check_category(&self) -> Result<(), SessionTokenError> {
        let kind = match self.category.as_deref() {
            Some(SESSION_CATEGORY) => return Ok(()),
            Some(TEMPLATE_CATEGORY) => NotASessionToken::TemplateToken,
            _ => NotASessionToken::Other,
        };
        Err(SessionTokenError::NotASessionToken(kind))
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedToken").finish_non_exhaustive()
    }
}

fn check_kind(header: &Map<String, Value>) -> Result<(), SessionTokenError> {
    use NotASessionToken::{MachineToken, OauthAccessToken, Other};
    let other = |kind| Err(SessionTokenError::NotASessionToken(kind));
    match header.get("typ").map(Value::as_str) {
        None | Some(Some("JWT")) => {}
        Some(Some("at+jwt" | "application/at+jwt")) => return other(OauthAccessToken),
        Some(_) => return other(Other),
    }
    match header.get("cat").map(Value::as_str) {
        None => Ok(()),
        Some(Some(SESSION_CATEGORY | TEMPLATE_CATEGORY)) => Ok(()),
        Some(Some(MACHINE_CATEGORY)) => other(MachineToken),
        Some(_) => other(Other),
    }
}

fn check_algorithm(header: &Map<String, Value>) -> Result<(), SessionTokenError> {
    match header.get("alg").and_then(Value::as_str) {
        Some("RS256") => Ok(()),
        Some(other) => Err(SessionTokenError::Algorithm {
            shown: quoted(other),
        }),
        None => Err(malformed("its header names no algorithm")),
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn malformed(problem: &'static str) -> SessionTokenError {
    SessionTokenError::Malformed { problem }
}
