//! Whose request it is, when proxies stand between: the address that limits are counted by.
//!
//! A forwarded header is believed from a trusted proxy alone, and of it only what trusted proxies
//! wrote: each appends the address it saw, so the list is read from the right.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use crate::config::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client that sent a request over a connection from `peer`.
///
/// It is the peer's, unless that is a trusted proxy: then the right-most address of
/// `X-Forwarded-For` or `Forwarded` (RFC 7239) that is not a trusted proxy too; if all are, the
/// left-most. Where that address is missing, hidden or malformed, or the two headers disagree, it
/// is the peer's: many proxies write one of the headers and pass on whatever the client put into
/// the other. An IPv4 address mapped into IPv6 is that IPv4 address.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return peer;
    }
    let by_custom = chain(headers, &X_FORWARDED_FOR, read_x_forwarded_for);
    let by_standard = chain(headers, &header::FORWARDED, read_forwarded);
    let named = match (by_custom, by_standard) {
        (None, None) => None,
        (Some(chain), None) | (None, Some(chain)) => origin(&chain, trusted),
        (Some(one), Some(other)) => {
            origin(&one, trusted).filter(|&address| origin(&other, trusted) == Some(address))
        }
    };
    named.unwrap_or(peer)
}

/// The addresses that count as one for limits: an IPv4 address, or the /64 network of an IPv6
/// address, because a single machine commonly has all of it to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The group of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
        })
    }
}

/// One hop of a forwarded header; `None` where no address can be read.
type Hop = Option<IpAddr>;

/// The hops of all lines of a header, left to right; `None` without such a header.
fn chain(headers: &HeaderMap, name: &HeaderName, read: fn(&str) -> Vec<Hop>) -> Option<Vec<Hop>> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let hops = lines.flat_map(|line| line.to_str().map_or_else(|_| vec![None], read));
    Some(hops.collect())
}

/// The hop that no trusted proxy is, seen from the right.
fn origin(chain: &[Hop], trusted: &TrustedProxies) -> Hop {
    for hop in chain.iter().rev() {
        match hop {
            Some(address) if trusted.contains(*address) => {}
            Some(address) => return Some(*address),
            None => return None,
        }
    }
    chain.first().copied().flatten()
}

/// `203.0.113.7, 2001:db8::1, 198.51.100.2:4711`
fn read_x_forwarded_for(line: &str) -> Vec<Hop> {
    let items = line.split(',').map(str::trim);
    // A list may have empty items (RFC 9110 section 5.6.1).
    let items = items.filter(|item| !item.is_empty());
    items.map(read_node).collect()
}

/// `for=203.0.113.7;proto=https, for="[2001:db8::1]:4711"`. A line that cannot be read is one hop
/// that cannot be read.
fn read_forwarded(line: &str) -> Vec<Hop> {
    let Some(elements) = split_quoted(line, ',') else {
        return vec![None];
    };
    let elements = elements
        .into_iter()
        .filter(|element| !element.trim().is_empty());
    elements.map(read_forwarded_element).collect()
}

/// The `for` of one element of `Forwarded`; it may stand there once.
fn read_forwarded_element(element: &str) -> Hop {
    let mut node = None;
    for pair in split_quoted(element, ';')? {
        let (name, value) = pair.trim().split_once('=')?;
        if name.eq_ignore_ascii_case("for") {
            let value = unquote(value)?;
            if node.replace(read_node(&value)?).is_some() {
                return None;
            }
        }
    }
    node
}

/// Splits at a separator that is not within a quoted string; `None` if a quote does not end.
fn split_quoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    let mut escaped = false;
    for (position, letter) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if quoted && letter == '\\' {
            escaped = true;
        } else if letter == '"' {
            quoted = !quoted;
        } else if !quoted && letter == separator {
            parts.push(&text[start..position]);
            start = position + separator.len_utf8();
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// The value of a token or a quoted string; `None` if it is neither. No address needs a backslash.
fn unquote(value: &str) -> Option<String> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!inner.contains(['"', '\\'])).then(|| inner.to_owned())
}

/// An address with or without a port; IPv6 with or without brackets. `unknown` and obfuscated names
/// (RFC 7239 section 6.3) are no addresses.
fn read_node(node: &str) -> Hop {
    let bare = node
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => node.parse().ok(),
    };
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    address
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn trusted() -> TrustedProxies {
        TrustedProxies(vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8:ffff::/48".parse().unwrap(),
        ])
    }

    fn of(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &trusted()).to_string()
    }

    fn forwarded_for(value: &str) -> String {
        of("10.0.0.1", &[("x-forwarded-for", value)])
    }

    fn forwarded(value: &str) -> String {
        of("10.0.0.1", &[("forwarded", value)])
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
        ];
        assert_eq!(of("203.0.113.7", &lines), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7", &lines), "203.0.113.7");
    }

    #[test]
    fn a_proxy_is_believed_as_far_as_proxies_wrote() {
        assert_eq!(forwarded_for("203.0.113.7"), "203.0.113.7");
        assert_eq!(forwarded_for("192.0.2.1, 203.0.113.7"), "203.0.113.7");
        assert_eq!(
            forwarded_for("192.0.2.1, 203.0.113.7, 10.2.3.4"),
            "203.0.113.7"
        );
        assert_eq!(
            forwarded_for("rubbish, 203.0.113.7,, 10.2.3.4,"),
            "203.0.113.7"
        );
        // A dual-stack socket reports its IPv4 peers so.
        let lines = [("x-forwarded-for", "203.0.113.7")];
        assert_eq!(of("::ffff:10.0.0.1", &lines), "203.0.113.7");
        assert_eq!(of("2001:db8:ffff::1", &lines), "203.0.113.7");
    }

    #[test]
    fn lines_are_one_list() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1, 203.0.113.7"),
            ("x-forwarded-for", "10.2.3.4"),
        ];
        assert_eq!(of("10.0.0.1", &lines), "203.0.113.7");
    }

    #[test]
    fn a_request_of_the_proxies_network_is_its_first_hop() {
        assert_eq!(forwarded_for("10.1.1.1, 10.2.2.2"), "10.1.1.1");
    }

    #[test]
    fn addresses_have_many_spellings() {
        for (written, read) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:DB8::1]:443", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(forwarded_for(written), read, "{written}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_the_peer() {
        for value in [
            "",
            ",",
            "unknown",
            "_hidden",
            "203.0.113.7, 256.1.1.1",
            "203.0.113.7, fe80::1%eth0",
            "203.0.113.7:",
            "203.0.113.7:99999",
            "[203.0.113.7]",
            "[2001:db8::1",
            "0203.0.113.7",
            "203.0.113.7 192.0.2.1",
        ] {
            assert_eq!(forwarded_for(value), "10.0.0.1", "{value}");
        }
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(b"203.0.113.7 \xff").unwrap();
        headers.insert(X_FORWARDED_FOR, value);
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(client_address(peer, &headers, &trusted()), peer);
        assert_eq!(client_address(peer, &HeaderMap::new(), &trusted()), peer);
    }

    #[test]
    fn the_standard_header_is_read() {
        for (written, read) in [
            ("for=203.0.113.7", "203.0.113.7"),
            ("For=\"203.0.113.7:4711\";proto=https", "203.0.113.7"),
            (
                "by=10.0.0.1;for=\"[2001:db8::1]:443\";host=\"a,b;c\"",
                "2001:db8::1",
            ),
            (
                "for=192.0.2.1, for=203.0.113.7;proto=https, for=10.2.3.4",
                "203.0.113.7",
            ),
            ("for=unknown, for=203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(forwarded(written), read, "{written}");
        }
    }

    #[test]
    fn a_standard_header_out_of_order_is_the_peer() {
        for value in [
            "for=203.0.113.7, for=unknown",
            "for=203.0.113.7, proto=https",
            "for=203.0.113.7;for=192.0.2.1",
            "for",
            "for=",
            "for=\"203.0.113.7",
            // A client that opens a quote cannot swallow what its proxy appends.
            "for=192.0.2.1;by=\"x, for=203.0.113.7",
            "for=192.0.2.1;by=\"x, for=\"[2001:db8::1]\"",
            "for=\"203.0.113.\\7\"",
        ] {
            assert_eq!(forwarded(value), "10.0.0.1", "{value}");
        }
    }

    #[test]
    fn a_header_that_the_proxy_only_passes_on_gains_nothing() {
        let both = |custom, standard| {
            of(
                "10.0.0.1",
                &[("x-forwarded-for", custom), ("forwarded", standard)],
            )
        };
        assert_eq!(both("203.0.113.7", "for=203.0.113.7"), "203.0.113.7");
        assert_eq!(both("203.0.113.7", "for=192.0.2.1"), "10.0.0.1");
        assert_eq!(both("192.0.2.1", "for=203.0.113.7"), "10.0.0.1");
        assert_eq!(both("203.0.113.7", "rubbish"), "10.0.0.1");
    }

    #[test]
    fn a_group_is_an_ipv4_address_or_an_ipv6_network() {
        let group = |address: &str| AddressGroup::of(address.parse().unwrap());
        assert_eq!(group("2001:db8::1"), group("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(group("2001:db8::1"), group("2001:db8:0:1::1"));
        assert_ne!(group("203.0.113.7"), group("203.0.113.8"));
        assert_eq!(group("203.0.113.7"), group("::ffff:203.0.113.7"));
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from),
            // Trusted ones, which would hardly come up.
            any::<[u8; 3]>().prop_map(|[a, b, c]| IpAddr::from([10, a, b, c])),
        ]
    }

    proptest! {
        #[test]
        fn headers_never_move_a_stranger(
            peer in address().prop_filter("untrusted", |peer| !trusted().contains(*peer)),
            custom in "[ -~]{0,60}",
            standard in "(for=|[ -~]){0,20}",
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(X_FORWARDED_FOR, HeaderValue::from_str(&custom).unwrap());
            headers.insert(header::FORWARDED, HeaderValue::from_str(&standard).unwrap());
            prop_assert_eq!(client_address(peer, &headers, &trusted()), peer.to_canonical());
        }

        #[test]
        fn what_the_client_writes_changes_nothing(
            forged in "[ -~]{0,60}",
            client in address().prop_filter("untrusted", |client| !trusted().contains(*client)),
            hops in prop::collection::vec(any::<[u8; 3]>(), 0..4),
        ) {
            let hops: String = hops.iter().map(|[a, b, c]| format!(", 10.{a}.{b}.{c}")).collect();
            prop_assert_eq!(
                forwarded_for(&format!("{forged}, {client}{hops}")),
                client.to_canonical().to_string()
            );
        }

        #[test]
        fn a_client_behind_the_standard_header_gets_itself_or_the_peer(
            forged in "(for=|\"|,|;|[ -~]){0,30}",
            client in any::<[u8; 4]>().prop_map(IpAddr::from)
                .prop_filter("untrusted", |client| !trusted().contains(*client)),
        ) {
            let read = forwarded(&format!("{forged}, for={client}"));
            prop_assert!(
                [client.to_string(), "10.0.0.1".to_owned()].contains(&read),
                "{} for {}", read, client
            );
        }

        #[test]
        fn every_client_is_read_as_proxies_write_it(
            client in address().prop_filter("untrusted", |client| !trusted().contains(*client)),
            port in any::<u16>(),
        ) {
            let socket = SocketAddr::new(client, port);
            let read = client.to_canonical().to_string();
            prop_assert_eq!(&forwarded_for(&client.to_string()), &read);
            prop_assert_eq!(&forwarded_for(&socket.to_string()), &read);
            prop_assert_eq!(&forwarded(&format!("for=\"{socket}\"")), &read);
        }
    }
}
