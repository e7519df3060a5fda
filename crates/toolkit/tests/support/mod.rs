//! A toolkit over the emulator in this process, with every request on record.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "test support, of which each test file uses a part"
)]

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clerk::{
    BoxFuture, Client, ClientBuilder, Env, SecretKey, Transport, TransportError, TransportErrorKind,
};
use clerk_mcp_toolkit::{
    AuthContext, ClerkToolkit, ClerkToolkitBuilder, Outcome, Quiet, ToolError,
};
use emulator::{Answer, Clock, Emulator, Random, Seed, SeedFormat};
use serde_json::{Map, Value};

/// A file of what Clerk publishes, or `None` (and a word about it) where it is not at hand.
pub fn clerk_data(file: &str) -> Option<Value> {
    let folder = std::env::var_os("CLERK_SPEC_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clerk"),
        PathBuf::from,
    );
    let path = folder.join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!(
            "skipped: {} is not there (CLERK_SPEC_DIR names its folder)",
            path.display()
        );
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// A clock that moves only when somebody sleeps.
pub struct Time(AtomicU64);

impl Clock for Time {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Env for Time {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let millis = u64::try_from(duration.as_millis()).unwrap().max(1);
        self.0.fetch_add(millis, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        4
    }
}

struct Counting(u64);

impl Random for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// One request as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub at: u64,
    pub method: String,
    pub url: String,
    pub body: Option<Value>,
    pub content_type: String,
}

/// Decides whether a request fails instead of reaching the emulator: a status and a body.
type Fault = Box<dyn Fn(&Sent) -> Option<(u16, String)> + Send + Sync>;

pub struct Clerk {
    pub emulator: Emulator,
    pub time: Arc<Time>,
    sent: Mutex<Vec<Sent>>,
    fault: Mutex<Option<Fault>>,
}

struct Line(Arc<Clerk>);

impl Transport for Line {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let clerk = &self.0;
        let header = request.headers().get("content-type").unwrap();
        let sent = Sent {
            at: clerk.time.0.load(Ordering::Relaxed),
            method: request.method().to_string(),
            url: request.uri().path_and_query().unwrap().to_string(),
            body: serde_json::from_slice(request.body()).ok(),
            content_type: header.to_str().unwrap().to_owned(),
        };
        let fault = clerk
            .fault
            .lock()
            .unwrap()
            .as_ref()
            .and_then(|fault| fault(&sent));
        clerk.sent.lock().unwrap().push(sent);
        let answer = match fault {
            Some((status, body)) => Ok(http::Response::builder()
                .status(status)
                .header("retry-after", "3")
                .body(Bytes::from(body))
                .unwrap()),
            None => match clerk.emulator.handle(request).answer {
                Answer::Response(response) => Ok(response),
                Answer::DropConnection => Err(TransportError {
                    kind: TransportErrorKind::Interrupted,
                    message: "dropped".into(),
                }),
            },
        };
        // A real transport is never ready at once: others get their turn.
        Box::pin(async move {
            let mut polled = false;
            std::future::poll_fn(|context| {
                if std::mem::replace(&mut polled, true) {
                    return std::task::Poll::Ready(());
                }
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            answer
        })
    }
}

impl Clerk {
    pub fn new(seed: &Seed) -> Arc<Self> {
        let time = Arc::new(Time(AtomicU64::new(1_790_000_000_000)));
        let emulator = Emulator::new(seed, time.clone(), Box::new(Counting(7))).unwrap();
        Arc::new(Self {
            emulator,
            time,
            sent: Mutex::default(),
            fault: Mutex::default(),
        })
    }

    pub fn of_toml(seed: &str) -> Arc<Self> {
        Self::new(&Seed::parse(seed, SeedFormat::Toml).unwrap())
    }

    pub fn client_builder(self: &Arc<Self>) -> ClientBuilder {
        let key = SecretKey::parse(&self.emulator.secret_key()).unwrap();
        Client::builder(key, Arc::new(Line(self.clone())), self.time.clone())
    }

    pub fn client(self: &Arc<Self>) -> Client {
        self.client_builder().build()
    }

    pub fn builder(self: &Arc<Self>) -> ClerkToolkitBuilder {
        ClerkToolkit::builder(self.client())
    }

    pub fn toolkit(self: &Arc<Self>) -> ClerkToolkit {
        self.builder().build().unwrap()
    }

    pub fn toolkit_of(self: &Arc<Self>, session: AuthContext) -> ClerkToolkit {
        self.builder().auth_context(session).build().unwrap()
    }

    /// Lets requests fail from now on.
    pub fn fail(&self, fault: impl Fn(&Sent) -> Option<(u16, String)> + Send + Sync + 'static) {
        *self.fault.lock().unwrap() = Some(Box::new(fault));
    }

    /// What was sent since the last time somebody asked.
    pub fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// A raw request with the secret key, for setting a scene.
    pub fn send(&self, method: &str, path: &str, body: Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(
                "authorization",
                format!("Bearer {}", self.emulator.secret_key()),
            )
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let Answer::Response(response) = self.emulator.handle(request).answer else {
            panic!("dropped")
        };
        let body = serde_json::from_slice(response.body()).unwrap();
        assert!(response.status().is_success(), "{method} {path}: {body}");
        body
    }
}

/// Runs a future to its end; nothing in these tests waits for anything but itself.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(Spinning(Box::pin(future))).expect("it never waits")
}

struct Spinning<'a, T>(std::pin::Pin<Box<dyn Future<Output = T> + 'a>>);

impl<T> Future for Spinning<'_, T> {
    type Output = T;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<T> {
        loop {
            if let std::task::Poll::Ready(value) = self.0.as_mut().poll(context) {
                return std::task::Poll::Ready(value);
            }
        }
    }
}

pub fn call(toolkit: &ClerkToolkit, name: &str, arguments: Value) -> Result<Outcome, ToolError> {
    now(toolkit.call(name, &arguments, &Quiet))
}

/// The result of a call that succeeds.
pub fn result(toolkit: &ClerkToolkit, name: &str, arguments: Value) -> Map<String, Value> {
    match call(toolkit, name, arguments) {
        Ok(outcome) => outcome.structured,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// The error of a call that fails.
pub fn refused(toolkit: &ClerkToolkit, name: &str, arguments: Value) -> ToolError {
    match call(toolkit, name, arguments) {
        Ok(outcome) => panic!("{name} was allowed: {:?}", outcome.structured),
        Err(error) => error,
    }
}

/// Users a (admin), m (manager), b and c (members) of organization org_a; x alone; org_b of user x.
pub const TEAM: &str = r#"
[[roles]]
key = "org:manager"
name = "Manager"
permissions = ["org:sys_memberships:read", "org:sys_memberships:manage", "org:sys_billing:read"]

[[users]]
id = "user_a"
email_addresses = ["a@x.test"]
public_metadata = { role = "admin", nested = { private_metadata = { deep = "HIDDEN-deep" } } }
private_metadata = { secret = "HIDDEN-user" }
[[users]]
id = "user_b"
username = "bobby"
first_name = "B\u200Bo\u202Eb"
email_addresses = ["b@x.test"]
[[users]]
id = "user_c"
email_addresses = ["c@x.test"]
[[users]]
id = "user_m"
email_addresses = ["m@x.test"]
[[users]]
id = "user_x"
email_addresses = ["x@x.test"]

[[organizations]]
id = "org_a"
name = "A"
slug = "a"
max_allowed_memberships = 50
created_by = "user_a"
private_metadata = { secret = "HIDDEN-org" }
members = [
  { user = "user_a", role = "org:admin" },
  { user = "user_m", role = "org:manager" },
  { user = "user_b", role = "org:member" },
  { user = "user_c", role = "org:member" },
]
invitations = [{ id = "orginv_a", email_address = "invited@x.test", inviter = "user_a" }]

[[organizations]]
id = "org_b"
name = "B"
slug = "bb"
created_by = "user_x"
members = [{ user = "user_x", role = "org:admin" }]

[[invitations]]
id = "inv_a"
email_address = "new@x.test"
"#;
