//! How many connections are open, in all and from each address. One too many is told so, and closed:
//! whoever opens thousands takes nobody else's place.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

use crate::{client_address::AddressGroup, config::TrustedProxies};

/// How many connections there may be.
#[derive(Clone, Debug)]
pub struct ConnectionBounds {
    /// Of everybody.
    pub all: usize,
    /// From one address, as far as it is nobody's of `proxies`.
    pub of_address: usize,
    /// Who passes on what many people send: counted in all alone.
    pub proxies: TrustedProxies,
    /// How long what was sent may stay unread, or unacknowledged, before the connection is given up.
    pub unread: Duration,
}

/// How long what was sent may stay unread: a client that is gone without a word, or reads nothing more, holds
/// its streams and what waits for it no longer.
pub const UNREAD_FOR: Duration = Duration::from_secs(60);
/// How long one too many may take to hear of it.
const TURNED_AWAY_IN: Duration = Duration::from_secs(1);
/// The most that hear of it side by side; the rest is closed without a word.
const TURNED_AWAY_AT_ONCE: usize = 64;

/// The connections that are open.
#[derive(Debug)]
pub(crate) struct Connections {
    bounds: ConnectionBounds,
    counts: Mutex<Counts>,
    turning_away: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of_address: HashMap<AddressGroup, usize>,
}

/// An open connection; dropped, it is closed.
#[derive(Debug)]
pub(crate) struct Open {
    connections: Arc<Connections>,
    address: Option<AddressGroup>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut counts = self.connections.counts();
        counts.all -= 1;
        let Some(address) = &self.address else { return };
        if let Some(count) = counts.of_address.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                counts.of_address.remove(address);
            }
        }
    }
}

/// What a connection is too many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// Everybody's together.
    All,
    /// Its address'.
    OfAddress,
}

impl Connections {
    /// Counts up to these bounds.
    pub(crate) fn new(bounds: ConnectionBounds) -> Self {
        Self {
            bounds,
            counts: Mutex::default(),
            turning_away: Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE)),
        }
    }

    /// Counts a connection from `peer` for as long as what it gets lives.
    ///
    /// # Errors
    /// [`TooMany`].
    pub(crate) fn open(self: &Arc<Self>, peer: IpAddr) -> Result<Open, TooMany> {
        let is_proxy = self.bounds.proxies.contains(peer.to_canonical());
        let address = (!is_proxy).then(|| AddressGroup::of(peer));
        let mut counts = self.counts();
        if counts.all >= self.bounds.all {
            return Err(TooMany::All);
        }
        if let Some(address) = address {
            let count = counts.of_address.entry(address).or_default();
            if *count >= self.bounds.of_address {
                return Err(TooMany::OfAddress);
            }
            *count += 1;
        }
        counts.all += 1;
        Ok(Open {
            connections: Arc::clone(self),
            address,
        })
    }

    /// Tells whoever is at the other end, and closes the connection.
    pub(crate) fn turn_away(&self, stream: TcpStream, too_many: TooMany) {
        tracing::debug!(?too_many, "a connection is refused");
        let Ok(turn) = Arc::clone(&self.turning_away).try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            let _turn = turn;
            // Whether it was heard is the client's business.
            let _ = tokio::time::timeout(TURNED_AWAY_IN, tell(stream, too_many)).await;
        });
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request is read first: a socket that is closed with something unread resets the connection, and
/// the client may never see the answer.
async fn tell(mut stream: TcpStream, too_many: TooMany) -> std::io::Result<()> {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await?;
    stream.write_all(too_many.answer().as_bytes()).await?;
    stream.shutdown().await
}

impl TooMany {
    /// RFC 6585, section 4; RFC 9110, section 15.6.4.
    fn answer(self) -> String {
        let (status, message) = match self {
            Self::All => (
                "503 Service Unavailable",
                "the server has too many connections",
            ),
            Self::OfAddress => (
                "429 Too Many Requests",
                "too many connections from your address",
            ),
        };
        let message = format!("{message}; hint: try again in 5 s");
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 5\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{message}",
            message.len()
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_and_all_have_their_share_and_get_it_back() {
        let connections = Arc::new(Connections::new(ConnectionBounds {
            all: 5,
            of_address: 2,
            proxies: TrustedProxies(vec!["10.0.0.1/32".parse().unwrap()]),
            unread: UNREAD_FOR,
        }));
        let open = |from: &str| connections.open(address(from));
        let first = open("192.0.2.1").unwrap();
        // The same address, written in another way.
        let second = open("::ffff:192.0.2.1").unwrap();
        assert_eq!(open("192.0.2.1").unwrap_err(), TooMany::OfAddress);
        // A proxy has as many as there may be.
        let proxied: Vec<Open> = (0..3).map(|_| open("10.0.0.1").unwrap()).collect();
        assert_eq!(open("10.0.0.1").unwrap_err(), TooMany::All);
        assert_eq!(open("192.0.2.9").unwrap_err(), TooMany::All);
        drop(first);
        let again = open("192.0.2.1").unwrap();
        drop((second, again, proxied));
        let counts = connections.counts();
        assert_eq!((counts.all, counts.of_address.len()), (0, 0));
    }
}
