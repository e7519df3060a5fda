//! Bodies at `POST /mcp`.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use clerk::{BoxFuture, Client, Env, SecretKey, Transport, TransportError};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use mcp::rmcp_adapter::{ClerkMcpServer, PrincipalOfRequest, Served};
use mcp::{Confirm, Sealer, Service, Shared, audit::Audit, audit::AuditRow};
use server::front::{
    Authenticate, Bounds, Endpoint, Front, FrontConfig, Principal, PrincipalKey, origin::Allowed,
};
use store::sessions::MemorySessions;
use toolkit::ClerkToolkit;
use url::Url;

use crate::world::wait;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"fuzz","version":"1"}}}"#;
const MODERN: &str = "2026-07-28";

pub(crate) const SEEDS: &[&str] = &[
    INITIALIZE,
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    r#"{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{"cursor":"x"}}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"getUser","arguments":{"userId":"user_1"},"_meta":{"progressToken":1}}}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"fuzz","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#,
    r#"{"jsonrpc":"2.0","id":4,"method":"prompts/get","params":{"name":"x","arguments":{}}}"#,
    r#"{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"clerk://x"}}"#,
    r#"{"jsonrpc":"2.0","id":6,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"y","value":"z"}}}"#,
    r#"[{"jsonrpc":"2.0","id":7,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}]"#,
    r#"{"jsonrpc":"2.0","id":8,"result":{}}"#,
    r#"{"jsonrpc":"2.0","id":9,"error":{"code":-32600,"message":"x"}}"#,
    "{",
    "[]",
    "null",
];

/// More than one thread has under way.
const BOUNDS: Bounds = Bounds {
    calls: 1000,
    calls_of_person: 1000,
    calls_per_second: None,
    streams: 1000,
    streams_of_person: 1000,
    streams_of_client: 1000,
};

static FRONT: LazyLock<Front<Everybody, ClerkMcpServer<PrincipalOfRequest>>> =
    LazyLock::new(|| {
        let url = Url::parse("http://127.0.0.1:8788").unwrap();
        Front::new(
            Everybody(Arc::new(Served::new(service()))),
            ClerkMcpServer::for_principal(PrincipalOfRequest, "0.0.0"),
            FrontConfig {
                allowed: Allowed::new(&url, &[]),
                max_body: 64 * 1024,
                max_sessions: 16,
                max_sessions_of_person: 16,
                session_idle: Duration::from_secs(60),
                stop: Arc::default(),
                env: Arc::new(Still),
                bounds: BOUNDS,
                store: Arc::new(MemorySessions::new()),
                tool_lists: Arc::default(),
                sse: None,
            },
        )
    });

pub(crate) fn run(input: &[u8]) -> bool {
    let session = initialize();
    let mut is_answered = false;
    for (version, session) in [(None, None), (None, Some(&session)), (Some(MODERN), None)] {
        let response = post(input, version, session);
        let status = response.status().as_u16();
        let known = [200, 202, 400, 404, 413, 422];
        assert!(known.contains(&status), "{status}");
        is_answered |= status == 200;
    }
    end(&session);
    is_answered
}

/// A client that behaves is served.
fn initialize() -> HeaderValue {
    let response = post(INITIALIZE.as_bytes(), None, None);
    assert_eq!(response.status(), 200);
    response.headers()["mcp-session-id"].clone()
}

fn post(body: &[u8], version: Option<&str>, session: Option<&HeaderValue>) -> Response<Body> {
    let mut request = request("POST", session).header("content-type", "application/json");
    if let Some(version) = version {
        request = request.header("mcp-protocol-version", version);
    }
    let body = Body::from(body.to_vec());
    wait(FRONT.handle(Endpoint::Mcp, request.body(body).unwrap()))
}

fn end(session: &HeaderValue) {
    let request = request("DELETE", Some(session))
        .body(Body::empty())
        .unwrap();
    let status = wait(FRONT.handle(Endpoint::Mcp, request)).status().as_u16();
    // What was sent in it may have ended it.
    assert!(matches!(status, 200 | 202 | 204 | 404), "{status}");
}

fn request(method: &str, session: Option<&HeaderValue>) -> http::request::Builder {
    let request = Request::builder()
        .method(method)
        .uri("/mcp")
        .header("host", "127.0.0.1:8788")
        .header("accept", "application/json, text/event-stream");
    match session {
        Some(session) => request.header("mcp-session-id", session),
        None => request,
    }
}

/// Takes every request for one of the same person and client.
struct Everybody(Arc<Served>);

impl Authenticate for Everybody {
    fn authenticate<'a>(
        &'a self,
        _: &'a Parts,
    ) -> BoxFuture<'a, Result<Principal, Response<Body>>> {
        let principal = Principal {
            key: PrincipalKey::new(None, Some("everybody")),
            ended: Arc::default(),
            served: Some(Arc::clone(&self.0)),
        };
        Box::pin(async move { Ok(principal) })
    }

    fn insufficient_scope(&self, _: &[String], _: &str) -> Option<HeaderValue> {
        None
    }
}

/// Every tool, over a Clerk that knows nobody.
fn service() -> Service {
    let key = SecretKey::parse("sk_test_0123456789abcdefghij").unwrap();
    let client = Client::builder(key, Arc::new(Empty), Arc::new(Still)).build();
    let toolkit = ClerkToolkit::builder(client).build().unwrap();
    let shared = Shared {
        audit: Arc::new(Unheard),
        sealer: Arc::new(Sealer::new([1; 32])),
        confirm: Confirm::Never,
        own_names: Default::default(),
    };
    Service::new(toolkit, shared)
}

struct Empty;

impl Transport for Empty {
    fn send(
        &self,
        _: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let mut response = Response::new(Bytes::from_static(b"{\"errors\":[]}"));
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        Box::pin(async move { Ok(response) })
    }
}

struct Still;

impl Env for Still {
    fn now(&self) -> u64 {
        1_790_000_000_000
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        4
    }
}

struct Unheard;

impl Audit for Unheard {
    fn record(&self, _: AuditRow) {}
}
