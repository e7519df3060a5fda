//! Bodies of requests that are answered before they were read: refused without a look at them. A
//! connection can only be kept once they are out of the way, and hyper closes it without a word where
//! they are not. Here what is left is read and thrown away first, within bounds; beyond these the
//! answer says that the connection ends.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;

/// The most bytes that are read for nothing: more cost more than a new connection.
const MOST_UNREAD: usize = 256 * 1024;
/// How long the rest of a body may take to arrive: as long waits the answer.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(2);

/// A request's body, which comes back when it is let go before its end.
struct Watched {
    /// `None` once it was read to its end.
    body: Option<Incoming>,
    left: Option<oneshot::Sender<Rest>>,
    arrival: Arrival,
    /// Its client waits to be asked for it (RFC 9110, section 10.1.1).
    is_awaited: bool,
}

/// What is left of a body.
struct Rest {
    body: Incoming,
    /// Its client has not been asked for it, and may never send it.
    is_awaited: bool,
}

/// Where the rest of a body will be.
pub(crate) struct Unread(Option<oneshot::Receiver<Rest>>);

/// Whether a connection's first request, or the body of its latest, is still on its way. Until then there
/// is nothing that could be finished.
#[derive(Clone, Debug)]
pub(crate) struct Arrival(Arc<AtomicBool>);

impl Arrival {
    /// A connection of which nothing has come yet.
    pub(crate) fn expected() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether it has yet to come.
    pub(crate) fn is_expected(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn expect(&self, expected: bool) {
        self.0.store(expected, Ordering::Relaxed);
    }
}

/// The body for whoever answers, and what to ask for its rest once there is an answer.
pub(crate) fn watch(headers: &HeaderMap, body: Incoming, arrival: &Arrival) -> (Body, Unread) {
    let is_whole = body.is_end_stream();
    arrival.expect(!is_whole);
    if is_whole {
        return (Body::new(body), Unread(None));
    }
    let (left, rest) = oneshot::channel();
    let watched = Watched {
        body: Some(body),
        left: Some(left),
        arrival: arrival.clone(),
        is_awaited: headers.contains_key(header::EXPECT),
    };
    (Body::new(watched), Unread(Some(rest)))
}

impl Unread {
    /// Reads what is left, or says in the answer that the connection ends. Whoever still reads the
    /// body is left alone.
    pub(crate) async fn settle(self, response: &mut Response<Body>) {
        let Some(mut rest) = self.0 else {
            return;
        };
        let closes = match rest.try_recv() {
            Ok(rest) => rest.is_awaited || !is_read_to_its_end(rest.body).await,
            Err(oneshot::error::TryRecvError::Closed) => false,
            Err(oneshot::error::TryRecvError::Empty) => return,
        };
        if closes {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
    }
}

async fn is_read_to_its_end(mut body: Incoming) -> bool {
    let most = u64::try_from(MOST_UNREAD).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return false;
    }
    let mut left = MOST_UNREAD;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let length = frame.ok()?.data_ref().map_or(0, Bytes::len);
            left = left.checked_sub(length)?;
        }
        Some(())
    };
    let read = tokio::time::timeout(UNREAD_TIMEOUT, reading).await;
    matches!(read, Ok(Some(())))
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(context);
        self.is_awaited = false;
        // After an error there is nothing to be read either: the connection is broken.
        if let Poll::Ready(None | Some(Err(_))) = &frame {
            self.body = None;
        }
        if self.is_end_stream() {
            self.arrival.expect(false);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let exactly_nothing = || SizeHint::with_exact(0);
        self.body
            .as_ref()
            .map_or_else(exactly_nothing, Incoming::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // What is left of it is nobody's any more.
        self.arrival.expect(false);
        if let (Some(body), Some(left)) = (self.body.take(), self.left.take())
            && !body.is_end_stream()
        {
            // Nobody may wait for it any more: the connection is closed.
            let _ = left.send(Rest {
                body,
                is_awaited: self.is_awaited,
            });
        }
    }
}
