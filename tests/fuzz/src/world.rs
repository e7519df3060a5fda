//! An authorization server over the store in memory, with one registered client.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use oauth::{
    AuthorizationServer, BoxFuture, ClientId, ClientKeys, FetchDocument, FetchFault,
    FetchedDocument, Grant, MemoryStore, PublicKey, Random, RefreshCheck, RefreshRefusal, Sealed,
    ServerKey, ServerKeys, Settings, Timestamp,
};
use tokio::runtime::Runtime;
use url::Url;

pub(crate) const ISSUER: &str = "https://mcp.example.com";
pub(crate) const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// The one document that a client publishes.
pub(crate) const DOCUMENT_URL: &str = "https://client.example/client.json";

/// Two threads for whatever a target starts.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    &RUNTIME
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// A server with the client whose identifier is `client`.
pub(crate) struct World {
    pub(crate) server: AuthorizationServer,
    pub(crate) web: Web,
    pub(crate) random: Counter,
    pub(crate) client: String,
}

impl World {
    pub(crate) fn new(redirect_uris: &str) -> Self {
        let keys = ServerKeys::new(ServerKey::from_bytes([7; 32]), Vec::new());
        let settings = Settings::new(ISSUER, "https://mcp.example.com/mcp", keys).unwrap();
        let server = AuthorizationServer::new(settings, Arc::new(MemoryStore::new())).unwrap();
        let random = Counter::default();
        let document =
            format!(r#"{{"redirect_uris":{redirect_uris},"token_endpoint_auth_method":"none"}}"#);
        let registered = wait(server.register(document.as_bytes(), NOW, &random));
        Self {
            server,
            web: Web::default(),
            random,
            client: registered.unwrap().client.id.0,
        }
    }
}

/// Bytes that do not repeat.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed);
            let next = next.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
    }
}

/// Serves one document, at every URL, and believes every signature: what is tested are the rules.
#[derive(Default)]
pub(crate) struct Web(pub(crate) Mutex<Vec<u8>>);

impl FetchDocument for Web {
    fn fetch<'a>(&'a self, _: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        let document = FetchedDocument {
            content_type: Some("application/json".to_owned()),
            cache_control: Some("no-store".to_owned()),
            body: self.0.lock().unwrap().clone(),
        };
        Box::pin(async move { Ok(document) })
    }
}

impl ClientKeys for Web {
    fn presented_secret(&self, _: &ClientId, _: bool) -> Option<Duration> {
        None
    }

    fn document<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        self.fetch(url)
    }

    fn key_set<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        self.fetch(url)
    }

    fn has_signed<'a>(&'a self, _: &'a PublicKey, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }
}

/// Nobody is ever asked about.
pub(crate) struct Nobody;

impl RefreshCheck for Nobody {
    fn check<'a>(
        &'a self,
        _: &'a Grant,
        _: Option<Vec<u8>>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, RefreshRefusal>> {
        Box::pin(async { Err(RefreshRefusal::Ended) })
    }

    fn unkept(&self, _: &Grant, _: Vec<u8>, _: Sealed) {}
}
