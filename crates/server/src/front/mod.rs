//! What stands in front of rmcp at `/mcp`: Host and Origin, CORS, the bearer token, sessions bound to
//! their principal, bodies within bounds, and scopes that are missing.
//!
//! It serves any rmcp handler to any [`Authenticate`], so that it can be tested with handlers and
//! principals of a test's own.

mod answers;
mod batch;
mod call_stream;
mod cors;
mod direct;
mod load;
pub mod origin;
mod peek;
mod principal;
mod principal_key;
mod sessions;
mod sse;
mod subscription;
mod until_ended;

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use clerk::Env;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use mcp::rmcp_adapter::{Introduction, Subscription};
use oauth::Random;
use rmcp::{
    ServerHandler,
    model::ServerConfig,
    transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService},
};
use store::sessions::SessionStore;
use tokio_util::sync::CancellationToken;

pub use self::load::Bounds;
pub use self::principal::{Authenticate, Principal};
pub use self::principal_key::PrincipalKey;
pub use self::sessions::{OwnedSessions, SessionFault};
use self::{
    answers::{Answer, Refusal, busy, nothing_more, overloaded, plain},
    load::Load,
    origin::Allowed,
    peek::Peek,
    sessions::{MostSessions, RepeatedId, Shelf, Used},
    until_ended::UntilEnded,
};
pub(crate) use self::{
    load::Underway,
    sessions::{MOST_SESSIONS_EACH, TOUCHED_EVERY},
};
use crate::{sse::SseSessions, tool_lists::ToolLists};

/// How long a body may take to arrive.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const SESSION_ID: &str = "mcp-session-id";
const TOOLS_LIST: &str = "tools/list";
/// rmcp wants both types named; the specification has clients name both.
const BOTH_TYPES: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// How the front is set up.
#[derive(Clone)]
pub struct FrontConfig {
    /// Hosts and origins.
    pub allowed: Allowed,
    /// The most bytes of a request's body.
    pub max_body: usize,
    /// The most sessions.
    pub max_sessions: usize,
    /// The most sessions of one person, through whatever clients.
    pub max_sessions_of_person: usize,
    /// How long a session lives without a message.
    pub session_idle: Duration,
    /// Cancelled at shutdown: streams that wait for something to happen end, calls go on.
    pub stop: Arc<CancellationToken>,
    /// Where sessions are kept, so that they go on in the next process.
    pub store: Arc<dyn SessionStore>,
    /// The clock, for sessions that are not used.
    pub env: Arc<dyn Env>,
    /// What may be under way at the same time.
    pub bounds: Bounds,
    /// Whose clients listen for changes of their tools.
    pub tool_lists: Arc<ToolLists>,
    /// What names the sessions of HTTP+SSE; `None` switches that transport off.
    pub sse: Option<Arc<dyn Random>>,
}

impl std::fmt::Debug for FrontConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrontConfig")
            .field("max_body", &self.max_body)
            .field("max_sessions", &self.max_sessions)
            .field("session_idle", &self.session_idle)
            .finish_non_exhaustive()
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Streamable HTTP: `/mcp`.
    Mcp,
    /// HTTP+SSE, the stream: `/sse`.
    Sse,
    /// HTTP+SSE, the client's messages: `/messages`.
    Messages,
}

/// The MCP endpoint.
pub struct Front<A, H> {
    authenticator: A,
    config: FrontConfig,
    sessions: Arc<OwnedSessions>,
    sse: Option<Arc<SseSessions>>,
    load: Arc<Load>,
    handler: H,
    mcp: StreamableHttpService<H, OwnedSessions>,
}

impl<A, H> std::fmt::Debug for Front<A, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<A: Authenticate, H: ServerHandler + Clone + Sync> Front<A, H> {
    /// The endpoint that serves `handler` to whom `authenticator` lets in.
    #[must_use]
    pub fn new(authenticator: A, handler: H, config: FrontConfig) -> Self {
        let sessions = Arc::new(OwnedSessions::new(
            MostSessions {
                all: config.max_sessions,
                of_person: config.max_sessions_of_person,
            },
            config.session_idle,
            Arc::clone(&config.store),
            Arc::clone(&config.env),
            Arc::clone(&config.tool_lists),
        ));
        // Hosts and origins are checked here, for every method and before anything else.
        let mut rmcp_config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_json_response(true)
            .with_max_request_body_bytes(config.max_body);
        rmcp_config.legacy_session_mode = true;
        rmcp_config.session_store = Some(Arc::new(Shelf(Arc::clone(&sessions))));
        let random = config.sse.clone();
        let sse = random.map(|random| Arc::new(SseSessions::new(config.max_sessions, random)));
        let each = handler.clone();
        let bounds = config.bounds;
        let mcp = StreamableHttpService::new(
            move || Ok(each.clone()),
            Arc::clone(&sessions),
            rmcp_config,
        );
        Self {
            authenticator,
            config,
            sessions,
            sse,
            load: Arc::new(Load::new(bounds)),
            handler,
            mcp,
        }
    }

    /// What the handler says of the server.
    fn handler_info(&self) -> ServerConfig {
        self.handler.get_info()
    }

    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> &Arc<OwnedSessions> {
        &self.sessions
    }

    /// Answers a request to one of the endpoints.
    pub async fn handle(&self, endpoint: Endpoint, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if !self.config.allowed.host(&parts.uri, &parts.headers) {
            let now = self.config.env.now();
            let other = self
                .config
                .allowed
                .other_name(&parts.uri, &parts.headers, now);
            return plain(StatusCode::FORBIDDEN, other.to_string());
        }
        let Ok(origin) = self.config.allowed.origin(&parts.headers) else {
            return plain(
                StatusCode::FORBIDDEN,
                "requests from pages of this origin are not allowed",
            );
        };
        let origin = origin.and_then(|origin| HeaderValue::from_str(origin).ok());
        let mut response = if parts.method == Method::OPTIONS {
            cors::preflight()
        } else {
            let answer = match endpoint {
                Endpoint::Mcp => self.admit(parts, body).await,
                Endpoint::Sse => self.open_stream(parts).await,
                Endpoint::Messages => self.take_message(parts, body).await,
            };
            answer.unwrap_or_else(|refusal| *refusal)
        };
        cors::allow(response.headers_mut(), origin);
        response
    }

    async fn admit(&self, mut parts: Parts, body: Body) -> Answer {
        let principal = self.authenticator.authenticate(&parts).await?;
        let session = self.session(&parts.headers, &principal).await?;
        if session.is_some() && is_for_nothing(&parts) {
            return Ok(nothing_more());
        }
        let mut underway = Some(self.begin(&parts.method, &principal)?);
        let body = self.whole_body(body).await?;
        accept_both(&mut parts.headers);
        let is_json = is_json(&parts.headers);
        let peek = match parts.method {
            Method::POST => Peek::at(&body),
            _ => Peek::default(),
        };
        if let Some(used) = &session
            && used.has_batches
            && parts.method == Method::POST
            && is_json
            && let Some(batch) = batch::read(&body)
        {
            return self.answer_batch(parts, batch?, &principal, used).await;
        }
        self.check_message(parts.uri.path(), &peek, &body, &principal)?;
        if is_json
            && session.is_none()
            && peek.method() == Some(Subscription::METHOD)
            && let Some(answer) = self.subscribe(&parts.headers, &body, &principal, &mut underway)
        {
            return answer;
        }
        if is_json
            && peek.tool().is_some()
            && let Some(answer) = direct::answer(&parts.headers, &body, &principal, session).await
        {
            return Ok(self.ending(answer, &principal, None, underway, false));
        }
        if peek.method() == Some(TOOLS_LIST)
            && let Some(id) = parts.headers.get(SESSION_ID)
            && let Ok(id) = id.to_str()
        {
            self.sessions.listed(id, &principal).await;
        }
        // The token has done its work: nothing behind this point sees it.
        parts.headers.remove(header::AUTHORIZATION);
        let session_id = parts.headers.get(SESSION_ID).cloned();
        let is_waiting = parts.method == Method::GET;
        let is_ending = parts.method == Method::DELETE;
        let method = peek.method().map(str::to_owned);
        principal.enter(&mut parts.extensions);
        let request = Request::from_parts(parts, Full::new(body.clone()));
        let response = self.handle_by_rmcp(request, &principal).await;
        let response = response.map_err(|RepeatedId| peek::repeated_id(&peek::id(&body)))?;
        if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            return Err(self
                .fault_of_ours(response, session_id.as_ref(), is_ending)
                .await);
        }
        // rmcp finds fault with the media type of whatever it cannot read.
        if is_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            return Err(peek::fault(&body).into());
        }
        let session_id = session_id.or_else(|| response.headers().get(SESSION_ID).cloned());
        let session_id = session_id.as_ref().and_then(|id| id.to_str().ok());
        if let (Some(id), Some(method)) = (session_id, &method) {
            if method == "initialize" && self.sessions.end_unkept(id).await {
                return Err(busy("sessions cannot be kept now").into());
            }
            self.follow_handshake(id, method, &body, response.status());
        }
        Ok(self.ending(response, &principal, session_id, underway, is_waiting))
    }

    /// Counts a call or a stream, unless there are too many.
    fn begin(&self, method: &Method, principal: &Principal) -> Result<Underway, Refusal> {
        let begun = match *method {
            Method::GET => self.load.stream(&principal.key),
            _ => self.load.call(&principal.key, self.config.env.now()),
        };
        begun.map_err(|overload| overloaded(overload).into())
    }

    /// The session that a request is of. One of somebody else does not exist.
    async fn session(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<Option<Used>, Refusal> {
        let mut ids = headers.get_all(SESSION_ID).iter();
        let Some(id) = ids.next() else {
            return Ok(None);
        };
        let id = id.to_str().unwrap_or_default();
        let unknown = || Refusal::from(plain(StatusCode::NOT_FOUND, "there is no such session"));
        if ids.next().is_some() {
            return Err(unknown());
        }
        if let Some(used) = self.sessions.enter(id, principal) {
            return Ok(Some(used));
        }
        match self.sessions.recall(id, principal).await {
            Ok(Some(used)) => Ok(Some(used)),
            Ok(None) => Err(unknown()),
            Err(error) => {
                tracing::error!(%error, "a session could not be taken up again");
                Err(busy("sessions cannot be taken up again now").into())
            }
        }
    }

    /// Has rmcp answer. A session of an earlier process is woken first, by one request at a time, and
    /// to the end even if the client of that request goes: rmcp takes no message in the middle of it.
    async fn handle_by_rmcp(
        &self,
        request: Request<Full<Bytes>>,
        principal: &Principal,
    ) -> Result<Response<Body>, RepeatedId> {
        let id = request.headers().get(SESSION_ID);
        let id = id.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let dormant = id.and_then(|id| self.sessions.dormant(&id).map(|dormant| (id, dormant)));
        let principal = principal.clone();
        let Some((id, dormant)) = dormant else {
            if request.method() == Method::DELETE {
                return Ok(self.end_session(request, principal).await);
            }
            // Several kilobytes, which would be moved with each future that holds it.
            let handling = Box::pin(self.mcp.handle(request));
            let response = OwnedSessions::owned_by(principal, handling).await?;
            return Ok(response.map(Body::new));
        };
        let (mcp, sessions) = (self.mcp.clone(), Arc::clone(&self.sessions));
        let waking = tokio::spawn(async move {
            let _one_at_a_time = dormant.waking.lock().await;
            let handling = Box::pin(mcp.handle(request));
            let response = OwnedSessions::owned_by(principal, handling).await;
            sessions.woken(&id).await;
            response
        });
        match waking.await {
            Ok(response) => Ok(response?.map(Body::new)),
            Err(_) => Ok(plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the session could not be taken up again",
            )),
        }
    }

    /// Has rmcp end a session, to the end even if the client goes: most of them end as they ask for it.
    async fn end_session(
        &self,
        request: Request<Full<Bytes>>,
        principal: Principal,
    ) -> Response<Body> {
        let mcp = self.mcp.clone();
        let ending = tokio::spawn(async move {
            OwnedSessions::owned_by(principal, Box::pin(mcp.handle(request))).await
        });
        match ending.await {
            Ok(Ok(response)) => response.map(Body::new),
            Ok(Err(RepeatedId)) | Err(_) => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the session could not be ended",
            ),
        }
    }

    /// Notes what the handshake of a session has come to.
    fn follow_handshake(&self, session: &str, method: &str, body: &[u8], status: StatusCode) {
        match method {
            "initialize" if status == StatusCode::OK => {
                if let Some(introduction) = Introduction::read(body) {
                    self.sessions.opened(session, &introduction);
                }
            }
            "notifications/initialized" if status == StatusCode::ACCEPTED => {
                self.sessions.ready(session);
            }
            _ => {}
        }
    }

    /// What is said of a fault of ours, the store's mostly, which rmcp tells in words that are for the
    /// operator. A session that another request has ended meanwhile is none.
    async fn fault_of_ours(
        &self,
        response: Response<Body>,
        session: Option<&HeaderValue>,
        is_ending: bool,
    ) -> Refusal {
        let session = session.and_then(|id| id.to_str().ok());
        if session.is_some_and(|id| !is_ending && !self.sessions.is_there(id)) {
            return plain(StatusCode::NOT_FOUND, "there is no such session").into();
        }
        let words = response.into_body().collect().await;
        let words = words.map(http_body_util::Collected::to_bytes);
        let words = words.unwrap_or_default();
        tracing::error!(fault = %String::from_utf8_lossy(&words), "a session could not be served");
        busy("sessions cannot be served now").into()
    }

    async fn whole_body(&self, body: Body) -> Result<Bytes, Refusal> {
        let whole = Limited::new(body, self.config.max_body).collect();
        let Ok(body) = tokio::time::timeout(BODY_TIMEOUT, whole).await else {
            return Err(plain(StatusCode::REQUEST_TIMEOUT, "the body took too long").into());
        };
        match body {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                let message = format!("a body has at most {} bytes", self.config.max_body);
                Err(plain(StatusCode::PAYLOAD_TOO_LARGE, message).into())
            }
            Err(_) => Err(plain(StatusCode::BAD_REQUEST, "the body did not arrive whole").into()),
        }
    }

    fn check_message(
        &self,
        path: &str,
        peek: &Peek<'_>,
        body: &[u8],
        principal: &Principal,
    ) -> Result<(), Refusal> {
        if peek.method() == Some("initialize") && !self.sessions.has_room() {
            return Err(busy("there are too many sessions").into());
        }
        let Some((tool, scopes)) = principal.lacks_scope(peek) else {
            return Ok(());
        };
        principal.record_refusal(tool, body);
        let message = format!("the access token lacks {}", scopes.join(" "));
        let mut refusal = plain(StatusCode::FORBIDDEN, message);
        // A client replaces its token by the new one: what it has is named too.
        let all = [principal.scopes_granted(), scopes].concat();
        if let Some(challenge) = self.authenticator.insufficient_scope(&all, path) {
            refusal
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        Err(refusal.into())
    }

    /// A stream ends with the grant, and one that waits for something to happen at shutdown too.
    fn ending(
        &self,
        response: Response<Body>,
        principal: &Principal,
        session: Option<&str>,
        underway: Option<Underway>,
        is_waiting: bool,
    ) -> Response<Body> {
        let is_stream = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        if !is_stream {
            return response;
        }
        let mut ends = vec![Arc::clone(&principal.ended)];
        if is_waiting {
            ends.push(Arc::clone(&self.config.stop));
        }
        let open = session.and_then(|id| self.sessions.open_stream(id));
        response.map(|body| Body::new(UntilEnded::new(body, ends, (open, underway))))
    }
}

/// Whether a client comes back to a stream of which it has seen the end. Version 1 of the TypeScript
/// SDK does, once a second and for ever, after each answer that is an error.
fn is_for_nothing(parts: &Parts) -> bool {
    let last = parts.headers.get("last-event-id");
    let last = last.and_then(|last| last.to_str().ok());
    parts.method == Method::GET && last.is_some_and(OwnedSessions::is_over)
}

/// Clients that take anything, or do not say, are answered in the types that there are.
fn accept_both(headers: &mut HeaderMap) {
    let accepts_all = match headers.get(header::ACCEPT) {
        None => true,
        Some(value) => value
            .to_str()
            .is_ok_and(|accept| accept.split(',').any(|part| part.trim().starts_with("*/*"))),
    };
    if accepts_all {
        headers.insert(header::ACCEPT, BOTH_TYPES);
    }
}

/// Whether the body says to be JSON, as rmcp understands it.
fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE);
    media_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}
