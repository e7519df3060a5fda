//! What can go wrong, said so that a person or an agent knows what to do next.

use std::fmt;

use serde_json::Value;

use crate::hint;
use crate::id::IdError;
use crate::transport::TransportErrorKind;

/// Why a request gave no answer to use.
///
/// `Display` says what happened and to which operation, then, on a line of its own, `hint: …`.
/// It never shows a secret key.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// Clerk, or something before it, answered with a status other than 2xx.
    Api(Box<ApiError>),
    /// No complete answer arrived.
    Transport {
        /// The operation.
        operation: &'static str,
        /// What kind of failure it was.
        kind: TransportErrorKind,
        /// What happened.
        message: String,
        /// Whether a write may have been carried out all the same. `false` for reads.
        may_have_run: bool,
    },
    /// The status was 2xx, but the body was no JSON.
    InvalidJson {
        /// The operation.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// Clerk's name for this request.
        trace_id: Option<String>,
        /// The body's first characters, escaped; `None` when they might hold a secret.
        preview: Option<String>,
        /// Whether a write may have been carried out all the same. `false` for reads.
        may_have_run: bool,
    },
    /// The request could not be made.
    Request(IdError),
}

/// An answer with a status other than 2xx.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// The operation.
    pub operation: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What Clerk says is wrong; empty when the answer was not of Clerk's form.
    pub errors: Vec<ClerkErrorDetail>,
    /// Clerk's name for this request, to be given to their support.
    pub trace_id: Option<String>,
    /// How many seconds to wait before asking again, from the header `Retry-After`.
    pub retry_after: Option<u64>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// One of the errors in Clerk's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ClerkErrorDetail {
    /// The code, such as `resource_not_found`.
    pub code: String,
    /// The message, short.
    pub message: String,
    /// The message, long; empty when there is none.
    pub long_message: String,
    /// More about it, such as `{"param_name": "email_address"}`.
    pub meta: Option<Value>,
}

impl ClerkErrorDetail {
    /// The long message, or the short one where there is no long one.
    pub fn best_message(&self) -> &str {
        if self.long_message.is_empty() {
            &self.message
        } else {
            &self.long_message
        }
    }

    /// The parameter that the error is about.
    pub fn parameter(&self) -> Option<&str> {
        self.meta.as_ref()?.get("param_name")?.as_str()
    }
}

impl Error {
    /// The HTTP status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.status),
            Self::InvalidJson { status, .. } => Some(*status),
            Self::Transport { .. } | Self::Request(_) => None,
        }
    }

    /// Clerk's first error code, or one of ours: `unexpected_answer` (an error that is not of
    /// Clerk's form), `connection_failed`, `timeout`, `connection_interrupted`,
    /// `response_too_large`, `transport_failed`, `invalid_json`, `invalid_request`.
    pub fn code(&self) -> &str {
        match self {
            Self::Api(error) => error.code(),
            Self::Transport { kind, .. } => kind.code(),
            Self::InvalidJson { .. } => "invalid_json",
            Self::Request(_) => "invalid_request",
        }
    }

    /// Whether Clerk refuses because the instance has no organizations at all: they are a feature that
    /// its owner switches on. Whoever asks for somebody's memberships there learns that there are none.
    pub fn is_organizations_disabled(&self) -> bool {
        self.status() == Some(403) && self.code() == "organization_not_enabled_in_instance"
    }

    /// Whether Clerk says that there is no such thing. Any other 404 is of something on the way, or of an
    /// address that is not Clerk's.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404) && self.code() == "resource_not_found"
    }

    /// Clerk's name for the request.
    pub fn trace_id(&self) -> Option<&str> {
        match self {
            Self::Api(error) => error.trace_id.as_deref(),
            Self::InvalidJson { trace_id, .. } => trace_id.as_deref(),
            Self::Transport { .. } | Self::Request(_) => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.hint.clone(),
            Self::Transport {
                kind, may_have_run, ..
            } => Some(hint::for_transport(*kind, *may_have_run)),
            Self::InvalidJson { may_have_run, .. } => Some(hint::for_invalid_json(*may_have_run)),
            Self::Request(error) => Some(error.hint()),
        }
    }

    /// How many seconds to wait before asking again, when Clerk said so.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Api(error) => error.retry_after,
            _ => None,
        }
    }
}

impl ApiError {
    /// Clerk's first error code, or `unexpected_answer`.
    pub fn code(&self) -> &str {
        self.errors
            .first()
            .map_or("unexpected_answer", |error| error.code.as_str())
    }

    fn cause(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.operation, self.status)?;
        if let Some(reason) = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
        {
            write!(f, " {reason}")?;
        }
        if self.errors.is_empty() {
            write!(f, ", in an answer that is not of Clerk's form")?;
        }
        for (index, error) in self.errors.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { "; " })?;
            f.write_str(error.best_message())?;
            write!(f, " ({}", error.code)?;
            if let Some(parameter) = error.parameter() {
                write!(f, ", parameter {}", parameter.escape_debug())?;
            }
            f.write_str(")")?;
        }
        match &self.trace_id {
            Some(trace_id) => write!(f, " [trace id {trace_id}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause(f)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => return error.fmt(f),
            Self::Request(error) => return error.fmt(f),
            Self::Transport {
                operation, message, ..
            } => {
                write!(f, "{operation} failed: {message}")?;
            }
            Self::InvalidJson {
                operation,
                status,
                trace_id,
                preview,
                ..
            } => {
                write!(f, "{operation} failed: the answer ({status}) is not JSON")?;
                match preview {
                    Some(preview) => write!(f, "; it begins with \"{preview}\"")?,
                    None => f.write_str("; it is not shown, as it may hold a secret")?,
                }
                if let Some(trace_id) = trace_id {
                    write!(f, " [trace id {trace_id}]")?;
                }
            }
        }
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Api(error) => Some(error.as_ref()),
            Self::Request(error) => Some(error),
            Self::Transport { .. } | Self::InvalidJson { .. } => None,
        }
    }
}

impl From<IdError> for Error {
    fn from(error: IdError) -> Self {
        Self::Request(error)
    }
}
