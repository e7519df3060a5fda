//! Reads tables of a definition: unknown keys and values of another type are faults, and reading
//! goes on.

use std::{fmt, time::Duration};

use serde_json::{Map, Value};
use toolkit::pattern::nearest;

use super::fault::{Faults, shown};

/// A member's name as a token of a JSON pointer (RFC 6901 section 3).
pub(crate) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A table with known keys.
#[derive(Clone)]
pub(crate) struct Table<'a> {
    map: &'a Map<String, Value>,
    pub(crate) pointer: String,
    pub(crate) faults: &'a Faults,
}

impl<'a> Table<'a> {
    /// Reads a value as a table of these keys.
    pub(crate) fn new(
        value: &'a Value,
        pointer: impl Into<String>,
        keys: &[&str],
        faults: &'a Faults,
    ) -> Option<Self> {
        let pointer = pointer.into();
        let Value::Object(map) = value else {
            let hint = format!("a table has these keys: {}", keys.join(", "));
            faults.add(
                pointer,
                format!("this is {}, not a table", kind(value)),
                hint,
            );
            return None;
        };
        for key in map.keys().filter(|key| !keys.contains(&key.as_str())) {
            let hint = match nearest(key, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are {}", keys.join(", ")),
            };
            let at = format!("{pointer}/{}", token(key));
            faults.add(at, format!("{} is no setting", shown(key)), hint);
        }
        Some(Self {
            map,
            pointer,
            faults,
        })
    }

    pub(crate) fn at(&self, key: &str) -> String {
        format!("{}/{}", self.pointer, token(key))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub(crate) fn fault(&self, key: &str, problem: impl Into<String>, hint: impl Into<String>) {
        self.faults.add(self.at(key), problem, hint);
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let read = read(value);
        if read.is_none() {
            let problem = format!("this is {}, not {expected}", kind(value));
            self.fault(key, problem, format!("write {expected}"));
        }
        read
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.typed(key, "a text, in quotes", Value::as_str)
    }

    /// A text that must be there.
    pub(crate) fn needed(&self, key: &str) -> Option<&'a str> {
        if !self.has(key) {
            let problem = format!("`{key}` is missing");
            self.faults
                .add(&self.pointer, problem, format!("add {key} = \"…\""));
        }
        self.text(key)
    }

    /// A text in another form.
    pub(crate) fn parsed<T, E: fmt::Display>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        self.checked(key, text, parse(text))
    }

    /// Notes an error with the text that it is about; its second line is the hint.
    pub(crate) fn checked<T, E: fmt::Display>(
        &self,
        key: &str,
        text: &str,
        read: Result<T, E>,
    ) -> Option<T> {
        read.map_err(|error| {
            let error = error.to_string();
            let (problem, hint) = error
                .split_once("\nhint: ")
                .unwrap_or((error.as_str(), "see docs/guides/http-tools.md"));
            self.fault(key, format!("{}: {problem}", shown(text)), hint);
        })
        .ok()
    }

    pub(crate) fn switch(&self, key: &str) -> Option<bool> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(crate) fn integer(&self, key: &str, bounds: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let value = self.get(key)?;
        let number = value.as_u64().filter(|number| bounds.contains(number));
        if number.is_none() {
            let found = match value {
                Value::Number(number) => format!("`{number}`"),
                other => kind(other).to_owned(),
            };
            let problem = format!("{found} is not {expected}");
            self.fault(key, problem, format!("write {expected}"));
        }
        number
    }

    pub(crate) fn texts(&self, key: &str) -> Option<Vec<String>> {
        self.typed(key, "a list of texts", |value| {
            let texts = value.as_array()?.iter();
            texts.map(|text| Some(text.as_str()?.to_owned())).collect()
        })
    }

    /// A table of texts.
    pub(crate) fn text_map(&self, key: &str) -> Vec<(&'a str, &'a str)> {
        let members = self.typed(key, "a table of texts", Value::as_object);
        let pairs = members.into_iter().flatten().filter_map(|(name, value)| {
            if value.as_str().is_none() {
                let at = format!("{}/{}", self.at(key), token(name));
                let problem = format!("this is {}, not a text, in quotes", kind(value));
                self.faults.add(at, problem, "write it in quotes");
            }
            Some((name.as_str(), value.as_str()?))
        });
        pairs.collect()
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        self.parsed(key, |text| {
            quantity(text, &[("ms", 1), ("s", 1000), ("m", 60_000)])
                .filter(|milliseconds| (1..=300_000).contains(milliseconds))
                .map(Duration::from_millis)
                .ok_or("it is no duration from 1ms to 5m\nhint: write it like 500ms, 10s or 2m")
        })
    }

    /// How long something lives that is kept.
    pub(crate) fn lifetime(&self, key: &str) -> Option<Duration> {
        self.parsed(key, |text| {
            let units = [("s", 1), ("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];
            quantity(text, &units)
                .filter(|seconds| (60..=365 * 24 * 60 * 60).contains(seconds))
                .map(Duration::from_secs)
                .ok_or("it is no lifetime from 60s to 365d\nhint: write it like 10m, 1h or 1d")
        })
    }

    pub(crate) fn size(&self, key: &str) -> Option<usize> {
        self.parsed(key, |text| {
            quantity(text, &[("KiB", 1 << 10), ("MiB", 1 << 20)])
                .filter(|bytes| (1 << 10..=64 << 20).contains(bytes))
                .and_then(|bytes| usize::try_from(bytes).ok())
                .ok_or("it is no size from 1KiB to 64MiB\nhint: write it like 256KiB or 4MiB")
        })
    }
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a switch",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_units() {
        let units = &[("ms", 1), ("s", 1000)][..];
        for (text, found) in [
            ("5s", Some(5000)),
            ("10ms", Some(10)),
            ("5", None),
            ("s", None),
            ("", None),
            ("1.5s", None),
            ("5 s", None),
            ("99999999999999999999s", None),
            ("-1s", None),
        ] {
            assert_eq!(quantity(text, units), found, "{text}");
        }
    }
}
