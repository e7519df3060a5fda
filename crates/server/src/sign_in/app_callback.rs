//! What the owner's application sends back: `state` with `clerk_token`, or with `error`.

use std::fmt;

/// No honest callback is longer: a session token is a cookie, and so has at most 4 KiB.
const LONGEST: usize = 16 * 1024;
/// The parameters that are read. Others are passed over.
const NAMES: [&str; 3] = ["state", "clerk_token", "error"];

/// A callback of the owner's application. Nothing in it is believed yet.
#[derive(PartialEq, Eq)]
pub struct AppCallback {
    state: String,
    answer: Answer,
}

/// What the application says of the person.
#[derive(PartialEq, Eq)]
pub(super) enum Answer {
    /// The session token of the person who is signed in.
    Token(String),
    /// An error in OAuth's words, such as `access_denied`.
    Error(String),
    /// Nothing: such an address is what is left of one whose token was used.
    Nothing,
}

/// Why something is no callback of the application. Never holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppCallbackError {
    /// It is too long.
    #[error("the callback is longer than 16 KiB\nhint: sign in again")]
    TooLong,
    /// A parameter came more than once.
    #[error("the callback has the parameter `{0}` more than once\nhint: sign in again")]
    Duplicate(&'static str),
    /// There is no `state`.
    #[error(
        "the callback has no `state`\n\
         hint: sign in again, from the client; this address cannot be opened by itself"
    )]
    NoState,
    /// There are a token and an error.
    #[error("the callback has both a token and an error\nhint: sign in again")]
    Both,
}

impl AppCallback {
    /// Reads form-encoded parameters. One without a value counts as absent.
    ///
    /// # Errors
    /// [`AppCallbackError`].
    pub fn parse(parameters: &str) -> Result<Self, AppCallbackError> {
        if parameters.len() > LONGEST {
            return Err(AppCallbackError::TooLong);
        }
        let mut found: [Option<String>; NAMES.len()] = [const { None }; NAMES.len()];
        for (name, value) in url::form_urlencoded::parse(parameters.as_bytes()) {
            let Some(index) = NAMES.iter().position(|known| *known == name) else {
                continue;
            };
            if found[index].replace(value.into_owned()).is_some() {
                return Err(AppCallbackError::Duplicate(NAMES[index]));
            }
        }
        let [state, token, error] = found.map(|value| value.filter(|value| !value.is_empty()));
        let state = state.ok_or(AppCallbackError::NoState)?;
        let answer = match (token, error) {
            (Some(_), Some(_)) => return Err(AppCallbackError::Both),
            (Some(token), None) => Answer::Token(token),
            (None, Some(error)) => Answer::Error(error),
            (None, None) => Answer::Nothing,
        };
        Ok(Self { state, answer })
    }

    /// The `state`, which finds the authorization that it belongs to.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }

    pub(super) fn into_answer(self) -> Answer {
        self.answer
    }
}

impl fmt::Debug for AppCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = match self.answer {
            Answer::Token(_) => "token",
            Answer::Error(_) => "error",
            Answer::Nothing => "nothing",
        };
        f.debug_struct("AppCallback")
            .field("answer", &answer)
            .finish_non_exhaustive()
    }
}

/// The same callback without what it carries, if it carries a token: a query that may stay in the
/// browser's history. `None` when there is nothing to take away.
pub(crate) fn without_token(query: &str) -> Option<String> {
    let pairs = || url::form_urlencoded::parse(query.as_bytes());
    if !pairs().any(|(name, _)| name == "clerk_token") {
        return None;
    }
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    if let Some((_, state)) = pairs().find(|(name, _)| name == "state") {
        kept.append_pair("state", &state);
    }
    Some(kept.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn reads_what_an_application_sends() {
        let read = |text| AppCallback::parse(text).unwrap();
        let callback = read("clerk_token=a.b.c&state=s%2B1&utm=x&utm=y");
        assert_eq!(callback.state(), "s+1");
        assert!(!format!("{callback:?}").contains("a.b.c"));
        assert!(callback.into_answer() == Answer::Token("a.b.c".to_owned()));
        let declined = read("state=s&error=access_denied").into_answer();
        assert!(declined == Answer::Error("access_denied".to_owned()));
        assert!(read("state=s&clerk_token=").into_answer() == Answer::Nothing);
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for (text, error) in [
            ("", AppCallbackError::NoState),
            ("clerk_token=a", AppCallbackError::NoState),
            ("state=&clerk_token=a", AppCallbackError::NoState),
            ("state=a&state=b", AppCallbackError::Duplicate("state")),
            (
                "state=a&clerk_token=&clerk_token=b",
                AppCallbackError::Duplicate("clerk_token"),
            ),
            ("state=a&clerk_token=b&error=c", AppCallbackError::Both),
            (&"x".repeat(LONGEST + 1), AppCallbackError::TooLong),
        ] {
            assert_eq!(AppCallback::parse(text), Err(error), "{text:.40}");
        }
    }

    #[test]
    fn a_token_is_taken_out_of_an_address() {
        let clean = |query| without_token(query);
        assert_eq!(
            clean("clerk_token=a.b.c&state=s%2B1&x=y").as_deref(),
            Some("state=s%2B1")
        );
        assert_eq!(clean("%63lerk_token=a").as_deref(), Some(""));
        assert_eq!(clean("state=s"), None);
        assert_eq!(clean(""), None);
    }
}
