//! The emulator: a request in, a reply out.

use crate::call::Call;
use crate::clock::{Clock, Random};
use crate::control;
use crate::error::{self, ApiError};
use crate::faults::{self, Effect, Rule};
use crate::ids;
use crate::query::Query;
use crate::rate_limit::{Limit, RateLimiter};
use crate::reply::{self, Answer, Reply};
use crate::request_log::RequestLog;
use crate::router::{self, Access, Match};
use crate::seed::{Seed, SeedError};
use crate::signing::SigningKey;
use crate::state::State;
use crate::version::Version;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The secret key that opens the emulator unless its seed names others.
pub const DEFAULT_SECRET_KEY: &str = "sk_test_emulate";

/// Where the emulator says it is, unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8789";

/// The largest request body that is accepted, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A local Clerk instance in memory.
pub struct Emulator {
    clock: Arc<dyn Clock>,
    signing: SigningKey,
    inner: Mutex<Inner>,
}

/// What changes while the emulator runs.
pub(crate) struct Inner {
    pub(crate) seed: Seed,
    pub(crate) state: State,
    pub(crate) faults: Vec<Rule>,
    pub(crate) limiter: Option<RateLimiter>,
    pub(crate) log: RequestLog,
    pub(crate) revision: u64,
    random: Box<dyn Random>,
    url: String,
}

impl Emulator {
    /// An emulator with the state that the seed describes, at the clock's time.
    ///
    /// # Errors
    /// If the seed contradicts itself, such as two users with one e-mail address.
    pub fn new(
        seed: &Seed,
        clock: Arc<dyn Clock>,
        random: Box<dyn Random>,
    ) -> Result<Self, SeedError> {
        let state = seed.build(clock.now())?;
        Ok(Self::with(seed.clone(), state, clock, random))
    }

    /// The emulator that a [snapshot](Self::snapshot) was taken of.
    ///
    /// # Errors
    /// If the value is not a snapshot of this version of the emulator.
    pub fn restore(
        snapshot: Value,
        clock: Arc<dyn Clock>,
        random: Box<dyn Random>,
    ) -> Result<Self, SeedError> {
        let (seed, state) = read_snapshot(snapshot)?;
        Ok(Self::with(seed, state, clock, random))
    }

    fn with(seed: Seed, state: State, clock: Arc<dyn Clock>, random: Box<dyn Random>) -> Self {
        let url = DEFAULT_URL.to_owned();
        let inner = Inner {
            seed,
            state,
            faults: Vec::new(),
            limiter: None,
            log: RequestLog::default(),
            revision: 0,
            random,
            url,
        };
        Self {
            clock,
            signing: SigningKey::default(),
            inner: Mutex::new(inner),
        }
    }

    /// Tells the emulator where it is reached, for links in invitations and for the issuer of
    /// session tokens: scheme, host and port, without a slash at the end.
    pub fn set_url(&self, url: &str) {
        url.clone_into(&mut self.inner().url);
    }

    /// A number that grows with every change of state.
    pub fn revision(&self) -> u64 {
        self.inner().revision
    }

    /// A secret key that opens it: the first one that the seed names, else [`DEFAULT_SECRET_KEY`].
    pub fn secret_key(&self) -> String {
        let inner = self.inner();
        inner
            .state
            .instance
            .secret_keys
            .first()
            .cloned()
            .unwrap_or_default()
    }

    /// How many users and organizations there are.
    pub fn size(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.state.users().len(), inner.state.organizations().len())
    }

    /// The whole state, to write to a file and [restore](Self::restore) later.
    pub fn snapshot(&self) -> Value {
        let inner = self.inner();
        json!({
            "snapshot": SNAPSHOT_VERSION,
            "seed": if inner.seed == Seed::default() { Value::Null } else { json!(inner.seed) },
            "state": inner.state,
        })
    }

    /// Allows so many requests in so many milliseconds; more are answered with 429. Without a
    /// limit (the default) all are allowed.
    pub fn set_rate_limit(&self, requests: usize, per_ms: u64) {
        let limit = Limit {
            requests: requests.max(1),
            per_ms: per_ms.max(1),
        };
        self.inner().limiter = Some(RateLimiter::new(limit));
    }

    /// Answers a request. Its URI may be absolute or just path and query.
    pub fn handle(&self, request: Request<Bytes>) -> Reply {
        let mut inner = self.inner();
        let real_now = self.clock.now();
        let (method, path) = (request.method(), request.uri().path());
        if path.starts_with(control::PREFIX) {
            let response = control::answer(&mut inner, &request, real_now);
            return Reply {
                delay: Duration::ZERO,
                answer: Answer::Response(response),
            };
        }
        let now = real_now.saturating_add_signed(inner.state.clock_offset);
        let found = router::find(method, path);
        let operation = found.as_ref().map(|found| found.route.operation);
        let Inner {
            faults,
            log,
            random,
            ..
        } = &mut *inner;
        log.note(&request, operation, now);
        let fault = faults::apply(faults, method.as_str(), path, operation, &mut **random);
        let trace_id = ids::trace(&mut **random);

        let runs = matches!(fault.effect, Effect::Nothing | Effect::InvalidJson);
        let outcome = if runs || fault.after_running {
            self.run(&mut inner, &request, found, now)
        } else {
            Ok(Value::Null)
        };
        let refused = |error: &ApiError| reply::refusal(error, &trace_id);
        let response = match (&fault.effect, &outcome) {
            (Effect::Drop, _) => {
                return Reply {
                    delay: fault.delay,
                    answer: Answer::DropConnection,
                };
            }
            (Effect::Status(status, retry_after), _) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
                refused(&error::injected(status, *retry_after))
            }
            (Effect::InvalidJson, Ok(body)) => reply::cut_in_half(&body.to_string()),
            (_, Ok(body)) => reply::json(StatusCode::OK, body),
            (_, Err(error)) => refused(error),
        };
        let answer = Answer::Response(reply::traced(response, &trace_id));
        Reply {
            delay: fault.delay,
            answer,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic in a handler leaves the state of some earlier moment: still a state.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(
        &self,
        inner: &mut Inner,
        request: &Request<Bytes>,
        found: Option<Match>,
        now: u64,
    ) -> Result<Value, ApiError> {
        let (method, headers) = (request.method(), request.headers());
        if let Some(limiter) = &mut inner.limiter {
            limiter.admit(now).map_err(error::too_many_requests)?;
        }
        if request.body().len() > MAX_BODY_BYTES {
            return Err(error::request_body_too_large(MAX_BODY_BYTES));
        }
        if found
            .as_ref()
            .is_none_or(|found| found.route.access == Access::SecretKey)
        {
            check_key(headers, &inner.state.instance.secret_keys)?;
        }
        let found = found.ok_or_else(error::route_not_found)?;
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let version = Version::of(headers, &query)?;
        let body = read_body(method, headers, request.body())?;
        let Inner {
            state, random, url, ..
        } = inner;
        let mut call = Call {
            state,
            random: &mut **random,
            signing: &self.signing,
            now,
            url,
            version,
            path: found.params,
            query,
            body,
        };
        let answer = (found.route.handler)(&mut call)?;
        if *method != Method::GET {
            inner.revision += 1;
        }
        Ok(answer)
    }
}

/// The form of snapshots, so that a later version can tell.
const SNAPSHOT_VERSION: u64 = 1;

fn read_snapshot(snapshot: Value) -> Result<(Seed, State), SeedError> {
    let broken = |problem: String| SeedError::Snapshot { problem };
    let Value::Object(mut parts) = snapshot else {
        return Err(broken("it is not a JSON object".to_owned()));
    };
    if parts.get("snapshot") != Some(&json!(SNAPSHOT_VERSION)) {
        return Err(broken(format!(
            "it does not say `\"snapshot\": {SNAPSHOT_VERSION}`"
        )));
    }
    let seed = match parts.remove("seed") {
        None | Some(Value::Null) => Seed::default(),
        Some(seed) => serde_json::from_value(seed).map_err(|error| broken(error.to_string()))?,
    };
    let state = parts.remove("state").unwrap_or_default();
    let mut state: State =
        serde_json::from_value(state).map_err(|error| broken(error.to_string()))?;
    state.reindex();
    Ok((seed, state))
}

/// `Authorization: Bearer` and one of the secret keys.
fn check_key(headers: &HeaderMap, keys: &[String]) -> Result<(), ApiError> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Err(error::authentication_invalid());
    };
    let text = header
        .to_str()
        .map_err(|_| error::authorization_header_format_invalid())?;
    let (scheme, key) = text
        .split_once(' ')
        .ok_or_else(error::authorization_header_format_invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(error::authorization_header_format_invalid());
    }
    let key = key.trim();
    if key.starts_with("pk_") {
        return Err(error::publishable_key_given());
    }
    if keys.iter().any(|known| known == key) {
        Ok(())
    } else {
        Err(error::clerk_key_invalid())
    }
}

/// The JSON body of a request that may have one. An empty body is none, whatever its type.
fn read_body(
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Option<Value>, ApiError> {
    if body.is_empty() || *method == Method::GET {
        return Ok(None);
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("?"));
    let media_type = content_type
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("")
        .trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(error::unsupported_content_type(
            content_type.unwrap_or("(none)"),
        ));
    }
    serde_json::from_slice(body)
        .map(Some)
        .map_err(|_| error::request_body_invalid())
}
