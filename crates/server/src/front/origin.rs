//! Which hosts and origins a request may name: the defence against DNS rebinding and against other
//! sites in the person's browser (MCP specification, "Transports", Security Warning).

use http::{HeaderMap, Uri, header};
use url::{Host, Url};

/// The hosts and origins that are ours or allowed.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// `mcp.example.com`, `127.0.0.1:8788`
    authority: String,
    /// `https://mcp.example.com`, and the configured ones.
    origins: Vec<String>,
    /// Whether the server is only for this machine: then any program on it may be the origin.
    is_loopback: bool,
}

impl Allowed {
    /// From the server's public URL and the origins that its owner allows besides.
    #[must_use]
    pub fn new(public_url: &Url, more: &[String]) -> Self {
        let own = public_url.origin().ascii_serialization();
        let authority = own
            .split_once("://")
            .map_or("", |(_, rest)| rest)
            .to_owned();
        let mut origins = vec![own];
        origins.extend(more.iter().cloned());
        Self {
            authority,
            origins,
            is_loopback: is_loopback(public_url),
        }
    }

    /// Whether the request names this server: by its public name, or by a loopback name, as health
    /// checks and proxies on the machine do.
    #[must_use]
    pub fn host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        match requested_host(uri, headers) {
            Some(host) => host.eq_ignore_ascii_case(&self.authority) || is_loopback_authority(host),
            None => false,
        }
    }

    /// Whether the request names the server by its public name and no other.
    #[must_use]
    pub fn is_public_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        requested_host(uri, headers).is_some_and(|host| host.eq_ignore_ascii_case(&self.authority))
    }

    /// Whether the request comes from one of our own pages, as far as it says: a browser names the
    /// origin of every form, and what names none is no browser.
    #[must_use]
    pub fn is_own_form(&self, headers: &HeaderMap) -> bool {
        let own = self.origins.first().map(String::as_bytes);
        let mut named = headers.get_all(header::ORIGIN).iter();
        named.all(|origin| Some(origin.as_bytes()) == own)
    }

    /// The request's origin, if it names one and it is allowed.
    ///
    /// # Errors
    /// When it is not allowed. A request without an origin is not from a page in a browser.
    pub fn origin<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, ForeignOrigin> {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let origin = value.to_str().map_err(|_| ForeignOrigin)?;
        if values.next().is_some() {
            return Err(ForeignOrigin);
        }
        let listed = self.origins.iter().any(|allowed| allowed == origin);
        if listed || (self.is_loopback && is_loopback_origin(origin)) {
            Ok(Some(origin))
        } else {
            Err(ForeignOrigin)
        }
    }
}

/// The request comes from a page of another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignOrigin;

/// The host of the request line, else of the one `Host` header.
fn requested_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

/// Whether a URL's host is this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_loopback_origin(origin: &str) -> bool {
    Url::parse(origin).is_ok_and(|url| {
        url.scheme() == "http" && is_loopback(&url) && url.origin().ascii_serialization() == origin
    })
}

fn is_loopback_authority(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        // The colon of an IPv6 address without a port is within its brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    ["localhost", "127.0.0.1", "[::1]"].contains(&host) && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn allowed(public_url: &str, more: &[&str]) -> Allowed {
        let more: Vec<String> = more.iter().map(|&origin| origin.to_owned()).collect();
        Allowed::new(&Url::parse(public_url).unwrap(), &more)
    }

    fn host(allowed: &Allowed, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        allowed.host(&Uri::from_static("/mcp"), &headers)
    }

    fn origin(allowed: &Allowed, origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        allowed.origin(&headers).is_ok()
    }

    #[test]
    fn hosts_are_ours_or_loopback() {
        let allowed = allowed("https://mcp.example.com", &[]);
        for good in [
            "mcp.example.com",
            "MCP.example.com",
            "127.0.0.1:8788",
            "[::1]:8788",
            "localhost",
        ] {
            assert!(host(&allowed, good), "{good}");
        }
        for bad in [
            "evil.example",
            "mcp.example.com.evil.example",
            "mcp.example.com:8443",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "127.0.0.1:port",
            "[::1]]:80",
            "",
        ] {
            assert!(!host(&allowed, bad), "{bad}");
        }
        assert!(!allowed.host(&Uri::from_static("/mcp"), &HeaderMap::new()));
    }

    #[test]
    fn forms_are_our_own() {
        let allowed = allowed("https://mcp.example.com", &["https://app.example.com"]);
        let mut headers = HeaderMap::new();
        assert!(allowed.is_own_form(&headers));
        headers.insert(header::ORIGIN, "https://mcp.example.com".parse().unwrap());
        assert!(allowed.is_own_form(&headers));
        headers.append(header::ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!allowed.is_own_form(&headers));
        for other in ["null", "https://app.example.com", "http://mcp.example.com"] {
            headers.insert(header::ORIGIN, other.parse().unwrap());
            assert!(!allowed.is_own_form(&headers), "{other}");
        }
    }

    #[test]
    fn two_hosts_are_none() {
        let allowed = allowed("https://mcp.example.com", &[]);
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "mcp.example.com".parse().unwrap());
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert!(!allowed.host(&Uri::from_static("/mcp"), &headers));
    }

    #[test]
    fn origins_are_ours_or_listed() {
        let allowed = allowed("https://mcp.example.com", &["https://app.example.com"]);
        assert!(origin(&allowed, "https://mcp.example.com"));
        assert!(origin(&allowed, "https://app.example.com"));
        for bad in [
            "https://evil.example",
            "null",
            "http://localhost:6274",
            "http://mcp.example.com",
            "",
        ] {
            assert!(!origin(&allowed, bad), "{bad}");
        }
        assert_eq!(allowed.origin(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn a_server_for_this_machine_takes_its_programs() {
        let allowed = allowed("http://127.0.0.1:8788", &[]);
        for good in [
            "http://127.0.0.1:8788",
            "http://localhost:6274",
            "http://[::1]:3000",
        ] {
            assert!(origin(&allowed, good), "{good}");
        }
        for bad in [
            "https://evil.example",
            "null",
            "http://localhost.evil.example",
            "http://localhost:6274/x",
        ] {
            assert!(!origin(&allowed, bad), "{bad}");
        }
    }
}
