//! Where the owner's API is, and nowhere else.

use clerk::{ApiUrl, ApiUrlError, check_segment};
use http::Uri;

use super::error::ImpersonationError;

/// The longest path with its query, in bytes.
const LONGEST_PATH: usize = 2_048;

const HINT: &str = "write a path below the API's base URL, such as /orders/42?expand=items";

/// The base URL of the owner's API: `https` and a host, or `http` on this machine, perhaps with a
/// path. Requests go below it and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiBase {
    /// Scheme and authority.
    origin: String,
    /// Empty, or with a slash at its beginning and none at its end.
    path: String,
}

/// Why a text is no base URL. Never holds the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiBaseError(&'static str);

impl std::fmt::Display for ApiBaseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the API's base URL {}\nhint: it looks like https://api.example.com/v1, or \
             http://127.0.0.1:3000",
            self.0
        )
    }
}

impl std::error::Error for ApiBaseError {}

impl ApiBase {
    /// Reads a base URL. A slash at its end is dropped.
    ///
    /// # Errors
    /// [`ApiBaseError`] for anything but `https`, or `http` on a loopback host, with a plain host and
    /// path.
    pub fn parse(text: &str) -> Result<Self, ApiBaseError> {
        let text = text.trim();
        let invalid = ApiBaseError("is not a valid URL");
        let (scheme, rest) = text.split_once("://").ok_or_else(|| invalid.clone())?;
        if rest.contains(['?', '#']) {
            return Err(ApiBaseError("has a query or a fragment"));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let origin = ApiUrl::parse(&format!("{scheme}://{authority}")).map_err(|error| {
            ApiBaseError(match error {
                ApiUrlError::Invalid => "is not a valid URL",
                ApiUrlError::Scheme => "must begin with https://",
                ApiUrlError::PlainHttp => {
                    "must begin with https://, as it leads to another machine"
                }
                ApiUrlError::UserInfo => "holds a user name or password",
                ApiUrlError::QueryOrFragment => "has a query or a fragment",
            })
        })?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_plain = path.split('/').skip(1).all(is_segment);
        if !is_plain {
            return Err(invalid);
        }
        Ok(Self {
            origin: origin.as_str().to_owned(),
            path: path.to_owned(),
        })
    }

    /// The address of a path below it, with its query if it has one.
    ///
    /// # Errors
    /// `invalid_arguments` for a path that could lead anywhere else, however often somebody on the
    /// way decodes it.
    pub(super) fn join(&self, path: &str) -> Result<Uri, ImpersonationError> {
        let refused = |what: &str| ImpersonationError::invalid(format!("the path {what}"), HINT);
        if path.len() > LONGEST_PATH {
            return Err(refused("is too long"));
        }
        let below = path
            .strip_prefix('/')
            .ok_or_else(|| refused("does not begin with a slash"))?;
        let (segments, query) = match below.split_once('?') {
            Some((segments, query)) => (segments, Some(query)),
            None => (below, None),
        };
        // One slash may stand at the end.
        let named = segments.strip_suffix('/').unwrap_or(segments);
        if !named.is_empty() && !named.split('/').all(is_segment) || segments == "/" {
            return Err(refused(
                "has an empty segment, dots, or characters that an address has not",
            ));
        }
        if query.is_some_and(|query| !query.bytes().all(is_of_query)) {
            return Err(refused(
                "has a query with characters that an address has not",
            ));
        }
        let address: Uri = format!("{}{}{path}", self.origin, self.path)
            .parse()
            .map_err(|_| refused("is no path"))?;
        let origin = format!(
            "{}://{}",
            address.scheme_str().unwrap_or_default(),
            address.authority().map(|a| a.as_str()).unwrap_or_default()
        );
        if origin != self.origin {
            return Err(refused("leads to another host"));
        }
        Ok(address)
    }
}

impl std::fmt::Display for ApiBase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn reads_base_urls() {
        for (text, shown) in [
            ("https://api.example.com", "https://api.example.com"),
            (
                " https://API.example.com/v1/ ",
                "https://api.example.com/v1",
            ),
            ("http://127.0.0.1:3000/api", "http://127.0.0.1:3000/api"),
        ] {
            assert_eq!(ApiBase::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "api.example.com",
            "http://api.example.com",
            "https://me:pw@api.example.com",
            "https://api.example.com?x=1",
            "https://api.example.com/a/../b",
            "https://api.example.com//b",
            "ftp://127.0.0.1/",
        ] {
            let error = ApiBase::parse(text).unwrap_err().to_string();
            assert!(
                error.contains("\nhint: ") && !error.contains("pw"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_path_stays_below_the_base() {
        let base = ApiBase::parse("https://api.example.com/v1").unwrap();
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
            let error = base.join(path).unwrap_err();
            assert_eq!(error.code, "invalid_arguments", "{path}");
        }
        assert!(base.join(&format!("/{}", "x/".repeat(1_100))).is_err());
    }
}
