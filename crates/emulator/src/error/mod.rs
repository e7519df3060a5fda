//! Clerk's errors. Each constructor is one entry of Clerk's index of Backend API errors
//! (<https://clerk.com/docs/guides/development/errors/backend-api>): its status, its code and its
//! two messages.

mod params;
mod resources;
mod sign_in;

pub(crate) use params::*;
pub(crate) use resources::*;
pub(crate) use sign_in::*;

use http::StatusCode;
use serde_json::{Value, json};
use std::borrow::Cow;

/// A refused request: what Clerk would answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) long_message: Cow<'static, str>,
    pub(crate) meta: Option<Box<Value>>,
    /// Seconds for the `Retry-After` header.
    pub(crate) retry_after: Option<u64>,
}

impl ApiError {
    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
        long_message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            long_message: long_message.into(),
            meta: None,
            retry_after: None,
        }
    }

    fn with_param(mut self, param: &str) -> Self {
        self.meta = Some(Box::new(json!({ "param_name": param })));
        self
    }

    fn same(status: StatusCode, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self::new(status, code, text.clone(), text)
    }

    fn form(
        code: &'static str,
        param: &str,
        message: impl Into<Cow<'static, str>>,
        long_message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            code,
            message,
            long_message,
        )
        .with_param(param)
    }

    /// The same refusal, as operations word it that know of no parameter errors.
    pub(crate) fn into_bad_request(self) -> Self {
        bad_request(self.long_message)
    }

    /// The body: `{errors: [...], clerk_trace_id}`.
    pub(crate) fn body(&self, trace_id: &str) -> Value {
        let mut error = json!({
            "message": self.message,
            "long_message": self.long_message,
            "code": self.code,
        });
        if let Some(meta) = &self.meta {
            error["meta"] = (**meta).clone();
        }
        json!({ "errors": [error], "clerk_trace_id": trace_id })
    }
}

// The request as such: key, version, body.

pub(crate) fn authentication_invalid() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "authentication_invalid",
        "Invalid authentication",
        "Unable to authenticate the request, you need to supply an active session",
    )
}

pub(crate) fn authorization_header_format_invalid() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "authorization_header_format_invalid",
        "Invalid Authorization header format",
        "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'",
    )
}

pub(crate) fn clerk_key_invalid() -> ApiError {
    ApiError::same(
        StatusCode::UNAUTHORIZED,
        "clerk_key_invalid",
        "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
    )
}

/// The message of a publishable key is the emulator's own: Clerk answers as for any wrong key.
pub(crate) fn publishable_key_given() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "clerk_key_invalid",
        "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
        "The key provided is a publishable key (pk_...). The Backend API needs a secret key (sk_...).",
    )
}

/// Clerk documents that an unknown version makes an invalid request, and gives no code for it.
pub(crate) fn api_version_invalid(long_message: String) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "api_version_invalid",
        "Invalid API version",
        long_message,
    )
}

pub(crate) fn route_not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        "not found",
        "Resource not found",
    )
}

pub(crate) fn request_body_invalid() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "request_body_invalid",
        "Request body invalid",
        "The request body is invalid. Please consult the API documentation for more information.",
    )
}

pub(crate) fn request_body_too_large(limit: usize) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request_body_too_large",
        "Request body too large",
        format!("The request body exceeds the maximum allowed size of {limit} bytes."),
    )
}

pub(crate) fn unsupported_content_type(actual: &str) -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_content_type",
        "Content-Type is unsupported",
        format!("Content-Type {actual} is unsupported. You should use application/json instead."),
    )
}

pub(crate) fn too_many_requests(retry_after: u64) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        "Too many requests",
        "Too many requests. Please try again in a bit.",
    );
    error.retry_after = Some(retry_after);
    error
}

/// An error a fault rule asked for.
pub(crate) fn injected(status: StatusCode, retry_after: Option<u64>) -> ApiError {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return too_many_requests(retry_after.unwrap_or(1));
    }
    let mut error = if status.is_server_error() {
        ApiError::new(
            status,
            "internal_clerk_error",
            "Oops, an unexpected error occurred",
            "There was an internal error on our servers. We've been notified and are working on fixing it.",
        )
    } else {
        ApiError::same(status, "bad_request", "Bad request")
    };
    error.retry_after = retry_after;
    error
}
