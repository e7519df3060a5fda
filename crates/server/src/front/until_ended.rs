//! A response's body that ends when its right to go on does.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{load::Underway, sessions::OpenStream};

/// Streams `body` until any of the tokens is cancelled, then ends as if it were complete.
pub(super) struct UntilEnded {
    body: Body,
    ends: Vec<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Kept, so that whoever cancels finds them.
    _tokens: Vec<Arc<CancellationToken>>,
    /// The session is in use, and the stream counts, as long as this is there.
    _kept: (Option<OpenStream>, Option<Underway>),
}

impl UntilEnded {
    pub(super) fn new(
        body: Body,
        tokens: Vec<Arc<CancellationToken>>,
        kept: (Option<OpenStream>, Option<Underway>),
    ) -> Self {
        let end = |token: &Arc<CancellationToken>| {
            Box::pin(CancellationToken::clone(token).cancelled_owned())
        };
        Self {
            body,
            ends: tokens.iter().map(end).collect(),
            _tokens: tokens,
            _kept: kept,
        }
    }
}

impl http_body::Body for UntilEnded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        for end in &mut self.ends {
            if end.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
