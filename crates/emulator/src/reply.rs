//! What the emulator gives back.

use crate::error::ApiError;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
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

/// The first half of a response, which still says what it was.
pub(crate) fn cut_in_half(response: Response<Bytes>) -> Response<Bytes> {
    response.map(|body| body.slice(..body.len() / 2))
}

/// A page. It has no script and loads nothing, and no other page may frame it.
pub(crate) fn html(status: StatusCode, body: String) -> Response<Bytes> {
    const HEADERS: [(&str, &str); 5] = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
        // `no-referrer` would make browsers send forms with `Origin: null`.
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
    ];
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A redirect that is followed with GET. A location that is no header value is an empty page.
pub(crate) fn see_other(location: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(location) {
        headers.insert(LOCATION, value);
    }
    response
}

/// A redirect that is followed with the same method.
pub(crate) fn temporary_redirect(location: &str) -> Response<Bytes> {
    let mut response = see_other(location);
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Forbids caches to keep a response: it carries tokens (RFC 6749, 5.1).
pub(crate) fn not_stored(mut response: Response<Bytes>) -> Response<Bytes> {
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, value);
    response
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
