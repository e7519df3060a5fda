//! How the fixture is served: by the front layer that serves Clerk's tools, to whoever asks. The suite
//! has no way to sign in.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::any};
use clerk::{BoxFuture, Env};
use http::{HeaderValue, Request, Response, request::Parts};
use server::front::{
    Authenticate, Bounds, Endpoint, Front, FrontConfig, Principal, PrincipalKey, origin::Allowed,
};
use store::sessions::MemorySessions;
use url::Url;

use crate::handler::Fixture;

/// The most bytes of a request's body.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// The most sessions. The suite opens some forty and closes most of them.
const MAX_SESSIONS: usize = 1000;
/// How long a session lives without a message, if time went on.
const SESSION_IDLE: Duration = Duration::from_secs(600);

/// What may be under way at the same time: more than the suite asks for.
const BOUNDS: Bounds = Bounds {
    calls: 1000,
    calls_of_person: 1000,
    calls_per_second: None,
    streams: 1000,
    streams_of_person: 1000,
    streams_of_client: 1000,
};

/// The fixture at `/mcp` of the server whose public URL is `url`.
pub(crate) fn router(fixture: Fixture, url: &Url) -> Router {
    let config = FrontConfig {
        allowed: Allowed::new(url, &[]),
        max_body: MAX_BODY,
        max_sessions: MAX_SESSIONS,
        max_sessions_of_person: MAX_SESSIONS,
        session_idle: SESSION_IDLE,
        stop: Default::default(),
        store: Arc::new(MemorySessions::new()),
        env: Arc::new(StandingStill),
        tool_lists: Arc::default(),
        sse: None,
        bounds: BOUNDS,
    };
    let front = Arc::new(Front::new(Everybody, fixture, config));
    let answer = move |request: Request<Body>| {
        let front = Arc::clone(&front);
        async move { front.handle(Endpoint::Mcp, request).await }
    };
    Router::new().route("/mcp", any(answer))
}

/// Takes every request for one of the same person and client.
struct Everybody;

impl Authenticate for Everybody {
    fn authenticate<'a>(
        &'a self,
        _: &'a Parts,
    ) -> BoxFuture<'a, Result<Principal, Response<Body>>> {
        Box::pin(async {
            Ok(Principal {
                key: PrincipalKey::new(None, Some("everybody")),
                ended: Default::default(),
                served: None,
            })
        })
    }

    fn insufficient_scope(&self, _: &[String], _: &str) -> Option<HeaderValue> {
        None
    }
}

/// A clock for a server that nobody leaves alone for long.
struct StandingStill;

impl Env for StandingStill {
    fn now(&self) -> u64 {
        0
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u64 {
        0
    }
}
