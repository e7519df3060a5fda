//! What went wrong at the endpoints, and the one place that says it in OAuth's words.

use std::time::Duration;

use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
};
use serde_json::{Value, json};

use crate::client_authentication::ClientAuthFault;
use crate::grant::{CodeFault, GrantId, RefreshFault};
use crate::parameters::Repeated;
use crate::store::StoreError;

/// How long a client is asked to wait when the store does not answer.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// An error as OAuth writes it (RFC 6749 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The status.
    pub status: StatusCode,
    /// The error code, for example `invalid_grant`.
    pub code: &'static str,
    /// What went wrong, for developers. Holds no secret.
    pub description: String,
    /// The value of `WWW-Authenticate`.
    pub www_authenticate: Option<String>,
    /// The value of `Retry-After`, rounded up to seconds.
    pub retry_after: Option<Duration>,
}

impl ErrorResponse {
    pub(crate) fn bad_request(code: &'static str, description: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, code, description)
    }

    pub(crate) fn of(
        status: StatusCode,
        code: &'static str,
        description: impl Into<String>,
    ) -> Self {
        let description = wire_text(&description.into());
        Self {
            status,
            code,
            description,
            www_authenticate: None,
            retry_after: None,
        }
    }

    pub(crate) fn unavailable(description: impl Into<String>, retry_after: Duration) -> Self {
        let answer = Self::of(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            description,
        );
        Self {
            retry_after: Some(retry_after),
            ..answer
        }
    }

    /// Nothing of the store's message goes out: it is for operators.
    pub(crate) fn store(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::unavailable(
                "the server cannot reach its storage; try again",
                STORE_RETRY,
            ),
            StoreError::Corrupt { .. } => Self::of(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "the server cannot read its storage",
            ),
        }
    }

    /// The JSON body.
    pub fn body(&self) -> Value {
        json!({ "error": self.code, "error_description": self.description })
    }

    /// The whole answer: JSON, never cached.
    pub fn into_http(self) -> http::Response<String> {
        let mut response = json_response(self.status, &self.body());
        let headers = response.headers_mut();
        let challenge = self.www_authenticate.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(challenge)) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

/// A JSON answer that nobody may keep (RFC 6749 section 5.1).
pub(crate) fn json_response(status: StatusCode, body: &Value) -> http::Response<String> {
    let mut response = http::Response::new(body.to_string());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// `error_description` may hold `%x20-21 / %x23-5B / %x5D-7E` alone (RFC 6749 section 5.2): quotes
/// become `'`, an ellipsis three dots, everything else a space or a question mark.
pub(crate) fn wire_text(text: &str) -> String {
    let mut wire = String::with_capacity(text.len());
    // One line: what to do about it begins a sentence of its own.
    let text = text.replace("\nhint: ", ". Hint: ");
    for character in text.chars() {
        match character {
            '"' | '`' => wire.push('\''),
            '\n' | '\r' | '\t' => wire.push(' '),
            ' '..='~' if character != '\\' => wire.push(character),
            '…' => wire.push_str("..."),
            _ => wire.push('?'),
        }
    }
    wire
}

/// Why the token or revocation endpoint refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// A parameter was sent twice.
    #[error(transparent)]
    Repeated(#[from] Repeated),
    /// A parameter is missing.
    #[error(
        "the parameter `{0}` is missing\nhint: send it in the body, as application/x-www-form-urlencoded"
    )]
    Missing(&'static str),
    /// A parameter cannot be understood.
    #[error("the parameter `{name}` is wrong: {problem}")]
    Malformed {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The client is not who it says it is.
    #[error(transparent)]
    Client(#[from] ClientAuthFault),
    /// The client may not use this grant type.
    #[error("the client did not register for this grant type")]
    GrantTypeNotAllowed,
    /// There is no such grant type here.
    #[error("the grant type is not supported here\nhint: `authorization_code` or `refresh_token`")]
    UnsupportedGrantType,
    /// The code is refused.
    #[error("{fault}")]
    Code {
        /// Why.
        fault: CodeFault,
        /// The grant that ended by it.
        revoked: Option<GrantId>,
    },
    /// The refresh token is refused.
    #[error("{fault}")]
    Refresh {
        /// Why.
        fault: RefreshFault,
        /// The grant that ended by it.
        revoked: Option<GrantId>,
    },
    /// What the grant keeps cannot be opened: the server's key was changed and the old one removed.
    #[error("the token was made under a server key that is not in use any more")]
    KeyRemoved,
    /// The person may not be acted for any more; the grant is revoked now.
    #[error("the person's sign-in has ended")]
    PersonEnded {
        /// The grant that ended by it; `None` when another request was first.
        revoked: Option<GrantId>,
    },
    /// Whether the person may still be acted for cannot be found out now. Nothing was consumed.
    #[error("the sign-in cannot be checked right now; try again")]
    PersonUnknown {
        /// How long to wait.
        retry_after: Duration,
    },
    /// More scopes than were granted.
    #[error("`scope` names more than what was granted")]
    MoreScopes,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TokenError {
    /// The grant that ended by this very request. Its streams and cached tokens are to end too.
    pub fn revoked(&self) -> Option<&GrantId> {
        match self {
            Self::Code { revoked, .. }
            | Self::Refresh { revoked, .. }
            | Self::PersonEnded { revoked } => revoked.as_ref(),
            _ => None,
        }
    }

    /// The error on the wire. A dead token is `invalid_grant` with 400; 401 is for clients that
    /// cannot prove who they are.
    pub fn response(&self) -> ErrorResponse {
        let code = match self {
            Self::Repeated(_) | Self::Missing(_) | Self::Malformed { .. } => "invalid_request",
            Self::Client(fault) => return fault.response(),
            Self::GrantTypeNotAllowed => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::Code {
                fault: CodeFault::OtherResource,
                ..
            }
            | Self::Refresh {
                fault: RefreshFault::OtherResource,
                ..
            } => "invalid_target",
            Self::Refresh {
                fault: RefreshFault::OtherSuccessor,
                ..
            } => {
                return ErrorResponse::unavailable(self.to_string(), STORE_RETRY);
            }
            Self::Code { .. }
            | Self::Refresh { .. }
            | Self::KeyRemoved
            | Self::PersonEnded { .. } => "invalid_grant",
            Self::PersonUnknown { retry_after } => {
                return ErrorResponse::unavailable(self.to_string(), *retry_after);
            }
            Self::MoreScopes => "invalid_scope",
            Self::Store(error) => return ErrorResponse::store(error),
        };
        ErrorResponse::bad_request(code, self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_ascii_that_can_be_read() {
        let text = "the scheme `x` is \"bad\"\nhint: use https://… or a \\ 🔑";
        assert_eq!(
            wire_text(text),
            "the scheme 'x' is 'bad'. Hint: use https://... or a ? ?"
        );
    }
}
