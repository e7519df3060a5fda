//! A client's assertion of who it is, signed with its private key: `private_key_jwt` (RFC 7523
//! sections 2.2 and 3, OpenID Connect Core section 9).
//!
//! Whom it is for: RFC 7523 lets a client name the token endpoint as well as the issuer, and large
//! clients do. Its update (draft-ietf-oauth-rfc7523bis) allows the issuer alone, since an authorization
//! server that lies about its endpoints can make a client sign for another server's token endpoint. So
//! an assertion that says it follows the update (`typ`) is held to it; others may name either, and
//! nobody else besides. What a liar gets that way works once, and gives nothing without a code and its
//! PKCE verifier, or a refresh token.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::base64url;
use crate::client::ClientId;
use crate::client_keys::ClientKeys;
use crate::json_web_key::{KeySet, SigningAlgorithm};
use crate::time::Timestamp;
use crate::token::TokenHash;

/// `client_assertion_type` of an assertion that is a JSON Web Token (RFC 7523 section 2.2).
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest assertion, in bytes. With a 4096-bit key one has about 1 KB.
const MAX_ASSERTION_BYTES: usize = 8 * 1024;
/// How far ahead an assertion may expire, and how long ago it may have been made: it is for one
/// request, and its identifier is kept until it is over.
pub(crate) const LONGEST_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// By how much the clocks of client and server may differ.
const LEEWAY: Duration = Duration::from_secs(60);
/// The year 9999, in seconds since the epoch; what lies after it is no time.
const LATEST: f64 = 253_402_300_799.0;

/// Why an assertion is not believed. Nothing of the assertion is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionFault {
    /// `client_assertion_type` is missing or another.
    #[error(
        "`client_assertion_type` is not supported\nhint: `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`"
    )]
    AssertionType,
    /// It is no signed JSON Web Token.
    #[error("the client assertion is no signed JSON Web Token: {0}")]
    Malformed(&'static str),
    /// Its algorithm is not allowed, or not to this client.
    #[error(
        "the client assertion's `alg` is not allowed\nhint: RS256 or ES256, as in the client's `token_endpoint_auth_signing_alg`"
    )]
    Algorithm,
    /// Its header brings or names a key: a signer could bring any.
    #[error("the client assertion's header has `{0}`\nhint: name a published key by `kid` alone")]
    Header(&'static str),
    /// It is a token of another type.
    #[error(
        "the client assertion's `typ` is that of another token\nhint: `JWT` or `client-authentication+jwt`"
    )]
    Type,
    /// A claim is missing or of a wrong type.
    #[error("the client assertion's claim `{0}` is missing or wrong")]
    Claim(&'static str),
    /// `iss`, `sub` and `client_id` are not one client.
    #[error("the client assertion is another client's\nhint: `iss` and `sub` are the client_id")]
    OtherClient,
    /// It is for another server, or for others besides.
    #[error("the client assertion is not for this server alone\nhint: `aud` is the issuer")]
    Audience,
    /// It is over.
    #[error(
        "the client assertion has expired\nhint: make one for each request; is the clock right?"
    )]
    Expired,
    /// Its time has not come.
    #[error("the client assertion is not valid yet\nhint: is the clock right?")]
    NotYetValid,
    /// It is meant to be used for too long.
    #[error("the client assertion lives for more than 10 minutes\nhint: make one for each request")]
    TooLong,
    /// None of the client's keys has made it.
    #[error(
        "none of the client's published keys has signed the client assertion\nhint: is the key with this `kid` in the client's key set?"
    )]
    Signature,
    /// It was used before.
    #[error(
        "the client assertion was used before\nhint: make one with a new `jti` for each request"
    )]
    Replayed,
    /// The client's metadata say nothing of assertions.
    #[error(
        "the client does not authenticate by assertion\nhint: `private_key_jwt` and keys in its metadata"
    )]
    NotOffered,
}

/// An assertion as it came. Nothing in it is believed yet.
pub(crate) struct UnverifiedAssertion {
    /// What is signed: header, a dot, and the claims.
    message: String,
    signature: Vec<u8>,
    algorithm: SigningAlgorithm,
    kid: Option<String>,
    /// Whether it says that it follows the update of RFC 7523.
    is_typed: bool,
    claims: Map<String, Value>,
}

/// What the claims of an assertion come to, once the signature is checked too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SingleUse {
    /// What stands for client and `jti`.
    pub(crate) id: TokenHash,
    /// Until when a second use must be noticed.
    pub(crate) until: Timestamp,
}

impl UnverifiedAssertion {
    /// Takes one apart, and checks its header.
    pub(crate) fn parse(text: &str) -> Result<Self, AssertionFault> {
        if text.len() > MAX_ASSERTION_BYTES {
            return Err(AssertionFault::Malformed("it is longer than 8 KB"));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(AssertionFault::Malformed(
                "it does not have three parts between dots",
            ));
        };
        let header = object(header).ok_or(AssertionFault::Malformed(
            "its header is no JSON object in base64url",
        ))?;
        let claims = object(claims).ok_or(AssertionFault::Malformed(
            "its claims are no JSON object in base64url",
        ))?;
        let signature = base64url::decode(signature)
            .ok_or(AssertionFault::Malformed("its signature is no base64url"))?;
        // Extensions that are not understood, and keys of the signer's own choice.
        for name in ["crit", "b64", "jwk", "jku", "x5u", "x5c"] {
            if header.contains_key(name) {
                return Err(AssertionFault::Header(name));
            }
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.and_then(SigningAlgorithm::parse);
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(AssertionFault::Malformed("its `kid` is no text")),
        };
        Ok(Self {
            message: text
                .rsplit_once('.')
                .map(|(message, _)| message.to_owned())
                .unwrap_or_default(),
            signature,
            algorithm: algorithm.ok_or(AssertionFault::Algorithm)?,
            kid,
            is_typed: is_typed(header.get("typ"))?,
            claims,
        })
    }

    /// Which client it says it is of.
    pub(crate) fn subject(&self) -> Result<ClientId, AssertionFault> {
        let subject = self.claims.get("sub").and_then(Value::as_str);
        let subject = subject.filter(|subject| !subject.is_empty());
        Ok(ClientId(
            subject.ok_or(AssertionFault::Claim("sub"))?.to_owned(),
        ))
    }

    /// Checks all that needs no key, so that none is fetched for what cannot be right.
    pub(crate) fn check(
        &self,
        client: &ClientId,
        issuer: &str,
        token_endpoint: &str,
        now: Timestamp,
    ) -> Result<SingleUse, AssertionFault> {
        for claim in ["iss", "sub"] {
            let named = self.claims.get(claim).and_then(Value::as_str);
            if named.ok_or(AssertionFault::Claim(claim))? != client.as_str() {
                return Err(AssertionFault::OtherClient);
            }
        }
        self.check_audience(issuer, token_endpoint)?;
        let expires_at = self.time("exp")?.ok_or(AssertionFault::Claim("exp"))?;
        let until = expires_at.after(LEEWAY);
        if until.has_passed(now) {
            return Err(AssertionFault::Expired);
        }
        if expires_at > now.after(LONGEST_LIFETIME).after(LEEWAY) {
            return Err(AssertionFault::TooLong);
        }
        let (begins_at, made_at) = (self.time("nbf")?, self.time("iat")?);
        if begins_at.max(made_at) > Some(now.after(LEEWAY)) {
            return Err(AssertionFault::NotYetValid);
        }
        let oldest = now.before(LONGEST_LIFETIME).before(LEEWAY);
        if made_at.is_some_and(|made_at| made_at < oldest) {
            return Err(AssertionFault::TooLong);
        }
        let identifier = self.claims.get("jti").and_then(Value::as_str);
        let identifier = identifier.filter(|identifier| !identifier.is_empty());
        let identifier = identifier.ok_or(AssertionFault::Claim("jti"))?;
        Ok(SingleUse {
            id: single_use_id(client, identifier),
            until,
        })
    }

    /// The algorithm that its header names, one of those allowed.
    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Whether a key of this set has signed it.
    pub(crate) async fn verify(
        &self,
        keys: &KeySet,
        machine: &dyn ClientKeys,
    ) -> Result<(), AssertionFault> {
        for key in keys.candidates(self.algorithm, self.kid.as_deref()) {
            let message = self.message.as_bytes();
            if machine.has_signed(key, message, &self.signature).await {
                return Ok(());
            }
        }
        Err(AssertionFault::Signature)
    }

    fn check_audience(&self, issuer: &str, token_endpoint: &str) -> Result<(), AssertionFault> {
        let is_ours = |one: &str| one == issuer || (!self.is_typed && one == token_endpoint);
        let ours = match self.claims.get("aud") {
            Some(Value::String(one)) => is_ours(one),
            Some(Value::Array(all)) => {
                let each = |one: &Value| one.as_str().is_some_and(is_ours);
                !all.is_empty() && all.iter().all(each)
            }
            _ => return Err(AssertionFault::Claim("aud")),
        };
        ours.then_some(()).ok_or(AssertionFault::Audience)
    }

    /// A time in seconds since the epoch, perhaps with a fraction (RFC 7519 section 2).
    fn time(&self, claim: &'static str) -> Result<Option<Timestamp>, AssertionFault> {
        match self.claims.get(claim).map(Value::as_f64) {
            None => Ok(None),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the guard keeps it within u64"
            )]
            Some(Some(seconds)) if (0.0..=LATEST).contains(&seconds) => {
                Ok(Some(Timestamp((seconds * 1000.0) as u64)))
            }
            Some(_) => Err(AssertionFault::Claim(claim)),
        }
    }
}

fn is_typed(typ: Option<&Value>) -> Result<bool, AssertionFault> {
    let Some(typ) = typ else {
        return Ok(false);
    };
    // `application/` may be left out (RFC 7515 section 4.1.9).
    let name = typ.as_str().unwrap_or_default().to_ascii_lowercase();
    match name.strip_prefix("application/").unwrap_or(&name) {
        "jwt" => Ok(false),
        "client-authentication+jwt" => Ok(true),
        _ => Err(AssertionFault::Type),
    }
}

/// Identifiers are a client's own: two clients may use the same.
fn single_use_id(client: &ClientId, identifier: &str) -> TokenHash {
    let mut hasher = Sha256::new();
    hasher.update((client.as_str().len() as u64).to_be_bytes());
    hasher.update(client.as_str());
    hasher.update(identifier);
    TokenHash::from_bytes(hasher.finalize().into())
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&base64url::decode(part)?).ok()
}
