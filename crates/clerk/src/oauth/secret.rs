use std::fmt;

/// A client secret, token or code. `Debug` shows none of it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a text is no secret. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is nothing.
    #[error(
        "the client secret is empty\n\
         hint: leave CLERK_CLIENT_SECRET away for a public OAuth application"
    )]
    Empty,
    /// It has spaces or characters that no client secret has (RFC 6749 appendix A.2).
    #[error(
        "the client secret has spaces or characters other than printable ASCII\n\
         hint: copy CLERK_CLIENT_SECRET again; a quote or a line break may have come along"
    )]
    InvalidCharacters,
}

impl Secret {
    /// Reads a client secret. White space around it is ignored.
    ///
    /// # Errors
    /// [`SecretError`] when it is empty or has characters that no client secret has.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::InvalidCharacters);
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes any text that must not be shown, such as a token from a store.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Give it to Clerk and to nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_secret_and_never_prints_it() {
        let secret = Secret::parse(" s3cr3t\n").unwrap();
        assert_eq!(secret.expose(), "s3cr3t");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn refuses_what_is_no_secret() {
        assert_eq!(Secret::parse(" \n"), Err(SecretError::Empty));
        for text in ["a b", "a\nb", "ä"] {
            assert_eq!(
                Secret::parse(text),
                Err(SecretError::InvalidCharacters),
                "{text}"
            );
        }
    }
}
