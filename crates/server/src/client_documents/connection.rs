//! Connections to hosts that anybody may name.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use oauth::{BoxFuture, is_public};
use reqwest::{
    Certificate, Client, ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::{
    TestHostsError,
    fault::{Fault, innermost},
};
use crate::config::CimdTest;

/// How long connecting may take; divided among a host's addresses, so that one that is silent does
/// not use up the time for all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Lookups at the same time. Each occupies a thread, beyond the time of its fetch if the name's
/// servers are silent.
const LOOKUPS_AT_ONCE: usize = 64;

/// Finds the addresses of a host name.
pub trait Lookup: Send + Sync {
    /// All addresses of the host.
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Asks the operating system.
#[derive(Debug)]
pub struct SystemLookup(Arc<Semaphore>);

impl Default for SystemLookup {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)))
    }
}

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let place = Arc::clone(&self.0).acquire_owned().await;
            let host = host.to_owned();
            // The place is taken as long as the thread is, whether or not the fetch still waits.
            let lookup = tokio::spawn(async move {
                let _place = place;
                let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}

/// The connections of a server.
pub(super) struct Connections {
    /// To the public internet. The machine's certificates are read when it is first needed.
    public: OnceLock<Client>,
    public_hosts: Arc<PublicHosts>,
    /// To the test hosts, with their names.
    test: Option<(TestHosts, Client)>,
}

impl Connections {
    pub(super) fn new(
        test: Option<&CimdTest>,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, TestHostsError> {
        let test = test.map(|test| {
            let hosts = TestHosts::new(test)?;
            let client = test_client(hosts.clone(), test.ca_pem.as_deref())?;
            Ok((hosts, client))
        });
        let public_hosts = PublicHosts {
            lookup,
            is_allowed: is_public,
        };
        Ok(Self {
            public: OnceLock::new(),
            public_hosts: Arc::new(public_hosts),
            test: test.transpose()?,
        })
    }

    /// What to fetch a URL with. The one place where an address is checked that is written in the
    /// URL: such a host is not looked up.
    pub(super) fn to(&self, url: &Url) -> Result<&Client, Fault> {
        if url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::Url);
        }
        let is_allowed = self.public_hosts.is_allowed;
        let allowed = match url.host().ok_or(Fault::Url)? {
            Host::Ipv4(address) => is_allowed(address.into()),
            Host::Ipv6(address) => is_allowed(address.into()),
            Host::Domain(name) => {
                if let Some((hosts, client)) = &self.test
                    && let Some(address) = hosts.0.get(name)
                {
                    // A port in the URL would win over the mapped one.
                    let same_port = url.port().is_none_or(|port| port == address.port());
                    return same_port.then_some(client).ok_or(Fault::NotPublic);
                }
                true
            }
        };
        if allowed {
            self.public()
        } else {
            Err(Fault::NotPublic)
        }
    }

    fn public(&self) -> Result<&Client, Fault> {
        if let Some(client) = self.public.get() {
            return Ok(client);
        }
        let builder = careful().dns_resolver(Arc::clone(&self.public_hosts));
        let client = builder.build().map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "client metadata documents and key sets cannot be fetched; hint: are the CA certificates installed?"
            );
            Fault::SetUp
        })?;
        Ok(self.public.get_or_init(|| client))
    }
}

/// What all connections have in common. Compression and cookies are compiled in if any crate of the
/// program asks for them, so they are switched off here.
fn careful() -> ClientBuilder {
    Client::builder()
        .https_only(true)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .referer(false)
        // A kept connection is to an address checked long ago.
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("clerk-mcp/", env!("CARGO_PKG_VERSION")))
}

fn test_client(hosts: TestHosts, ca_pem: Option<&str>) -> Result<Client, TestHostsError> {
    let refused = |error: reqwest::Error| TestHostsError::Authority {
        reason: innermost(&error),
    };
    let mut builder = careful().dns_resolver(Arc::new(hosts));
    if let Some(pem) = ca_pem {
        let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(refused)?;
        if certificates.is_empty() {
            let reason = "there is no certificate in the file".to_owned();
            return Err(TestHostsError::Authority { reason });
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(refused)
}

/// The lookup of the connections to the public internet: it gives out a host's addresses only if
/// all are public. As the connection asks nothing else, what was checked is what it connects to.
struct PublicHosts {
    lookup: Arc<dyn Lookup>,
    /// [`is_public`].
    is_allowed: fn(IpAddr) -> bool,
}

impl Resolve for PublicHosts {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.lookup);
        let is_allowed = self.is_allowed;
        Box::pin(async move {
            let host = name.as_str();
            let addresses = lookup.lookup(host).await.map_err(|_| Fault::Unresolved)?;
            if addresses.is_empty() {
                return Err(Fault::Unresolved.into());
            }
            if let Some(address) = addresses.iter().find(|&&address| !is_allowed(address)) {
                tracing::warn!(host, %address, "a client named a host that is not public");
                return Err(Fault::NotPublic.into());
            }
            let addresses = addresses.into_iter();
            let addresses = addresses.map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The lookup of the connections to the test hosts.
#[derive(Clone)]
struct TestHosts(Arc<BTreeMap<String, SocketAddr>>);

impl TestHosts {
    fn new(test: &CimdTest) -> Result<Self, TestHostsError> {
        let mut hosts = BTreeMap::new();
        for (host, &address) in &test.hosts {
            if !address.ip().to_canonical().is_loopback() {
                let host = host.clone();
                return Err(TestHostsError::NotLoopback { host, address });
            }
            // As URLs spell it.
            hosts.insert(host.to_ascii_lowercase(), address);
        }
        Ok(Self(Arc::new(hosts)))
    }
}

impl Resolve for TestHosts {
    fn resolve(&self, name: Name) -> Resolving {
        let address = self.0.get(name.as_str()).copied();
        Box::pin(async move {
            let address = address.ok_or(Fault::Unresolved)?;
            Ok(Box::new(std::iter::once(address)) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::{
        net::{Ipv4Addr, TcpListener},
        sync::Mutex,
    };

    use super::{super::exchange, *};

    /// Gives one answer after the other.
    struct Changing(Mutex<Vec<Vec<IpAddr>>>);

    impl Lookup for Changing {
        fn lookup<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let next = self.0.lock().unwrap().remove(0);
            Box::pin(async move { Ok(next) })
        }
    }

    const CHECKED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
    const HIDDEN: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// Connections for which [`CHECKED`] is public, a listener there and one at [`HIDDEN`].
    fn rebinding(answers: &[&[IpAddr]]) -> (Connections, Arc<Changing>, TcpListener, TcpListener) {
        let checked = TcpListener::bind((CHECKED, 0)).unwrap();
        let port = checked.local_addr().unwrap().port();
        let hidden = TcpListener::bind((HIDDEN, port)).unwrap();
        checked.set_nonblocking(true).unwrap();
        hidden.set_nonblocking(true).unwrap();
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        let lookup = Arc::new(Changing(Mutex::new(answers)));
        let connections = Connections {
            public: OnceLock::new(),
            public_hosts: Arc::new(PublicHosts {
                lookup: Arc::clone(&lookup) as Arc<dyn Lookup>,
                is_allowed: |address| address == CHECKED,
            }),
            test: None,
        };
        (connections, lookup, checked, hidden)
    }

    fn document(listener: &TcpListener) -> Url {
        let port = listener.local_addr().unwrap().port();
        Url::parse(&format!("https://client.example:{port}/client.json")).unwrap()
    }

    /// Fetches while the listener cuts off whoever connects to it.
    async fn fetch_cut_off(connections: &Connections, checked: &TcpListener) -> (Fault, usize) {
        let url = document(checked);
        let fetch = exchange::get(connections.to(&url).unwrap(), &url, 1024);
        let mut fetch = std::pin::pin!(fetch);
        let mut accepted = 0;
        loop {
            tokio::select! {
                fault = fetch.as_mut() => return (fault.unwrap_err(), accepted),
                () = tokio::time::sleep(Duration::from_millis(2)) => {
                    accepted += usize::from(checked.accept().is_ok());
                }
            }
        }
    }

    #[tokio::test]
    async fn cimd_a_name_is_looked_up_once_and_connected_to_what_was_checked() {
        let (connections, lookup, checked, hidden) = rebinding(&[&[CHECKED], &[HIDDEN]]);
        let (fault, accepted) = fetch_cut_off(&connections, &checked).await;
        assert!(matches!(fault, Fault::Unreachable { .. }), "{fault}");
        assert_eq!(accepted, 1);
        assert_eq!(*lookup.0.lock().unwrap(), [[HIDDEN]], "one answer is left");
        assert!(hidden.accept().is_err(), "nobody connected");

        // The next fetch looks again, and sees that the name has moved.
        let url = document(&checked);
        let client = connections.to(&url).unwrap();
        assert_eq!(
            exchange::get(client, &url, 1024).await,
            Err(Fault::NotPublic)
        );
        assert!(hidden.accept().is_err() && checked.accept().is_err());
    }

    #[tokio::test]
    async fn cimd_one_hidden_address_among_public_ones_is_enough() {
        for addresses in [[CHECKED, HIDDEN], [HIDDEN, CHECKED]] {
            let (connections, _, checked, hidden) = rebinding(&[&addresses]);
            let url = document(&checked);
            let client = connections.to(&url).unwrap();
            assert_eq!(
                exchange::get(client, &url, 1024).await,
                Err(Fault::NotPublic)
            );
            assert!(hidden.accept().is_err() && checked.accept().is_err());
        }
    }

    #[tokio::test]
    async fn the_system_finds_this_machine() {
        let found = SystemLookup::default().lookup("localhost").await.unwrap();
        assert!(found.contains(&CHECKED) || found.contains(&"::1".parse().unwrap()));
    }
}
