//! One Clerk instance.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::answer::{self, Context};
use crate::api_url::ApiUrl;
use crate::api_version::ApiVersion;
use crate::budget::{Budget, RateLimit};
use crate::env::Env;
use crate::error::Error;
use crate::id::IdError;
use crate::redact::without_key;
use crate::request::{Priority, Request};
use crate::response::Response;
use crate::retry::{self, Failure, RetryPolicy};
use crate::secret_key::{InstanceKind, SecretKey};
#[cfg(feature = "session-token")]
use crate::session_token::{JsonWebKeySet, SessionKeys};
use crate::transport::{Transport, TransportError, TransportErrorKind};

const CLERK_API_VERSION: HeaderName = HeaderName::from_static("clerk-api-version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const DEFAULT_USER_AGENT: &str = concat!("clerk-mcp/", env!("CARGO_PKG_VERSION"));

/// A client for one Clerk instance. Clones are cheap and share one rate-limit budget.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    key: SecretKey,
    transport: Arc<dyn Transport>,
    env: Arc<dyn Env>,
    api_url: ApiUrl,
    headers: HeaderMap,
    retry: RetryPolicy,
    budget: Mutex<Budget>,
    #[cfg(feature = "session-token")]
    session_keys: SessionKeys,
}

/// Makes a [`Client`]; see [`Client::builder`].
pub struct ClientBuilder {
    key: SecretKey,
    transport: Arc<dyn Transport>,
    env: Arc<dyn Env>,
    api_url: ApiUrl,
    api_version: ApiVersion,
    user_agent: String,
    rate_limit: RateLimit,
    retry: RetryPolicy,
    #[cfg(feature = "session-token")]
    session_keys: SessionKeys,
}

impl Client {
    /// Starts a client that speaks for `key`'s instance, with Clerk's public address, the default
    /// version, the instance's documented rate limit and the default retries.
    pub fn builder(
        key: SecretKey,
        transport: Arc<dyn Transport>,
        env: Arc<dyn Env>,
    ) -> ClientBuilder {
        let rate_limit = RateLimit::for_instance(key.instance());
        ClientBuilder {
            key,
            transport,
            env,
            api_url: ApiUrl::default(),
            api_version: ApiVersion::default(),
            user_agent: DEFAULT_USER_AGENT.to_owned(),
            rate_limit,
            retry: RetryPolicy::default(),
            #[cfg(feature = "session-token")]
            session_keys: SessionKeys::default(),
        }
    }

    /// Sends a request and reads the answer.
    ///
    /// Reads are repeated when that may help, writes only when they surely did not run; see
    /// [`RetryPolicy`]. Bulk requests wait for room in the instance's rate limit.
    ///
    /// # Errors
    /// [`Error`] when there is no 2xx answer with a JSON body or none.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        let inner = &*self.inner;
        let message = inner.message(request)?;
        let context = Context {
            operation: request.operation(),
            path: request.path(),
            only_reads: request.only_reads(),
            key: &inner.key,
            api_url: &inner.api_url,
        };
        let mut attempt = 1;
        loop {
            inner.take_budget(request.priority_level()).await;
            let sent = inner.transport.send(copy(&message)).await;
            let (error, failure) = match sent {
                Ok(answer) => match answer::read(&context, &answer) {
                    Ok(response) => return Ok(response),
                    Err(Error::Api(error)) => {
                        let (status, retry_after) = (error.status, error.retry_after);
                        (
                            Error::Api(error),
                            Failure::Status {
                                status,
                                retry_after,
                            },
                        )
                    }
                    Err(error) => return Err(error),
                },
                Err(error) => {
                    let failure = Failure::Transport(error.kind);
                    (inner.transport_error(request, error), failure)
                }
            };
            if let Failure::Status {
                status: 429,
                retry_after,
            } = failure
            {
                inner.pause_bulk(retry_after);
            }
            let random = inner.env.random();
            match retry::delay(&inner.retry, request.only_reads(), attempt, failure, random) {
                Some(delay) => inner.env.sleep(delay).await,
                None => return Err(error),
            }
            attempt += 1;
        }
    }

    /// The environment that the client was made with.
    pub fn env(&self) -> &dyn Env {
        &*self.inner.env
    }

    /// Which instance the client speaks to.
    pub fn instance(&self) -> InstanceKind {
        self.inner.key.instance()
    }

    #[cfg(feature = "session-token")]
    pub(crate) fn keys(&self) -> &SessionKeys {
        &self.inner.session_keys
    }

    /// Where the Backend API is.
    pub fn api_url(&self) -> &ApiUrl {
        &self.inner.api_url
    }
}

impl Inner {
    fn message(&self, request: &Request) -> Result<http::Request<Bytes>, Error> {
        let address = format!("{}/v1{}", self.api_url, request.path_and_query()?);
        let body = request
            .json_body()
            .map(|body| body.to_string())
            .unwrap_or_default();
        let mut message = http::Request::new(Bytes::from(body));
        *message.method_mut() = request.method().clone();
        *message.uri_mut() = address.parse().map_err(|_| IdError::InvalidAddress {
            operation: request.operation(),
        })?;
        *message.headers_mut() = self.headers.clone();
        Ok(message)
    }

    /// Counts the request; a bulk request first waits until there is room.
    async fn take_budget(&self, priority: Priority) {
        loop {
            let now = self.env.now();
            let wait = {
                let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
                match priority {
                    Priority::Interactive => {
                        budget.count(now);
                        return;
                    }
                    Priority::Bulk => budget.ask(now),
                }
            };
            match wait {
                Ok(()) => return,
                Err(wait) => self.env.sleep(wait).await,
            }
        }
    }

    fn pause_bulk(&self, retry_after: Option<u64>) {
        let now = self.env.now();
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.pause(now, retry_after, self.retry.longest_retry_after);
    }

    fn transport_error(&self, request: &Request, error: TransportError) -> Error {
        Error::Transport {
            operation: request.operation(),
            kind: error.kind,
            message: format!(
                "{}: {}",
                self.api_url,
                without_key(error.message, &self.key)
            ),
            may_have_run: !request.only_reads() && error.kind != TransportErrorKind::Connect,
        }
    }
}

impl ClientBuilder {
    /// Where the Backend API is; `https://api.clerk.com` otherwise.
    #[must_use]
    pub fn api_url(mut self, api_url: ApiUrl) -> Self {
        self.api_url = api_url;
        self
    }

    /// Which version of the Backend API to ask for.
    #[must_use]
    pub fn api_version(mut self, api_version: ApiVersion) -> Self {
        self.api_version = api_version;
        self
    }

    /// The `User-Agent`. Characters that a header cannot hold are dropped.
    #[must_use]
    pub fn user_agent(mut self, user_agent: String) -> Self {
        self.user_agent = user_agent;
        self
    }

    /// The instance's rate limit, where it differs from the documented one.
    #[must_use]
    pub fn rate_limit(mut self, rate_limit: RateLimit) -> Self {
        self.rate_limit = rate_limit;
        self
    }

    /// How often and how soon failed requests are sent again.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The keys that session tokens are verified with, such as the one of `CLERK_JWT_KEY`
    /// ([`JsonWebKeySet::from_pem`]). They are fetched from the Backend API otherwise.
    #[cfg(feature = "session-token")]
    #[must_use]
    pub fn session_keys(mut self, keys: JsonWebKeySet) -> Self {
        self.session_keys = SessionKeys::Given(Arc::new(keys));
        self
    }

    /// Makes the client. Sends nothing.
    pub fn build(self) -> Client {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.key.authorization().clone());
        headers.insert(CLERK_API_VERSION, self.api_version.header().clone());
        // On every request, GET included: Clerk's own SDKs do so.
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, user_agent(&self.user_agent));
        Client {
            inner: Arc::new(Inner {
                key: self.key,
                transport: self.transport,
                env: self.env,
                api_url: self.api_url,
                headers,
                retry: self.retry,
                budget: Mutex::new(Budget::new(self.rate_limit)),
                #[cfg(feature = "session-token")]
                session_keys: self.session_keys,
            }),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("key", &self.inner.key)
            .field("api_url", &self.inner.api_url.as_str())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("key", &self.key)
            .field("api_url", &self.api_url.as_str())
            .finish_non_exhaustive()
    }
}

/// `http::Request` is not `Clone`, because of its extensions; ours has none.
fn copy(message: &http::Request<Bytes>) -> http::Request<Bytes> {
    let mut copy = http::Request::new(message.body().clone());
    *copy.method_mut() = message.method().clone();
    *copy.uri_mut() = message.uri().clone();
    *copy.headers_mut() = message.headers().clone();
    copy
}

fn user_agent(text: &str) -> HeaderValue {
    let text: String = text
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .collect();
    HeaderValue::try_from(text.trim())
        .unwrap_or_else(|_| HeaderValue::from_static(DEFAULT_USER_AGENT))
}
