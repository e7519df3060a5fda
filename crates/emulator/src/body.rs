//! JSON bodies: which parameters an operation takes, and reading them.

use crate::error::{self, ApiError};
use crate::metadata;
use crate::model::Metadata;
use chrono::DateTime;
use serde_json::{Map, Value};

/// The longest time span that is taken: ten thousand years.
const MAX_SECONDS: f64 = 315_360_000_000.0;

/// A parameter of a request body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

/// What a parameter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    Integer,
    Object,
    Texts,
    /// Any number, whole or not.
    Number,
    /// Any JSON.
    Any,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Object => "object",
            Self::Texts => "array of strings",
            Self::Number => "number",
            Self::Any => "JSON value",
        }
    }

    fn admits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Object => value.is_object(),
            Self::Texts => value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Number => value.is_number(),
            Self::Any => true,
        }
    }
}

/// A parameter that may not be null.
pub(crate) const fn param(name: &'static str, kind: Kind) -> Param {
    Param {
        name,
        kind,
        nullable: false,
    }
}

/// A parameter that may be null.
pub(crate) const fn nullable(name: &'static str, kind: Kind) -> Param {
    Param {
        name,
        kind,
        nullable: true,
    }
}

/// What happens to parameters that an operation does not take. Clerk's operations differ: see
/// `additionalProperties` in its OpenAPI file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Refused,
    Ignored,
}

/// An optional parameter of a change: absent, null, or a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<T> {
    Keep,
    Clear,
    Set(T),
}

/// A checked body: every known parameter has its right type.
#[derive(Debug)]
pub(crate) struct Body<'a>(&'a Map<String, Value>);

impl<'a> Body<'a> {
    pub(crate) fn check(
        object: &'a Map<String, Value>,
        params: &[Param],
        unknown: Unknown,
    ) -> Result<Self, ApiError> {
        for (name, value) in object {
            let Some(param) = params.iter().find(|param| param.name == name) else {
                if unknown == Unknown::Refused {
                    return Err(error::param_unknown(name));
                }
                continue;
            };
            if value.is_null() {
                if !param.nullable {
                    return Err(error::param_nil(name));
                }
            } else if !param.kind.admits(value) {
                return Err(error::param_type_invalid(name, param.kind.name()));
            }
        }
        Ok(Self(object))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    /// A text that must be there; an empty one is `form_param_nil`.
    pub(crate) fn required_text(&self, name: &str) -> Result<&'a str, ApiError> {
        match self.text(name) {
            None => Err(error::param_missing(name)),
            Some(text) if text.trim().is_empty() => Err(error::param_nil(name)),
            Some(text) => Ok(text),
        }
    }

    /// A text to set, or to clear with null or the empty string.
    pub(crate) fn change(&self, name: &str) -> Change<&'a str> {
        match self.0.get(name) {
            None => Change::Keep,
            Some(Value::String(text)) if !text.is_empty() => Change::Set(text),
            Some(_) => Change::Clear,
        }
    }

    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// An integer within limits; below the lower or above the upper is a refusal.
    pub(crate) fn integer(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.0.get(name).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(number) if number > max => Err(error::param_value_too_large(name, max)),
            Some(number) if number >= min => Ok(Some(number)),
            _ => Err(error::param_value_invalid(name, &value.to_string())),
        }
    }

    /// A time span in seconds, greater than zero, as milliseconds.
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.0.get(name).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(seconds) if seconds > 0.0 && seconds <= MAX_SECONDS => {
                Ok(Some((seconds * 1000.0).ceil() as u64))
            }
            _ => Err(error::param_value_invalid(name, &value.to_string())),
        }
    }

    /// Any JSON; absent is null.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<&'a str> {
        let items = self.0.get(name).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Metadata as given.
    pub(crate) fn object(&self, name: &str) -> Option<&'a Metadata> {
        self.0.get(name)?.as_object()
    }

    /// Metadata within its size limit; absent and null are none.
    pub(crate) fn metadata(&self, name: &str) -> Result<Option<Metadata>, ApiError> {
        self.object(name)
            .map(|map| metadata::checked(name, map.clone()))
            .transpose()
    }

    /// A point in time in RFC 3339 form, not after `now`, in milliseconds.
    pub(crate) fn past_time(&self, name: &str, now: u64) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let time = DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|time| u64::try_from(time.timestamp_millis()).ok())
            .ok_or_else(|| error::param_invalid_time(name))?;
        if time > now {
            return Err(error::param_future_date(name));
        }
        Ok(Some(time))
    }
}
