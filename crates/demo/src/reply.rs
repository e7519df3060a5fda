//! Answers.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY},
};
use pages::DemoRefusal;
use serde_json::{Value, json};

/// A response of bytes. What a person gets is theirs alone: nobody keeps it.
pub(crate) fn bytes(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    response
}

pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Bytes> {
    bytes(status, "application/json", body.to_string())
}

pub(crate) fn text(kind: &'static str, body: &'static str) -> Response<Bytes> {
    bytes(StatusCode::OK, kind, body)
}

/// A refusal of the API: a stable code, and a sentence.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    json(
        status,
        &json!({ "error": { "code": code, "message": message } }),
    )
}

pub(crate) fn method_not_allowed(allowed: &'static str) -> Response<Bytes> {
    let message = format!("this address takes {allowed} alone");
    let mut response = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        &message,
    );
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(crate) fn page(status: StatusCode, html: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(html));
    *response.status_mut() = status;
    for (name, value) in pages::headers() {
        let headers = response.headers_mut();
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

pub(crate) fn refusal(status: StatusCode, refusal: DemoRefusal) -> Response<Bytes> {
    page(status, refusal.render())
}

/// A redirect that no cache keeps and whose address no other site learns: it may hold a token.
pub(crate) fn redirect(location: &str) -> Response<Bytes> {
    let Ok(location) = HeaderValue::from_str(location) else {
        return refusal(StatusCode::BAD_REQUEST, DemoRefusal::NotFound);
    };
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
