//! The key of one Clerk instance.

use std::fmt;

use http::HeaderValue;

const DEVELOPMENT_PREFIX: &str = "sk_test_";
const PRODUCTION_PREFIX: &str = "sk_live_";

/// Below this length, the last four characters would give too much of the key away.
const SHORTEST_WITH_TAIL: usize = 16;

/// A Clerk secret key, `sk_test_…` or `sk_live_…`.
///
/// `Debug` and `Display` show the prefix and at most the last four characters.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey {
    key: String,
    instance: InstanceKind,
    authorization: HeaderValue,
}

/// Which of an application's two instances a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceKind {
    /// Keys start with `sk_test_`.
    Development,
    /// Keys start with `sk_live_`.
    Production,
}

/// Why a text is no Clerk secret key. Never holds the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretKeyError {
    /// There is nothing, or nothing after the prefix.
    #[error(
        "the Clerk secret key is empty\n\
         hint: copy it from https://dashboard.clerk.com (API keys); it starts with sk_test_ or sk_live_"
    )]
    Empty,
    /// It is a publishable key.
    #[error(
        "this is a publishable key, not a secret key\n\
         hint: a pk_ key is for browsers; the secret key starts with sk_"
    )]
    Publishable,
    /// It starts with neither `sk_test_` nor `sk_live_`.
    #[error(
        "a Clerk secret key starts with sk_test_ or sk_live_{}\n\
         hint: copy it from https://dashboard.clerk.com (API keys), without quotes",
        found(.prefix)
    )]
    UnknownPrefix {
        /// What it starts with instead, when that is a plain prefix such as `whsec_`; else empty.
        prefix: String,
    },
    /// It has characters that no key has.
    #[error(
        "the Clerk secret key has characters other than ASCII letters, digits, '_' and '-'\n\
         hint: copy it again; a quote, a space or a line break may have come along"
    )]
    InvalidCharacters,
}

impl SecretKey {
    /// Reads a secret key. White space around it is ignored.
    ///
    /// # Errors
    /// [`SecretKeyError`] when it is empty, of another kind, or has characters that no key has.
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        let key = text.trim();
        if key.is_empty() {
            return Err(SecretKeyError::Empty);
        }
        if key.starts_with("pk_") {
            return Err(SecretKeyError::Publishable);
        }
        let (instance, rest) = if let Some(rest) = key.strip_prefix(DEVELOPMENT_PREFIX) {
            (InstanceKind::Development, rest)
        } else if let Some(rest) = key.strip_prefix(PRODUCTION_PREFIX) {
            (InstanceKind::Production, rest)
        } else {
            return Err(SecretKeyError::UnknownPrefix {
                prefix: plain_prefix(key),
            });
        };
        if rest.is_empty() {
            return Err(SecretKeyError::Empty);
        }
        if !rest
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        {
            return Err(SecretKeyError::InvalidCharacters);
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| SecretKeyError::InvalidCharacters)?;
        authorization.set_sensitive(true);
        Ok(Self {
            key: key.to_owned(),
            instance,
            authorization,
        })
    }

    /// Which instance the key belongs to.
    pub fn instance(&self) -> InstanceKind {
        self.instance
    }

    /// The key itself. Give it to Clerk and to nothing else.
    pub fn expose(&self) -> &str {
        &self.key
    }

    /// The value of the `Authorization` header.
    pub(crate) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.instance.key_prefix();
        let rest = self.key.strip_prefix(prefix).unwrap_or_default();
        let tail = rest
            .len()
            .checked_sub(4)
            .filter(|_| rest.len() >= SHORTEST_WITH_TAIL);
        write!(
            f,
            "{prefix}…{}",
            tail.and_then(|start| rest.get(start..)).unwrap_or_default()
        )
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({self})")
    }
}

impl InstanceKind {
    /// What this instance's secret keys start with: `sk_test_` or `sk_live_`.
    pub fn key_prefix(self) -> &'static str {
        match self {
            Self::Development => DEVELOPMENT_PREFIX,
            Self::Production => PRODUCTION_PREFIX,
        }
    }

    /// The application's other instance.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Development => Self::Production,
            Self::Production => Self::Development,
        }
    }
}

impl fmt::Display for InstanceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Development => "development",
            Self::Production => "production",
        })
    }
}

/// `whsec_` of `whsec_abc…`: only a short word of small letters can be no part of a secret.
fn plain_prefix(key: &str) -> String {
    match key.split_once('_') {
        Some((word, _))
            if (1..=6).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase()) =>
        {
            format!("{word}_")
        }
        _ => String::new(),
    }
}

fn found(prefix: &str) -> String {
    if prefix.is_empty() {
        String::new()
    } else {
        format!("; this starts with {prefix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn knows_the_instance() {
        let key = SecretKey::parse(" sk_test_abcdefghijklmnop1234\n").unwrap();
        assert_eq!(key.instance(), InstanceKind::Development);
        assert_eq!(key.expose(), "sk_test_abcdefghijklmnop1234");
        assert_eq!(key.to_string(), "sk_test_…1234");
        assert_eq!(format!("{key:?}"), "SecretKey(sk_test_…1234)");
        let key = SecretKey::parse("sk_live_short").unwrap();
        assert_eq!(key.instance(), InstanceKind::Production);
        assert_eq!(key.to_string(), "sk_live_…");
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("", SecretKeyError::Empty),
            (" \n", SecretKeyError::Empty),
            ("sk_live_", SecretKeyError::Empty),
            ("pk_test_Y2xlcms", SecretKeyError::Publishable),
            (
                "whsec_abc",
                SecretKeyError::UnknownPrefix {
                    prefix: "whsec_".into(),
                },
            ),
            (
                "'sk_test_abc'",
                SecretKeyError::UnknownPrefix {
                    prefix: String::new(),
                },
            ),
            (
                "sk_prod_abc",
                SecretKeyError::UnknownPrefix {
                    prefix: "sk_".into(),
                },
            ),
            (
                "hunter2secret",
                SecretKeyError::UnknownPrefix {
                    prefix: String::new(),
                },
            ),
            ("sk_test_ab cd", SecretKeyError::InvalidCharacters),
            ("sk_test_ab\r\nX: y", SecretKeyError::InvalidCharacters),
            ("sk_test_äöü", SecretKeyError::InvalidCharacters),
        ];
        for (text, expected) in cases {
            let error = SecretKey::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text:?}");
            assert!(error.to_string().contains("\nhint: "), "{error}");
        }
        assert!(
            SecretKeyError::UnknownPrefix {
                prefix: "whsec_".into()
            }
            .to_string()
            .contains("this starts with whsec_")
        );
    }

    proptest! {
        #[test]
        fn never_prints_a_key(body in "[A-Za-z0-9]{16,60}") {
            let key = SecretKey::parse(&format!("sk_live_{body}")).unwrap();
            let shown = format!("{key} {key:?} {:?}", key.authorization());
            prop_assert!(!shown.contains(&body[..body.len() - 4]));
        }

        #[test]
        fn never_prints_what_it_refuses(body in "[A-Za-z0-9]{10,60}", prefix in "(sk_|pk_|whsec_|)") {
            let error = SecretKey::parse(&format!("{prefix}{body}")).unwrap_err();
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(&body));
        }

        #[test]
        fn takes_any_text_without_panic(text in ".*") {
            let _ = SecretKey::parse(&text);
        }
    }
}
