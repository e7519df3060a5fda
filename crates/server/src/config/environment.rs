//! The environment's variables, as a configuration reads them.

use std::{collections::BTreeMap, ffi::OsString, fmt};

/// Variables and their values. `Debug` shows the names alone: values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// No variable at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Leaves out every variable whose name this holds for.
    #[must_use]
    pub fn without(mut self, leave_out: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|name, _| !leave_out(name));
        self
    }

    /// The value of a variable. An empty one counts as not set.
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let value = self.0.get(name)?;
        let value = match value.to_str() {
            Some(text) => Value::Text(text.to_owned()),
            None => Value::NoText(value.to_string_lossy().into_owned()),
        };
        (!value.text().trim().is_empty()).then_some(value)
    }

    /// Every variable that is set to something.
    pub(super) fn set(&self) -> impl Iterator<Item = (&str, Value)> {
        let names = self.0.keys();
        names.filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }
}

/// A variable's value.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    /// It is not UTF-8: what of it is text.
    NoText(String),
}

impl Value {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::NoText(text) => text,
        }
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let pairs = variables.into_iter();
        Self(
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
