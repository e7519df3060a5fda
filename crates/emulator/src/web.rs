//! What pages and forms need: who asks for a page, where links go, and which forms are ours.

use crate::call::Call;
use crate::error::{self, ApiError};
use http::header::{ACCEPT, HOST, ORIGIN};
use http::{HeaderMap, Method, Uri};
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

/// Where a form leads back to: a path of the emulator itself, an application, or else the home page.
pub(crate) fn way_back(call: &Call<'_>, given: Option<&str>) -> String {
    match given.filter(|url| application_origin(call, url).is_some()) {
        Some(url) if !is_below(url, call.url) => url.to_owned(),
        _ => own_path(call, given),
    }
}

/// The origin of an application that browsers are sent back to: one on this machine, or one of the
/// instance's `allowed_origins`.
pub(crate) fn application_origin(call: &Call<'_>, url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    if !["http", "https"].contains(&scheme) || authority.as_str().contains('@') {
        return None;
    }
    let origin = format!("{scheme}://{}", authority.as_str().to_ascii_lowercase());
    let allowed = &call.state.instance.allowed_origins;
    (is_this_machine(authority.host()) || allowed.contains(&origin)).then_some(origin)
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => {
            let host = host.to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

fn is_below(url: &str, base: &str) -> bool {
    let rest = url.strip_prefix(base);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// A URL with one more parameter, instead of any of that name.
pub(crate) fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let is_other = |pair: &&str| {
        let key = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && key != name
    };
    let mut pairs: Vec<&str> = query.split('&').filter(is_other).collect();
    let added = form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish();
    pairs.push(&added);
    let fragment = if fragment.is_empty() {
        String::new()
    } else {
        format!("#{fragment}")
    };
    format!("{path}?{}{fragment}", pairs.join("&"))
}

/// A path of the emulator itself, or else its home page.
fn own_path(call: &Call<'_>, given: Option<&str>) -> String {
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

/// The origin of the page whose script asks; clients that are no browsers send none.
pub(crate) fn origin<'a>(call: &Call<'a>) -> Option<&'a str> {
    let origin = call.headers.get(ORIGIN)?.to_str().ok()?;
    (origin != "null").then_some(origin)
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
    fn a_parameter_is_there_once() {
        let cases = [
            ("http://a/", "http://a/?n=1+2"),
            ("http://a/p?x=%20&n=9&n", "http://a/p?x=%20&n=1+2"),
            ("http://a/p?nn=9#part", "http://a/p?nn=9&n=1+2#part"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_parameter(url, "n", "1 2"), expected);
        }
    }

    #[test]
    fn this_machine_has_many_names() {
        for host in [
            "localhost",
            "LOCALHOST",
            "app.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "0.0.0.0",
            "10.0.0.1",
            "[::2]",
            "alocalhost",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

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
