//! Our cookies. Cookies do not separate ports: on loopback these stand beside those of whatever else
//! runs there, and so their names are ours alone.

use http::{HeaderMap, HeaderValue, header};
use oauth::{PlainToken, TokenKind};
use url::Url;

/// How long a browser keeps what binds authorizations to it, seconds: far longer than one takes.
const BROWSER_MAX_AGE: u32 = 24 * 60 * 60;
/// How long a browser remembers who signed in, seconds.
const PERSON_MAX_AGE: u32 = 30 * 24 * 60 * 60;

/// The names and attributes of our cookies.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    is_secure: bool,
}

impl Cookies {
    /// For a server at this address: with the `__Host-` prefix, except on http loopback.
    #[must_use]
    pub fn new(public_url: &Url) -> Self {
        Self {
            is_secure: public_url.scheme() == "https",
        }
    }

    /// The secret that binds authorizations to this browser.
    #[must_use]
    pub fn browser(self, headers: &HeaderMap) -> Option<PlainToken> {
        let value = find(headers, self.browser_name())?;
        PlainToken::parse(TokenKind::BrowserSecret, value)
    }

    /// The sealed name of who signed in here last.
    #[must_use]
    pub fn person(self, headers: &HeaderMap) -> Option<&str> {
        find(headers, self.person_name())
    }

    /// `Set-Cookie` for the browser's secret.
    #[must_use]
    pub fn set_browser(self, secret: &PlainToken) -> Option<HeaderValue> {
        self.set(self.browser_name(), secret.reveal(), BROWSER_MAX_AGE)
    }

    /// `Set-Cookie` for who signed in.
    #[must_use]
    pub fn set_person(self, sealed: &str) -> Option<HeaderValue> {
        self.set(self.person_name(), sealed, PERSON_MAX_AGE)
    }

    fn browser_name(self) -> &'static str {
        if self.is_secure {
            "__Host-clerk_mcp_browser"
        } else {
            "clerk_mcp_browser"
        }
    }

    fn person_name(self) -> &'static str {
        if self.is_secure {
            "__Host-clerk_mcp_person"
        } else {
            "clerk_mcp_person"
        }
    }

    /// `Lax`: the way back from Clerk is a navigation from another site.
    fn set(self, name: &str, value: &str, max_age: u32) -> Option<HeaderValue> {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let cookie =
            format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
        let mut cookie = HeaderValue::from_str(&cookie).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }
}

/// The cookie's value, if there is exactly one of this name.
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value);
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_cookie_is_found_once_or_not_at_all() {
        assert_eq!(find(&headers("a=1; b=2"), "b"), Some("2"));
        assert_eq!(find(&headers("ab=1"), "b"), None);
        // A neighbour on another port may have set one of our name: then neither is believed.
        assert_eq!(find(&headers("b=1; b=2"), "b"), None);
        assert_eq!(find(&HeaderMap::new(), "b"), None);
    }

    #[test]
    fn cookies_of_a_public_server_are_bound_to_its_host() {
        let cookies = Cookies::new(&Url::parse("https://mcp.example.com").unwrap());
        let cookie = cookies.set_person("sealed").unwrap();
        assert_eq!(
            cookie.to_str().unwrap(),
            "__Host-clerk_mcp_person=sealed; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"
        );
        let cookies = Cookies::new(&Url::parse("http://127.0.0.1:8788").unwrap());
        assert!(
            !cookies
                .set_person("sealed")
                .unwrap()
                .to_str()
                .unwrap()
                .contains("Secure")
        );
    }
}
