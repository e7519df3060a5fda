//! What pages and forms need: who asks for a page, where links go, and which forms are ours.

use crate::call::Call;
use crate::error::{self, ApiError};
use http::header::{ACCEPT, HOST, ORIGIN};
use http::{HeaderMap, Method};
use std::net::IpAddr;

/// What scripts of other origins may call, as with Clerk: clients that run in a browser need it.
const CROSS_ORIGIN: [&str; 7] = [
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/oauth/register",
    "/oauth/token",
    "/oauth/token/revoke",
    "/oauth/userinfo",
];

/// May scripts of other origins call this path?
pub(crate) fn is_cross_origin(path: &str) -> bool {
    CROSS_ORIGIN.contains(&path)
}

/// Is it the question that a browser asks before such a call?
pub(crate) fn is_preflight(method: &Method, path: &str) -> bool {
    *method == Method::OPTIONS && is_cross_origin(path)
}

/// Does a browser ask, for a person to see?
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// A path with a query.
pub(crate) fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    format!("{path}?{}", query.finish())
}

/// Where a form leads back to: a path of the emulator itself, or else its home page.
pub(crate) fn own_path(call: &Call<'_>, given: Option<&str>) -> String {
    let given = given.unwrap_or_default();
    let path = given.strip_prefix(call.url).unwrap_or(given);
    let other_host = path.starts_with("//") || path.contains('\\');
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    if path.starts_with('/') && plain && !other_host {
        path.to_owned()
    } else {
        "/".to_owned()
    }
}

/// Refuses forms that a page of another origin has sent. Clients that are no browsers send no
/// `Origin`.
pub(crate) fn check_origin(call: &Call<'_>) -> Result<(), ApiError> {
    let text = |name| Some(call.headers.get(name)?.to_str().unwrap_or("?"));
    let Some(origin) = text(ORIGIN) else {
        return Ok(());
    };
    let own_host = text(HOST).map(|host| format!("http://{host}"));
    if origin == call.url || own_host.as_deref() == Some(origin) {
        Ok(())
    } else {
        Err(error::origin_invalid())
    }
}

/// The last two labels of an http(s) URL's host; none for an address or `localhost`.
pub(crate) fn domain(uri: &str) -> Option<String> {
    let rest = uri
        .strip_prefix("https://")
        .or_else(|| uri.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit('@').next()?;
    let name = host.split(':').next()?;
    if host.starts_with('[') || name.parse::<IpAddr>().is_ok() || !name.contains('.') {
        return None;
    }
    let labels: Vec<&str> = name.rsplit('.').take(2).collect();
    Some(labels.into_iter().rev().collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_those_of_names() {
        let cases = [
            ("https://app.example.com:8080/callback", Some("example.com")),
            ("http://127.0.0.1:8788/callback", None),
            ("http://[::1]/callback", None),
            ("http://localhost:3000/", None),
            ("myapp://callback", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(domain(uri).as_deref(), expected, "{uri}");
        }
    }
}
