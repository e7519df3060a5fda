//! Where the Backend API is.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

const DEFAULT: &str = "https://api.clerk.com";

/// The address of the Backend API, without the `/v1` that every request adds.
///
/// `https` to any host, `http` to this machine only. It holds no user name, password, query or
/// fragment, so it is safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl {
    text: String,
    loopback: bool,
}

/// Why a text is no address of the Backend API. Never holds the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiUrlError {
    /// It is no URL, or one that programs read in different ways.
    #[error("the Clerk API URL is not a valid URL\nhint: use {DEFAULT}, or http://127.0.0.1:8789")]
    Invalid,
    /// It is neither `https` nor `http`.
    #[error("the Clerk API URL must begin with https://\nhint: the default is {DEFAULT}")]
    Scheme,
    /// It is `http` to another machine: the secret key would travel in plain text.
    #[error(
        "the Clerk API URL must begin with https://, as it leads to another machine\n\
         hint: http:// is for 127.0.0.1, [::1] and localhost only"
    )]
    PlainHttp,
    /// It holds a user name or password.
    #[error("the Clerk API URL holds a user name or password\nhint: remove what stands before '@'")]
    UserInfo,
    /// It has a query or a fragment.
    #[error(
        "the Clerk API URL has a query or a fragment\nhint: remove '?' or '#' and what follows"
    )]
    QueryOrFragment,
}

impl ApiUrl {
    /// Reads an address. A slash or `/v1` at the end is dropped.
    ///
    /// # Errors
    /// [`ApiUrlError`] for anything but `https`, or `http` on a loopback host, with a plain host
    /// and path.
    pub fn parse(text: &str) -> Result<Self, ApiUrlError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(ApiUrlError::Invalid)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "https" && scheme != "http" {
            return Err(ApiUrlError::Scheme);
        }
        if rest.contains(['?', '#']) {
            return Err(ApiUrlError::QueryOrFragment);
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(ApiUrlError::UserInfo);
        }
        let (host, port) = split_authority(authority).ok_or(ApiUrlError::Invalid)?;
        let loopback = is_loopback(&host);
        if scheme == "http" && !loopback {
            return Err(ApiUrlError::PlainHttp);
        }
        let path = normal_path(path).ok_or(ApiUrlError::Invalid)?;
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self {
            text: format!("{scheme}://{host}{port}{path}"),
            loopback,
        })
    }

    /// The address, without a slash and without `/v1` at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it leads to this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl Default for ApiUrl {
    fn default() -> Self {
        Self {
            text: DEFAULT.to_owned(),
            loopback: false,
        }
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `host`, as it stands in a URL, is this machine. The name `localhost` counts only alone.
pub(crate) fn is_loopback(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        return address
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| address.is_loopback());
    }
    host.parse::<Ipv4Addr>()
        .is_ok_and(|address| address.is_loopback())
        || host.eq_ignore_ascii_case("localhost")
}

/// Host in small letters and port. `None` for what URL parsers do not agree about.
fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let end_of_host = authority.find(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority.get(end_of_host..)?.find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(end_of_host + colon);
            (host, Some(port.strip_prefix(':')?))
        }
        None => (authority, None),
    };
    let port = match port {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
        None => None,
    };
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        return Some((format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port));
    }
    let host = host.to_ascii_lowercase();
    is_plain_host(&host).then_some((host, port))
}

fn is_plain_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // URL parsers read a host whose last label is a number as an IPv4 address: 127.1, 0x7f.1.
    let numeric = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    host.split('.').all(label) && (!numeric || host.parse::<Ipv4Addr>().is_ok())
}

fn normal_path(path: &str) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_suffix("/v1").unwrap_or(path);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    (path.is_empty() || path.split('/').skip(1).all(segment)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("https://api.clerk.com", "https://api.clerk.com"),
            ("https://api.clerk.com/", "https://api.clerk.com"),
            ("https://api.clerk.com/v1", "https://api.clerk.com"),
            (" https://API.clerk.com/v1/ \n", "https://api.clerk.com"),
            (
                "https://proxy.example:8443/clerk/v1",
                "https://proxy.example:8443/clerk",
            ),
            ("http://127.0.0.1:8789", "http://127.0.0.1:8789"),
            ("http://127.9.8.7", "http://127.9.8.7"),
            ("http://localhost:8789/", "http://localhost:8789"),
            ("http://[::1]:8789/v1", "http://[::1]:8789"),
        ];
        for (text, expected) in cases {
            assert_eq!(ApiUrl::parse(text).unwrap().as_str(), expected, "{text}");
        }
        assert_eq!(
            ApiUrl::default(),
            ApiUrl::parse("https://api.clerk.com/v1").unwrap()
        );
        assert!(ApiUrl::parse("https://localhost").unwrap().is_loopback());
    }

    #[test]
    fn refuses_what_would_leak_the_key() {
        use ApiUrlError::{Invalid, PlainHttp, QueryOrFragment, Scheme, UserInfo};
        let cases = [
            ("http://api.clerk.com", PlainHttp),
            ("http://localhost.evil.example", PlainHttp),
            ("http://127.0.0.1.evil.example", PlainHttp),
            ("http://[::ffff:127.0.0.1]", PlainHttp),
            ("http://10.0.0.1", PlainHttp),
            ("http://localhost@evil.example", UserInfo),
            ("https://user:pw@api.clerk.com", UserInfo),
            ("https://api.clerk.com?x=1", QueryOrFragment),
            ("https://api.clerk.com/#v1", QueryOrFragment),
            ("ftp://api.clerk.com", Scheme),
            ("api.clerk.com", Invalid),
            ("", Invalid),
            ("https://", Invalid),
            ("https://a b", Invalid),
            ("https://a..b", Invalid),
            ("https://evil.example\\.clerk.com", Invalid),
            ("http://127.1", Invalid),
            ("http://0x7f.1", Invalid),
            ("http://localhost:", Invalid),
            ("http://localhost:99999", Invalid),
            ("http://localhost:0", Invalid),
            ("http://[::1]x", Invalid),
            ("https://api.clerk.com/a/../b", Invalid),
            ("https://api.clerk.com//v1", Invalid),
            ("https://api.clerk.com/%2e%2e", Invalid),
        ];
        for (text, expected) in cases {
            let error = ApiUrl::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(error.to_string().contains("\nhint: "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_url_parser(text in "https?://[a-z0-9.:@\\[\\]/_\\\\-]{0,30}") {
            if let Ok(ours) = ApiUrl::parse(&text) {
                let theirs = url::Url::parse(ours.as_str()).unwrap();
                prop_assert_eq!(theirs.username(), "");
                prop_assert_eq!(theirs.host_str().is_some_and(is_loopback), ours.is_loopback());
                prop_assert_eq!(theirs.as_str().trim_end_matches('/'), ours.as_str()
                    .trim_end_matches(":443").trim_end_matches(":80"));
            }
        }
    }
}
