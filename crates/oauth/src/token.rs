//! Tokens as clients hold them, and as stores keep them. The two are different types: a plain token
//! prints nothing, and a store sees hashes alone.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::base64url;
use crate::environment::{Random, random_bytes};

/// What a token is for. Its prefix says so, so that people, logs and secret scanners can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An authorization code, `cmc_…`.
    AuthorizationCode,
    /// An access token, `cma_…`.
    AccessToken,
    /// A refresh token, `cmr_…`.
    RefreshToken,
    /// A client secret, `cms_…`.
    ClientSecret,
    /// What a browser's cookie holds, so that no other goes on with its authorizations, `cmb_…`.
    BrowserSecret,
}

impl TokenKind {
    /// The characters a token of this kind begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "cmc_",
            Self::AccessToken => "cma_",
            Self::RefreshToken => "cmr_",
            Self::ClientSecret => "cms_",
            Self::BrowserSecret => "cmb_",
        }
    }
}

/// A token in the plain, as a client presents it: whoever reads it can use it. It shows itself only
/// through [`PlainToken::reveal`].
#[derive(Clone)]
pub struct PlainToken(String);

impl PlainToken {
    /// Takes what a client sent, whatever it is.
    pub fn presented(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Takes what a client sent if it looks like a token of this kind: the prefix and 256 bits.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let token = Self::presented(text);
        token.is(kind).then_some(token)
    }

    /// Whether it looks like a token of this kind: the prefix and 256 bits.
    pub(crate) fn is(&self, kind: TokenKind) -> bool {
        let bits = self.0.strip_prefix(kind.prefix());
        bits.and_then(base64url::decode_array::<32>).is_some()
    }

    /// A fresh token of 256 random bits.
    pub fn generate(kind: TokenKind, random: &dyn Random) -> Self {
        Self::of(kind, &random_bytes(random))
    }

    /// The token that stands for 256 bits which nobody can guess.
    pub(crate) fn of(kind: TokenKind, bytes: &[u8; 32]) -> Self {
        Self(format!("{}{}", kind.prefix(), base64url::encode(bytes)))
    }

    /// The token's text. For the one answer or form that carries it, and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What a store keeps of this token.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PlainToken(…)")
    }
}

/// The SHA-256 of a token: enough to recognise it, useless to whoever steals it. Tokens have 256
/// random bits, so no salt and no slow hash is needed.
///
/// Equality takes the same time whatever the bytes are.
#[derive(Clone, Copy, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(#[serde(with = "base64url::array")] [u8; 32]);

impl TokenHash {
    /// The hash that a store kept as bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash as bytes, for a store to keep.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for TokenHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is compared in constant time is compared whole: no part of a secret is enough.
    #[test]
    fn hashes_are_equal_in_every_bit_or_not_at_all() {
        let hash = PlainToken::presented("cma_token").hash();
        assert_eq!(hash, PlainToken::presented("cma_token").hash());
        for byte in 0..32 {
            for bit in 0..8 {
                let mut other = *hash.as_bytes();
                if let Some(byte) = other.get_mut(byte) {
                    *byte ^= 1 << bit;
                }
                assert_ne!(hash, TokenHash::from_bytes(other), "{byte} {bit}");
            }
        }
    }
}
