//! The one place that requests go to.

use std::net::IpAddr;

use clerk::check_segment;
use http::Uri;
use url::{Host, Url};

/// The base of every request: scheme, host, port and the beginning of the path. `https`, or `http`
/// on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// `https://api.example.com`, with the port where it is not the scheme's own.
    origin: String,
    /// `/v1`, or nothing.
    path: String,
}

/// The longest path of a caller with its query, in bytes.
const LONGEST_PATH: usize = 2_048;

/// Why a text is no base URL. The second line is a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// No URL with a host.
    #[error("it is no URL\nhint: write it like https://api.example.com/v1")]
    Form,
    /// Another scheme.
    #[error("its scheme is neither https nor http\nhint: write it like https://api.example.com/v1")]
    Scheme,
    /// Plain text to another machine.
    #[error(
        "it is http, and not on this machine: credentials would travel in plain text\nhint: use https"
    )]
    Plain,
    /// A user name or password.
    #[error("it holds a user name or a password\nhint: remove it: it is no place for a secret")]
    UserInfo,
    /// A query or a fragment.
    #[error("it has a query or a fragment\nhint: remove it: requests have their own")]
    Query,
}

/// What is wrong with a path, as the end of a sentence: `does not begin with a slash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PathError(&'static str);

impl BaseUrl {
    /// Reads a base URL. A slash at its end means nothing.
    ///
    /// # Errors
    /// [`BaseUrlError`].
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let url = Url::parse(text).map_err(|_| BaseUrlError::Form)?;
        let host = url.host().ok_or(BaseUrlError::Form)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err(BaseUrlError::Plain),
            _ => return Err(BaseUrlError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::Query);
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            path: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// A base that no request can go to.
    #[must_use]
    pub fn unusable() -> Self {
        Self {
            origin: String::new(),
            path: String::new(),
        }
    }

    /// The URL of a path (with its slash and, maybe, a query) below it, which whoever calls has made of
    /// encoded parts: nothing is checked here.
    #[must_use]
    pub fn with(&self, path_and_query: &str) -> String {
        format!("{}{}{path_and_query}", self.origin, self.path)
    }

    /// The address of a path that somebody gave whole, below it, with its query if it has one.
    ///
    /// # Errors
    /// [`PathError`] for a path that could lead anywhere else, however often somebody on the way decodes
    /// it.
    pub fn join(&self, path: &str) -> Result<Uri, PathError> {
        if path.len() > LONGEST_PATH {
            return Err(PathError("is too long"));
        }
        let below = path.strip_prefix('/');
        let below = below.ok_or(PathError("does not begin with a slash"))?;
        let (segments, query) = match below.split_once('?') {
            Some((segments, query)) => (segments, Some(query)),
            None => (below, None),
        };
        if !are_segments(segments) {
            return Err(PathError(
                "has an empty segment, dots, or characters that an address has not",
            ));
        }
        if query.is_some_and(|query| !query.bytes().all(is_of_query)) {
            return Err(PathError(
                "has a query with characters that an address has not",
            ));
        }
        let address = self.with(path).parse();
        let address: Uri = address.map_err(|_| PathError("is no path"))?;
        match self.contains(&address) {
            true => Ok(address),
            false => Err(PathError("leads elsewhere")),
        }
    }

    /// Whether a request to this address stays below it.
    #[must_use]
    pub fn contains(&self, uri: &Uri) -> bool {
        let Ok(url) = Url::parse(&uri.to_string()) else {
            return false;
        };
        self.contains_url(&url)
    }

    fn contains_url(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(self.path.as_str());
        url.origin().ascii_serialization() == self.origin
            && url.username().is_empty()
            && url.password().is_none()
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Where a `Location` leads from `from`, if that is still below the base.
    #[must_use]
    pub fn follow(&self, from: &Uri, location: &str) -> Option<Uri> {
        let mut to = Url::parse(&from.to_string()).ok()?.join(location).ok()?;
        to.set_fragment(None);
        if !self.contains_url(&to) {
            return None;
        }
        // What stands behind the API may decode the path again, or read more into it.
        let below = to.path().strip_prefix(self.path.as_str())?;
        match are_segments(below.strip_prefix('/').unwrap_or(below)) {
            true => to.as_str().parse().ok(),
            false => None,
        }
    }
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Whether what comes after a base and its slash is segments of a path; one slash may stand at the end.
fn are_segments(below: &str) -> bool {
    let named = below.strip_suffix('/').unwrap_or(below);
    match named.is_empty() {
        true => below.is_empty(),
        false => named.split('/').all(is_segment),
    }
}

/// Whether it is one segment of a path (RFC 3986 section 3.3), and stays one when it is decoded.
fn is_segment(segment: &str) -> bool {
    check_segment(segment).is_ok() && segment.bytes().all(is_of_segment)
}

fn is_of_segment(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@".contains(&byte)
}

fn is_of_query(byte: u8) -> bool {
    is_of_segment(byte) || b"/?[]".contains(&byte)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => IpAddr::from(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        for (text, shown) in [
            ("https://API.example.com/v1/", "https://api.example.com/v1"),
            ("https://api.example.com:443", "https://api.example.com"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://[::1]:3000/a", "http://[::1]:3000/a"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://a.example/a/../b", "https://a.example/b"),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().to_string(), shown);
        }
        for (text, error) in [
            ("", BaseUrlError::Form),
            ("/v1", BaseUrlError::Form),
            ("ftp://a.example", BaseUrlError::Scheme),
            ("file:///etc/passwd", BaseUrlError::Form),
            ("http://api.example.com", BaseUrlError::Plain),
            ("http://localhost.evil.example", BaseUrlError::Plain),
            ("https://user@a.example", BaseUrlError::UserInfo),
            ("https://me:pw@a.example", BaseUrlError::UserInfo),
            ("api.example.com", BaseUrlError::Form),
            ("https://a.example/?x=1", BaseUrlError::Query),
            ("https://a.example/#x", BaseUrlError::Query),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn redirects_stay_below_it() {
        let base = BaseUrl::parse("https://api.example.com/v1").unwrap();
        let from: Uri = "https://api.example.com/v1/a/b".parse().unwrap();
        for (location, to) in [
            ("/v1/c?x=1#y", Some("https://api.example.com/v1/c?x=1")),
            ("c", Some("https://api.example.com/v1/a/c")),
            ("../../v2/c", None),
            ("/v1/../v2", None),
            ("/v10/c", None),
            ("//evil.example/v1/c", None),
            ("https://evil.example/v1", None),
            ("http://api.example.com/v1/c", None),
            ("https://api.example.com:8443/v1/c", None),
            ("https://u:p@api.example.com/v1/c", None),
        ] {
            let found = base.follow(&from, location).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), to, "{location}");
        }
    }

    #[test]
    fn no_redirect_hides_a_way_out_in_its_encoding() {
        let base = BaseUrl::parse("https://api.example.com/v1").unwrap();
        let from: Uri = "https://api.example.com/v1/orders".parse().unwrap();
        for open in [
            "/v1",
            "/v1/",
            "/v1/orders/",
            "/v1/orders;v=2/a%20b",
            "/v1/orders/1?next=%2fhome",
        ] {
            assert!(base.follow(&from, open).is_some(), "{open}");
        }
        for hidden in [
            "/v1/..%2fadmin",
            "/v1/%2e%2e/admin",
            "/v1/a%5C..%5cb",
            "/v1/%2E%2E%2Fadmin",
            "/v1/..;/admin",
            "/v1/..;x=1/admin",
            "/v1/%252e%252e/admin",
            "/v1/..%252fadmin",
            "/v1/a%255cb",
            "/v1//admin",
        ] {
            assert!(base.follow(&from, hidden).is_none(), "{hidden}");
        }
    }

    #[test]
    fn a_path_stays_below_the_base() {
        let base = BaseUrl::parse("https://api.example.com/v1").unwrap();
        for (path, address) in [
            ("/", "https://api.example.com/v1/"),
            ("/orders", "https://api.example.com/v1/orders"),
            ("/orders/", "https://api.example.com/v1/orders/"),
            (
                "/a%20b/@me?x=1&y=a/b?",
                "https://api.example.com/v1/a%20b/@me?x=1&y=a/b?",
            ),
        ] {
            assert_eq!(base.join(path).unwrap().to_string(), address);
        }
        for path in [
            "",
            "orders",
            "https://evil.example/",
            "//evil.example/",
            "@evil.example/",
            ".evil.example/",
            ":8080/",
            "/../admin",
            "/a/../../admin",
            "/a/./b",
            "/%2e%2e/admin",
            "/..;/..;/admin",
            "/orders/..%3b/admin",
            "/%252e%252e/admin",
            "/a%2f..%2fadmin",
            "/a%5c..%5cadmin",
            "/a\\..\\admin",
            "/a//b",
            "/a#b",
            "/a b",
            "/a?b c",
            "/a?b#c",
            "/a\r\nhost: evil",
            "/ä",
            "/a%00",
        ] {
            assert!(base.join(path).is_err(), "{path}");
        }
        assert!(base.join(&format!("/{}", "x/".repeat(1_100))).is_err());
    }
}
