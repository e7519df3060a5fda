//! How requests to the owner's API leave the server.

use std::{sync::OnceLock, time::Duration};

use bytes::{Bytes, BytesMut};
use clerk::BoxFuture;
use http::{Request, Response, Uri};

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends one request and gives back the whole answer, whatever its status. It follows no redirect,
/// repeats nothing and keeps no cookie; dropping the future ends the request.
pub trait Transport: Send + Sync {
    /// Sends `request`, and takes at most `largest` bytes of body.
    ///
    /// # Errors
    /// [`TransportFault`] when no complete answer arrived.
    fn send(
        &self,
        request: Request<Bytes>,
        largest: usize,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportFault>>;
}

/// Why no complete answer arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportFault {
    /// No connection was made.
    Connect {
        /// For the log: the innermost cause.
        cause: String,
    },
    /// The connection broke; the request may have run.
    Interrupted {
        /// For the log: the innermost cause.
        cause: String,
    },
    /// The body is larger than was to be taken.
    TooLarge,
}

/// Sends requests over kept-alive connections, with rustls.
///
/// Nothing is loaded before the first request. `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are obeyed,
/// but never for requests to this machine.
#[derive(Debug, Default)]
pub struct HttpTransport {
    remote: OnceLock<reqwest::Client>,
    local: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
}

impl HttpTransport {
    /// A transport.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn client(&self, uri: &Uri) -> Result<&reqwest::Client, TransportFault> {
        let is_local = uri.host().is_some_and(is_loopback);
        let is_plain = uri.scheme() == Some(&http::uri::Scheme::HTTP);
        let cell = match (is_local, is_plain) {
            (false, _) => &self.remote,
            (true, false) => &self.local,
            (true, true) => &self.plain,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true);
        if is_local {
            builder = builder.no_proxy();
        }
        if is_local && is_plain {
            // A machine without certificates can use a local API.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| fault(&error))?;
        Ok(cell.get_or_init(|| client))
    }

    async fn exchange(
        &self,
        request: Request<Bytes>,
        largest: usize,
    ) -> Result<Response<Bytes>, TransportFault> {
        let client = self.client(request.uri())?;
        let request = reqwest::Request::try_from(request).map_err(|error| fault(&error))?;
        let mut answer = client
            .execute(request)
            .await
            .map_err(|error| fault(&error))?;
        let declared = answer.content_length().unwrap_or_default();
        let declared = usize::try_from(declared).unwrap_or(usize::MAX);
        if declared > largest {
            return Err(TransportFault::TooLarge);
        }
        let mut body = BytesMut::with_capacity(declared);
        while let Some(chunk) = answer.chunk().await.map_err(|error| fault(&error))? {
            if body.len() + chunk.len() > largest {
                return Err(TransportFault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut whole = Response::new(body.freeze());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(whole)
    }
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: Request<Bytes>,
        largest: usize,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportFault>> {
        Box::pin(self.exchange(request, largest))
    }
}

/// reqwest's own message names the address with its query; the innermost cause does not.
fn fault(error: &reqwest::Error) -> TransportFault {
    let first: &(dyn std::error::Error + 'static) = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    let cause = causes.skip(1).last().map(ToString::to_string);
    let cause = cause.unwrap_or_default();
    if error.is_connect() || error.is_builder() {
        TransportFault::Connect { cause }
    } else {
        TransportFault::Interrupted { cause }
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
