//! Times in seeds: `1750000000000`, `"2026-01-31T12:00:00Z"`, or `"-30d"` from the clock's now.

use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A time as a seed writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a time is a text such as `-30d` or `2026-01-31T12:00:00Z`, or Unix milliseconds"
)]
pub(crate) enum When {
    /// Unix milliseconds.
    Milliseconds(u64),
    /// RFC 3339, or a distance from now such as `-30d`, `-2h` or `+7d`.
    Text(String),
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Milliseconds(time) => time.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl When {
    pub(crate) fn ago(distance: &str) -> Self {
        Self::Text(format!("-{distance}"))
    }

    /// The time in milliseconds, or nothing if the text is no time.
    pub(crate) fn at(&self, now: u64) -> Option<u64> {
        match self {
            Self::Milliseconds(time) => Some(*time),
            Self::Text(text) => match text.strip_prefix('-') {
                Some(distance) => now.checked_sub(milliseconds(distance)?),
                None => match text.strip_prefix('+') {
                    Some(distance) => now.checked_add(milliseconds(distance)?),
                    None => absolute(text),
                },
            },
        }
    }
}

fn absolute(text: &str) -> Option<u64> {
    u64::try_from(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis()).ok()
}

fn milliseconds(distance: &str) -> Option<u64> {
    let unit = distance.chars().next_back()?;
    let number: u64 = distance.strip_suffix(unit)?.parse().ok()?;
    let length = match unit {
        's' => SECOND,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        'y' => 365 * DAY,
        _ => return None,
    };
    number.checked_mul(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_write_a_time() {
        let now = 1_750_000_000_000;
        assert_eq!(When::Milliseconds(5).at(now), Some(5));
        assert_eq!(When::Text("-2d".into()).at(now), Some(now - 2 * DAY));
        assert_eq!(When::Text("+1h".into()).at(now), Some(now + HOUR));
        assert_eq!(
            When::Text("1970-01-01T00:00:01Z".into()).at(now),
            Some(1000)
        );
        for wrong in [
            "",
            "-",
            "-d",
            "-5",
            "-5x",
            "yesterday",
            "-99999999999999999999d",
            "-é",
        ] {
            assert_eq!(When::Text(wrong.into()).at(now), None, "{wrong}");
        }
    }
}
