//! Which hosts and origins a request may name: the defence against DNS rebinding and against other
//! sites in the person's browser (MCP specification, "Transports", Security Warning).

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Uri, header};
use url::{Host, Url};

/// How often the log says that requests come for another name: scanners try any, and a proxy that is
/// set up wrong does so with every request.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The hosts and origins that are ours or allowed.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// `mcp.example.com`, `127.0.0.1:8788`
    authority: String,
    /// The port that an authority without one means.
    default_port: u16,
    /// `https://mcp.example.com`, and the configured ones.
    origins: Vec<String>,
    /// Whether the server is only for this machine: then any program on it may be the origin.
    is_loopback: bool,
    /// When the log was told of another name last, Unix milliseconds.
    told_at: Arc<AtomicU64>,
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
            default_port: match public_url.scheme() {
                "http" => 80,
                _ => 443,
            },
            origins,
            is_loopback: is_loopback(public_url),
            told_at: Arc::default(),
        }
    }

    /// Whether the request names this server: by its public name, or by a loopback name, as health
    /// checks and proxies on the machine do.
    #[must_use]
    pub fn host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        match requested_host(uri, headers) {
            Some(host) => self.is_own(&rooted(host)) || is_loopback_authority(host),
            None => false,
        }
    }

    /// Whether the request names the server by its public name and no other. Its full name with a dot
    /// at the end is another: a browser has other cookies for it.
    #[must_use]
    pub fn is_public_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        requested_host(uri, headers).is_some_and(|host| self.is_own(host))
    }

    /// Whether a page that was asked for by this name leads on to the public one: the full name with its
    /// dot does, and where people come by a loopback name, any other. A server with a public name is called by
    /// a loopback one through a proxy that passes no `Host` on, and would lead there again without end.
    #[must_use]
    pub fn leads_on(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        requested_host(uri, headers).is_some_and(|host| {
            self.is_own(&rooted(host)) || self.is_loopback && is_loopback_authority(host)
        })
    }

    /// Whether this is our authority, with the port of the scheme named or left out (RFC 9110 section
    /// 4.2.3).
    fn is_own(&self, authority: &str) -> bool {
        let (host, port) = host_and_port(authority);
        let (own_host, own_port) = host_and_port(&self.authority);
        let number = |port: Option<&str>| match port {
            Some(digits) => port_number(digits),
            None => Some(self.default_port),
        };
        host.eq_ignore_ascii_case(own_host) && number(port) == number(own_port)
    }

    /// What to say to a request that names neither us nor this machine. The log says it as well, once a
    /// minute. `now` is Unix milliseconds.
    #[must_use]
    pub fn other_name(&self, uri: &Uri, headers: &HeaderMap, now: u64) -> OtherName {
        let host = requested_host(uri, headers).unwrap_or("no name, or two");
        let other = OtherName {
            own: self.origins.first().cloned().unwrap_or_default(),
            requested: host.chars().take(100).collect(),
        };
        let is_due = |told: u64| {
            // A clock that was set back silences nobody.
            let passed = now.checked_sub(told).map(Duration::from_millis);
            (told == 0 || passed.is_none_or(|passed| passed >= TOLD_EVERY)).then_some(now)
        };
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.told_at.fetch_update(set, read, is_due).is_ok() {
            let OtherName { own, requested } = &other;
            tracing::warn!(own, requested, "a request for another name was refused");
        }
        other
    }

    /// Whether the request comes from one of our own pages, as far as it says: a browser names the
    /// origin of every form, or says what it is to us (Fetch Metadata), and what does neither is no
    /// browser.
    #[must_use]
    pub fn is_own_form(&self, headers: &HeaderMap) -> bool {
        let own = self.origins.first().map(String::as_bytes);
        let mut named = headers.get_all(header::ORIGIN).iter();
        let mut sites = headers.get_all("sec-fetch-site").iter();
        // `none` is the person, who sends a form of ours anew.
        let ours: [&[u8]; 2] = [b"same-origin", b"none"];
        named.all(|origin| Some(origin.as_bytes()) == own)
            && sites.all(|site| ours.contains(&site.as_bytes()))
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

/// The request is for another name than ours.
///
/// `Display` says so, then, on a line of its own, `hint: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherName {
    own: String,
    requested: String,
}

impl fmt::Display for OtherName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { own, requested } = self;
        write!(
            f,
            "this server has another name: it is {own}, and the request is for {requested:?}\n\
             hint: use {own}; a proxy in between must pass on the `Host` that it got"
        )
    }
}

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
    let (host, port) = host_and_port(authority);
    let is_port = |port: &str| port_number(port).is_some();
    ["localhost", "127.0.0.1", "[::1]"].contains(&host) && port.is_none_or(is_port)
}

fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // The colon of an IPv6 address without a port is within its brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn port_number(digits: &str) -> Option<u16> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// The authority without the dot of the root at the end of its host: `mcp.example.com.` is the same
/// host (RFC 3986 section 3.2.2).
fn rooted(authority: &str) -> Cow<'_, str> {
    match host_and_port(authority) {
        (host, None) => host.strip_suffix('.').unwrap_or(host).into(),
        (host, Some(port)) => match host.strip_suffix('.') {
            Some(host) => format!("{host}:{port}").into(),
            None => authority.into(),
        },
    }
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
            "mcp.example.com:443",
            "mcp.example.com.",
            "mcp.example.com.:443",
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
            "mcp.example.com:80",
            "mcp.example.com:+443",
            "mcp.example.com:",
            "mcp.example.com..",
            ".mcp.example.com",
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
    fn the_port_of_the_scheme_is_no_other_port() {
        let http = allowed("http://mcp.example.com", &[]);
        assert!(host(&http, "mcp.example.com:80"));
        assert!(!host(&http, "mcp.example.com:443"));
        let other = allowed("https://mcp.example.com:8443", &[]);
        assert!(host(&other, "mcp.example.com:8443"));
        assert!(!host(&other, "mcp.example.com"));
        assert!(!host(&other, "mcp.example.com:443"));
        let address = allowed("http://[2001:db8::1]", &[]);
        assert!(host(&address, "[2001:db8::1]:80"));
        assert!(!host(&address, "[2001:db8::1]:443"));
    }

    #[test]
    fn the_full_name_is_ours_and_not_the_public_one() {
        let allowed = allowed("https://mcp.example.com", &[]);
        let is_public = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            allowed.is_public_host(&Uri::from_static("/"), &headers)
        };
        assert!(is_public("mcp.example.com:443"));
        assert!(!is_public("mcp.example.com."));
        assert!(!is_public("localhost"));
    }

    #[test]
    fn a_loopback_name_leads_on_to_another_alone() {
        let leads_on = |url: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            allowed(url, &[]).leads_on(&Uri::from_static("/"), &headers)
        };
        assert!(leads_on("http://127.0.0.1:8788", "localhost:8788"));
        assert!(leads_on("https://mcp.example.com", "mcp.example.com."));
        assert!(!leads_on("https://mcp.example.com", "127.0.0.1:8788"));
        assert!(!leads_on("https://mcp.example.com", "evil.example"));
    }

    #[test]
    fn another_name_is_told_with_ours() {
        let allowed = allowed("https://mcp.example.com", &[]);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "evil.example".parse().unwrap());
        let told = allowed.other_name(&Uri::from_static("/"), &headers, 1);
        let told = told.to_string();
        assert!(told.starts_with("this server has another name: it is https://mcp.example.com, "));
        assert!(told.contains("\"evil.example\""), "{told}");
        headers.insert(header::HOST, "x".repeat(5_000).parse().unwrap());
        let told = allowed.other_name(&Uri::from_static("/"), &headers, 2);
        assert!(told.to_string().len() < 400);
    }

    #[test]
    fn a_form_of_another_site_is_not_ours_though_it_names_no_origin() {
        let allowed = allowed("https://mcp.example.com", &[]);
        for (site, is_own) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("sec-fetch-site", site.parse().unwrap());
            assert_eq!(allowed.is_own_form(&headers), is_own, "{site}");
        }
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
