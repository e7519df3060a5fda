//! The query string (or a form): repeated names, typed values, lists with `+` and `-`, and orderings.

use crate::error::{self, ApiError};
use std::cmp::Ordering;

/// The most values a repeated parameter takes.
const MAX_VALUES: usize = 100;

/// The decoded query of a request.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(crate) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.into_iter().map(own).collect())
    }

    /// The first value of a name, even an empty one.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value)
    }

    /// The first value of a name; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// All names and values, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first name that is given twice. OAuth parameters are given once (RFC 6749, 3.1).
    pub(crate) fn repeated(&self) -> Option<&str> {
        let mut seen = std::collections::HashSet::new();
        let mut names = self.0.iter().map(|(name, _)| name.as_str());
        names.find(|name| !seen.insert(*name))
    }

    /// Every value of a repeated name, at most 100. `name[]=...` is the same name.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<&str>, ApiError> {
        let values: Vec<&str> = self
            .0
            .iter()
            .filter(|(key, value)| {
                key.strip_suffix("[]").unwrap_or(key) == name && !value.is_empty()
            })
            .map(|(_, value)| value.as_str())
            .collect();
        if values.len() > MAX_VALUES {
            return Err(error::param_array_size(name, MAX_VALUES));
        }
        Ok(values)
    }

    /// A list whose values may start with `+` (wanted) or `-` (unwanted).
    pub(crate) fn signed_list(&self, name: &str) -> Result<Signed<'_>, ApiError> {
        let mut signed = Signed::default();
        for value in self.list(name)? {
            if let Some(unwanted) = value.strip_prefix('-') {
                signed.unwanted.push(unwanted);
            } else {
                // An unencoded `+` arrives as a space.
                signed
                    .wanted
                    .push(value.strip_prefix(['+', ' ']).unwrap_or(value));
            }
        }
        Ok(signed)
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(error::param_type_invalid(name, "boolean")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| error::param_type_invalid(name, "integer"))
            })
            .transpose()
    }

    /// One of the allowed values of an enumeration.
    pub(crate) fn choice(
        &self,
        name: &str,
        allowed: &[&'static str],
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match allowed.iter().find(|value| **value == text) {
            Some(value) => Ok(Some(value)),
            None => Err(error::param_value_not_allowed(name, text, allowed)),
        }
    }

    /// The first `order_by`, among the allowed names; without one, `-created_at`.
    pub(crate) fn order(&self, allowed: &[&'static str]) -> Result<Order, ApiError> {
        let Some(text) = self.text("order_by") else {
            return Ok(Order {
                by: "created_at",
                descending: true,
            });
        };
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text.strip_prefix(['+', ' ']).unwrap_or(text)),
        };
        match allowed.iter().find(|value| **value == name) {
            Some(by) => Ok(Order { by, descending }),
            None => Err(error::param_value_not_allowed("order_by", text, allowed)),
        }
    }
}

/// Values to include and values to exclude.
#[derive(Debug, Default)]
pub(crate) struct Signed<'a> {
    wanted: Vec<&'a str>,
    unwanted: Vec<&'a str>,
}

impl Signed<'_> {
    /// Is the thing with these values in the list?
    pub(crate) fn admits(&self, mut has: impl FnMut(&str) -> bool) -> bool {
        (self.wanted.is_empty() || self.wanted.iter().any(|value| has(value)))
            && !self.unwanted.iter().any(|value| has(value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }
}

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) by: &'static str,
    pub(crate) descending: bool,
}

impl Order {
    /// Turns an ascending comparison into the wanted direction.
    pub(crate) fn directed(self, ordering: Ordering) -> Ordering {
        if self.descending {
            ordering.reverse()
        } else {
            ordering
        }
    }

    /// Compares optional values in the wanted direction; rows without a value come last.
    pub(crate) fn compare<T: Ord>(self, left: Option<T>, right: Option<T>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) => self.directed(left.cmp(&right)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

/// Does `text` contain `part`, letter case aside? `part` is in lower case.
pub(crate) fn contains(text: &str, part: &str) -> bool {
    if part.is_empty() {
        return true;
    }
    if text.is_ascii() {
        let (text, part) = (text.as_bytes(), part.as_bytes());
        return text
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part));
    }
    text.to_lowercase().contains(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unencoded_plus_is_still_a_plus() {
        let query = Query::parse("user_id=+user_a&user_id=-user_b&order_by=+created_at");
        let signed = query.signed_list("user_id").unwrap();
        assert!(signed.admits(|id| id == "user_a"));
        assert!(!signed.admits(|id| id == "user_b"));
        assert!(!query.order(&["created_at"]).unwrap().descending);
    }

    #[test]
    fn a_list_of_exclusions_admits_the_rest() {
        let query = Query::parse("user_id=-user_b");
        let signed = query.signed_list("user_id").unwrap();
        assert!(signed.admits(|id| id == "user_a"));
        assert!(!signed.admits(|id| id == "user_b"));
    }

    #[test]
    fn parts_are_found_whatever_their_case() {
        assert!(contains("HELLO@example.com", "ello@"));
        assert!(contains("JOSÉ", "josé"));
        assert!(!contains("a", "ab"));
    }
}
