//! Errors on their way to JavaScript: `{"class": "ClerkApiError", "error": {…}}`, where `error` is
//! what a model is shown of it, as in a tool's result over MCP.

use std::fmt;

use clerk::{IdError, SecretKeyError, SessionTokenError};
use serde_json::{Map, Value, json};
use toolkit::{BuildError, ToolError, pattern::PatternError};

/// An error with the JavaScript class that it becomes.
#[derive(Debug)]
pub(crate) struct Failure {
    class: Class,
    error: Map<String, Value>,
}

/// The error classes of the package's `errors.js`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Anything without a class of its own.
    Toolkit,
    Key,
    Token,
    Pattern,
    Arguments,
    Permission,
    Api,
    Connection,
    /// No error of ours: the caller's `AbortSignal` ended the call.
    Cancelled,
}

impl Class {
    const fn name(self) -> &'static str {
        match self {
            Self::Toolkit => "ClerkToolkitError",
            Self::Key => "ClerkKeyError",
            Self::Token => "ClerkTokenError",
            Self::Pattern => "ClerkPatternError",
            Self::Arguments => "ClerkArgumentsError",
            Self::Permission => "ClerkPermissionError",
            Self::Api => "ClerkApiError",
            Self::Connection => "ClerkConnectionError",
            Self::Cancelled => "Cancelled",
        }
    }
}

impl Failure {
    /// An error whose text says its hint after `\nhint: `.
    pub(crate) fn new(class: Class, code: &str, text: &str) -> Self {
        let (message, hint) = match text.split_once("\nhint: ") {
            Some((message, hint)) => (message, Some(hint)),
            None => (text, None),
        };
        let mut error = Map::new();
        error.insert("code".into(), code.into());
        error.insert("message".into(), message.into());
        if let Some(hint) = hint {
            error.insert("hint".into(), hint.into());
        }
        Self { class, error }
    }

    /// What `createClerkToolkit` was given cannot be used.
    pub(crate) fn option(text: &str) -> Self {
        Self::new(Class::Toolkit, "invalid_options", text)
    }

    /// There is no secret key at all.
    pub(crate) fn no_key() -> Self {
        Self::new(
            Class::Key,
            "secret_key_missing",
            "there is no Clerk secret key\n\
             hint: set CLERK_SECRET_KEY (Clerk dashboard, API keys), or give `secretKey`",
        )
    }

    /// A key that was given, and is no text. `option` is where.
    pub(crate) fn empty_key(option: &str) -> Self {
        Self::new(
            Class::Key,
            "secret_key_missing",
            &format!(
                "{option}: the secret key is empty\n\
                 hint: give the instance's secret key, or leave the option out to use CLERK_SECRET_KEY"
            ),
        )
    }

    /// A text that is no secret key. `source` says where it was found.
    pub(crate) fn key(source: &str, error: &SecretKeyError) -> Self {
        Self::new(
            Class::Key,
            "secret_key_invalid",
            &format!("{source}: {error}"),
        )
    }

    /// A setting of the client that cannot be used.
    pub(crate) fn setting(source: &str, error: &impl fmt::Display) -> Self {
        Self::option(&format!("{source}: {error}"))
    }

    pub(crate) fn pattern(error: &PatternError) -> Self {
        Self::new(Class::Pattern, "invalid_pattern", &error.to_string())
    }

    /// The toolkit's words are those of the command line; here they are those of the options.
    pub(crate) fn build(error: &BuildError) -> Self {
        match error {
            BuildError::Pattern(error) => Self::pattern(error),
            BuildError::Empty { named, reason } => {
                let named = named.join(", ");
                let reason = match *reason {
                    "--read-only" => "`readOnly`",
                    other => other,
                };
                let text = format!(
                    "no tool is left: {reason} leaves out {named}\n\
                     hint: choose other `tools`, or do without {reason}"
                );
                Self::new(Class::Pattern, "no_tools", &text)
            }
        }
    }

    /// A part of `authContext` that is not what Clerk's `auth()` gives.
    pub(crate) fn auth_context(member: &str, error: &IdError) -> Self {
        Self::new(
            Class::Token,
            "invalid_auth_context",
            &format!("authContext.{member}: {error}"),
        )
    }

    /// A session token that is not accepted.
    pub(crate) fn token(error: &SessionTokenError) -> Self {
        let mut failure = Self::new(Class::Token, error.code(), &error.to_string());
        failure.error.insert("status".into(), error.status().into());
        if let Some(trace_id) = error.trace_id() {
            failure
                .error
                .insert("clerk_trace_id".into(), trace_id.into());
        }
        failure
    }

    /// A token and a person beside it, who may be another.
    pub(crate) fn two_contexts() -> Self {
        Self::new(
            Class::Token,
            "invalid_auth_context",
            "authContext has a sessionToken and a userId\n\
             hint: give the token alone, or what Clerk's auth() gives",
        )
    }

    /// An `authContext` without a user. Taking it for none would give a stranger the key's power.
    pub(crate) fn signed_out() -> Self {
        Self::new(
            Class::Token,
            "signed_out",
            "authContext has no userId: nobody is signed in\n\
             hint: refuse the request, or leave authContext out for a toolkit with the power of \
             the secret key",
        )
    }

    /// The arguments of a call are no JSON that can be read.
    pub(crate) fn unreadable_arguments(error: &serde_json::Error) -> Self {
        Self::new(
            Class::Arguments,
            "invalid_arguments",
            &format!("the arguments are not JSON: {error}"),
        )
    }

    /// The caller ended the call.
    pub(crate) fn cancelled() -> Self {
        Self::new(Class::Cancelled, "cancelled", "the call was cancelled")
    }

    /// A fault of ours.
    pub(crate) fn internal(what: &str) -> Self {
        Self::new(
            Class::Toolkit,
            "internal_error",
            &format!("clerk-agent-tools failed: {what}\nhint: please report this as a bug"),
        )
    }
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        let class = match &error {
            ToolError::UnknownTool { .. } => Class::Toolkit,
            ToolError::Arguments(_) | ToolError::Clerk(clerk::Error::Request(_)) => {
                Class::Arguments
            }
            ToolError::NotPermitted { .. } => Class::Permission,
            ToolError::Clerk(clerk::Error::Transport { .. })
            | ToolError::Partial {
                source: clerk::Error::Transport { .. },
                ..
            } => Class::Connection,
            _ => Class::Api,
        };
        let error = match error.to_json().remove("error") {
            Some(Value::Object(error)) => error,
            _ => Map::new(),
        };
        Self { class, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        json!({"class": self.class.name(), "error": self.error}).fmt(f)
    }
}

impl From<Failure> for napi::Error {
    fn from(failure: Failure) -> Self {
        Self::from_reason(failure.to_string())
    }
}
