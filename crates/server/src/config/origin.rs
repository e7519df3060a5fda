//! Where a server is, or where a page comes from: scheme, host and port.

use std::fmt;

use url::{Host, Url};

/// The origin of a URL (RFC 6454): `https://mcp.example.com`. `https`, or `http` on this machine;
/// host in small letters, no default port, no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    text: String,
    loopback: bool,
}

/// Why a text is no such origin. Never holds the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It is no URL.
    #[error("it is not a URL such as https://mcp.example.com")]
    Invalid,
    /// It is neither `https` nor `http`.
    #[error("it must begin with https://")]
    Scheme,
    /// It is `http` on another machine.
    #[error("it must begin with https://; http:// is for 127.0.0.1, [::1] and localhost only")]
    PlainHttp,
    /// It holds a user name or password.
    #[error("it holds a user name or password, which has no place here")]
    UserInfo,
    /// It has a path, a query or a fragment.
    #[error("it has a path, a query or a fragment after the host")]
    Path,
    /// Its port is 0.
    #[error("port 0 is no port")]
    Port,
}

impl Origin {
    /// Reads an origin. One slash at the end is dropped.
    ///
    /// # Errors
    /// [`OriginError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text.trim()).map_err(|_| OriginError::Invalid)?;
        Self::of(&url)
    }

    /// The origin that a URL without more than that is.
    fn of(url: &Url) -> Result<Self, OriginError> {
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(OriginError::PlainHttp),
            // `mcp.example.com:8443` is read as a URL of scheme `mcp.example.com`.
            _ => return Err(OriginError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::UserInfo);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(OriginError::Path);
        }
        if url.port() == Some(0) {
            return Err(OriginError::Port);
        }
        Ok(Self {
            text: url.origin().ascii_serialization(),
            loopback,
        })
    }

    /// The text, as browsers send it in `Origin`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port, as clients send them in `Host`: `mcp.example.com`, `127.0.0.1:8788`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.text
            .split_once("://")
            .map_or(self.text.as_str(), |(_, authority)| authority)
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether it is `https`: then cookies are `Secure` and `__Host-`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// The URL of a path here.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.text, path.trim_start_matches('/'))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, expected, authority) in [
            (
                "https://MCP.example.com/",
                "https://mcp.example.com",
                "mcp.example.com",
            ),
            (
                " https://mcp.example.com:443\n",
                "https://mcp.example.com",
                "mcp.example.com",
            ),
            (
                "https://mcp.example.com:8443",
                "https://mcp.example.com:8443",
                "mcp.example.com:8443",
            ),
            (
                "http://127.0.0.1:8788",
                "http://127.0.0.1:8788",
                "127.0.0.1:8788",
            ),
            (
                "http://localhost:8788/",
                "http://localhost:8788",
                "localhost:8788",
            ),
            ("http://[::1]:8788", "http://[::1]:8788", "[::1]:8788"),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!(origin.as_str(), expected);
            assert_eq!(origin.authority(), authority);
            assert_eq!(origin.is_loopback(), text.starts_with("http:"), "{text}");
            assert_eq!(origin.is_https(), text.contains("https:"), "{text}");
            assert_eq!(origin.join("/mcp"), format!("{expected}/mcp"));
        }
    }

    #[test]
    fn refuses_the_rest() {
        for (text, error) in [
            ("", OriginError::Invalid),
            ("mcp.example.com", OriginError::Invalid),
            ("mcp.example.com:8443", OriginError::Scheme),
            ("ftp://mcp.example.com", OriginError::Scheme),
            ("http://mcp.example.com", OriginError::PlainHttp),
            ("http://localhost.evil.example", OriginError::PlainHttp),
            ("http://127.0.0.1.evil.example", OriginError::PlainHttp),
            ("http://0.0.0.0:8788", OriginError::PlainHttp),
            ("http://[::ffff:127.0.0.1]", OriginError::PlainHttp),
            ("https://a:b@mcp.example.com", OriginError::UserInfo),
            ("http://localhost@evil.example", OriginError::PlainHttp),
            ("https://mcp.example.com/mcp", OriginError::Path),
            ("https://mcp.example.com?x", OriginError::Path),
            ("https://mcp.example.com/#x", OriginError::Path),
            ("http://127.0.0.1:0", OriginError::Port),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_itself_again(text in "https?://[a-z0-9.:@\\[\\]/-]{0,24}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(Origin::parse(origin.as_str()), Ok(origin.clone()));
                prop_assert!(origin.is_https() || origin.is_loopback());
                prop_assert!(!origin.authority().contains(['/', '@']));
            }
        }
    }
}
