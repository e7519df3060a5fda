//! What the emulator gives back.

use crate::error::ApiError;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// An answer, and how long to wait before giving it.
#[derive(Debug)]
pub struct Reply {
    /// The latency that a fault rule asks for; zero without one.
    pub delay: Duration,
    /// What to do then.
    pub answer: Answer,
}

/// A response, or none.
#[derive(Debug)]
pub enum Answer {
    /// Send this response.
    Response(Response<Bytes>),
    /// Close the connection without a response: a fault rule asks for it.
    DropConnection,
}

/// The header that carries the trace id.
const TRACE_HEADER: &str = "x-clerk-trace-id";

/// A response with a JSON body. `content-type` is exactly `application/json`: with a charset
/// behind it Clerk's own SDK takes the body for text.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Bytes> {
    text(status, body.to_string())
}

/// A response that says it is JSON and stops halfway.
pub(crate) fn cut_in_half(body: &str) -> Response<Bytes> {
    let half: String = body.chars().take(body.chars().count() / 2).collect();
    text(StatusCode::OK, half)
}

fn text(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A refusal in Clerk's form.
pub(crate) fn refusal(error: &ApiError, trace_id: &str) -> Response<Bytes> {
    let mut response = json(error.status, &error.body(trace_id));
    if let Some(seconds) = error.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Adds the trace id to the headers.
pub(crate) fn traced(mut response: Response<Bytes>, trace_id: &str) -> Response<Bytes> {
    if let Ok(value) = HeaderValue::from_str(trace_id) {
        response.headers_mut().insert(TRACE_HEADER, value);
    }
    response
}
