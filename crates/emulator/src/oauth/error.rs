//! Refusals in OAuth's form: `error` and `error_description`.

use crate::reply;
use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use std::borrow::Cow;

/// A refusal of OAuth (RFC 6749, 4.1.2.1 and 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) description: Cow<'static, str>,
    /// The client used the `Authorization` header: the answer names its scheme.
    pub(crate) challenge: bool,
}

impl OAuthError {
    fn new(
        status: StatusCode,
        error: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            error,
            description: description.into(),
            challenge: false,
        }
    }

    pub(crate) fn bad(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, description)
    }

    pub(crate) fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalid_request", description)
    }

    pub(crate) fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalid_grant", description)
    }

    pub(crate) fn invalid_scope(description: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalid_scope", description)
    }

    pub(crate) fn invalid_client(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
    }

    /// Clerk's OpenAPI file lists this one under 401.
    pub(crate) fn unsupported_grant_type() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unsupported_grant_type",
            "The authorization grant type is not supported: authorization_code and refresh_token are.",
        )
    }

    /// The response of an endpoint that clients call.
    pub(crate) fn response(&self) -> Response<Bytes> {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = reply::not_stored(reply::json(self.status, &body));
        if self.challenge {
            let challenge = HeaderValue::from_static("Basic realm=\"oauth\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The outcome of an endpoint that clients call.
pub(crate) type Outcome = Result<Response<Bytes>, OAuthError>;
