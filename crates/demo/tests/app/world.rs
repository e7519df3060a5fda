//! The emulator, the application, and a browser that knows both.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use clerk::{BoxFuture, Client, Env, SecretKey, Transport, TransportError, TransportErrorKind};
use clerk_mcp_demo::{DemoApp, Parts};
use emulator::{Answer, Clock, DEFAULT_SECRET_KEY, Emulator, Random, Seed};
use http::{Method, Request, Response};
use serde_json::{Value, json};

pub(crate) const APP: &str = "http://127.0.0.1:8787";
pub(crate) const CLERK: &str = "http://127.0.0.1:8789";
pub(crate) const MCP: &str = "http://127.0.0.1:8788";
pub(crate) const AVA: &str = "user_2EmuAvaMitchell000000000000";
pub(crate) const NOAH: &str = "user_2EmuNoahTanaka0000000000000";
pub(crate) const PRIYA: &str = "user_2EmuPriyaRaman0000000000000";

struct Noon;

impl Clock for Noon {
    fn now(&self) -> u64 {
        1_780_000_000_000
    }
}

struct Counter(u64);

impl Random for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005) + 1;
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

struct Emulated(Arc<Emulator>);

impl Transport for Emulated {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let answer = match self.0.handle(request).answer {
            Answer::Response(response) => Ok(response),
            Answer::DropConnection => Err(TransportError {
                kind: TransportErrorKind::Interrupted,
                message: "dropped".into(),
            }),
        };
        Box::pin(std::future::ready(answer))
    }
}

impl Env for Emulated {
    fn now(&self) -> u64 {
        self.0.now()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        7
    }
}

pub(crate) struct World {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) app: DemoApp,
}

/// What came of a request.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    fn of(response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let emulator = Emulator::new(&Seed::default(), Arc::new(Noon), Box::new(Counter(1)));
        let emulator = Arc::new(emulator.unwrap());
        let client = Client::builder(
            SecretKey::parse(DEFAULT_SECRET_KEY).unwrap(),
            Arc::new(Emulated(Arc::clone(&emulator))),
            Arc::new(Emulated(Arc::clone(&emulator))),
        );
        let app = DemoApp::new(Parts {
            url: APP.to_owned(),
            clerk_url: CLERK.to_owned(),
            mcp_url: MCP.to_owned(),
            mcp_client_id: "clerk_mcp_emulated".to_owned(),
            client: client.build(),
        });
        Self { emulator, app }
    }

    pub(crate) fn clerk(&self, request: Request<Bytes>) -> Got {
        match self.emulator.handle(request).answer {
            Answer::Response(response) => Got::of(response),
            Answer::DropConnection => panic!("dropped"),
        }
    }

    /// The Backend API, as the instance's owner.
    pub(crate) fn backend(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {DEFAULT_SECRET_KEY}"))
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let got = self.clerk(request);
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        got.json()
    }

    pub(crate) fn control(&self, path: &str, body: &Value) {
        let request = Request::post(format!("/_emulator/{path}"))
            .header("host", "localhost")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let got = self.clerk(request);
        assert_eq!(got.status, 200, "{}", got.text());
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.control("clock", &json!({ "advance_ms": seconds * 1_000 }));
    }

    /// A session token of somebody, made by the backend: it names no site.
    pub(crate) fn token(&self, user: &str) -> String {
        let session = self.backend(Method::POST, "/v1/sessions", &json!({ "user_id": user }));
        let path = format!("/v1/sessions/{}/tokens", session["id"].as_str().unwrap());
        let token = self.backend(Method::POST, &path, &json!({}));
        token["jwt"].as_str().unwrap().to_owned()
    }

    /// A session token of somebody as whom somebody else acts.
    pub(crate) fn token_as(&self, user: &str, actor: &str) -> String {
        let order = json!({ "user_id": user, "actor": { "sub": actor } });
        let ticket = self.backend(Method::POST, "/v1/actor_tokens", &order);
        let form = format!(
            "strategy=ticket&ticket={}",
            ticket["token"].as_str().unwrap()
        );
        let request = Request::post("/v1/client/sign_ins?_is_native=1")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .unwrap();
        let signed_in = self.clerk(request).json();
        let session = &signed_in["client"]["sessions"][0];
        let token = session["last_active_token"]["jwt"].as_str();
        token.unwrap_or_else(|| panic!("{signed_in}")).to_owned()
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Got {
        Got::of(self.app.handle(request).await)
    }

    /// A request to the API.
    pub(crate) async fn api(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Got {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"));
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Bytes::from(body.to_string())),
            None => request.body(Bytes::new()),
        };
        self.send(request.unwrap()).await
    }
}

/// A browser: one jar for every port of the host, as browsers have it.
#[derive(Default)]
pub(crate) struct Browser {
    pub(crate) jar: BTreeMap<String, String>,
    pub(crate) refuses_cookies: bool,
    /// Where it was.
    pub(crate) visited: Vec<String>,
}

impl Browser {
    pub(crate) async fn get(&mut self, world: &World, url: &str) -> Got {
        self.send(world, url, None).await
    }

    async fn send(&mut self, world: &World, url: &str, form: Option<String>) -> Got {
        self.visited.push(url.to_owned());
        let cookies: Vec<String> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request::builder()
            .uri(url)
            .header("accept", "text/html")
            .header("cookie", cookies.join("; "));
        let request = match form {
            Some(form) => request
                .method(Method::POST)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Bytes::from(form)),
            None => request.body(Bytes::new()),
        };
        let request = request.unwrap();
        let got = if url.starts_with(APP) {
            world.send(request).await
        } else {
            assert!(url.starts_with(CLERK), "{url}");
            world.clerk(request)
        };
        if !self.refuses_cookies {
            for cookie in got.headers.get_all("set-cookie") {
                let cookie = cookie.to_str().unwrap();
                let (name, rest) = cookie.split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                if rest.contains("Max-Age=0") {
                    self.jar.remove(name);
                } else {
                    self.jar.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        got
    }

    /// Follows redirects between application and Clerk; ends at a page, or at an address of another
    /// origin, which is not opened.
    pub(crate) async fn open(&mut self, world: &World, url: &str) -> (String, Got) {
        let mut url = url.to_owned();
        for _ in 0..10 {
            let got = self.get(world, &url).await;
            let location = got.header("location");
            if location.is_empty() {
                return (url, got);
            }
            let next = match location.strip_prefix('/') {
                Some(path) => {
                    let origin = if url.starts_with(APP) { APP } else { CLERK };
                    format!("{origin}/{path}")
                }
                None => location.to_owned(),
            };
            if !next.starts_with(APP) && !next.starts_with(CLERK) {
                return (next, got);
            }
            url = next;
        }
        panic!("redirected for ever: {:#?}", self.visited);
    }

    /// Picks a person at the sign-in page of an address; gives where the browser is sent then.
    pub(crate) async fn sign_in(&mut self, world: &World, page: &str, user: &str) -> String {
        let (_, query) = page.split_once('?').unwrap();
        let form = format!("user_id={user}&{query}");
        let got = self
            .send(world, &format!("{CLERK}/sign-in"), Some(form))
            .await;
        assert_eq!(got.status, 303, "{}", got.text());
        got.header("location").to_owned()
    }
}
