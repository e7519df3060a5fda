//! Parameters of a query string or a form, as somebody sent them.

use std::borrow::Cow;
use std::fmt;

/// Parameters in `application/x-www-form-urlencoded`, not verified in any way.
#[derive(Clone, Default)]
pub struct Parameters(Vec<(String, String)>);

/// A parameter was sent more than once; OAuth 2.1 section 3.1 forbids it, for one party might read
/// the first and another the last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the parameter `{0}` was sent more than once\nhint: send it once")]
pub struct Repeated(pub &'static str);

impl Parameters {
    /// Reads a query string (without `?`) or a form's body. Everything can be read: what is not
    /// UTF-8 becomes replacement characters.
    pub fn parse(bytes: &[u8]) -> Self {
        Self(
            form_urlencoded::parse(bytes)
                .map(|(name, value)| (Cow::into_owned(name), Cow::into_owned(value)))
                .collect(),
        )
    }

    /// The parameter of this name. One without a value counts as absent (OAuth 2.1 section 3.1).
    ///
    /// # Errors
    /// [`Repeated`] when there is more than one.
    pub fn get(&self, name: &'static str) -> Result<Option<&str>, Repeated> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated(name)),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// Every value of this name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(one, _)| one == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Names alone: values may be secrets.
impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }
}
