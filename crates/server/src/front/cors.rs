//! CORS of the MCP endpoint: for allowed origins, with the headers that clients in browsers need.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE, OPTIONS");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, MCP-Protocol-Version, \
     Mcp-Method, Mcp-Name",
);
const EXPOSED: HeaderValue = HeaderValue::from_static("WWW-Authenticate, Mcp-Session-Id");
/// A day, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// The answer to a browser's question before the request.
pub(super) fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}

/// Lets the page of this origin read the answer.
pub(super) fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}
