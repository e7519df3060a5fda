use std::fmt;

use clerk::frontend::FrontendError;

use super::journal::JournalError;
use crate::own_tool::OwnToolError;

/// Why somebody cannot be impersonated, or an impersonation not be ended.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`. Never holds a ticket or token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImpersonationError {
    /// Lower snake case, Clerk's own code where Clerk said no.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Clerk's name for the request that failed.
    pub clerk_trace_id: Option<String>,
}

impl ImpersonationError {
    pub(super) fn refused(code: &str, message: impl Into<String>, hint: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            hint: Some(hint.to_owned()),
            clerk_trace_id: None,
        }
    }

    pub(super) fn invalid(message: impl Into<String>, hint: &str) -> Self {
        Self::refused("invalid_arguments", message, hint)
    }

    /// An answer of the Backend API that lacks what its description promises.
    pub(super) fn unexpected(operation: &str, lacking: &str) -> Self {
        Self::refused(
            "unexpected_answer",
            format!("Clerk's answer to {operation} has no {lacking}"),
            "check the API URL, and whether a proxy stands between",
        )
    }
}

impl From<clerk::Error> for ImpersonationError {
    fn from(error: clerk::Error) -> Self {
        let text = error.to_string();
        let message = text.split("\nhint: ").next().unwrap_or_default();
        Self {
            code: error.code().to_owned(),
            message: message.to_owned(),
            hint: error.hint(),
            clerk_trace_id: error.trace_id().map(str::to_owned),
        }
    }
}

impl From<clerk::IdError> for ImpersonationError {
    fn from(error: clerk::IdError) -> Self {
        clerk::Error::from(error).into()
    }
}

impl From<FrontendError> for ImpersonationError {
    fn from(error: FrontendError) -> Self {
        Self::refused(error.code(), error.message(), &error.hint())
    }
}

impl From<JournalError> for ImpersonationError {
    fn from(error: JournalError) -> Self {
        Self::refused(
            "journal_failed",
            format!("what is started cannot be kept on record: {error}"),
            "nothing is started that could not be ended later: make the place writable",
        )
    }
}

impl From<ImpersonationError> for OwnToolError {
    fn from(error: ImpersonationError) -> Self {
        Self {
            code: error.code,
            message: error.message,
            hint: error.hint,
        }
    }
}

impl fmt::Display for ImpersonationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(id) = &self.clerk_trace_id
            && !self.message.contains(id.as_str())
        {
            write!(f, " [trace id {id}]")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ImpersonationError {}
