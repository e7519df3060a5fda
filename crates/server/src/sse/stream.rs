//! The stream of a session: what the client is to send its messages to, then everything it is told.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::Frame;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{MESSAGES_PATH, SESSION_PARAMETER, SseSession, SseSessions, sessions::Opened};
use crate::{ended::GrantEnd, front::Underway, keep_alive::KeepAlive, tool_lists::Watching};

/// How often a stream that is to end looks whether its calls are over.
const STOPPING: Duration = Duration::from_millis(20);

/// The stream of a session that was just opened. It ends with the grant, and at shutdown once no
/// request is under way; the session ends with it.
pub(crate) fn open(
    sessions: Arc<SseSessions>,
    opened: Opened,
    ended: GrantEnd,
    stop: &CancellationToken,
    kept: Kept,
) -> Response<Body> {
    let Opened {
        id,
        session,
        outgoing,
    } = opened;
    let first = format!("event: endpoint\ndata: {MESSAGES_PATH}?{SESSION_PARAMETER}={id}\n\n");
    let stream = Stream {
        first: Some(first.into()),
        outgoing,
        keep_alive: KeepAlive::new(),
        over: [
            Box::pin(CancellationToken::clone(&ended).cancelled_owned()),
            Box::pin(session.gone.clone().cancelled_owned()),
        ],
        stop: Box::pin(stop.clone().cancelled_owned()),
        is_stopping: false,
        _ended: ended,
        session,
        _closing: Closing { sessions, id },
        _kept: kept,
    };
    let mut response = Response::new(Body::new(stream));
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Kept for as long as the stream is open: it counts, and hears of changed tools.
pub(crate) type Kept = (Underway, Option<Watching>);

struct Closing {
    sessions: Arc<SseSessions>,
    id: Arc<str>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.sessions.close(&self.id);
    }
}

struct Stream {
    first: Option<Bytes>,
    outgoing: mpsc::Receiver<Bytes>,
    keep_alive: KeepAlive,
    over: [Pin<Box<WaitForCancellationFutureOwned>>; 2],
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    is_stopping: bool,
    /// Kept, so that whoever ends the grant finds it.
    _ended: GrantEnd,
    session: Arc<SseSession>,
    _closing: Closing,
    _kept: Kept,
}

type Frames = Option<Result<Frame<Bytes>, axum::Error>>;

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Frames> {
        let frame = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        for over in &mut self.over {
            if over.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
        }
        if let Some(first) = self.first.take() {
            return frame(first);
        }
        if let Poll::Ready(message) = self.outgoing.poll_recv(context) {
            self.keep_alive.sent();
            return message.map_or(Poll::Ready(None), frame);
        }
        if !self.is_stopping && self.stop.as_mut().poll(context).is_ready() {
            self.is_stopping = true;
        }
        if self.is_stopping {
            if !self.session.is_busy() {
                // A call is over only after its answer was sent, perhaps since the look above.
                return match self.outgoing.poll_recv(context) {
                    Poll::Ready(Some(message)) => frame(message),
                    Poll::Ready(None) | Poll::Pending => Poll::Ready(None),
                };
            }
            // Nothing tells that the last call is over: another look.
            self.keep_alive.wake_in(STOPPING, context);
            return Poll::Pending;
        }
        self.keep_alive
            .poll_comment(context)
            .map(|comment| Some(Ok(Frame::data(comment))))
    }
}
