//! Encryption at rest: what a grant keeps for a person (the tokens that Clerk gave) can be read only
//! while a request carries one of the grant's live tokens.
//!
//! Each grant has a random [`GrantKey`], which no store ever sees. For each live code, access and
//! refresh token the store keeps that key [`Wrapped`]: encrypted under a key made of the server's key
//! and the token in the plain. So a stolen database opens nothing (it has only the hashes of tokens),
//! neither does a stolen server key, nor even both together.

use std::fmt;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use serde::{Deserialize, Serialize};

use crate::authorization::AuthorizationId;
use crate::base64url;
use crate::environment::{Random, random_bytes};
use crate::grant::GrantId;
use crate::server_key::{Purpose, ServerKeys};
use crate::token::PlainToken;

const NONCE_BYTES: usize = 12;

/// Bytes that were encrypted with AES-256-GCM: a random nonce of 12 bytes, the ciphertext, the tag.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(#[serde(with = "base64url::bytes")] Vec<u8>);

impl Sealed {
    /// What a store kept as bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store to keep.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealed({} bytes)", self.0.len())
    }
}

/// A [`GrantKey`] that only the holder of one certain token can unwrap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wrapped(Sealed);

impl Wrapped {
    /// What a store kept as bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Sealed::from_bytes(bytes))
    }

    /// The bytes, for a store to keep.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The random key of one grant. It lives as long as the request that carried a token.
#[derive(Clone)]
pub struct GrantKey([u8; 32]);

impl GrantKey {
    pub(crate) fn generate(random: &dyn Random) -> Self {
        Self(random_bytes(random))
    }

    /// This key for whoever presents `token`.
    pub(crate) fn wrap(
        &self,
        token: &PlainToken,
        grant: &GrantId,
        keys: &ServerKeys,
        random: &dyn Random,
    ) -> Wrapped {
        let wrapping = keys
            .first()
            .derive(Purpose::GrantKey, &[token.reveal().as_bytes()]);
        Wrapped(seal(&wrapping, &self.0, grant.as_str().as_bytes(), random))
    }

    /// The key that was wrapped for `token`. `None` when it was wrapped for another token or grant,
    /// or under a server key that is not configured any more.
    pub(crate) fn unwrap(
        wrapped: &Wrapped,
        token: &PlainToken,
        grant: &GrantId,
        keys: &ServerKeys,
    ) -> Option<Self> {
        keys.iter().find_map(|key| {
            let wrapping = key.derive(Purpose::GrantKey, &[token.reveal().as_bytes()]);
            let bytes = open(&wrapping, &wrapped.0, grant.as_str().as_bytes())?;
            bytes.try_into().ok().map(Self)
        })
    }

    /// Encrypts what `grant` keeps.
    pub fn seal(&self, bytes: &[u8], grant: &GrantId, random: &dyn Random) -> Sealed {
        seal(&self.0, bytes, grant.as_str().as_bytes(), random)
    }

    /// Decrypts what `grant` keeps. `None` when it was sealed for another grant or was tampered with.
    pub fn open(&self, sealed: &Sealed, grant: &GrantId) -> Option<Vec<u8>> {
        open(&self.0, sealed, grant.as_str().as_bytes())
    }
}

impl fmt::Debug for GrantKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GrantKey(…)")
    }
}

/// Encrypts what waits for a person's confirmation. There is no grant yet, so the secret of the
/// browser that confirms takes the part of the token.
pub(crate) fn seal_for_browser(
    bytes: &[u8],
    browser: &PlainToken,
    authorization: &AuthorizationId,
    keys: &ServerKeys,
    random: &dyn Random,
) -> Sealed {
    let key = keys
        .first()
        .derive(Purpose::Confirmation, &[browser.reveal().as_bytes()]);
    seal(&key, bytes, authorization.as_str().as_bytes(), random)
}

/// Decrypts what [`seal_for_browser`] made; `None` for another browser or authorization.
pub(crate) fn open_for_browser(
    sealed: &Sealed,
    browser: &PlainToken,
    authorization: &AuthorizationId,
    keys: &ServerKeys,
) -> Option<Vec<u8>> {
    keys.iter().find_map(|key| {
        let key = key.derive(Purpose::Confirmation, &[browser.reveal().as_bytes()]);
        open(&key, sealed, authorization.as_str().as_bytes())
    })
}

/// AES-256-GCM with a random nonce. Every key here seals a handful of messages, so random nonces
/// do not meet.
pub(crate) fn seal(key: &[u8; 32], bytes: &[u8], bound_to: &[u8], random: &dyn Random) -> Sealed {
    let nonce: [u8; NONCE_BYTES] = random_bytes(random);
    let payload = Payload {
        msg: bytes,
        aad: bound_to,
    };
    let ciphertext = Aes256Gcm::new(&(*key).into()).encrypt(&Nonce::from(nonce), payload);
    // AES-GCM refuses nothing shorter than 64 GiB; an empty ciphertext opens nowhere.
    let ciphertext = ciphertext.unwrap_or_default();
    Sealed([nonce.as_slice(), &ciphertext].concat())
}

pub(crate) fn open(key: &[u8; 32], sealed: &Sealed, bound_to: &[u8]) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = sealed.0.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload {
        msg: ciphertext,
        aad: bound_to,
    };
    Aes256Gcm::new(&(*key).into())
        .decrypt(&Nonce::from(*nonce), payload)
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::server_key::ServerKey;

    /// Bytes that differ from call to call.
    struct Counter(std::sync::atomic::AtomicU8);

    impl Random for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    fn keys(first: u8, older: &[u8]) -> ServerKeys {
        let key = |byte: u8| ServerKey::from_bytes([byte; 32]);
        ServerKeys::new(key(first), older.iter().copied().map(key).collect())
    }

    #[test]
    fn a_grants_key_opens_with_its_token_its_grant_and_a_server_key_that_is_left() {
        let random = Counter(1.into());
        let (token, grant) = (PlainToken::presented("a"), GrantId::from_text("g"));
        let key = GrantKey::generate(&random);
        let wrapped = key.wrap(&token, &grant, &keys(1, &[]), &random);
        let open = |token: &str, grant: &str, keys: &ServerKeys| {
            let (token, grant) = (PlainToken::presented(token), GrantId::from_text(grant));
            GrantKey::unwrap(&wrapped, &token, &grant, keys).map(|key| key.0)
        };
        assert_eq!(open("a", "g", &keys(1, &[])), Some(key.0));
        assert_eq!(open("a", "g", &keys(2, &[1])), Some(key.0));
        assert_eq!(open("a", "g", &keys(2, &[])), None);
        assert_eq!(open("b", "g", &keys(1, &[])), None);
        assert_eq!(open("a", "h", &keys(1, &[])), None);
    }

    #[test]
    fn what_is_sealed_opens_unchanged_for_its_grant_alone() {
        let random = Counter(1.into());
        let (key, grant) = (GrantKey::generate(&random), GrantId::from_text("g"));
        let sealed = key.seal(b"tokens", &grant, &random);
        assert_eq!(key.open(&sealed, &grant), Some(b"tokens".to_vec()));
        assert_eq!(key.open(&sealed, &GrantId::from_text("h")), None);
        assert_eq!(GrantKey::generate(&random).open(&sealed, &grant), None);
        assert_ne!(
            key.seal(b"tokens", &grant, &random),
            sealed,
            "never twice the same nonce"
        );
        for position in 0..sealed.as_bytes().len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[position] ^= 1;
            assert_eq!(
                key.open(&Sealed::from_bytes(bytes), &grant),
                None,
                "byte {position}"
            );
        }
        for short in [0, 1, 12, 27] {
            let bytes = sealed.as_bytes()[..short].to_vec();
            assert_eq!(key.open(&Sealed::from_bytes(bytes), &grant), None);
        }
    }

    #[test]
    fn what_waits_for_a_confirmation_opens_for_its_browser_alone() {
        let (random, keys) = (Counter(1.into()), keys(1, &[]));
        let (browser, other) = (PlainToken::presented("a"), PlainToken::presented("b"));
        let ids = [
            AuthorizationId::generate(&random),
            AuthorizationId::generate(&random),
        ];
        let sealed = seal_for_browser(b"tokens", &browser, &ids[0], &keys, &random);
        let open = |browser, id| open_for_browser(&sealed, browser, id, &keys);
        assert_eq!(open(&browser, &ids[0]), Some(b"tokens".to_vec()));
        assert_eq!(open(&other, &ids[0]), None);
        assert_eq!(open(&browser, &ids[1]), None);
    }
}
