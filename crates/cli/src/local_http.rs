//! What answers a request without a socket, on a socket of this machine: the emulator, and the
//! demonstration's application.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::failure::Failure;

/// How long a client may take to send its headers, and leave a kept connection idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long open requests may take once the program is to end.
const GRACE: Duration = Duration::from_secs(3);
const MAX_HEADER_BYTES: usize = 64 * 1024;
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
    let (stop, stopped) = watch::channel(false);
    let ending = async {
        ended.await;
        // The receivers live as long as this function.
        let _ = stop.send(true);
    };
    tokio::join!(ending, serve(listener, handler, stopped));
}

/// Accepts connections until told to stop, then lets open requests finish for a moment.
async fn serve<H: Handle>(
    listener: TcpListener,
    handler: &Arc<H>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = tokio::task::JoinSet::new();
    let told = stopped.clone();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                // An accept fails when the client has gone, or when the process has no file
                // descriptors left; then a moment's pause lets connections close.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                connections.spawn(converse(stream, Arc::clone(handler), told.clone()));
            }
            Some(_) = connections.join_next() => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    // Whoever is not finished by then is cut off when the set is dropped.
    let _ = tokio::time::timeout(GRACE, finished).await;
}

/// One connection, with as many requests as its client sends.
async fn converse<H: Handle>(
    stream: TcpStream,
    handler: Arc<H>,
    mut stopped: watch::Receiver<bool>,
) {
    // Without this a small answer waits for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&handler), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A broken connection is its client's business.
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
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
