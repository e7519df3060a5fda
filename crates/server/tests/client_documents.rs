//! Client ID Metadata Documents, fetched from hosts with TLS on this machine: what is accepted, what
//! is refused, and what is never reached.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clerk_mcp_server::{
    client_documents::{ClientDocuments, FetchLimits, Lookup, TestHostsError},
    config::CimdTest,
};
use futures_util::future::join_all;
use oauth::{BoxFuture, FetchDocument as _, FetchedDocument, MAX_DOCUMENT_BYTES};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
    server::TlsStream,
};
use url::Url;

/// A certificate authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// TLS with a certificate for this name, and for [`ALIAS`].
    fn tls(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned(), ALIAS.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A host of documents; what it answers goes by the path.
struct Host {
    authority: Authority,
    address: SocketAddr,
    seen: Arc<Seen>,
}

/// What a host saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    heads: Mutex<Vec<String>>,
}

impl Seen {
    fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

const NAME: &str = "client.example";
/// Another name of the same host.
const ALIAS: &str = "slow.example";
/// Nothing that must come takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

impl Host {
    /// A host whose certificate is for [`NAME`].
    async fn new() -> Self {
        Self::named(NAME).await
    }

    async fn named(name: &str) -> Self {
        let authority = Authority::new();
        let tls = authority.tls(name);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let seen_by_host = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(tls.clone(), stream, Arc::clone(&seen_by_host)));
            }
        });
        Self {
            authority,
            address,
            seen,
        }
    }

    /// The configuration under which [`NAME`] is this host.
    fn as_test(&self) -> CimdTest {
        CimdTest {
            hosts: BTreeMap::from([(NAME.to_owned(), self.address)]),
            ca_pem: Some(self.authority.pem.clone()),
        }
    }

    /// Reads until the host was asked so many times.
    async fn until_requests(&self, requests: usize, read: impl AsyncFn()) {
        let reading = async {
            while self.seen.requests() < requests {
                read().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
    }

    fn documents(&self) -> ClientDocuments {
        self.documents_within(FetchLimits::default())
    }

    fn documents_within(&self, limits: FetchLimits) -> ClientDocuments {
        ClientDocuments::with(Some(&self.as_test()), names(&[]), limits).unwrap()
    }
}

async fn converse(tls: TlsAcceptor, stream: TcpStream, seen: Arc<Seen>) {
    seen.connections.fetch_add(1, Ordering::SeqCst);
    let Ok(mut stream) = tls.accept(stream).await else {
        return;
    };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    seen.heads.lock().unwrap().push(head);
    let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most_open.fetch_max(open, Ordering::SeqCst);
    // The fetcher may hang up in the middle.
    let _ = answer(&mut stream, &path, &seen).await;
    seen.open.fetch_sub(1, Ordering::SeqCst);
    let _ = stream.shutdown().await;
}

async fn answer(stream: &mut TlsStream<TcpStream>, path: &str, seen: &Seen) -> io::Result<()> {
    let json = "Content-Type: application/json\r\n";
    // What comes behind a question mark only makes documents differ.
    let path = path.split('?').next().unwrap_or_default();
    let (status, headers, body) = match path {
        "/redirect" => ("302 Found", "Location: /client.json\r\n".to_owned(), vec![]),
        "/missing" => ("404 Not Found", json.to_owned(), b"{}".to_vec()),
        "/partial" => ("206 Partial Content", json.to_owned(), b"{}".to_vec()),
        "/page" => (
            "200 OK",
            "Content-Type: text/html\r\n".to_owned(),
            b"{}".to_vec(),
        ),
        "/untyped" => ("200 OK", String::new(), b"{}".to_vec()),
        "/gzip" => (
            "200 OK",
            format!("{json}Content-Encoding: gzip\r\n"),
            vec![0x1f, 0x8b],
        ),
        "/cached" => (
            "200 OK",
            "Content-Type: application/client+json; charset=utf-8\r\nCache-Control: public\r\n\
             Set-Cookie: a=b\r\nCache-Control: max-age=60\r\n"
                .to_owned(),
            b"{}".to_vec(),
        ),
        "/largest" => ("200 OK", json.to_owned(), vec![b' '; MAX_DOCUMENT_BYTES]),
        "/too-large" => (
            "200 OK",
            json.to_owned(),
            vec![b' '; MAX_DOCUMENT_BYTES + 1],
        ),
        "/endless" => {
            let head = format!("HTTP/1.1 200 OK\r\n{json}Transfer-Encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
                stream.write_all(chunk.as_bytes()).await?;
                stream.flush().await?;
            }
        }
        "/dripping" => {
            let head = format!("HTTP/1.1 200 OK\r\n{json}Content-Length: 1000\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        "/cut" => {
            let head = format!("HTTP/1.1 200 OK\r\n{json}Content-Length: 1000\r\n\r\n{{}}");
            return stream.write_all(head.as_bytes()).await;
        }
        "/silent" => {
            // Until the fetcher hangs up.
            let _ = stream.read_u8().await;
            return Ok(());
        }
        _ => {
            let others = path.strip_prefix("/with-others/");
            let others = others.map_or(0, |others| others.parse().unwrap());
            while seen.most_open.load(Ordering::SeqCst) < others {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // Long enough for more to come meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            ("200 OK", json.to_owned(), b"{\"client_id\":\"\"}".to_vec())
        }
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.flush().await
}

/// A lookup of names that knows only these.
struct Names(BTreeMap<String, Vec<IpAddr>>);

fn names(names: &[(&str, &[&str])]) -> Arc<dyn Lookup> {
    let address = |address: &&str| address.parse().unwrap();
    let names = names.iter().map(|(name, addresses)| {
        let addresses = addresses.iter().map(address).collect();
        ((*name).to_owned(), addresses)
    });
    Arc::new(Names(names.collect()))
}

impl Lookup for Names {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = self.0.get(host).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::other("10.0.0.53 says no")) })
    }
}

async fn fetch(documents: &ClientDocuments, url: &str) -> Result<FetchedDocument, String> {
    let fetched = documents.fetch(&Url::parse(url).unwrap()).await;
    fetched.map_err(|fault| fault.message)
}

async fn path(documents: &ClientDocuments, path: &str) -> Result<FetchedDocument, String> {
    fetch(documents, &format!("https://{NAME}{path}")).await
}

async fn refused(documents: &ClientDocuments, at: &str, why: &str) {
    let message = path(documents, at).await.unwrap_err();
    assert!(message.contains(why), "{at}: {message}");
}

#[tokio::test]
async fn cimd_a_document_comes_as_it_was_served() {
    let host = Host::new().await;
    let documents = host.documents();
    let document = path(&documents, "/client.json").await.unwrap();
    assert_eq!(document.body, b"{\"client_id\":\"\"}");
    assert_eq!(document.content_type.as_deref(), Some("application/json"));
    assert_eq!(document.cache_control, None);
    let document = path(&documents, "/largest").await.unwrap();
    assert_eq!(document.body.len(), MAX_DOCUMENT_BYTES);
}

#[tokio::test]
async fn cimd_cache_control_is_passed_on() {
    let host = Host::new().await;
    let document = path(&host.documents(), "/cached").await.unwrap();
    assert_eq!(
        document.cache_control.as_deref(),
        Some("public, max-age=60")
    );
    assert_eq!(
        document.content_type.as_deref(),
        Some("application/client+json; charset=utf-8")
    );
}

#[tokio::test]
async fn cimd_nothing_but_the_request_is_sent() {
    let host = Host::new().await;
    let documents = host.documents();
    path(&documents, "/cached").await.unwrap();
    // That answer set a cookie.
    path(&documents, "/client.json?a=b").await.unwrap();
    let heads = host.seen.heads.lock().unwrap().clone();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        heads[1].to_ascii_lowercase(),
        format!(
            "get /client.json?a=b http/1.1\r\naccept: application/json\r\naccept-encoding: identity\r\n\
             user-agent: clerk-mcp/{version}\r\nhost: {NAME}\r\n\r\n"
        )
    );
}

#[tokio::test]
async fn cimd_other_answers_are_refused() {
    let host = Host::new().await;
    let documents = host.documents();
    refused(&documents, "/redirect", "status 302").await;
    assert_eq!(host.seen.requests(), 1, "the redirect was not followed");
    refused(&documents, "/missing", "status 404").await;
    refused(&documents, "/partial", "status 206").await;
    refused(&documents, "/page", "not served as JSON").await;
    refused(&documents, "/untyped", "not served as JSON").await;
    refused(&documents, "/gzip", "compressed").await;
    refused(&documents, "/cut", "could not be reached").await;
}

#[tokio::test]
async fn cimd_five_kilobytes_are_read_at_most() {
    let host = Host::new().await;
    let documents = host.documents();
    refused(&documents, "/too-large", "larger than 5 KB").await;
    refused(&documents, "/endless", "larger than 5 KB").await;
}

#[tokio::test]
async fn cimd_key_sets_are_larger_and_not_remembered() {
    let host = Host::new().await;
    let key_sets = host.documents().of_key_sets();
    for requests in 1..=2 {
        let fetched = path(&key_sets, "/too-large").await.unwrap();
        assert_eq!(fetched.body.len(), MAX_DOCUMENT_BYTES + 1);
        assert_eq!(host.seen.requests(), requests);
    }
    refused(&key_sets, "/endless", "larger than 32 KB").await;
    // At the same moment they are asked for once.
    let before = host.seen.requests();
    let together = (0..8).map(|_| path(&key_sets, "/client.json"));
    assert!(join_all(together).await.iter().all(Result::is_ok));
    assert_eq!(host.seen.requests(), before + 1);
    let url = Url::parse("https://127.0.0.1/jwks.json").unwrap();
    let fault = key_sets.fetch(&url).await.unwrap_err();
    assert!(!fault.is_temporary, "{fault}");
}

#[tokio::test]
async fn cimd_only_what_may_pass_by_itself_is_temporary() {
    let host = Host::new().await;
    let documents = host.documents();
    let is_temporary = async |at: &str| {
        let url = Url::parse(&format!("https://{NAME}{at}")).unwrap();
        documents.fetch(&url).await.unwrap_err().is_temporary
    };
    assert!(is_temporary("/cut").await);
    for at in ["/missing", "/redirect", "/page", "/gzip", "/too-large"] {
        assert!(!is_temporary(at).await, "{at}");
    }
    let unknown = Url::parse("https://unknown.example/client.json").unwrap();
    assert!(documents.fetch(&unknown).await.unwrap_err().is_temporary);
}

#[tokio::test]
async fn cimd_a_slow_host_is_given_up() {
    assert_eq!(FetchLimits::default().whole, Duration::from_secs(10));
    let host = Host::new().await;
    let documents = host.documents_within(FetchLimits {
        whole: Duration::from_millis(400),
        ..FetchLimits::default()
    });
    for slow in ["/silent", "/dripping"] {
        let fetched = refused(&documents, slow, "did not send it within 0.4 s");
        tokio::time::timeout(PATIENCE, fetched).await.unwrap();
    }
}

#[tokio::test]
async fn cimd_a_host_that_never_shakes_hands_is_given_up() {
    let host = Host::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut test = host.as_test();
    test.hosts
        .insert(NAME.to_owned(), silent.local_addr().unwrap());
    let limits = FetchLimits {
        whole: Duration::from_millis(400),
        ..FetchLimits::default()
    };
    let documents = ClientDocuments::with(Some(&test), names(&[]), limits).unwrap();
    refused(&documents, "/client.json", "did not send it within").await;
}

#[tokio::test]
async fn cimd_hosts_that_are_not_public_are_never_reached() {
    let host = Host::new().await;
    let port = host.address.port();
    let lookup = names(&[
        ("loopback.example", &["127.0.0.1"]),
        ("mapped.example", &["::ffff:10.0.0.1"]),
        ("metadata.example", &["169.254.169.254"]),
        ("nat64.example", &["64:ff9b::127.0.0.1"]),
        ("6to4.example", &["2002:7f00:1::"]),
        ("v6.example", &["::1"]),
        ("one-of-two.example", &["1.1.1.1", "127.0.0.1"]),
        ("localhost", &["127.0.0.1"]),
    ]);
    let limits = FetchLimits::default();
    let documents = ClientDocuments::with(Some(&host.as_test()), lookup, limits).unwrap();
    for name in [
        "loopback.example",
        "mapped.example",
        "metadata.example",
        "nat64.example",
        "6to4.example",
        "v6.example",
        "one-of-two.example",
        "localhost",
        // Not looked up at all.
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "127.0.0.1.",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
    ] {
        let url = format!("https://{name}:{port}/client.json");
        let message = fetch(&documents, &url).await.unwrap_err();
        assert!(
            message.contains("not on the public internet"),
            "{name}: {message}"
        );
        for secret in ["127.", "10.0", "169.254", "::"] {
            assert!(!message.contains(secret), "{message}");
        }
    }
    assert_eq!(host.seen.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn cimd_a_name_without_address_is_said_so_without_more() {
    let limits = FetchLimits::default();
    let lookup = names(&[("empty.example", &[])]);
    let documents = ClientDocuments::with(None, lookup, limits).unwrap();
    for name in ["unknown.example", "empty.example"] {
        let message = fetch(&documents, &format!("https://{name}/client.json")).await;
        let message = message.unwrap_err();
        assert!(message.contains("has no address"), "{message}");
        assert!(!message.contains("10.0.0.53"), "{message}");
    }
}

#[tokio::test]
async fn cimd_only_https_without_credentials() {
    let host = Host::new().await;
    let documents = host.documents();
    for url in [
        "http://client.example/client.json",
        "ftp://client.example/client.json",
        "https://user@client.example/client.json",
        "https://:password@client.example/client.json",
        "file:///etc/passwd",
    ] {
        let message = fetch(&documents, url).await.unwrap_err();
        assert!(
            message.contains("its URL is not `https`"),
            "{url}: {message}"
        );
    }
    assert_eq!(host.seen.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn cimd_certificates_of_others_are_refused() {
    let other_name = Host::named("other.example").await;
    refused(&other_name.documents(), "/client.json", "certificate").await;
    let host = Host::new().await;
    let mut test = host.as_test();
    test.ca_pem = Some(Authority::new().pem);
    let documents = ClientDocuments::new(Some(&test)).unwrap();
    refused(&documents, "/client.json", "certificate").await;
    // The machine's authorities do not know it either.
    test.ca_pem = None;
    let documents = ClientDocuments::new(Some(&test)).unwrap();
    refused(&documents, "/client.json", "certificate").await;
    assert_eq!(host.seen.requests() + other_name.seen.requests(), 0);
}

#[tokio::test]
async fn cimd_test_hosts_are_this_machine_and_one_port() {
    let host = Host::new().await;
    let documents = host.documents();
    let port = host.address.port();
    let at = |port: u16| format!("https://{NAME}:{port}/client.json");
    fetch(&documents, &at(port)).await.unwrap();
    let message = fetch(&documents, &at(port ^ 1)).await.unwrap_err();
    assert!(message.contains("not on the public internet"), "{message}");

    let mut test = host.as_test();
    test.hosts.insert("Other.Example".to_owned(), host.address);
    ClientDocuments::new(Some(&test)).unwrap();
    let address = "10.0.0.1:443".parse().unwrap();
    test.hosts.insert("far.example".to_owned(), address);
    let host = "far.example".to_owned();
    assert_eq!(
        ClientDocuments::new(Some(&test)).unwrap_err(),
        TestHostsError::NotLoopback { host, address }
    );
}

#[tokio::test]
async fn cimd_a_broken_test_authority_is_an_error() {
    let host = Host::new().await;
    for pem in [
        "",
        "rubbish",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let mut test = host.as_test();
        test.ca_pem = Some(pem.to_owned());
        let error = ClientDocuments::new(Some(&test)).unwrap_err();
        assert!(matches!(error, TestHostsError::Authority { .. }), "{pem}");
    }
}

#[tokio::test]
async fn cimd_who_asks_at_the_same_time_gets_one_answer() {
    let host = Host::new().await;
    let documents = host.documents();
    let fetches = (0..50).map(|_| path(&documents, "/client.json"));
    let fetched = join_all(fetches).await;
    assert!(fetched.iter().all(Result::is_ok));
    assert_eq!(host.seen.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn cimd_a_failure_is_remembered_for_a_while() {
    let host = Host::new().await;
    let documents = host.documents();
    for _ in 0..20 {
        refused(&documents, "/missing", "status 404").await;
    }
    assert_eq!(host.seen.requests(), 1);
    let documents = host.documents_within(FetchLimits {
        failure_remembered: Duration::from_millis(100),
        ..FetchLimits::default()
    });
    host.until_requests(3, || refused(&documents, "/missing", "status 404"))
        .await;
}

#[tokio::test]
async fn cimd_a_document_is_fetched_anew_soon() {
    let host = Host::new().await;
    let documents = host.documents();
    path(&documents, "/client.json").await.unwrap();
    path(&documents, "/client.json").await.unwrap();
    assert_eq!(host.seen.requests(), 1);
    let documents = host.documents_within(FetchLimits {
        document_remembered: Duration::from_millis(100),
        ..FetchLimits::default()
    });
    let read = async || {
        path(&documents, "/client.json").await.unwrap();
    };
    host.until_requests(3, read).await;
}

#[tokio::test]
async fn cimd_few_fetches_at_a_time() {
    let host = Host::new().await;
    // Each waits for its turn, however slow the machine is.
    let patient = FetchLimits {
        whole: PATIENCE * 2,
        ..FetchLimits::default()
    };
    let by_host = FetchLimits {
        at_once_per_host: 2,
        ..patient
    };
    let in_all = FetchLimits {
        at_once: 3,
        at_once_per_host: 10,
        ..patient
    };
    for (limits, most) in [(by_host, 2), (in_all, 3)] {
        host.seen.most_open.store(0, Ordering::SeqCst);
        let documents = host.documents_within(limits);
        // The host answers once so many are open.
        let paths = (0..12).map(|number| format!("/with-others/{most}?{number}"));
        let fetches = paths.map(|at| {
            let documents = &documents;
            async move { path(documents, &at).await }
        });
        let fetched = join_all(fetches).await;
        assert!(fetched.iter().all(Result::is_ok));
        assert_eq!(host.seen.most_open.load(Ordering::SeqCst), most);
    }
}

#[tokio::test]
async fn cimd_a_slow_host_does_not_keep_out_others_and_its_own_may_try_again() {
    let host = Host::new().await;
    let mut test = host.as_test();
    test.hosts.insert(ALIAS.to_owned(), host.address);
    let limits = FetchLimits {
        whole: PATIENCE * 2,
        at_once_per_host: 1,
        ..FetchLimits::default()
    };
    let documents = ClientDocuments::with(Some(&test), names(&[]), limits).unwrap();
    let slow = async |number: u32| {
        let url = format!("https://{ALIAS}/silent?{number}");
        fetch(&documents, &url).await.unwrap_err()
    };
    let heard = async |requests: usize| {
        while host.seen.requests() < requests {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut both = pin!(async { tokio::join!(slow(1), slow(2)) });
    tokio::select! {
        ended = both.as_mut() => panic!("nobody answers them: {ended:?}"),
        () = heard(1) => {}
    }
    tokio::select! {
        biased;
        ended = both.as_mut() => panic!("the other waits for their end: {ended:?}"),
        other = path(&documents, "/client.json") => { other.unwrap(); }
    }
    // All that is waited for now is time, and this leaps over it.
    tokio::time::pause();
    let (first, second) = both.await;
    tokio::time::resume();
    let mut messages = [first, second];
    messages.sort();
    assert!(
        messages[0].contains("did not send it within"),
        "{messages:?}"
    );
    assert!(messages[1].contains("too many documents"), "{messages:?}");
    // That it was not tried is not held against the second.
    let mut again = pin!(slow(2));
    tokio::select! {
        ended = again.as_mut() => panic!("nobody answers it: {ended}"),
        () = heard(3) => tokio::time::pause(),
    }
    let again = again.await;
    assert!(again.contains("did not send it within"), "{again}");
}

#[tokio::test]
async fn cimd_whoever_gives_up_does_not_spoil_it_for_others() {
    let host = Host::new().await;
    let documents = Arc::new(host.documents());
    let first = tokio::spawn({
        let documents = Arc::clone(&documents);
        async move { path(&documents, "/client.json").await }
    });
    let second = tokio::spawn({
        let documents = Arc::clone(&documents);
        async move { path(&documents, "/client.json").await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.abort();
    second.await.unwrap().unwrap();
}

/// The environment cannot be changed within a test, so the test runs another one as a process.
#[test]
fn cimd_no_proxy_of_the_environment_is_used() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "cimd_a_document_comes_as_it_was_served"]);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, "http://127.0.0.1:9");
    }
    for name in ["NO_PROXY", "no_proxy"] {
        child.env_remove(name);
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}
