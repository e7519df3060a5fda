//! An emulator to test, whose every answer is checked against Clerk's OpenAPI file.

#![allow(
    dead_code,
    reason = "each test binary uses its own part of this module"
)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

pub(crate) mod browser;
pub(crate) mod spec;

use bytes::Bytes;
use clerk_mcp_emulator::{Answer, Clock, DEFAULT_SECRET_KEY, Emulator, Random, Reply, Seed};
use http::{HeaderMap, Method, Request};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The time at which every test starts: 2026-06-01T12:00:00Z.
pub(crate) const NOW: u64 = 1_780_315_200_000;
pub(crate) const DAY: u64 = 86_400_000;

pub(crate) const AVA: &str = "user_2EmuAvaMitchell000000000000";
pub(crate) const NOAH: &str = "user_2EmuNoahTanaka0000000000000";
pub(crate) const LUCAS: &str = "user_2EmuLucasMoreau000000000000";
pub(crate) const LIAM: &str = "user_2EmuLiamByrne00000000000000";
pub(crate) const OLIVER: &str = "user_2EmuOliverNovak000000000000";
pub(crate) const QUARRY: &str = "org_2EmuQuarrySons0000000000000";
pub(crate) const PRIYA: &str = "user_2EmuPriyaRaman0000000000000";
pub(crate) const RUBY: &str = "user_2EmuRubyNguyen0000000000000";
pub(crate) const NORTHWIND: &str = "org_2EmuNorthwindMetrics0000000";
pub(crate) const FJORD: &str = "org_2EmuFjordLogistics000000000";

pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Xorshift: the same bytes in every run.
pub(crate) struct TestRandom(u64);

impl TestRandom {
    pub(crate) fn new() -> Self {
        Self(0x2545_f491_4f6c_dd1d)
    }
}

impl Random for TestRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = (self.0 >> 32) as u8;
        }
    }
}

pub(crate) struct Fixture {
    pub(crate) emulator: Emulator,
    pub(crate) clock: Arc<TestClock>,
    key: Option<String>,
    headers: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Response {
    /// The body of a 200.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json
    }

    /// Checks the status and the code of a refusal.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.json["errors"][0]["code"], code, "{}", self.text);
        let trace = self.json["clerk_trace_id"].as_str().unwrap();
        assert_eq!(trace.len(), 32);
        assert_eq!(self.headers["x-clerk-trace-id"], trace);
        self.json["errors"][0].clone()
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::seeded(&Seed::default())
    }

    pub(crate) fn seeded(seed: &Seed) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(NOW)));
        let emulator = Emulator::new(seed, clock.clone(), Box::new(TestRandom::new())).unwrap();
        Self::around(emulator, clock)
    }

    pub(crate) fn around(emulator: Emulator, clock: Arc<TestClock>) -> Self {
        Self {
            emulator,
            clock,
            key: Some(DEFAULT_SECRET_KEY.to_owned()),
            headers: Vec::new(),
        }
    }

    /// The same emulator asked with another `Authorization`.
    pub(crate) fn with_authorization(mut self, text: Option<&str>) -> Self {
        self.key = None;
        if let Some(text) = text {
            self.headers
                .push(("authorization".to_owned(), text.to_owned()));
        }
        self
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn advance(&self, milliseconds: u64) {
        self.clock.0.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn reply(&self, method: Method, uri: &str, body: Bytes) -> Reply {
        self.reply_to(self.key.as_deref(), method, uri, body)
    }

    fn reply_to(&self, key: Option<&str>, method: Method, uri: &str, body: Bytes) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut request = request.body(body).unwrap();
        for (name, value) in &self.headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        self.emulator.handle(request)
    }

    /// Sends a request and checks the answer against the OpenAPI file.
    #[track_caller]
    pub(crate) fn send(&self, method: Method, uri: &str, body: impl Into<Bytes>) -> Response {
        self.read(&method, uri, self.reply(method.clone(), uri, body.into()))
    }

    /// The same with another secret key.
    #[track_caller]
    pub(crate) fn send_as(
        &self,
        key: &str,
        method: Method,
        uri: &str,
        body: impl Into<Bytes>,
    ) -> Response {
        let reply = self.reply_to(Some(key), method.clone(), uri, body.into());
        self.read(&method, uri, reply)
    }

    #[track_caller]
    fn read(&self, method: &Method, uri: &str, reply: Reply) -> Response {
        let Answer::Response(response) = reply.answer else {
            panic!("the connection was dropped")
        };
        let (parts, body) = response.into_parts();
        assert_eq!(parts.headers["content-type"], "application/json");
        let text = String::from_utf8(body.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap();
        spec::check(method, uri, parts.status.as_u16(), &json);
        Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
            json,
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, uri: &str) -> Response {
        self.send(Method::GET, uri, Bytes::new())
    }

    #[track_caller]
    pub(crate) fn post(&self, uri: &str, body: Value) -> Response {
        self.send(Method::POST, uri, body.to_string())
    }

    #[track_caller]
    pub(crate) fn patch(&self, uri: &str, body: Value) -> Response {
        self.send(Method::PATCH, uri, body.to_string())
    }

    #[track_caller]
    pub(crate) fn put(&self, uri: &str, body: Value) -> Response {
        self.send(Method::PUT, uri, body.to_string())
    }

    #[track_caller]
    pub(crate) fn delete(&self, uri: &str) -> Response {
        self.send(Method::DELETE, uri, Bytes::new())
    }
}

/// One member of every row of a list: `data` of an object, or the array itself.
pub(crate) fn pluck(list: &Value, member: &str) -> Vec<String> {
    let rows = list.get("data").unwrap_or(list).as_array().unwrap();
    rows.iter()
        .map(|row| row[member].as_str().unwrap_or_default().to_owned())
        .collect()
}

pub(crate) fn seed(toml: &str) -> Seed {
    Seed::parse(toml, clerk_mcp_emulator::SeedFormat::Toml).unwrap()
}
