//! Small JSON values that tools keep for one person and one client.
//!
//! The rules are here and are no store's: what may be kept is a [`Changes`], and whether there is room
//! for it is [`Changes::judge`].

mod memory;

use std::{collections::BTreeMap, fmt, time::Duration};

use oauth::{StoreResult, Timestamp};
use serde_json::{Map, Value};

pub use self::memory::MemoryToolState;

/// The largest value, bytes of compact JSON.
pub const LARGEST_VALUE: usize = 16 * 1024;
/// The most values of one person and client.
pub const MOST_VALUES: usize = 100;
/// The longest name of a value, bytes.
pub const LONGEST_NAME: usize = 64;
/// How old the mark of a value's last use may grow before reading the value renews it: a value that is
/// only ever read stays, and costs one write a day.
pub const TOUCHED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whose values: one person's, through one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Clerk's id of the user.
    pub user_id: String,
    /// The client that the person approved.
    pub client_id: String,
}

/// Changes of some values, each checked: a new value, or none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    values: BTreeMap<String, Option<String>>,
    expected: BTreeMap<String, Option<Value>>,
}

impl Changes {
    /// The changes that give these names these values; null removes.
    ///
    /// # Errors
    /// [`ValueFault`] for a name or a value that cannot be kept.
    pub fn new(values: Map<String, Value>) -> Result<Self, ValueFault> {
        let checked = values.into_iter().map(|(name, value)| {
            if !is_name(&name) {
                return Err(ValueFault::Name { name });
            }
            if value.is_null() {
                return Ok((name, None));
            }
            let text = value.to_string();
            let bytes = text.len();
            if bytes > LARGEST_VALUE {
                return Err(ValueFault::TooLarge { name, bytes });
            }
            // What was built in memory may be nested deeper than a reader of JSON follows.
            match serde_json::from_str::<Value>(&text) {
                Ok(_) => Ok((name, Some(text))),
                Err(_) => Err(ValueFault::TooDeep { name }),
            }
        });
        let values = checked.collect::<Result<_, _>>()?;
        let expected = BTreeMap::new();
        Ok(Self { values, expected })
    }

    /// Makes the changes only if this is the value under `name`, still; `None` if there must be none.
    #[must_use]
    pub fn if_still(mut self, name: &str, value: Option<Value>) -> Self {
        self.expected.insert(name.to_owned(), value);
        self
    }

    /// The names that must have certain values.
    pub fn expected(&self) -> impl Iterator<Item = &str> {
        self.expected.keys().map(String::as_str)
    }

    /// Whether the values that are kept under the names of [`Changes::expected`] are those.
    ///
    /// # Errors
    /// [`ValueFault::Changed`].
    pub fn judge_expected(&self, kept: &Map<String, Value>) -> Result<(), ValueFault> {
        for (name, expected) in &self.expected {
            if kept.get(name) != expected.as_ref() {
                let name = name.clone();
                return Err(ValueFault::Changed { name });
            }
        }
        Ok(())
    }

    /// Each name with the JSON text of its new value; `None` where it has none any more.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let changes = self.values.iter();
        changes.map(|(name, text)| (name.as_str(), text.as_deref()))
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether there is room, beside the values of the same owner that are kept under `names`.
    /// Removing always works, even where there are too many already.
    ///
    /// # Errors
    /// [`ValueFault::TooMany`].
    pub fn judge<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), ValueFault> {
        let others = names
            .filter(|name| !self.values.contains_key(*name))
            .count();
        let added = self.values.values().flatten().count();
        if added > 0 && others + added > MOST_VALUES {
            return Err(ValueFault::TooMany);
        }
        Ok(())
    }
}

/// Whether this can be the name of a value: letters, digits, `_` and `-`, at most [`LONGEST_NAME`].
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// Why values are not kept. Nothing of the call was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueFault {
    /// It is no name.
    Name {
        /// What it is.
        name: String,
    },
    /// A value is larger than [`LARGEST_VALUE`].
    TooLarge {
        /// Its name.
        name: String,
        /// Its size, bytes of compact JSON.
        bytes: usize,
    },
    /// A value is nested deeper than a reader of JSON follows.
    TooDeep {
        /// Its name.
        name: String,
    },
    /// There would be more than [`MOST_VALUES`].
    TooMany,
    /// A value is another one than was expected ([`Changes::if_still`]).
    Changed {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for ValueFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "`{}` is no name for a value (letters, digits, `_` and `-`, at most {LONGEST_NAME})",
                name.escape_debug()
            ),
            Self::TooLarge { name, bytes } => write!(
                f,
                "the value `{name}` has {bytes} bytes of JSON, more than {LARGEST_VALUE}"
            ),
            Self::TooDeep { name } => write!(f, "the value `{name}` is nested too deeply"),
            Self::TooMany => write!(
                f,
                "there would be more than {MOST_VALUES} values for this person and client"
            ),
            Self::Changed { name } => write!(f, "the value `{name}` was changed meanwhile"),
        }
    }
}

impl std::error::Error for ValueFault {}

/// Keeps values of tools.
///
/// # What security depends on
///
/// * Nobody's values are anybody else's: an [`Owner`] matches as a whole, byte for byte.
/// * Each method is one atomic transition, as those of [`oauth::Store`] are: all of it or nothing, as
///   if concurrent calls ran one after the other. A change of some names leaves the others alone.
/// * What was kept is there after a crash, once the method has answered.
///
/// `now` is the caller's. Every implementation passes `tests/tool_state.rs`.
pub trait ToolStateStore: Send + Sync {
    /// The values under these names, as far as there are any. Reading counts as use
    /// ([`TOUCHED_EVERY`]).
    fn values<'a>(
        &'a self,
        owner: &'a Owner,
        names: &'a [String],
        now: Timestamp,
    ) -> StoreResult<'a, Map<String, Value>>;

    /// Makes these changes, if what they expect is so ([`Changes::judge_expected`]) and there is room for
    /// them ([`Changes::judge`]).
    fn change_values<'a>(
        &'a self,
        owner: &'a Owner,
        changes: &'a Changes,
        now: Timestamp,
    ) -> StoreResult<'a, Result<(), ValueFault>>;

    /// Deletes all values of a person, through whatever client; how many there were.
    fn forget_values<'a>(&'a self, user_id: &'a str) -> StoreResult<'a, u64>;

    /// Deletes values that were last used at `end` or before. A call may delete a part only, to be
    /// short; then it says so.
    fn sweep_values(&self, end: Timestamp) -> StoreResult<'_, SweptValues>;
}

/// How much [`ToolStateStore::sweep_values`] deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweptValues {
    /// Values.
    pub values: u64,
    /// Whether there is more to delete.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn changes(values: Value) -> Result<Changes, ValueFault> {
        Changes::new(values.as_object().unwrap().clone())
    }

    #[test]
    fn names_and_sizes_have_bounds() {
        assert!(changes(json!({"a-b_9": 1, "x": null})).is_ok());
        for name in ["", "a b", "ä", "a.b", "a\n", &"n".repeat(65)] {
            let fault = changes(json!({ name: 1 })).unwrap_err();
            assert!(matches!(fault, ValueFault::Name { .. }), "{name}");
        }
        // Two quotation marks are part of the JSON.
        assert!(changes(json!({"a": "x".repeat(LARGEST_VALUE - 2)})).is_ok());
        let fault = changes(json!({"a": "x".repeat(LARGEST_VALUE - 1)})).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the value `a` has 16385 bytes of JSON, more than 16384"
        );
    }

    #[test]
    fn what_could_not_be_read_again_is_not_kept() {
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        assert!(changes(json!({ "a": nested(100) })).is_ok());
        let fault = changes(json!({ "a": nested(500) })).unwrap_err();
        assert_eq!(fault, ValueFault::TooDeep { name: "a".into() });
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_the_most(
            kept in proptest::collection::btree_set(0..250_u32, 0..=MOST_VALUES),
            set in proptest::collection::btree_map(0..250_u32, any::<bool>(), 0..60),
        ) {
            let named = |number: &u32| format!("n{number}");
            let values = set.iter().map(|(number, keeps)| {
                (named(number), if *keeps { json!(1) } else { Value::Null })
            });
            let changes = Changes::new(values.collect()).unwrap();
            let names: Vec<String> = kept.iter().map(named).collect();
            let mut after = kept.clone();
            for (number, keeps) in &set {
                if *keeps { after.insert(*number); } else { after.remove(number); }
            }
            let judged = changes.judge(names.iter().map(String::as_str));
            prop_assert_eq!(judged.is_ok(), after.len() <= MOST_VALUES);
        }
    }
}
