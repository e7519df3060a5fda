//! The emulator: a request in, a reply out.

use crate::call::Call;
use crate::clock::{Clock, Random};
use crate::control;
use crate::error::{self, ApiError};
use crate::faults::{self, Effect, Rule};
use crate::ids::{self, Id};
use crate::oauth::applications::is_redirect_uri;
use crate::oauth::ensured::{Ensured, EnsuredMcpServer};
use crate::pages;
use crate::people::Person;
use crate::query::Query;
use crate::rate_limit::{Limit, RateLimiter};
use crate::reply::{self, Answer, Reply};
use crate::request_log::RequestLog;
use crate::router::{self, Access, Handler, Match};
use crate::seed::{Seed, SeedError};
use crate::signing::SigningKey;
use crate::state::State;
use crate::version::Version;
use crate::web;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
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
    pub(crate) random: Box<dyn Random>,
    /// OAuth applications that a reset brings back.
    pub(crate) ensured: Vec<Ensured>,
    pub(crate) ensured_mcp_servers: Vec<EnsuredMcpServer>,
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
            ensured: Vec::new(),
            ensured_mcp_servers: Vec::new(),
            url,
        };
        Self {
            clock,
            signing: SigningKey::default(),
            inner: Mutex::new(inner),
        }
    }

    /// Tells the emulator where it is reached, for links and for the issuer of tokens: scheme, host and port, without a slash at the end.
    pub fn set_url(&self, url: &str) {
        url.clone_into(&mut self.inner().url);
    }

    /// What time it is here, Unix milliseconds: the clock's, moved as far as the control API asks. A
    /// server beside the emulator that lives by it moves along.
    pub fn now(&self) -> u64 {
        let offset = self.inner().state.clock_offset;
        self.clock.now().saturating_add_signed(offset)
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

    /// Whether the instance has the feature that organizations are.
    pub fn has_organizations(&self) -> bool {
        self.inner().state.instance.organizations.enabled
    }

    /// The publishable key of this instance: it names the host of its Frontend API.
    pub fn publishable_key(&self) -> String {
        let inner = self.inner();
        let host = inner.url.split_once("://").map_or("", |(_, host)| host);
        let kind = match inner.state.instance.environment_type.as_str() {
            "production" => "live",
            _ => "test",
        };
        format!("pk_{kind}_{}", STANDARD.encode(format!("{host}$")))
    }

    /// Everybody in the instance, oldest account first.
    pub fn people(&self) -> Vec<Person> {
        let inner = self.inner();
        let now = self
            .clock
            .now()
            .saturating_add_signed(inner.state.clock_offset);
        let users = inner.state.users().iter();
        users.map(|user| Person::of(user, now)).collect()
    }

    /// Makes sure that an OAuth application with this `client_id` exists, has this secret (none
    /// makes it a public client), all of Clerk's scopes, and these redirect URIs among its own.
    /// Whoever starts the emulator beside a server of their own calls it before the first sign-in;
    /// a reset keeps it so.
    ///
    /// # Errors
    /// [`SeedError::Value`] if a redirect URI is not absolute, in ASCII and without a fragment.
    pub fn ensure_oauth_application(
        &self,
        client_id: &str,
        client_secret: Option<&str>,
        redirect_uris: &[&str],
    ) -> Result<(), SeedError> {
        if let Some(wrong) = redirect_uris.iter().find(|uri| !is_redirect_uri(uri)) {
            return Err(SeedError::Value {
                place: format!("the OAuth application {client_id}"),
                problem: format!("{wrong:?} is not a redirect URI"),
            });
        }
        let inner = &mut *self.inner();
        let now = self
            .clock
            .now()
            .saturating_add_signed(inner.state.clock_offset);
        let ensured = Ensured {
            client_id: client_id.to_owned(),
            client_secret: client_secret.map(str::to_owned),
            redirect_uris: redirect_uris.iter().map(|&uri| uri.to_owned()).collect(),
        };
        ensured.apply(&mut inner.state, &mut *inner.random, now);
        inner.ensured.push(ensured);
        inner.revision += 1;
        Ok(())
    }

    /// Makes sure that clients may register themselves, and that tokens may be for this resource, the
    /// address of an MCP server: clients that name it (`resource`) get tokens whose audience it is.
    /// A reset keeps it so.
    pub fn ensure_mcp_server(&self, resource: &str) {
        let inner = &mut *self.inner();
        let ensured = EnsuredMcpServer::at(resource);
        ensured.apply(&mut inner.state);
        inner.ensured_mcp_servers.push(ensured);
        inner.revision += 1;
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
        if web::is_preflight(method, path) {
            return Reply {
                delay: Duration::ZERO,
                answer: Answer::Response(cross_origin(reply::empty(StatusCode::NO_CONTENT))),
            };
        }
        let shows_pages = web::wants_html(request.headers());
        let is_cross_origin = web::is_cross_origin(path);
        let found = router::find(method, path);
        let is_page = found.as_ref().is_some_and(Match::is_open);
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
            Ok(reply::json(StatusCode::OK, &Value::Null))
        };
        let refused = |error: &ApiError| {
            if is_page && shows_pages {
                let text = pages::error(&error.message, error.code, &error.long_message);
                return reply::html(error.status, text);
            }
            reply::refusal(error, &trace_id)
        };
        let response = match (&fault.effect, outcome) {
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
            (Effect::InvalidJson, Ok(response)) => reply::cut_in_half(response),
            (_, Ok(response)) => response,
            (_, Err(error)) => refused(&error),
        };
        let response = if is_cross_origin {
            cross_origin(response)
        } else {
            response
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
    ) -> Result<Response<Bytes>, ApiError> {
        let (method, headers) = (request.method(), request.headers());
        if let Some(limiter) = &mut inner.limiter {
            let operation = found.as_ref().map(|found| found.route.operation);
            limiter
                .admit(operation, now)
                .map_err(error::too_many_requests)?;
        }
        if request.body().len() > MAX_BODY_BYTES {
            return Err(error::request_body_too_large(MAX_BODY_BYTES));
        }
        let access = found.as_ref().map(|found| found.route.access);
        let machine = match access.unwrap_or(Access::SecretKey) {
            Access::Public => None,
            Access::SecretKey => {
                check_key(headers, &inner.state.instance.secret_keys)?;
                None
            }
            Access::MachineToo => check_machine_key(headers, &inner.state, now)?,
        };
        let found = found.ok_or_else(error::route_not_found)?;
        let query = Query::parse(request.uri().query().unwrap_or_default());
        // Pages know browsers by their cookies alone: nobody's link decides who signs in there.
        let dev_browser = query
            .text("__clerk_db_jwt")
            .filter(|_| found.route.is_client_api())
            .map(str::to_owned);
        // Browsers and OAuth clients send forms and know of no version.
        let (version, body, form) = if found.is_open() {
            (Version::NEWEST, None, read_form(headers, request.body()))
        } else {
            let version = Version::of(headers, &query)?;
            let body = read_body(method, headers, request.body())?;
            (version, body, Query::default())
        };
        let Inner {
            state, random, url, ..
        } = inner;
        let mut call = Call {
            state,
            random: &mut **random,
            signing: &self.signing,
            machine,
            dev_browser,
            now,
            url,
            version,
            path: found.params,
            query,
            body,
            form,
            headers,
            bytes: request.body(),
        };
        let (answer, changes) = match found.route.handler {
            Handler::Json(handler) => {
                let body = handler(&mut call)?;
                (reply::json(StatusCode::OK, &body), *method != Method::GET)
            }
            // A link may issue a code.
            Handler::Raw(handler) => (handler(&mut call)?, true),
        };
        if changes {
            inner.revision += 1;
        }
        Ok(answer)
    }
}

/// Lets scripts of any origin read a response.
fn cross_origin(mut response: Response<Bytes>) -> Response<Bytes> {
    const HEADERS: [(&str, &str); 4] = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, POST, OPTIONS"),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type, MCP-Protocol-Version",
        ),
        (
            "access-control-expose-headers",
            "WWW-Authenticate, Retry-After",
        ),
    ];
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The fields of a form; none if the body is something else.
fn read_form(headers: &HeaderMap, body: &Bytes) -> Query {
    let is_form = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
    match std::str::from_utf8(body) {
        Ok(text) if is_form => Query::parse(text),
        _ => Query::default(),
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

/// `Authorization: Bearer` and the secret key of a machine, or one of those of the instance: the
/// machine, if it is one.
fn check_machine_key(headers: &HeaderMap, state: &State, now: u64) -> Result<Option<Id>, ApiError> {
    let machine = state.machines.of_key(bearer(headers)?, now);
    match machine {
        Some(machine) => Ok(Some(machine.id.clone())),
        None => check_key(headers, &state.instance.secret_keys).map(|()| None),
    }
}

/// `Authorization: Bearer` and one of the secret keys.
fn check_key(headers: &HeaderMap, keys: &[String]) -> Result<(), ApiError> {
    let key = bearer(headers)?;
    if key.starts_with("pk_") {
        return Err(error::publishable_key_given());
    }
    if keys.iter().any(|known| known == key) {
        Ok(())
    } else {
        Err(error::clerk_key_invalid())
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
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
    Ok(key.trim())
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
