//! Fetches Client ID Metadata Documents, and the key sets that they name, from hosts that anybody may
//! name: nothing of this server's network is reached, and no host is flooded.
//!
//! - `https` alone, to public addresses alone. The connection is made to the very addresses that
//!   were checked: the check is part of the connection's own name lookup (`connection.rs`).
//! - No redirect, cookie, credential, proxy or compression; 5 KB (32 KB for key sets) and 10 s in all
//!   (`exchange.rs`).
//! - Whoever asks for a document that is being fetched gets the same answer. Answers are remembered
//!   for a short while, failures too; how long a document is believed is `oauth`'s business.
//! - Few fetches at a time, fewer of one host, so that a slow host does not keep out the others.

mod connection;
mod exchange;
mod fault;

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};
use oauth::{
    BoxFuture, DOCUMENT_TIMEOUT, FetchDocument, FetchFault, FetchedDocument, MAX_DOCUMENT_BYTES,
    MAX_KEY_SET_BYTES,
};
use tokio::sync::{AcquireError, Semaphore};
use url::Url;

pub use self::connection::{Lookup, SystemLookup};
use self::{connection::Connections, fault::Fault};
use crate::config::CimdTest;

/// How many hosts' places are kept, and for how long after the last use.
const MOST_HOSTS: u64 = 1024;
const HOST_KEPT: Duration = Duration::from_secs(60);

/// Bounds on what clients can make the server fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// The largest document.
    pub most_bytes: usize,
    /// How long a fetch may take in all, the wait for its turn included; that may take half of it.
    pub whole: Duration,
    /// Fetches at the same time. One address can start 2 a second (`rate_limit`), so that it
    /// cannot take all places with hosts that are slow.
    pub at_once: usize,
    /// Of those, from one host.
    pub at_once_per_host: usize,
    /// How many answers are remembered.
    pub answers_remembered: u64,
    /// How long a document is given out without asking its host again.
    pub document_remembered: Duration,
    /// How long a host is not asked again for a document that it did not give.
    pub failure_remembered: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            most_bytes: MAX_DOCUMENT_BYTES,
            whole: DOCUMENT_TIMEOUT,
            at_once: 64,
            at_once_per_host: 4,
            // With their URLs, some 3.5 MB at most.
            answers_remembered: 512,
            document_remembered: Duration::from_secs(10),
            failure_remembered: Duration::from_secs(30),
        }
    }
}

impl FetchLimits {
    /// Those of key sets, which have places of their own.
    #[must_use]
    pub fn of_key_sets() -> Self {
        Self {
            most_bytes: MAX_KEY_SET_BYTES,
            // `oauth` keeps what was fetched, and asks again only for a reason. Whoever asks at the
            // same moment shares the answer all the same.
            document_remembered: Duration::ZERO,
            ..Self::default()
        }
    }
}

/// Fetches Client ID Metadata Documents, or key sets.
pub struct ClientDocuments {
    connections: Arc<Connections>,
    limits: FetchLimits,
    answers: Cache<Arc<str>, Answer>,
    places: Semaphore,
    places_by_host: Cache<Arc<str>, Arc<Semaphore>>,
}

type Answer = Result<FetchedDocument, Fault>;

impl ClientDocuments {
    /// Fetches with the usual limits and the machine's name lookup.
    ///
    /// # Errors
    /// When a test host is not on this machine, or its certificate authority cannot be read.
    pub fn new(test: Option<&CimdTest>) -> Result<Self, TestHostsError> {
        let lookup = Arc::new(SystemLookup::default());
        Self::with(test, lookup, FetchLimits::default())
    }

    /// Fetches with other limits, or another lookup of names. Whatever it answers is checked.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(
        test: Option<&CimdTest>,
        lookup: Arc<dyn Lookup>,
        limits: FetchLimits,
    ) -> Result<Self, TestHostsError> {
        let connections = Connections::new(test, lookup)?;
        Ok(Self::over(Arc::new(connections), limits))
    }

    /// Fetches key sets from the same hosts.
    #[must_use]
    pub fn of_key_sets(&self) -> Self {
        Self::over(Arc::clone(&self.connections), FetchLimits::of_key_sets())
    }

    fn over(connections: Arc<Connections>, limits: FetchLimits) -> Self {
        Self {
            connections,
            limits,
            answers: Cache::builder()
                .max_capacity(limits.answers_remembered)
                .expire_after(Remembered(limits))
                .build(),
            places: Semaphore::new(limits.at_once),
            places_by_host: Cache::builder()
                .max_capacity(MOST_HOSTS)
                .time_to_idle(HOST_KEPT)
                .build(),
        }
    }

    async fn attempt(&self, url: &Url) -> Answer {
        let fetch = async {
            let connection = self.connections.to(url)?;
            let host: Arc<str> = url.host_str().unwrap_or_default().into();
            let places = Arc::new(Semaphore::new(self.limits.at_once_per_host));
            let of_host = self.places_by_host.get_with(host, async { places }).await;
            let turn = async { Ok((of_host.acquire().await?, self.places.acquire().await?)) };
            // Whose turn comes late would hardly have time left, and fail by no fault of the host.
            let turn = tokio::time::timeout(self.limits.whole / 2, turn).await;
            let turn: Result<_, AcquireError> = turn.map_err(|_| Fault::Busy)?;
            let _places = turn.map_err(|_| Fault::Busy)?;
            exchange::get(connection, url, self.limits.most_bytes).await
        };
        let answer = tokio::time::timeout(self.limits.whole, fetch).await;
        answer.unwrap_or_else(|_| {
            let seconds = self.limits.whole.as_secs_f32();
            Err(Fault::Timeout { seconds })
        })
    }
}

impl FetchDocument for ClientDocuments {
    fn fetch<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        Box::pin(async move {
            let answer = self
                .answers
                .get_with(url.as_str().into(), self.attempt(url));
            answer.await.map_err(FetchFault::from)
        })
    }
}

impl fmt::Debug for ClientDocuments {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = formatter.debug_struct("ClientDocuments");
        fields.field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// How long an answer is remembered.
struct Remembered(FetchLimits);

impl Expiry<Arc<str>, Answer> for Remembered {
    fn expire_after_create(&self, _: &Arc<str>, answer: &Answer, _: Instant) -> Option<Duration> {
        Some(match answer {
            Ok(_) => self.0.document_remembered,
            // The host was not asked.
            Err(Fault::Busy | Fault::SetUp) => Duration::ZERO,
            Err(_) => self.0.failure_remembered,
        })
    }
}

/// Why test hosts are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestHostsError {
    /// A host would be fetched from another machine, past the check of its address.
    #[error(
        "cimd.test.hosts: {host:?} is mapped to {address}, which is not this machine\nhint: a loopback address such as 127.0.0.1:4443"
    )]
    NotLoopback {
        /// The host's name.
        host: String,
        /// What it is mapped to.
        address: SocketAddr,
    },
    /// The certificate authority cannot be read.
    #[error(
        "cimd.test.ca_file: {reason}\nhint: one or more certificates in PEM form (`-----BEGIN CERTIFICATE-----`)"
    )]
    Authority {
        /// What is wrong with it.
        reason: String,
    },
}
