//! A machine and a Clerk that do as they are told.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use clerk_mcp_clerk::{
    BoxFuture, Client, ClientBuilder, Env, SecretKey, Transport, TransportError, TransportErrorKind,
};

pub const DEVELOPMENT_KEY: &str = "sk_test_abcdefghijklmnopqrstuvwx1234";
pub const PRODUCTION_KEY: &str = "sk_live_abcdefghijklmnopqrstuvwx1234";

/// Time passes only in `sleep`; every sleep is written down.
#[derive(Default)]
pub struct FakeEnv {
    pub time: AtomicU64,
    pub random: AtomicU64,
    pub sleeps: Mutex<Vec<Duration>>,
}

impl Env for FakeEnv {
    fn now(&self) -> u64 {
        self.time.load(Ordering::SeqCst)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.sleeps.lock().unwrap().push(duration);
        self.time.fetch_add(
            u64::try_from(duration.as_millis()).unwrap(),
            Ordering::SeqCst,
        );
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        self.random.load(Ordering::SeqCst)
    }
}

pub type Answer = Result<http::Response<Bytes>, TransportError>;

/// Gives its answers in order, the last one for ever, and keeps what was asked and when.
pub struct ScriptedTransport {
    answers: Mutex<VecDeque<Answer>>,
    pub sent: Mutex<Vec<(u64, http::Request<Bytes>)>>,
    env: Arc<FakeEnv>,
}

impl Transport for ScriptedTransport {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Answer> {
        self.sent.lock().unwrap().push((self.env.now(), request));
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front().unwrap()
        } else {
            match answers.front().expect("the script has an answer") {
                Ok(answer) => Ok(answer.clone()),
                Err(error) => Err(error.clone()),
            }
        };
        Box::pin(std::future::ready(answer))
    }
}

pub struct World {
    pub env: Arc<FakeEnv>,
    pub transport: Arc<ScriptedTransport>,
    pub client: Client,
}

impl World {
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::with(DEVELOPMENT_KEY, answers, |builder| builder)
    }

    pub fn with(
        key: &str,
        answers: impl IntoIterator<Item = Answer>,
        configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let env = Arc::new(FakeEnv::default());
        let transport = Arc::new(ScriptedTransport {
            answers: Mutex::new(answers.into_iter().collect()),
            sent: Mutex::default(),
            env: env.clone(),
        });
        let key = SecretKey::parse(key).unwrap();
        let client = configure(Client::builder(key, transport.clone(), env.clone())).build();
        Self {
            env,
            transport,
            client,
        }
    }

    /// How many requests were sent.
    pub fn tries(&self) -> usize {
        self.transport.sent.lock().unwrap().len()
    }

    pub fn sleeps(&self) -> Vec<Duration> {
        self.env.sleeps.lock().unwrap().clone()
    }
}

/// An answer with a status, headers and a body.
pub fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    Ok(answer
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap())
}

/// An error of Clerk's form.
pub fn clerk_error(status: u16, code: &str, long_message: &str) -> Answer {
    let body = serde_json::json!({
        "errors": [{"code": code, "message": "short", "long_message": long_message}],
        "clerk_trace_id": "trace_1",
    });
    answer(status, &[], &body.to_string())
}

pub fn failure(kind: TransportErrorKind) -> Answer {
    Err(TransportError {
        kind,
        message: "the wire was cut".to_owned(),
    })
}

pub fn get() -> clerk_mcp_clerk::Request {
    clerk_mcp_clerk::Request::new("getUser", http::Method::GET, "/users/{user_id}")
        .path_parameter("user_id", "user_1")
        .unwrap()
}

pub fn post() -> clerk_mcp_clerk::Request {
    clerk_mcp_clerk::Request::new("createUser", http::Method::POST, "/users")
        .body(serde_json::json!({"first_name": "Ada"}))
}
