//! Signed JSON Web Tokens (RFC 7515, RFC 7519) as OAuth uses them: their form, their signature, and
//! claims of one type or another. What they must say is for those who read them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::redact::quoted;
use crate::session_token::JsonWebKeySet;

/// No token is longer; nor is any header that reaches a server.
const LONGEST: usize = 16 * 1024;

/// Why a text is no token that could be verified.
pub(crate) enum JwsFault {
    /// It has another form.
    Malformed(&'static str),
    /// It is signed with this algorithm, as shown to people, instead of RS256.
    Algorithm(String),
}

/// Why a signature does not count.
pub(crate) enum SignatureFault {
    /// There is no such key; its id as shown to people.
    UnknownKey(Option<String>),
    /// It is not of the key that the token names.
    Wrong,
    /// The claims are no JSON.
    Claims,
}

/// A claim that is not of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClaimFault {
    pub(crate) claim: &'static str,
    pub(crate) problem: &'static str,
}

impl ClaimFault {
    pub(crate) fn missing(claim: &'static str) -> Self {
        let problem = "is missing";
        Self { claim, problem }
    }
}

/// A token of the right form. Nothing in it is believed yet.
pub(crate) struct Unverified<'t> {
    pub(crate) header: Map<String, Value>,
    /// What is signed: header, a dot, and the claims.
    message: &'t str,
    claims: &'t str,
    signature: Vec<u8>,
}

impl<'t> Unverified<'t> {
    /// Checks all that needs no key, so that no key is fetched for what cannot be a token.
    pub(crate) fn parse(token: &'t str) -> Result<Self, JwsFault> {
        let malformed = |problem| JwsFault::Malformed(problem);
        if token.len() > LONGEST {
            return Err(malformed("it is longer than 16 KiB"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(malformed("it does not have three parts between dots"));
        };
        let header = object(header).ok_or(malformed("its header is no JSON in base64url"))?;
        match header.get("alg").and_then(Value::as_str) {
            Some("RS256") => {}
            Some(other) => return Err(JwsFault::Algorithm(quoted(other))),
            None => return Err(malformed("its header names no algorithm")),
        }
        if header.contains_key("crit") {
            return Err(malformed("its header demands an extension (`crit`)"));
        }
        Ok(Self {
            message: token.rsplit_once('.').map_or("", |(message, _)| message),
            claims,
            signature: URL_SAFE_NO_PAD
                .decode(signature)
                .map_err(|_| malformed("its signature is no base64url"))?,
            header,
        })
    }

    /// The id of the key that it says to be signed with.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The claims, once the signature is found to be of one of these keys.
    pub(crate) fn verify(
        &self,
        keys: &JsonWebKeySet,
    ) -> Result<Map<String, Value>, SignatureFault> {
        match keys.verify(self.kid(), self.message.as_bytes(), &self.signature) {
            Some(true) => object(self.claims).ok_or(SignatureFault::Claims),
            Some(false) => Err(SignatureFault::Wrong),
            None => Err(SignatureFault::UnknownKey(self.kid().map(quoted))),
        }
    }
}

/// What a signed token claims, its signature unseen: for one that came from its issuer itself. `None` for
/// what is no such token.
pub(crate) fn unverified_claims(token: &str) -> Option<Map<String, Value>> {
    let parts: Vec<&str> = token.split('.').collect();
    match parts[..] {
        [_, claims, _] => object(claims),
        _ => None,
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A text; `None` when it is absent, null or empty.
pub(crate) fn optional_text<'c>(
    claims: &'c Map<String, Value>,
    claim: &'static str,
) -> Result<Option<&'c str>, ClaimFault> {
    match claims.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(&**text).filter(|text| !text.is_empty())),
        Some(_) => Err(ClaimFault {
            claim,
            problem: "is no text",
        }),
    }
}

/// A time in Unix milliseconds. RFC 7519 allows fractions of a second.
pub(crate) fn time(
    claims: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<u64>, ClaimFault> {
    /// The year 9999; what lies after it is no time.
    const LATEST: f64 = 253_402_300_799.0;
    match claims.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the guard keeps it within u64"
            )]
            Some(seconds) if (0.0..=LATEST).contains(&seconds) => {
                Ok(Some((seconds * 1_000.0) as u64))
            }
            _ => Err(ClaimFault {
                claim,
                problem: "is no time in Unix seconds",
            }),
        },
    }
}
