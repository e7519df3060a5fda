//! What a stream sends when it has nothing to say.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};

/// How often: proxies end connections that are silent.
const EVERY: Duration = Duration::from_secs(15);
const COMMENT: Bytes = Bytes::from_static(b": still here\n\n");

/// Notices that a stream has been silent.
#[derive(Debug)]
pub(crate) struct KeepAlive(Pin<Box<Sleep>>);

impl KeepAlive {
    /// For a stream that begins.
    pub(crate) fn new() -> Self {
        Self(Box::pin(sleep(EVERY)))
    }

    /// Something else is sent.
    pub(crate) fn sent(&mut self) {
        self.0.as_mut().reset(Instant::now() + EVERY);
    }

    /// The comment to send, once nothing else was sent for long.
    pub(crate) fn poll_comment(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        ready!(self.0.as_mut().poll(context));
        self.wake_in(EVERY, context);
        Poll::Ready(COMMENT)
    }

    /// Has the stream looked at again after this time.
    pub(crate) fn wake_in(&mut self, time: Duration, context: &mut Context<'_>) {
        self.0.as_mut().reset(Instant::now() + time);
        // Only who asks is woken.
        let _ = self.0.as_mut().poll(context);
    }
}
