//! What answers a request without a socket, on a socket of this machine: the emulator, and the
//! demonstration's application.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, service::service_fn};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long open requests may take once the program is to end.
const GRACE: Duration = Duration::from_secs(3);
/// More connections at once than this wait in the system's queue.
const MAX_CONNECTIONS: usize = 1024;

/// Something that answers requests.
pub(crate) trait Handle: Send + Sync + 'static {
    /// The largest body, in bytes. Of a larger one comes one byte more, for which it has the right words.
    const LARGEST_BODY: usize;

    /// Answers a request, or has its connection closed.
    fn handle(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, Dropped>> + Send;
}

/// Why a connection is closed without an answer: an error of the service does that.
#[derive(Debug)]
pub(crate) struct Dropped(pub(crate) &'static str);

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the connection is dropped: {}", self.0)
    }
}

impl std::error::Error for Dropped {}

/// A socket that listens, and its address. `flag` is the one that chooses another port.
pub(crate) async fn listen(
    address: SocketAddr,
    flag: &str,
) -> Result<(TcpListener, SocketAddr), Failure> {
    Ok(server::listen::bind(address, flag).await?)
}

/// Serves until `ended` is done, and then what is open, for a moment.
pub(crate) async fn serve_until<H: Handle>(
    listener: TcpListener,
    handler: &Arc<H>,
    ended: impl Future<Output = ()>,
) {
    let stop = CancellationToken::new();
    let ending = async {
        ended.await;
        stop.cancel();
    };
    tokio::join!(ending, serve(listener, handler, &stop));
}

/// Accepts connections until told to stop, then lets open requests finish for a moment.
async fn serve<H: Handle>(listener: TcpListener, handler: &Arc<H>, stop: &CancellationToken) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                // An accept fails when the client has gone, or when the process has no file
                // descriptors left; then a moment's pause lets connections close.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let (handler, stop) = (Arc::clone(handler), stop.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&handler), request));
                    server::listen::converse(stream, service, &stop, || false).await;
                });
            }
            Some(_) = connections.join_next() => {}
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    // Whoever is not finished by then is cut off when the set is dropped.
    let _ = tokio::time::timeout(GRACE, finished).await;
}

async fn answer<H: Handle>(
    handler: Arc<H>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, H::LARGEST_BODY).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        // Too large, or the client has gone.
        Ok(Err(_)) => Bytes::from(vec![0; H::LARGEST_BODY + 1]),
        Err(_) => return Err(Dropped("its body took too long")),
    };
    let answer = handler.handle(Request::from_parts(parts, body)).await;
    answer.map(|response| response.map(Full::new))
}
