//! A local Clerk on a socket of its own.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use emulator::{Answer, Clock, Emulator, Random, Seed};
use http_body_util::BodyExt as _;
use serde_json::json;

use super::http::post;

struct Machine;

impl Clock for Machine {
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        since.as_millis().try_into().unwrap()
    }
}

/// Ids only have to differ; nobody attacks this Clerk.
struct Counting(u64);

impl Random for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

pub(crate) struct Clerk {
    pub(crate) url: String,
}

impl Clerk {
    pub(crate) fn start() -> Self {
        let emulator = Emulator::new(&Seed::default(), Arc::new(Machine), Box::new(Counting(1)));
        let emulator = Arc::new(emulator.unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        emulator.set_url(&url);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = Router::new().fallback(answer).with_state(emulator);
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { url }
    }

    /// A session token for a session that somebody has just begun.
    pub(crate) fn session_token(&self, user: &str) -> String {
        let ask = |path: &str, body| {
            let request = post(&format!("{}/v1{path}", self.url)).bearer("sk_test_emulate");
            let response = request.json(&body).send();
            assert_eq!(response.status, 200, "{path}: {}", response.text());
            response.json()
        };
        let session = ask("/sessions", json!({ "user_id": user }));
        let path = format!("/sessions/{}/tokens", session["id"].as_str().unwrap());
        ask(&path, json!({}))["jwt"].as_str().unwrap().to_owned()
    }
}

async fn answer(State(emulator): State<Arc<Emulator>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let reply = emulator.handle(axum::http::Request::from_parts(parts, body));
    match reply.answer {
        Answer::Response(response) => response.map(Body::from),
        Answer::DropConnection => panic!("no fault was asked for"),
    }
}
