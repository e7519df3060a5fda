//! Redirect URIs: one that is registered and one that is sent, on a line each.

use oauth::{RedirectKind, RedirectUri};
use url::Url;

use crate::parts::{first_line, text};

pub(crate) const SEEDS: &[&str] = &[
    "https://app.example.com/callback\nhttps://app.example.com/callback",
    "http://127.0.0.1:3000/cb?x=1\nhttp://127.0.0.1:61234/cb?x=1",
    "http://[::1]/cb\nhttp://[::1]:80/cb",
    "http://localhost/cb\nhttp://localhost.evil.example/cb",
    "cursor://anysphere/callback\ncursor://other/callback",
    "https://user@app.example.com/#x\nhttps://app.example.com:443/../callback",
    "http://127.0.0.1@evil.example/\nhttp://0x7f.1\\@evil.example/",
    "javascript:alert(1)\n//evil.example",
];

pub(crate) fn run(input: &[u8]) -> bool {
    let (registered, sent) = first_line(input);
    let (Some(registered), Some(sent)) = (text(registered), text(sent)) else {
        return false;
    };
    let read = |text: &str| RedirectUri::parse(text, &["cursor".to_owned()]).ok();
    let (Some(one), Some(other)) = (read(registered), read(sent)) else {
        return false;
    };
    leads_where_it_says(registered, &one);
    assert_eq!(one.matches(&other), should_match(registered, sent));
    assert_eq!(one.matches(&other), other.matches(&one));
    assert!(one.matches(&one));
    true
}

fn leads_where_it_says(text: &str, uri: &RedirectUri) {
    let url = Url::parse(text).unwrap();
    assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
    let host = url.host_str().unwrap_or_default();
    let is_loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
    match uri.kind() {
        RedirectKind::Https => assert!(url.scheme() == "https" && !is_loopback),
        RedirectKind::Loopback => assert!(is_loopback),
        RedirectKind::PrivateUse => assert_eq!(url.scheme(), "cursor"),
    }
    let location = Url::parse(&uri.with_parameters([("code", "a&b=c#d")])).unwrap();
    let place = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.port(),
        )
    };
    assert_eq!(place(&location), place(&url));
    assert_eq!(location.path(), url.path());
    let code = location
        .query_pairs()
        .find(|(name, value)| name == "code" && value == "a&b=c#d");
    assert!(code.is_some(), "{location}");
}

/// The rule again, in other words.
fn should_match(registered: &str, sent: &str) -> bool {
    let without_port = |text: &str| {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let lower = authority.to_ascii_lowercase();
        let host = ["127.0.0.1", "[::1]", "localhost"]
            .into_iter()
            .find(|host| {
                let port = lower.strip_prefix(host);
                port.is_some_and(|port| port.is_empty() || port.starts_with(':'))
            })?;
        let host = authority[..host.len()].to_owned();
        Some((scheme.to_owned(), host, tail.to_owned()))
    };
    let one = without_port(registered);
    registered == sent || one.is_some() && one == without_port(sent)
}
