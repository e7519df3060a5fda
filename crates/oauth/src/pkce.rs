//! Proof Key for Code Exchange (RFC 7636), S256 alone: `plain` proves nothing to somebody who has
//! seen the authorization request.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::base64url;
use crate::environment::{Random, random_bytes};

/// An S256 code challenge, that is the SHA-256 of the client's verifier (RFC 7636 section 4.2).
///
/// Equality takes the same time whatever the bytes are.
#[derive(Clone, Copy, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeChallenge(#[serde(with = "base64url::array")] [u8; 32]);

impl CodeChallenge {
    /// Reads `code_challenge`: 43 base64url characters. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).map(Self)
    }

    /// A challenge whose verifier nobody knows, for what gets no code.
    pub(crate) fn unanswerable(random: &dyn Random) -> Self {
        Self(random_bytes(random))
    }

    /// The challenge that `code_verifier` answers. `None` unless the verifier has 43 to 128
    /// characters of `A-Z a-z 0-9 - . _ ~` (RFC 7636 section 4.1).
    pub fn of_verifier(verifier: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let right = (43..=128).contains(&verifier.len()) && verifier.bytes().all(allowed);
        right.then(|| Self(Sha256::digest(verifier.as_bytes()).into()))
    }
}

impl PartialEq for CodeChallenge {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// As it is written in a request.
impl fmt::Display for CodeChallenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for CodeChallenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CodeChallenge(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b() {
        let challenge =
            CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(CodeChallenge::of_verifier(verifier), Some(challenge));
        assert_eq!(
            challenge.to_string(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for length in [43, 128] {
            assert!(CodeChallenge::of_verifier(&"a".repeat(length)).is_some());
        }
        for wrong in [
            "a".repeat(42),
            "a".repeat(129),
            format!("{} ", "a".repeat(50)),
        ] {
            assert!(CodeChallenge::of_verifier(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_challenge_is_43_characters_of_base64url() {
        for wrong in ["", "abc", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"] {
            assert!(CodeChallenge::parse(wrong).is_none(), "{wrong}");
        }
    }
}
