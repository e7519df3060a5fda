use std::fmt;

use serde_json::{Map, Value, json};

use super::secret::Secret;
use crate::jws::unverified_claims;

/// The form of [`TokenSet::to_bytes`].
const VERSION: u64 = 1;

/// What Clerk gave for a code or a refresh token. `Debug` shows no token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSet {
    /// For Clerk's endpoints, in the person's name.
    pub access_token: Secret,
    /// Gets the next access token; the one before, when a refresh brought no new one.
    pub refresh_token: Option<Secret>,
    /// Who signed in; to be [verified](super::Provider::verify_id_token).
    pub id_token: Option<Secret>,
    /// When the access token expires, Unix milliseconds, where Clerk says so.
    pub expires_at: Option<u64>,
    /// What was granted, where Clerk says so; values between spaces.
    pub scope: Option<String>,
}

/// Why bytes hold no [`TokenSet`]. Never holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the stored tokens of Clerk cannot be read\n\
     hint: they were written by another version; let the person sign in again"
)]
pub struct TokenSetError;

impl TokenSet {
    /// Whether somebody else acts as the person, as far as the tokens themselves say (`act`, RFC 8693
    /// section 4.1): they came from Clerk, and their signatures are not looked at. `None` for an access
    /// token that only Clerk can read: [`Client::is_impersonated`](crate::Client::is_impersonated) asks.
    pub fn is_impersonated(&self) -> Option<bool> {
        let acts = |token: &Secret| {
            let claims = unverified_claims(token.expose())?;
            Some(claims.get("act").is_some_and(|act| !act.is_null()))
        };
        if self.id_token.as_ref().and_then(acts) == Some(true) {
            return Some(true);
        }
        acts(&self.access_token)
    }

    /// Bytes to encrypt and store: they hold the tokens in plain text. The ID token is left out: it
    /// has done its work once it is verified.
    pub fn to_bytes(&self) -> Vec<u8> {
        let stored = json!({
            "version": VERSION,
            "access_token": self.access_token.expose(),
            "refresh_token": self.refresh_token.as_ref().map(Secret::expose),
            "expires_at": self.expires_at,
            "scope": self.scope,
        });
        stored.to_string().into_bytes()
    }

    /// Reads what [`TokenSet::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`TokenSetError`] when the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenSetError> {
        let stored: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|_| TokenSetError)?;
        if stored.get("version").and_then(Value::as_u64) != Some(VERSION) {
            return Err(TokenSetError);
        }
        let text = |name: &str| match stored.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(TokenSetError),
        };
        Ok(Self {
            access_token: text("access_token")?
                .map(Secret::new)
                .ok_or(TokenSetError)?,
            refresh_token: text("refresh_token")?.map(Secret::new),
            id_token: None,
            expires_at: match stored.get("expires_at") {
                None | Some(Value::Null) => None,
                Some(at) => Some(at.as_u64().ok_or(TokenSetError)?),
            },
            scope: text("scope")?,
        })
    }

    /// Whether the access token has at least `margin_ms` milliseconds left. One whose expiry is not
    /// known counts as expired.
    pub fn is_fresh(&self, now_ms: u64, margin_ms: u64) -> bool {
        self.expires_at
            .is_some_and(|at| at > now_ms.saturating_add(margin_ms))
    }

    /// Whether `scope` was granted, as far as Clerk says.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope
            .as_deref()
            .is_some_and(|granted| granted.split(' ').any(|one| one == scope))
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("expires_at", &self.expires_at)
            .field("scope", &self.scope)
            .field("has_refresh_token", &self.refresh_token.is_some())
            .field("has_id_token", &self.id_token.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> TokenSet {
        TokenSet {
            access_token: Secret::new("access-1"),
            refresh_token: Some(Secret::new("refresh-1")),
            id_token: Some(Secret::new("id-1")),
            expires_at: Some(5_000),
            scope: Some("openid email".to_owned()),
        }
    }

    #[test]
    fn comes_back_from_bytes_without_the_id_token() {
        let expected = TokenSet {
            id_token: None,
            ..tokens()
        };
        assert_eq!(TokenSet::from_bytes(&tokens().to_bytes()), Ok(expected));
        let least = TokenSet {
            refresh_token: None,
            id_token: None,
            expires_at: None,
            scope: None,
            ..tokens()
        };
        assert_eq!(TokenSet::from_bytes(&least.to_bytes()), Ok(least));
    }

    #[test]
    fn refuses_other_bytes() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"version":2,"access_token":"a"}"#,
            r#"{"version":1}"#,
            r#"{"version":1,"access_token":1}"#,
            r#"{"version":1,"access_token":"a","expires_at":"soon"}"#,
        ] {
            let read = TokenSet::from_bytes(text.as_bytes());
            assert_eq!(read, Err(TokenSetError), "{text}");
        }
    }

    #[test]
    fn prints_no_token() {
        let text = format!("{:?}", tokens());
        for secret in ["access-1", "refresh-1", "id-1"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn is_fresh_until_the_margin() {
        assert!(tokens().is_fresh(3_999, 1_000));
        assert!(!tokens().is_fresh(4_000, 1_000));
        assert!(!tokens().is_fresh(0, u64::MAX));
        let unknown = TokenSet {
            expires_at: None,
            ..tokens()
        };
        assert!(!unknown.is_fresh(0, 0));
        assert!(tokens().has_scope("email") && !tokens().has_scope("mail"));
    }
}
