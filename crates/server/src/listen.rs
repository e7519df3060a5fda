//! Connections: accepted within bounds, served over HTTP/1.1, and brought to their end.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{BoxError, Router, body::Body};
use futures_util::future::Either;
use http::{Request, Response, StatusCode};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

use crate::{
    connections::{ConnectionBounds, Connections, Open},
    process::StartError,
    routes,
    unread_body::{self, Arrival},
};

/// How long a client may take for the head of a request, however slowly it comes, the wait for its
/// first byte on a new or a kept connection included: none is held for longer by saying nothing.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// The most bytes of a request's head.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// How long a request that is on its way when the server stops may take to arrive: nothing has been done
/// for it yet, and who says nothing more must not hold up the end.
const ARRIVAL_GRACE: Duration = Duration::from_secs(2);
/// How long to wait after an accept failed: the process may be out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens a socket; with port 0 on a free one.
///
/// # Errors
/// [`StartError`] with the flag that names another port.
pub async fn bind(
    address: SocketAddr,
    flag: &str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| cannot_bind(address, flag, &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| StartError::failed(format!("the socket has no address: {error}")))?;
    Ok((listener, address))
}

/// Why there is no socket at this address.
pub(crate) fn cannot_bind(address: SocketAddr, flag: &str, error: &io::Error) -> StartError {
    let hint = match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address; 127.0.0.1 is its own, and 0.0.0.0 stands for all".to_owned()
        }
        io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 are the system's: choose another with {flag}, and let a proxy have that one"
        ),
        _ => format!("choose another port with {flag}; port 0 is a free one"),
    };
    StartError::failed(format!("cannot listen on {address}: {error}\nhint: {hint}"))
}

/// The address at the other end of the connection, as an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub SocketAddr);

/// Serves as many connections as `bounds` allows until `stop`, then lets open requests finish for
/// `grace`. What is not finished by then is cut off, and what has not arrived 2 s after the stop.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    bounds: ConnectionBounds,
    stop: CancellationToken,
    grace: Duration,
) {
    let unread = bounds.unread;
    let connections = Arc::new(Connections::new(bounds));
    // Connections, and requests that go on without theirs.
    let under_way = TaskTracker::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match connections.open(peer.ip()) {
                    Ok(open) => {
                        let_go_when_unread(&stream, unread);
                        let conversation = Conversation {
                            peer,
                            app: app.clone(),
                            under_way: under_way.clone(),
                        };
                        under_way.spawn(conversation.hold(stream, open, stop.clone()));
                    }
                    Err(too_many) => connections.turn_away(stream, too_many),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    under_way.close();
    if tokio::time::timeout(grace, under_way.wait()).await.is_err() {
        tracing::warn!(open = under_way.len(), "requests were cut off at shutdown");
    }
}

/// Has the system break a connection whose client reads nothing, or is gone without a word. What waits for it
/// is in the system's buffers, where no timer of ours sees it. Elsewhere than on Linux it takes as long as the
/// system likes.
fn let_go_when_unread(stream: &TcpStream, time: Duration) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(time)) {
        tracing::debug!(%error, "a connection has no bound for what stays unread");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, time);
}

/// Answers the requests of one connection until `stop`, and then the one that is open, unless that
/// `has_yet_to_arrive` 2 s later.
pub async fn converse<S>(
    stream: TcpStream,
    service: S,
    stop: &CancellationToken,
    has_yet_to_arrive: impl Fn() -> bool,
) where
    S: HttpService<Incoming>,
    S::Error: Into<BoxError>,
    S::ResBody: 'static,
    <S::ResBody as http_body::Body>::Error: Into<BoxError>,
{
    // Without this a small answer waits 40 ms for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A broken connection is its client's business.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let soon = tokio::time::timeout(ARRIVAL_GRACE, connection.as_mut()).await;
    if soon.is_err() && !has_yet_to_arrive() {
        let _ = connection.await;
    }
}

/// One connection, with as many requests as its client sends.
#[derive(Clone)]
struct Conversation {
    peer: SocketAddr,
    app: Router,
    under_way: TaskTracker,
}

impl Conversation {
    /// `_open` counts the connection until it is closed.
    async fn hold(self, stream: TcpStream, _open: Open, stop: CancellationToken) {
        let arrival = Arrival::expected();
        let service = service_fn(|request| self.answer(request, &arrival));
        converse(stream, service, &stop, || arrival.is_expected()).await;
    }

    /// A future that is dropped when the connection closes. What goes to its end has a task of its own
    /// before that is looked at: of a client that hangs up at once, hyper never polls the future.
    fn answer(
        &self,
        request: Request<Incoming>,
        arrival: &Arrival,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(PeerAddress(self.peer));
        let (body, unread) = unread_body::watch(&parts.headers, body, arrival);
        let request = Request::from_parts(parts, body);
        let mut app = self.app.clone();
        let answering = if routes::goes_to_its_end(request.uri().path()) {
            let task = self.under_way.spawn(async move { app.call(request).await });
            Either::Right(async move {
                task.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "a request's task failed");
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    Ok(response)
                })
            })
        } else {
            Either::Left(app.call(request))
        };
        async move {
            let Ok(mut response) = answering.await;
            unread.settle(&mut response).await;
            Ok(response)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{
        io::{Read as _, Write as _},
        net::TcpStream as Client,
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::Instant,
    };

    use super::*;

    /// Nothing that must come takes this long.
    const LONG: Duration = Duration::from_secs(60);

    /// A client that has sent these bytes, and for which `ready` has then passed. tokio's paused clock leaps
    /// to the next timer whenever its runtime has nothing to do, though bytes may be on their way; but not
    /// while something blocks, as all of this does.
    async fn client(
        address: SocketAddr,
        sent: &'static [u8],
        ready: impl FnOnce(&mut Client) + Send + 'static,
    ) -> TcpStream {
        let connected = tokio::task::spawn_blocking(move || {
            let mut client = Client::connect(address).unwrap();
            client.set_read_timeout(Some(LONG)).unwrap();
            client.write_all(sent).unwrap();
            ready(&mut client);
            client.set_nonblocking(true).unwrap();
            client
        });
        TcpStream::from_std(connected.await.unwrap()).unwrap()
    }

    /// What comes until the end of the connection, which is reset when something sent was not read.
    async fn rest(mut stream: TcpStream) -> String {
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said).await;
        said
    }

    /// What a client gets that sends these bytes, and after how long the connection is over. An answer is
    /// waited for where there is to be one.
    async fn said(sent: &'static [u8], is_answered: bool) -> (String, Duration) {
        let (listener, address) = bind(([127, 0, 0, 1], 0).into(), "--bind").await.unwrap();
        let bounds = ConnectionBounds {
            all: 1,
            of_address: 1,
            proxies: crate::config::TrustedProxies::default(),
            unread: Duration::from_secs(60),
        };
        let app = Router::new().route("/", axum::routing::get(|| async { "hello" }));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, app, bounds, stop.clone(), Duration::ZERO));
        let (answer, answered) = std::sync::mpsc::channel();
        let ready = move |client: &mut Client| {
            let mut said = Vec::new();
            while is_answered && !said.ends_with(b"hello") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                said.extend(byte);
            }
            answer.send(said).unwrap();
        };
        let begun = Instant::now();
        let stream = client(address, sent, ready).await;
        let answer = String::from_utf8(answered.recv().unwrap()).unwrap();
        let said = answer + &rest(stream).await;
        let after = begun.elapsed();
        stop.cancel();
        serving.await.unwrap();
        (said, after)
    }

    /// The clock is tokio's, which goes on when nothing else is to be done.
    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_more_is_let_go() {
        for sent in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: h\r\n"] {
            let (said, after) = said(sent.as_bytes(), false).await;
            assert!(!said.contains("200 OK"), "{sent:?}: {said}");
            assert_eq!(after.as_secs(), HEADER_TIMEOUT.as_secs(), "{sent:?}");
        }
        // A connection that is kept after an answer, too.
        let (said, after) = said(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", true).await;
        assert!(said.contains("200 OK") && said.ends_with("hello"), "{said}");
        assert_eq!(after.as_secs(), HEADER_TIMEOUT.as_secs());
    }

    /// A body without end, and somebody who hears when it is given up.
    struct Endless {
        _over: tokio_util::sync::DropGuard,
    }

    impl http_body::Body for Endless {
        type Data = bytes::Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
            let piece = bytes::Bytes::from_static(&[b'x'; 64 * 1024]);
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(piece))))
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_reads_nothing_is_let_go_with_all_that_waits() {
        let (listener, address) = bind(([127, 0, 0, 1], 0).into(), "--bind").await.unwrap();
        let bounds = ConnectionBounds {
            all: 1,
            of_address: 1,
            proxies: crate::config::TrustedProxies::default(),
            unread: Duration::from_secs(1),
        };
        let over = CancellationToken::new();
        let body = over.clone();
        let endless = move || {
            let _over = body.clone().drop_guard();
            std::future::ready(Response::new(Body::new(Endless { _over })))
        };
        let app = Router::new().route("/", axum::routing::get(endless));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, app, bounds, stop.clone(), Duration::ZERO));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let given_up = tokio::time::timeout(LONG, over.cancelled()).await;
        assert!(given_up.is_ok(), "it is held for ever");
        drop(stream);
        stop.cancel();
        serving.await.unwrap();
    }

    /// After how long a server ends that is stopped once a client has sent this, and what that client got.
    async fn ends(sent: &'static [u8]) -> (String, Duration) {
        let (listener, address) = bind(([127, 0, 0, 1], 0).into(), "--bind").await.unwrap();
        let bounds = ConnectionBounds {
            all: 1,
            of_address: 1,
            proxies: crate::config::TrustedProxies::default(),
            unread: Duration::from_secs(60),
        };
        let (seen, came) = std::sync::mpsc::channel();
        let answer = move |body: Body| async move {
            seen.send(()).unwrap();
            let body = axum::body::to_bytes(body, usize::MAX).await;
            tokio::time::sleep(Duration::from_secs(7)).await;
            if body.is_ok() { "finished" } else { "cut off" }
        };
        let app = Router::new().route("/", axum::routing::post(answer));
        let stop = CancellationToken::new();
        let grace = Duration::from_secs(30);
        let serving = tokio::spawn(serve(listener, app, bounds, stop.clone(), grace));
        let is_heard = sent.ends_with(b"\n\r\n") || sent.ends_with(b"half");
        let stream = client(address, sent, move |_| {
            if is_heard {
                came.recv_timeout(LONG).unwrap();
            }
        })
        .await;
        if !is_heard {
            // Of half a head nobody hears: a moment of the paused clock passes once nobody has anything to do.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let begun = Instant::now();
        stop.cancel();
        serving.await.unwrap();
        let after = begun.elapsed();
        (rest(stream).await, after)
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_arrived_is_finished_and_the_rest_holds_up_no_end() {
        let whole = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n";
        let (said, after) = ends(whole).await;
        assert!(said.ends_with("finished"), "{said}");
        assert_eq!(after.as_secs(), 7);
        for sent in [
            "",
            "POST / HT",
            "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nhalf",
        ] {
            let (said, after) = ends(sent.as_bytes()).await;
            assert!(!said.contains("finished"), "{sent:?}: {said}");
            assert!(
                after <= ARRIVAL_GRACE + Duration::from_secs(1),
                "{sent:?}: {after:?}"
            );
        }
    }
}
