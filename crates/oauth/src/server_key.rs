//! The server's own keys, from which a key for each purpose is derived.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::base64url;

/// What a derived key is for. Each has its own label, so that no key serves two purposes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Wraps a grant's key for one token.
    GrantKey,
    /// Makes the refresh token that follows another.
    RefreshChain,
    /// Makes an authorization's code.
    AuthorizationCode,
    /// Signs the `state` that goes to Clerk and back.
    State,
    /// Makes the PKCE verifier of the sign-in at Clerk.
    UpstreamVerifier,
    /// Makes the OpenID Connect nonce of the sign-in at Clerk.
    UpstreamNonce,
    /// Encrypts what waits for a confirmation.
    Confirmation,
    /// Encrypts the cookie that remembers who signed in.
    PersonCookie,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::GrantKey => "clerk-mcp grant key 1",
            Self::RefreshChain => "clerk-mcp refresh chain 1",
            Self::AuthorizationCode => "clerk-mcp authorization code 1",
            Self::State => "clerk-mcp sign-in state 1",
            Self::UpstreamVerifier => "clerk-mcp upstream verifier 1",
            Self::UpstreamNonce => "clerk-mcp upstream nonce 1",
            Self::Confirmation => "clerk-mcp confirmation 1",
            Self::PersonCookie => "clerk-mcp person cookie 1",
        }
    }
}

/// 32 random bytes from the configuration.
#[derive(Clone)]
pub struct ServerKey([u8; 32]);

impl ServerKey {
    /// A key of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA256 under a key for `purpose` alone. Each part's length goes before it, so that no
    /// two lists of parts give the same text.
    pub(crate) fn derive(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let key = hmac(&self.0, &[purpose.label().as_bytes()]);
        hmac(&key, parts)
    }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length; the block-sized constructor has no error to handle.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerKey(…)")
    }
}

/// Why no [`ServerKeys`] can be read. Never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerKeyError {
    /// There is no key.
    #[error("no server key\nhint: make one with `openssl rand -base64 32`")]
    Missing,
    /// A key does not have 32 bytes.
    #[error(
        "server key {position} is not 32 bytes in base64 or hexadecimal\nhint: make one with `openssl rand -base64 32`"
    )]
    Malformed {
        /// Which one, counted from 1.
        position: usize,
    },
}

/// The server's keys: the first makes everything new, all of them open what they made. To change
/// keys, put the new one first and remove the old one when the longest grant is over.
#[derive(Debug, Clone)]
pub struct ServerKeys {
    first: ServerKey,
    older: Vec<ServerKey>,
}

impl ServerKeys {
    /// `first` makes everything new, `older` ones still open what they made.
    pub fn new(first: ServerKey, older: Vec<ServerKey>) -> Self {
        Self { first, older }
    }

    /// Reads keys of 32 bytes each, in base64 (either alphabet, padded or not) or hexadecimal,
    /// separated by commas, the newest first.
    ///
    /// # Errors
    /// [`ServerKeyError`] says which one is wrong.
    pub fn parse(text: &str) -> Result<Self, ServerKeyError> {
        if text.trim().is_empty() {
            return Err(ServerKeyError::Missing);
        }
        let mut keys = Vec::new();
        for (index, part) in text.split(',').map(str::trim).enumerate() {
            let bytes = key_bytes(part).ok_or(ServerKeyError::Malformed {
                position: index + 1,
            })?;
            keys.push(ServerKey(bytes));
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(ServerKeyError::Missing)?;
        Ok(Self {
            first,
            older: keys.collect(),
        })
    }

    /// The key that makes everything new.
    pub(crate) fn first(&self) -> &ServerKey {
        &self.first
    }

    /// Every key, the newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ServerKey> {
        std::iter::once(&self.first).chain(&self.older)
    }
}

fn key_bytes(text: &str) -> Option<[u8; 32]> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        return Some(bytes);
    }
    let plain = text
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    base64url::decode_array(&plain)
}
