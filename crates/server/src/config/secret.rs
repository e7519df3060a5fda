//! Text that must not be shown.

use std::fmt;

/// A secret. `Debug` and `Display` show at most its last four characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Below this length, the last four characters would give too much of a secret away.
const SHORTEST_WITH_TAIL: usize = 24;

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself. Give it to whom it is for, and to no log or message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

/// A secret as messages may show it: `…` and, of a long one, its last four characters.
pub(super) fn masked(secret: &str) -> String {
    let length = secret.chars().count();
    if length < SHORTEST_WITH_TAIL {
        return "…".to_owned();
    }
    std::iter::once('…')
        .chain(secret.chars().skip(length - 4))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_a_tail_of_long_secrets_alone() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
        assert_eq!(Secret::new("x".repeat(23)).to_string(), "…");
        assert_eq!(
            Secret::new("abcdefghijklmnopqrstuvwxéz").to_string(),
            "…wxéz"
        );
    }
}
