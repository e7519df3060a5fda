//! Client ID Metadata Documents: a client's identifier is the `https` URL of a JSON document that
//! describes it, so that whoever controls the URL's host vouches for it.
//!
//! The rules are here; the fetching is the caller's ([`FetchDocument`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use url::Url;

use crate::client::ClientId;
use crate::client_metadata::{ClientMetadataFault, Source, UnverifiedClientMetadata};
use crate::environment::BoxFuture;
use crate::store::ClientDocument;
use crate::time::Timestamp;

/// The largest document that is read.
pub const MAX_DOCUMENT_BYTES: usize = 5 * 1024;
/// How long fetching a document may take, connecting included.
pub const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time for which a document is believed without asking again.
const LONGEST_FRESH: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The time for a document whose host says nothing about caching.
const FRESH_BY_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// Fetches clients' metadata documents.
///
/// An implementation sends no credentials, takes at most [`DOCUMENT_TIMEOUT`] and
/// [`MAX_DOCUMENT_BYTES`], follows no redirect, connects only to addresses for each of which
/// [`is_public`] says yes (every address that the name has, looked up once and pinned), and counts
/// nothing but status 200 as a document.
pub trait FetchDocument: Send + Sync {
    /// Fetches the document at `url`.
    fn fetch<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>>;
}

/// A document as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedDocument {
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The header `Cache-Control`, several joined by commas.
    pub cache_control: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why no document came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FetchFault {
    /// What happened, for the person and the client's developer. Nothing about this server's network.
    pub message: String,
    /// Whether the same may come later, by no fault of the client's: its host did not answer, or this
    /// server could not ask.
    pub is_temporary: bool,
}

/// Why a metadata document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentFault {
    /// The identifier is a URL, but not one that a document may have.
    #[error(
        "the client identifier is no URL of a metadata document\nhint: `https`, a path, no user name, no fragment, no dot segments, in normal form"
    )]
    Url,
    /// It could not be fetched.
    #[error("the client's metadata document could not be fetched: {0}")]
    Fetch(#[from] FetchFault),
    /// It is not JSON.
    #[error(
        "the client's metadata document is not served as JSON\nhint: `Content-Type: application/json`"
    )]
    ContentType,
    /// It is too large.
    #[error("the client's metadata document is larger than 5 KB")]
    TooLarge,
    /// It is about another client.
    #[error("the metadata document's `client_id` is not its own URL")]
    OtherClient,
    /// What it says is refused.
    #[error("the client's metadata document: {0}")]
    Metadata(#[from] ClientMetadataFault),
}

/// Whether an identifier is meant to be the URL of a document. No identifier that this server makes
/// looks like one.
pub(crate) fn is_document_url(id: &ClientId) -> bool {
    id.as_str()
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("https://"))
}

/// The URL of a client's document, if it keeps the rules.
pub(crate) fn document_url(id: &ClientId) -> Result<Url, DocumentFault> {
    let url = Url::parse(id.as_str()).map_err(|_| DocumentFault::Url)?;
    let right = url.scheme() == "https"
        && url.path() != "/"
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && id.as_str().len() <= 2048
        // In normal form there is one spelling: no dot segments, no capitals in the host.
        && url.as_str() == id.as_str();
    if right {
        Ok(url)
    } else {
        Err(DocumentFault::Url)
    }
}

/// Reads the document that was fetched for `id`.
pub(crate) fn read(
    id: &ClientId,
    fetched: &FetchedDocument,
    private_use_schemes: &[String],
    now: Timestamp,
) -> Result<ClientDocument, DocumentFault> {
    if fetched.body.len() > MAX_DOCUMENT_BYTES {
        return Err(DocumentFault::TooLarge);
    }
    if !fetched.content_type.as_deref().is_some_and(is_json) {
        return Err(DocumentFault::ContentType);
    }
    let metadata = UnverifiedClientMetadata::parse(&fetched.body)?;
    if metadata.client_id.as_deref() != Some(id.as_str()) {
        return Err(DocumentFault::OtherClient);
    }
    let client = metadata.verify(Source::Document, id.clone(), private_use_schemes, now)?;
    let cache_control = fetched.cache_control.as_deref();
    let fresh_until = now.after(freshness(cache_control, FRESH_BY_DEFAULT, LONGEST_FRESH));
    Ok(ClientDocument {
        client,
        fresh_until,
    })
}

/// `application/json` or `application/…+json`, whatever the parameters.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// For how long something fetched is believed, by its `Cache-Control` (RFC 9111 section 5.2.2).
pub(crate) fn freshness(
    cache_control: Option<&str>,
    by_default: Duration,
    longest: Duration,
) -> Duration {
    let Some(header) = cache_control else {
        return by_default;
    };
    let directives = || header.split(',').map(|one| one.trim().to_ascii_lowercase());
    if directives().any(|one| one == "no-store" || one.starts_with("no-cache")) {
        return Duration::ZERO;
    }
    let max_age = directives().find_map(|one| {
        let value = one.strip_prefix("max-age=")?.trim_matches('"').to_owned();
        Some(value.parse().map_or(Duration::ZERO, Duration::from_secs))
    });
    max_age.unwrap_or(by_default).min(longest)
}

/// Whether an address is on the public internet, where fetching something harms nobody. Addresses
/// that carry an IPv4 address inside (mapped, NAT64, 6to4) are judged by it.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By IANA's registry of special-purpose addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 31, 196)
            | (192, 52, 193)
            | (192, 88, 99)
            | (192, 168, _)
            | (192, 175, 48)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, _, _)
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped, and NAT64 by its well-known prefix.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        // 6to4.
        [0x2002, high, low, ..] => v4(high, low),
        // Teredo and other protocol assignments, documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // AS112.
        [0x2620, 0x4f, 0x8000, ..] => false,
        // Global unicast; all else is loopback, private (fc00::/7), link-local, site-local, multicast,
        // local NAT64 (64:ff9b:1::/48), IPv4-compatible or not assigned.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn cimd_addresses_that_are_not_public() {
        for hidden in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(hidden.parse().unwrap()), "{hidden}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn cimd_urls() {
        for right in [
            "https://app.example.com/client.json",
            "https://app.example.com:8443/a/b?c",
        ] {
            assert!(document_url(&ClientId(right.to_owned())).is_ok(), "{right}");
        }
        for wrong in [
            "https://app.example.com",
            "https://app.example.com/",
            "http://app.example.com/client",
            "https://app.example.com/a/../client",
            "https://app.example.com/./client",
            "https://app.example.com/client#part",
            "https://me@app.example.com/client",
            "https://APP.example.com/client",
            "https://app.example.com:443/client",
            "https://app.example.com/%2e%2e/client",
            "https://",
        ] {
            assert_eq!(
                document_url(&ClientId(wrong.to_owned())),
                Err(DocumentFault::Url),
                "{wrong}"
            );
        }
    }

    #[test]
    fn cimd_is_cached_by_cache_control_up_to_seven_days() {
        let seconds = |header| freshness(header, FRESH_BY_DEFAULT, LONGEST_FRESH).as_secs();
        assert_eq!(seconds(None), 3600);
        assert_eq!(seconds(Some("public, max-age=60")), 60);
        assert_eq!(seconds(Some("Max-Age=\"60\"")), 60);
        assert_eq!(seconds(Some("max-age=99999999")), 7 * 24 * 3600);
        assert_eq!(seconds(Some("max-age=60, no-cache")), 0);
        assert_eq!(seconds(Some("no-store")), 0);
        assert_eq!(seconds(Some("max-age=soon")), 0);
        assert_eq!(seconds(Some("public")), 3600);
    }
}
