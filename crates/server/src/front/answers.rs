//! Answers that the front gives itself, most of them refusals.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::load::Overload;

/// How long a client without a session is asked to wait, seconds.
pub(super) const FULL_RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");

pub(super) type Refusal = Box<Response<Body>>;
pub(super) type Answer = Result<Response<Body>, Refusal>;

/// The answer to what is too much (RFC 6585, section 4; RFC 9110, section 15.6.4).
pub(super) fn overloaded(overload: Overload) -> Response<Body> {
    let (status, retry_after, message) = match overload {
        Overload::Server => (
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(1),
            "the server has too much to do",
        ),
        Overload::Own { retry_after } => (
            StatusCode::TOO_MANY_REQUESTS,
            retry_after,
            "too many of your requests",
        ),
    };
    let seconds = retry_after.as_millis().div_ceil(1000).max(1);
    let message = format!("{message}; hint: try again in {seconds} s");
    let mut response = plain(status, message);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, seconds.into());
    response
}

/// No client comes back after that (HTML, section 9.2.3).
pub(super) fn nothing_more() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Later it may work.
pub(super) fn busy(message: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, message);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, FULL_RETRY_AFTER);
    response
}

/// An event of a stream.
pub(super) fn event(message: &[u8]) -> Bytes {
    [b"data: ", message, b"\n\n"].concat().into()
}

/// A stream of events.
pub(super) fn event_stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // Proxies are not to keep events until there are many.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

pub(super) fn plain(status: StatusCode, message: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::from(message.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
