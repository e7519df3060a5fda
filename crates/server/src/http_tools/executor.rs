//! Calls: credential, request, retries, redirects, pages, result.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clerk::{BoxFuture, Env};
use http::{
    Method, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};
use mcp::{Caller, Definition, OwnTool, OwnToolError, ToolResult, owners_api::hide};
use serde_json::{Map, Value};
use toolkit::{
    Progress,
    cut::{RESULT_LIMIT, json_size},
};

use super::{
    credential::{Credential, CredentialKind},
    fault::{Told, ToolFault},
    pagination::Page,
    retry_after,
    shape::judge,
    template::Values,
    tool::HttpTool,
    transport::{Transport, TransportFault},
};
use crate::tool_state::ToolState;

/// Redirects followed in one exchange, all below the base URL.
const MOST_REDIRECTS: u32 = 3;
/// The longest wait before the first repetition; it doubles with each one that follows.
const BASE_DELAY: Duration = Duration::from_millis(200);
/// The longest `Retry-After` that is waited for; a longer one is told.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The values that tools keep, and which tools save which.
#[derive(Clone, Debug)]
pub struct SavedValues {
    state: ToolState,
    savers: Arc<BTreeMap<String, Vec<String>>>,
}

impl SavedValues {
    /// The values in `state`, as these tools save them.
    #[must_use]
    pub fn new(state: ToolState, tools: &[Arc<HttpTool>]) -> Self {
        let mut savers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for tool in tools {
            for name in tool.state_written() {
                let savers = savers.entry(name.to_owned()).or_default();
                savers.push(tool.name().to_owned());
            }
        }
        Self {
            state,
            savers: Arc::new(savers),
        }
    }

    /// The values that a tool's request holds.
    async fn load(
        &self,
        tool: &HttpTool,
        caller: &Caller,
    ) -> Result<Map<String, Value>, ToolFault> {
        let names = tool.state_read();
        if names.is_empty() {
            return Ok(Map::new());
        }
        let loaded = self.state.get(caller, &names).await;
        let values = loaded.map_err(|error| ToolFault::State {
            problem: error.to_string(),
        })?;
        let missing = tool.state_needed().into_iter();
        let missing = missing.filter(|name| !values.contains_key(*name));
        let names: Vec<_> = missing
            .map(|name| {
                (
                    name.to_owned(),
                    self.savers.get(name).cloned().unwrap_or_default(),
                )
            })
            .collect();
        if names.is_empty() {
            return Ok(values);
        }
        Err(ToolFault::StateMissing { names })
    }

    async fn save(&self, caller: &Caller, values: Map<String, Value>) -> Result<(), ToolFault> {
        let saved = self.state.set(caller, values).await;
        saved.map_err(|error| ToolFault::NotSaved {
            problem: error.to_string(),
        })
    }
}

/// What calls need of the machine and of the rest of the server.
#[derive(Clone)]
pub struct Surroundings {
    /// Sends requests.
    pub transport: Arc<dyn Transport>,
    /// Gives credentials.
    pub credentials: Arc<dyn Credential>,
    /// Keeps values from call to call.
    pub saved: SavedValues,
    /// Sleep and randomness, for repetitions.
    pub env: Arc<dyn Env>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// One call of a tool.
#[derive(Clone, Copy)]
struct Call<'a> {
    caller: &'a Caller,
    progress: &'a dyn Progress,
    /// When its time is up, milliseconds since the Unix epoch.
    until: u64,
    reached: &'a Reached,
}

/// How far a call has come: what a fault means depends on it.
#[derive(Debug, Default)]
struct Reached {
    /// Whether a request of it has left.
    sent: AtomicBool,
    /// Whether the API took a change and led elsewhere for its answer (303).
    taken: AtomicBool,
}

impl Reached {
    fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A tool over the owner's API, ready to be called.
#[derive(Clone, Debug)]
pub struct ApiTool {
    tool: Arc<HttpTool>,
    surroundings: Surroundings,
}

impl ApiTool {
    /// A tool in its surroundings.
    #[must_use]
    pub fn new(tool: Arc<HttpTool>, surroundings: Surroundings) -> Self {
        Self { tool, surroundings }
    }

    /// Its definition.
    #[must_use]
    pub fn tool(&self) -> &Arc<HttpTool> {
        &self.tool
    }

    /// Whether a call may change something.
    fn writes(&self) -> bool {
        !self.tool.definition().hints.read_only
    }

    async fn run(
        &self,
        arguments: &Map<String, Value>,
        caller: &Caller,
        progress: &dyn Progress,
    ) -> Result<ToolResult, OwnToolError> {
        self.tool.check(arguments)?;
        let reached = Reached::default();
        let told = |fault: ToolFault| {
            fault.told(Told {
                writes: self.writes(),
                as_person: self.tool.credential.is_persons(),
                by_oauth: self.tool.credential == CredentialKind::Oauth,
                taken: reached.is_taken(),
            })
        };
        let saved = &self.surroundings.saved;
        let state = saved.load(&self.tool, caller).await.map_err(told)?;
        let values = Values {
            arguments,
            state: &state,
        };
        let request = self.tool.build(values)?;
        let limit = self.tool.timeout;
        let call = Call {
            caller,
            progress,
            reached: &reached,
            until: self
                .surroundings
                .env
                .now()
                .saturating_add(milliseconds(limit)),
        };
        let calling = self.calls(request, call);
        let called = tokio::time::timeout(limit, calling).await;
        let called = called.unwrap_or_else(|_| Err(in_time(limit, reached.is_sent())));
        let (result, values) = called.map_err(told)?;
        saved.save(caller, values).await.map_err(told)?;
        Ok(result)
    }

    /// The result of the call, and what is to be saved of it.
    async fn calls(
        &self,
        request: Request<Bytes>,
        call: Call<'_>,
    ) -> Result<(ToolResult, Map<String, Value>), ToolFault> {
        let Some(pagination) = &self.tool.pagination else {
            let (response, _) = self.authorized(request, call, true).await?;
            self.accepted(&response)?;
            let result = self.tool.shape(&response)?;
            return Ok((result, self.tool.saved(&response)?));
        };
        let (mut request, mut may_renew) = (request, true);
        let (mut items, mut size) = (Vec::new(), 0);
        for number in 1..=pagination.max_pages {
            let asked = request.clone();
            let (response, renewed) = self.authorized(asked, call, may_renew).await?;
            // A credential is renewed once in a call.
            may_renew &= !renewed;
            self.accepted(&response)?;
            judge(&response)?;
            let page = match response.body().is_empty() {
                true => Page::default(),
                false => pagination.read(request.uri(), self.tool.json(&response)?)?,
            };
            size += page.items.iter().map(json_size).sum::<usize>();
            items.extend(page.items);
            let next = page.next;
            let is_last = number == pagination.max_pages || size > RESULT_LIMIT;
            match next
                .as_ref()
                .and_then(|next| pagination.go_to(request.uri(), next))
            {
                Some(uri) if !is_last => *request.uri_mut() = uri,
                _ => {
                    let saved = self.tool.saved(&response)?;
                    return Ok((self.tool.pages(items, next)?, saved));
                }
            }
            let told = format!("{} items", items.len());
            call.progress
                .report(number, Some(pagination.max_pages), told)
                .await;
        }
        Ok((self.tool.pages(items, None)?, Map::new()))
    }

    /// A 401 is the person's to mend only where the credential is theirs.
    fn accepted(&self, response: &Response<Bytes>) -> Result<(), ToolFault> {
        let credential = &self.tool.credential;
        if response.status() != 401 || credential.is_persons() {
            return Ok(());
        }
        let message = match credential {
            CredentialKind::None => "the API wants a credential, and this tool has none (401)",
            _ => "the API does not accept this server's credential (401)",
        };
        Err(ToolFault::Credential {
            code: "credential_refused".into(),
            message: message.to_owned(),
            hint: Some("tell whoever runs this server".to_owned()),
        })
    }

    /// Sends with a credential; one that the API refuses (401) is renewed if it may. The answer comes
    /// with whether that was tried.
    async fn authorized(
        &self,
        request: Request<Bytes>,
        call: Call<'_>,
        may_renew: bool,
    ) -> Result<(Response<Bytes>, bool), ToolFault> {
        let (kind, caller) = (&self.tool.credential, call.caller);
        let credentials = &self.surroundings.credentials;
        let Some(header) = credentials.header(caller, kind, None).await? else {
            return Ok((self.repeated(request, call).await?, false));
        };
        let mut first = request.clone();
        first
            .headers_mut()
            .insert(header.name.clone(), header.value.clone());
        let response = hide(self.repeated(first, call).await?, header.value.as_bytes());
        // What the API took is not sent a second time, whoever it did not believe afterwards.
        if response.status() != 401 || !may_renew || call.reached.is_taken() {
            return Ok((response, false));
        }
        let renewed = credentials.header(caller, kind, Some(&header)).await?;
        let Some(renewed) = renewed.filter(|renewed| renewed.value != header.value) else {
            return Ok((response, true));
        };
        let mut second = request;
        second
            .headers_mut()
            .insert(renewed.name.clone(), renewed.value.clone());
        let response = self.repeated(second, call).await?;
        Ok((hide(response, renewed.value.as_bytes()), true))
    }

    /// Sends, and again where that may help and cannot harm.
    async fn repeated(
        &self,
        request: Request<Bytes>,
        call: Call<'_>,
    ) -> Result<Response<Bytes>, ToolFault> {
        let env = &self.surroundings.env;
        let mut attempt = 0;
        call.reached.sent.store(true, Ordering::Relaxed);
        loop {
            let sent = self.redirected(request.clone(), call.reached).await;
            let wait = (attempt < self.tool.retries && !call.reached.is_taken())
                .then(|| wait(&sent, attempt, env.random()))
                .flatten()
                // What was answered says more than that the time was up while we waited.
                .filter(|wait| env.now().saturating_add(milliseconds(*wait)) < call.until);
            let Some(wait) = wait else {
                return sent.map_err(|fault| self.told(fault));
            };
            env.sleep(wait).await;
            attempt += 1;
        }
    }

    /// Sends, and follows redirects that stay below the base URL.
    async fn redirected(
        &self,
        request: Request<Bytes>,
        reached: &Reached,
    ) -> Result<Response<Bytes>, TransportFault> {
        let mut request = request;
        for _ in 0..MOST_REDIRECTS {
            let response = self.send(request.clone()).await?;
            let Some(next) = self.redirect(&request, &response) else {
                return Ok(response);
            };
            // 303 to what changed something: it was done, and the answer is elsewhere (RFC 9110 section 15.4.4).
            if request.method() != next.method() && self.writes() {
                reached.taken.store(true, Ordering::Relaxed);
            }
            request = next;
        }
        self.send(request).await
    }

    fn redirect(
        &self,
        request: &Request<Bytes>,
        response: &Response<Bytes>,
    ) -> Option<Request<Bytes>> {
        let location = response.headers().get(LOCATION)?.to_str().ok()?;
        let to_get = match (response.status().as_u16(), request.method()) {
            (301 | 302 | 307 | 308, &Method::GET) | (307 | 308, _) => false,
            (303, _) => true,
            // Whether the API means another GET or the same request is anybody's guess.
            _ => return None,
        };
        let mut next = request.clone();
        *next.uri_mut() = self.tool.api.base_url.follow(request.uri(), location)?;
        if to_get {
            *next.method_mut() = Method::GET;
            *next.body_mut() = Bytes::new();
            next.headers_mut().remove(CONTENT_TYPE);
            next.headers_mut().remove(CONTENT_LENGTH);
        }
        Some(next)
    }

    /// The one place where requests leave: never for anywhere but the base URL.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportFault> {
        if !self.tool.api.base_url.contains(request.uri()) {
            return Err(TransportFault::Connect {
                cause: "it is not below the base URL".to_owned(),
            });
        }
        let transport = &self.surroundings.transport;
        let mut response = transport.send(request, self.tool.max_response).await?;
        let now = self.surroundings.env.now();
        retry_after::to_seconds(response.headers_mut(), now);
        Ok(response)
    }

    fn told(&self, fault: TransportFault) -> ToolFault {
        match fault {
            TransportFault::TooLarge => ToolFault::TooLarge {
                limit: self.tool.max_response,
            },
            TransportFault::Connect { cause } => {
                tracing::warn!(tool = self.tool.name(), cause, "the API cannot be reached");
                ToolFault::Unreachable
            }
            TransportFault::Interrupted { cause } => {
                tracing::warn!(
                    tool = self.tool.name(),
                    cause,
                    "the connection to the API broke"
                );
                ToolFault::Interrupted
            }
        }
    }
}

/// What took longer than a call has: the API, or, before anything was sent, Clerk with the credential.
fn in_time(limit: Duration, sent: bool) -> ToolFault {
    if sent {
        return ToolFault::Timeout { after: limit };
    }
    ToolFault::Credential {
        code: "credential_unavailable".into(),
        message: format!(
            "Clerk gave no credential within {} s; nothing was sent to the API",
            limit.as_secs_f32()
        ),
        hint: Some("try again later".to_owned()),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long to wait before the next attempt; `None` when another would not help.
fn wait(
    sent: &Result<Response<Bytes>, TransportFault>,
    attempt: u32,
    random: u64,
) -> Option<Duration> {
    match sent {
        Err(TransportFault::TooLarge) => return None,
        Err(TransportFault::Connect { .. } | TransportFault::Interrupted { .. }) => {}
        Ok(response) => {
            if !matches!(response.status().as_u16(), 429 | 500 | 502 | 503 | 504) {
                return None;
            }
            if let Some(seconds) = retry_after::seconds(response.headers()) {
                let asked = Duration::from_secs(seconds);
                return (asked <= LONGEST_RETRY_AFTER).then_some(asked);
            }
        }
    }
    // Full jitter: calls that failed together do not come back together.
    let longest = BASE_DELAY.saturating_mul(1 << attempt.min(16));
    let longest = milliseconds(longest);
    Some(Duration::from_millis(
        random % longest.saturating_add(1).max(1),
    ))
}

impl OwnTool for ApiTool {
    fn definition(&self) -> &Definition {
        self.tool.definition()
    }

    fn call<'a>(
        &'a self,
        arguments: &'a Map<String, Value>,
        caller: &'a Caller,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<ToolResult, OwnToolError>> {
        Box::pin(self.run(arguments, caller, progress))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn status(status: u16, retry_after: Option<&str>) -> Result<Response<Bytes>, TransportFault> {
        let mut response = Response::builder().status(status);
        if let Some(seconds) = retry_after {
            response = response.header("retry-after", seconds);
        }
        Ok(response.body(Bytes::new()).unwrap())
    }

    #[test]
    fn only_what_may_pass_is_repeated() {
        for code in [200, 301, 400, 401, 403, 404, 422, 501] {
            assert_eq!(wait(&status(code, None), 0, 7), None, "{code}");
        }
        for code in [429, 500, 502, 503, 504] {
            assert_eq!(
                wait(&status(code, None), 0, 7),
                Some(Duration::from_millis(7))
            );
        }
        assert_eq!(
            wait(&status(429, Some("2")), 0, 7),
            Some(Duration::from_secs(2))
        );
        assert_eq!(wait(&status(429, Some("6")), 0, 7), None);
        assert_eq!(wait(&Err(TransportFault::TooLarge), 0, 7), None);
        for (attempt, longest) in [(0, 200), (1, 400), (2, 800)] {
            let failed = Err(TransportFault::Interrupted {
                cause: String::new(),
            });
            assert_eq!(
                wait(&failed, attempt, longest),
                Some(Duration::from_millis(longest))
            );
            assert_eq!(wait(&failed, attempt, longest + 1), Some(Duration::ZERO));
        }
    }
}
