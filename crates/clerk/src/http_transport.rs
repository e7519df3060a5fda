//! The transport for native programs, over reqwest.

use std::error::Error as _;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::api_url::is_loopback;
use crate::env::BoxFuture;
use crate::transport::{Transport, TransportError, TransportErrorKind};

/// Sends requests over kept-alive connections, with rustls, inside a tokio runtime.
///
/// Nothing is loaded before the first request: reading the machine's certificates would cost more
/// than the whole start of a program may take. No redirect is followed, no cookie kept, nothing
/// repeated.
///
/// Proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are read from the environment
/// at the first request and obeyed, except that requests to this machine (`127.0.0.0/8`, `::1`,
/// `localhost`) never go through a proxy. `HTTP_PROXY` has no effect in practice: what is not
/// `https` goes to this machine.
#[derive(Debug)]
pub struct HttpTransport {
    connect_timeout: Duration,
    timeout: Duration,
    largest_body: usize,
    clients: [OnceLock<reqwest::Client>; 3],
}

/// Where a request goes; each way has connections and settings of its own.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// To another machine.
    Remote,
    /// To this machine, with TLS.
    Loopback,
    /// To this machine, in plain text. Needs no certificates, so that a machine without any can
    /// use a local emulator.
    PlainLoopback,
}

impl HttpTransport {
    /// A transport that gives up connecting after 5 s and waiting after 30 s, and takes bodies up
    /// to 32 MiB.
    pub fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            largest_body: 32 * 1024 * 1024,
            clients: [const { OnceLock::new() }; 3],
        }
    }

    /// How long making a connection may take.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a request may take, from the start to the last byte of the answer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many bytes the body of an answer may have.
    #[must_use]
    pub fn largest_body(mut self, bytes: usize) -> Self {
        self.largest_body = bytes;
        self
    }

    fn client(&self, way: Way) -> Result<&reqwest::Client, TransportError> {
        let cell = &self.clients[way as usize];
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let builder = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true);
        let builder = match way {
            Way::Remote => builder,
            Way::Loopback => builder.no_proxy(),
            Way::PlainLoopback => builder.no_proxy().tls_certs_only([]),
        };
        let client = builder.build().map_err(|error| self.failure(&error))?;
        Ok(cell.get_or_init(|| client))
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let client = self.client(Way::of(request.uri()))?;
        let request = reqwest::Request::try_from(request).map_err(|error| self.failure(&error))?;
        let mut answer = client
            .execute(request)
            .await
            .map_err(|error| self.failure(&error))?;
        let declared = answer
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        if declared.is_some_and(|length| length > self.largest_body) {
            return Err(self.too_large());
        }
        let mut body = BytesMut::with_capacity(declared.unwrap_or_default());
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + chunk.len() > self.largest_body {
                return Err(self.too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let mut whole = http::Response::new(body.freeze());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(whole)
    }

    fn too_large(&self) -> TransportError {
        TransportError {
            kind: TransportErrorKind::BodyTooLarge,
            message: format!("the answer is larger than {} bytes", self.largest_body),
        }
    }

    /// reqwest's own message names the URL with its query, so ours is made of the kind and of the
    /// innermost causes, which know nothing of the request.
    fn failure(&self, error: &reqwest::Error) -> TransportError {
        let (kind, what) = if error.is_builder() {
            // Nothing was sent, as when no connection could be made.
            (
                TransportErrorKind::Connect,
                "the connection could not be set up".to_owned(),
            )
        } else if error.is_connect() {
            (TransportErrorKind::Connect, "could not connect".to_owned())
        } else if error.is_timeout() {
            let seconds = self.timeout.as_secs_f32();
            (
                TransportErrorKind::Timeout,
                format!("no answer within {seconds} s"),
            )
        } else if error.is_request() || error.is_body() || error.is_decode() {
            (
                TransportErrorKind::Interrupted,
                "the connection broke".to_owned(),
            )
        } else {
            (
                TransportErrorKind::Other,
                "the request could not be sent".to_owned(),
            )
        };
        let message = match innermost(error) {
            Some(cause) if kind != TransportErrorKind::Timeout => format!("{what} ({cause})"),
            _ => what,
        };
        TransportError { kind, message }
    }
}

impl Way {
    fn of(address: &http::Uri) -> Self {
        let plain = address.scheme() == Some(&http::uri::Scheme::HTTP);
        match (address.host().is_some_and(is_loopback), plain) {
            (false, _) => Self::Remote,
            (true, false) => Self::Loopback,
            (true, true) => Self::PlainLoopback,
        }
    }
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(request))
    }
}

/// The error at the end of the chain of causes, such as `Connection refused (os error 111)`.
fn innermost(error: &reqwest::Error) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(next) = cause.source() {
        cause = next;
    }
    Some(cause.to_string())
}
