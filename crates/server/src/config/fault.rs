//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

use toolkit::text::escape_str;

/// Where a value stands, or should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the file.
    File {
        /// The file's name as it was given.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The setting: `oauth.code_lifetime`.
        key: String,
    },
    /// In an environment variable.
    Variable(String),
    /// In a flag: `--bind`.
    Flag(&'static str),
    /// Nowhere: the setting's key.
    Setting(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, key } if key.is_empty() => write!(f, "{name}:{line}"),
            Self::File { name, line, key } => {
                write!(f, "{name}:{line} ({})", escape_str(key))
            }
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::Setting(key) => f.write_str(key),
        }
    }
}

/// One thing that is wrong. Displayed as `place: problem`, and `hint: …` on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where.
    pub place: Place,
    /// What is wrong, with the value; secrets are masked.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\nhint: {}", self.place, self.problem, self.hint)
    }
}

impl std::error::Error for ConfigFault {}

/// Something that works and should be known. Displayed like a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What is the matter.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl From<Warning> for ConfigFault {
    fn from(warning: Warning) -> Self {
        Self {
            place: warning.place,
            problem: warning.problem,
            hint: warning.hint,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\nhint: {}", self.place, self.problem, self.hint)
    }
}

/// What is wrong with a value, before it is known where that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) problem: String,
    pub(super) hint: String,
}

impl Wrong {
    pub(super) fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            hint: hint.into(),
        }
    }

    /// An error of another part, whose text has its hint on the second line.
    pub(super) fn of(error: &impl fmt::Display) -> Self {
        let text = error.to_string();
        match text.split_once("\nhint: ") {
            Some((problem, hint)) => Self::new(problem, hint),
            None => Self::new(text, "see docs/CONFIGURATION.md"),
        }
    }

    pub(super) fn at(self, place: Place) -> ConfigFault {
        ConfigFault {
            place,
            problem: self.problem,
            hint: self.hint,
        }
    }
}

/// The most characters of a value that a message repeats.
const MOST_SHOWN: usize = 80;

/// A value as messages show it: its beginning, in backticks, without user name and password.
pub(super) fn shown(value: &str) -> String {
    let mut text = value.to_owned();
    if let Some(scheme) = text.find("://") {
        let start = scheme + "://".len();
        let end = text[start..].find('/').map_or(text.len(), |at| start + at);
        // A password may hold anything, a slash as well: then nothing after the scheme is shown.
        match text[start..].rfind('@') {
            Some(at) if start + at < end => text.replace_range(start..start + at, "…"),
            Some(_) => text.replace_range(start.., "…"),
            None => {}
        }
    }
    let mut start: String = text.chars().take(MOST_SHOWN).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    // A line break would let a value write lines of its own.
    format!("`{}`", escape_str(&start).replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_short_and_without_passwords() {
        for (value, expected) in [
            ("15m", "`15m`"),
            ("https://a:b@host/x", "`https://…@host/x`"),
            ("https://a:b/c@host/x", "`https://…`"),
            ("https://host/@x", "`https://…`"),
            ("https://host/x", "`https://host/x`"),
        ] {
            assert_eq!(shown(value), expected);
        }
        assert_eq!(shown(&"é".repeat(100)), format!("`{}…`", "é".repeat(80)));
        assert!(!shown("a\u{1b}[31mb").contains('\u{1b}'));
    }
}
