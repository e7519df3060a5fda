//! A session is kept before its client learns of it, or there is none; and one that ends leaves nothing,
//! whenever its client hangs up.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use clerk::{BoxFuture, Env};
use clerk_mcp_server::front::{
    Authenticate, Bounds, Endpoint, Front, FrontConfig, Principal, PrincipalKey, origin::Allowed,
};
use http::{HeaderValue, Request, Response, request::Parts};
use oauth::{StoreError, StoreResult, Timestamp, TokenHash};
use rmcp::ServerHandler;
use store::sessions::{
    ListDigest, MemorySessions, SessionBounds, SessionStore, StoredEvent, StoredSession,
    SweptSessions,
};
use url::Url;

/// Keeps sessions while there is room.
#[derive(Default)]
struct Disk {
    sessions: MemorySessions,
    is_full: AtomicBool,
    /// Nothing that is written comes to an end.
    is_stuck: AtomicBool,
}

impl SessionStore for Disk {
    fn keep_session<'a>(
        &'a self,
        session: &'a StoredSession,
        most_each: usize,
    ) -> StoreResult<'a, ()> {
        if self.is_full.load(Ordering::Relaxed) {
            let full = StoreError::Unavailable {
                message: "the disk is full".to_owned(),
            };
            return Box::pin(std::future::ready(Err(full)));
        }
        self.sessions.keep_session(session, most_each)
    }

    fn session(&self, id: TokenHash) -> StoreResult<'_, Option<StoredSession>> {
        self.sessions.session(id)
    }

    fn touch_sessions<'a>(&'a self, used: &'a [(TokenHash, Timestamp)]) -> StoreResult<'a, ()> {
        self.sessions.touch_sessions(used)
    }

    fn end_session(&self, id: TokenHash) -> StoreResult<'_, bool> {
        if self.is_stuck.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        self.sessions.end_session(id)
    }

    fn keep_event<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        message: &'a str,
        now: Timestamp,
    ) -> StoreResult<'a, Option<u64>> {
        self.sessions.keep_event(session, stream, message, now)
    }

    fn tools_listed(&self, session: TokenHash, list: ListDigest) -> StoreResult<'_, ()> {
        self.sessions.tools_listed(session, list)
    }

    fn keep_tools_news<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        message: &'a str,
        list: ListDigest,
        now: Timestamp,
    ) -> StoreResult<'a, Option<u64>> {
        self.sessions
            .keep_tools_news(session, stream, message, list, now)
    }

    fn events_after<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        after: u64,
    ) -> StoreResult<'a, Vec<StoredEvent>> {
        self.sessions.events_after(session, stream, after)
    }

    fn sweep_sessions(&self, bounds: SessionBounds) -> StoreResult<'_, SweptSessions> {
        self.sessions.sweep_sessions(bounds)
    }
}

struct Everybody;

impl Authenticate for Everybody {
    fn authenticate<'a>(
        &'a self,
        _: &'a Parts,
    ) -> BoxFuture<'a, Result<Principal, Response<Body>>> {
        let principal = Principal {
            key: PrincipalKey::new(None, Some("everybody")),
            ended: Arc::default(),
            served: None,
        };
        Box::pin(std::future::ready(Ok(principal)))
    }

    fn insufficient_scope(&self, _: &[String], _: &str) -> Option<HeaderValue> {
        None
    }
}

/// Each session has one of these.
#[derive(Clone, Default)]
struct Counted(Arc<()>);

impl ServerHandler for Counted {}

struct Noon;

impl Env for Noon {
    fn now(&self) -> u64 {
        1_800_000_000_000
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        7
    }
}

async fn initialize(front: &Front<Everybody, Counted>) -> Response<Body> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
    let request = Request::post("/mcp")
        .header("host", "127.0.0.1:8788")
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(Body::from(body));
    front.handle(Endpoint::Mcp, request.unwrap()).await
}

fn front(disk: &Arc<Disk>, handler: Counted, max_sessions: usize) -> Front<Everybody, Counted> {
    let config = FrontConfig {
        allowed: Allowed::new(&Url::parse("http://127.0.0.1:8788").unwrap(), &[]),
        max_body: 64 * 1024,
        max_sessions,
        max_sessions_of_person: max_sessions,
        session_idle: Duration::from_secs(60),
        stop: Arc::default(),
        env: Arc::new(Noon),
        bounds: Bounds {
            calls: 10,
            calls_of_person: 10,
            calls_per_second: None,
            streams: 10,
            streams_of_person: 10,
            streams_of_client: 10,
        },
        store: Arc::clone(disk) as Arc<dyn SessionStore>,
        tool_lists: Arc::default(),
        sse: None,
    };
    Front::new(Everybody, handler, config)
}

#[tokio::test]
async fn no_session_begins_while_it_cannot_be_kept() {
    let disk = Arc::new(Disk::default());
    let front = front(&disk, Counted::default(), 1);
    disk.is_full.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let refused = initialize(&front).await;
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
        assert!(!refused.headers().contains_key("mcp-session-id"));
    }
    disk.is_full.store(false, Ordering::Relaxed);
    let begun = initialize(&front).await;
    assert_eq!(begun.status(), 200, "what was refused takes no place");
    assert!(begun.headers().contains_key("mcp-session-id"));
}

#[tokio::test]
async fn a_session_that_ends_leaves_nothing_when_its_client_hangs_up() {
    const SESSIONS: usize = 20;
    let disk = Arc::new(Disk::default());
    let handler = Counted::default();
    let front = front(&disk, handler.clone(), SESSIONS);
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let begun = initialize(&front).await;
        sessions.push(begun.headers()["mcp-session-id"].clone());
    }
    let with_sessions = Arc::strong_count(&handler.0);
    assert!(with_sessions > SESSIONS);
    disk.is_stuck.store(true, Ordering::Relaxed);
    for session in &sessions {
        let request = Request::delete("/mcp")
            .header("host", "127.0.0.1:8788")
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", "2025-11-25")
            .body(Body::empty());
        let ending = front.handle(Endpoint::Mcp, request.unwrap());
        let hung_up = tokio::time::timeout(Duration::from_millis(1), ending).await;
        assert!(hung_up.is_err(), "the store does not answer");
    }
    let gone = async {
        while Arc::strong_count(&handler.0) > with_sessions - SESSIONS {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(60), gone).await;
    assert!(gone.is_ok(), "{}", Arc::strong_count(&handler.0));
    assert_eq!(initialize(&front).await.status(), 200, "there is room");
}
