use std::fmt;

use clerk::{IdError, SecretKeyError};
#[cfg(feature = "session-token")]
use clerk::{JsonWebKeySetError, SessionTokenError};

use crate::{error::ToolError, pattern::PatternError, toolkit::BuildError};

/// Anything that can go wrong with a toolkit, from its key to a call: for bindings and for programs
/// that handle all of it in one place.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`. No secret is in it.
#[derive(Debug)]
#[non_exhaustive]
pub enum ToolkitError {
    /// The secret key is missing or is none.
    Key(SecretKeyError),
    /// The public key (`CLERK_JWT_KEY`) is none.
    #[cfg(feature = "session-token")]
    JwtKey(JsonWebKeySetError),
    /// The session token is not accepted.
    #[cfg(feature = "session-token")]
    Token(SessionTokenError),
    /// An id of the auth context is none.
    AuthContext(IdError),
    /// A tool pattern is wrong, or no tool is left.
    Build(BuildError),
    /// A call failed.
    Tool(ToolError),
}

/// What kind of failure it is: one for each way to handle it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no secret key.
    MissingKey,
    /// A key is of another kind, or is none.
    WrongKey,
    /// The session token is expired, foreign, forged or of another kind.
    InvalidToken,
    /// An id of the auth context is none.
    InvalidAuthContext,
    /// A tool pattern names nothing.
    UnknownPattern,
    /// The patterns and the bindings leave no tool.
    NoTools,
    /// There is no such tool.
    UnknownTool,
    /// The arguments are not what the tool takes.
    InvalidArguments,
    /// The bound session may not do this.
    NotPermitted,
    /// Clerk refused, or gave an answer that cannot be used.
    Clerk,
    /// No complete answer came from Clerk.
    Connection,
}

impl ToolkitError {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Key(SecretKeyError::Empty) => ErrorKind::MissingKey,
            Self::Key(_) => ErrorKind::WrongKey,
            #[cfg(feature = "session-token")]
            Self::JwtKey(_) => ErrorKind::WrongKey,
            #[cfg(feature = "session-token")]
            Self::Token(SessionTokenError::Keys(error)) => ErrorKind::of_clerk(error),
            #[cfg(feature = "session-token")]
            Self::Token(_) => ErrorKind::InvalidToken,
            Self::AuthContext(_) => ErrorKind::InvalidAuthContext,
            Self::Build(BuildError::Pattern(_)) => ErrorKind::UnknownPattern,
            Self::Build(BuildError::Empty { .. }) => ErrorKind::NoTools,
            Self::Tool(error) => error.kind(),
        }
    }

    /// A stable code; Clerk's own where Clerk refused a call.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Key(SecretKeyError::Empty) => "secret_key_missing",
            Self::Key(_) => "secret_key_invalid",
            #[cfg(feature = "session-token")]
            Self::JwtKey(_) => "jwt_key_invalid",
            #[cfg(feature = "session-token")]
            Self::Token(error) => error.code(),
            Self::AuthContext(_) => "invalid_auth_context",
            Self::Build(BuildError::Pattern(_)) => "invalid_pattern",
            Self::Build(BuildError::Empty { .. }) => "no_tools",
            Self::Tool(error) => error.code(),
        }
    }

    /// The HTTP status: of Clerk's answer, or the one to refuse a token with.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            #[cfg(feature = "session-token")]
            Self::Token(error) => Some(error.status()),
            Self::Tool(error) => error.status(),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tool(error) => error.hint(),
            other => {
                let text = other.to_string();
                let (_, hint) = text.split_once("\nhint: ")?;
                Some(hint.to_owned())
            }
        }
    }

    /// Clerk's name for the request that failed.
    #[must_use]
    pub fn clerk_trace_id(&self) -> Option<&str> {
        match self {
            #[cfg(feature = "session-token")]
            Self::Token(error) => error.trace_id(),
            Self::Tool(error) => error.clerk_trace_id(),
            _ => None,
        }
    }
}

impl ErrorKind {
    pub(crate) fn of_clerk(error: &clerk::Error) -> Self {
        match error {
            clerk::Error::Request(_) => Self::InvalidArguments,
            clerk::Error::Transport { .. } => Self::Connection,
            clerk::Error::Api(_) | clerk::Error::InvalidJson { .. } => Self::Clerk,
        }
    }
}

impl fmt::Display for ToolkitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            #[cfg(feature = "session-token")]
            Self::JwtKey(error) => error.fmt(f),
            #[cfg(feature = "session-token")]
            Self::Token(error) => error.fmt(f),
            Self::AuthContext(error) => error.fmt(f),
            Self::Build(error) => error.fmt(f),
            Self::Tool(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ToolkitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "session-token")]
            Self::Token(error) => error.source(),
            Self::Tool(error) => error.source(),
            _ => None,
        }
    }
}

impl From<SecretKeyError> for ToolkitError {
    fn from(error: SecretKeyError) -> Self {
        Self::Key(error)
    }
}

#[cfg(feature = "session-token")]
impl From<JsonWebKeySetError> for ToolkitError {
    fn from(error: JsonWebKeySetError) -> Self {
        Self::JwtKey(error)
    }
}

#[cfg(feature = "session-token")]
impl From<SessionTokenError> for ToolkitError {
    fn from(error: SessionTokenError) -> Self {
        Self::Token(error)
    }
}

impl From<IdError> for ToolkitError {
    fn from(error: IdError) -> Self {
        Self::AuthContext(error)
    }
}

impl From<PatternError> for ToolkitError {
    fn from(error: PatternError) -> Self {
        Self::Build(BuildError::Pattern(error))
    }
}

impl From<BuildError> for ToolkitError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl From<ToolError> for ToolkitError {
    fn from(error: ToolError) -> Self {
        Self::Tool(error)
    }
}

#[cfg(test)]
mod tests {
    use clerk::{ApiError, ClerkErrorDetail, SecretKey, TransportErrorKind};

    use super::*;
    use crate::{auth_context::AuthContext, pattern::Patterns};

    fn api(status: u16) -> clerk::Error {
        clerk::Error::Api(Box::new(ApiError {
            operation: "GetUser",
            status,
            errors: vec![ClerkErrorDetail {
                code: "resource_not_found".into(),
                message: "not found".into(),
                long_message: String::new(),
                meta: None,
            }],
            trace_id: Some("trace_1".into()),
            retry_after: None,
            hint: Some("look elsewhere".into()),
        }))
    }

    fn refused() -> ToolError {
        ToolError::NotPermitted {
            message: "no".into(),
            hint: "ask".into(),
        }
    }

    #[test]
    fn every_failure_has_a_kind_a_code_and_a_hint() {
        let transport = clerk::Error::Transport {
            operation: "GetUser",
            kind: TransportErrorKind::Timeout,
            message: "slow".into(),
            may_have_run: false,
        };
        let key = |text: &str| ToolkitError::from(SecretKey::parse(text).unwrap_err());
        let failures: Vec<(ToolkitError, ErrorKind, &str)> = vec![
            (key(""), ErrorKind::MissingKey, "secret_key_missing"),
            (key("pk_test_x"), ErrorKind::WrongKey, "secret_key_invalid"),
            (
                AuthContext::new("org_a").unwrap_err().into(),
                ErrorKind::InvalidAuthContext,
                "invalid_auth_context",
            ),
            (
                Patterns::parse([" "]).unwrap_err().into(),
                ErrorKind::UnknownPattern,
                "invalid_pattern",
            ),
            (
                BuildError::Empty {
                    named: vec!["deleteUser"],
                    reason: "--read-only",
                }
                .into(),
                ErrorKind::NoTools,
                "no_tools",
            ),
            (
                ToolError::UnknownTool {
                    name: "x".into(),
                    hint: "y".into(),
                }
                .into(),
                ErrorKind::UnknownTool,
                "unknown_tool",
            ),
            (refused().into(), ErrorKind::NotPermitted, "not_permitted"),
            (
                ToolError::Clerk(transport).into(),
                ErrorKind::Connection,
                "timeout",
            ),
        ];
        for (error, kind, code) in failures {
            assert_eq!((error.kind(), error.code()), (kind, code), "{error}");
            assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error}");
            assert_eq!((error.status(), error.clerk_trace_id()), (None, None));
        }
    }

    #[test]
    fn clerks_answer_keeps_its_status_and_trace() {
        let partial = ToolError::Partial {
            done: "UpdateUser",
            failed: "UpdateUserMetadata",
            source: api(404),
        };
        for error in [ToolError::Clerk(api(404)), partial] {
            let error = ToolkitError::from(error);
            assert_eq!(error.kind(), ErrorKind::Clerk);
            assert_eq!(error.code(), "resource_not_found");
            assert_eq!(error.status(), Some(404));
            assert_eq!(error.clerk_trace_id(), Some("trace_1"));
        }
        assert_eq!(
            ToolError::Arguments(Vec::new()).kind(),
            ErrorKind::InvalidArguments
        );
    }

    #[cfg(feature = "session-token")]
    #[test]
    fn tokens_and_the_keys_they_need_are_told_apart() {
        let expired = ToolkitError::from(SessionTokenError::Expired { seconds_ago: 5 });
        assert_eq!(expired.kind(), ErrorKind::InvalidToken);
        assert_eq!(
            (expired.code(), expired.status()),
            ("token_expired", Some(401))
        );
        assert!(
            expired
                .hint()
                .is_some_and(|hint| hint.contains("fresh token"))
        );
        let unknown = ToolkitError::from(SessionTokenError::Keys(Box::new(api(500))));
        assert_eq!(unknown.kind(), ErrorKind::Clerk);
        assert_eq!(unknown.status(), Some(503));
        assert_eq!(unknown.clerk_trace_id(), Some("trace_1"));
    }
}
