//! Keeping secrets out of what people and logs see.

use crate::secret_key::SecretKey;

/// How many characters of a refused value a message repeats.
const SHOWN: usize = 60;

/// What Clerk's secrets, JSON Web Tokens and headers that carry them look like.
const MARKS: [&str; 11] = [
    "sk_test_",
    "sk_live_",
    "whsec_",
    "eyj",
    "bearer ",
    "basic ",
    "authorization",
    "oat_",
    "ak_",
    "mt_",
    "cookie",
];

/// Whether a text looks as if it held a secret. It rather errs on the side of yes.
pub(crate) fn may_hold_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    MARKS.iter().any(|mark| text.contains(mark))
}

/// A value in quotes, escaped and cut for a message; hidden when it looks like a secret.
pub(crate) fn quoted(value: &str) -> String {
    if ["sk_test_", "sk_live_", "whsec_", "eyJ"]
        .iter()
        .any(|mark| value.contains(mark))
    {
        return "(a value that looks like a secret, not shown)".to_owned();
    }
    let shown: String = value.chars().take(SHOWN).collect();
    let rest = if shown.len() < value.len() { "…" } else { "" };
    format!("\"{}{rest}\"", shown.escape_debug())
}

/// `text` with the key replaced by its printable form, should someone have echoed it.
pub(crate) fn without_key(text: String, key: &SecretKey) -> String {
    if text.contains(key.expose()) {
        text.replace(key.expose(), &key.to_string())
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_escapes_and_cuts() {
        assert_eq!(quoted("a\n\u{1b}\"b"), r#""a\n\u{1b}\"b""#);
        assert_eq!(quoted(&"x".repeat(61)), format!("\"{}…\"", "x".repeat(60)));
        assert!(!quoted("sk_test_abcdefgh").contains("abcdefgh"));
        assert!(!quoted("Bearer eyJhbGciOi").contains("hbGciOi"));
    }

    #[test]
    fn replaces_an_echoed_key() {
        let key = SecretKey::parse("sk_test_abcdefghijklmnop1234").unwrap();
        let text = format!("you sent {}", key.expose());
        assert_eq!(without_key(text, &key), "you sent sk_test_…1234");
    }

    #[test]
    fn suspects_tokens_and_headers() {
        assert!(may_hold_secret("x sk_live_abc"));
        assert!(may_hold_secret("AUTHORIZATION: x"));
        assert!(!may_hold_secret("<html><title>502 Bad Gateway</title>"));
    }
}
