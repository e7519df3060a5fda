//! Subscriptions (2026-07-28, `subscriptions/listen`): a stream that tells its client when its tools have
//! changed, until either side ends it. It needs no task and no channel of rmcp's.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use clerk::BoxFuture;
use http::HeaderMap;
use http_body::Frame;
use mcp::{Attached, Caller, rmcp_adapter::Subscription};
use rmcp::{ServerHandler, model::Implementation};
use store::sessions::ListDigest;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    Authenticate, Front, Principal, Underway,
    answers::{Answer, event, event_stream, overloaded},
    direct,
};
use crate::{
    ended::GrantEnd,
    tool_lists::{Listener, NotTold, Watching},
};

/// How often something is sent when there is nothing to say: proxies end connections that are silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const COMMENT: Bytes = Bytes::from_static(b": still here\n\n");

impl<A: Authenticate, H: ServerHandler + Clone + Sync> Front<A, H> {
    /// Opens a subscription, if the message asks for one; `None` leaves it to rmcp. `call` is what it
    /// counted as until now: it is a stream.
    pub(super) fn subscribe(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        principal: &Principal,
        call: &mut Option<Underway>,
    ) -> Option<Answer> {
        let served = principal.served.as_ref()?;
        let caller = served.service().caller();
        let subscription = Subscription::parse(body)?;
        if !direct::stands_alone(headers, subscription.version(), Subscription::METHOD, None) {
            return None;
        }
        *call = None;
        let counted = match self.load.stream(&principal.key) {
            Ok(counted) => counted,
            Err(overload) => return Some(Err(overloaded(overload).into())),
        };
        let wants_tools = subscription.wants_tools();
        let subscriber = Arc::new(Subscriber {
            caller: Caller {
                // What they call with is of no use here, and ends with their token.
                attached: Attached::default(),
                ..caller.clone()
            },
            post: Mutex::new(Post {
                told: ListDigest(served.tools_digest()),
                has_news: false,
                reader: None,
            }),
        });
        // Machines have what the configuration gives them, for as long as the process lives.
        let user_id = caller.user_id.as_deref().filter(|_| wants_tools);
        let watching = user_id.map(|user_id| {
            let listener = Arc::clone(&subscriber) as Arc<dyn Listener>;
            let now = self.config.env.now();
            self.config.tool_lists.watch(user_id, listener, now)
        });
        let ends = [&principal.ended, &self.config.stop];
        let stream = SubscriptionStream {
            first: Some(event(&subscription.acknowledged())),
            subscription,
            server: self.handler_info().server_info,
            subscriber,
            silent: Box::pin(tokio::time::sleep(KEEP_ALIVE)),
            ends: ends.map(|end| Box::pin(CancellationToken::clone(end).cancelled_owned())),
            is_over: false,
            _ended: Arc::clone(&principal.ended),
            _watching: watching,
            _counted: counted,
        };
        Some(Ok(event_stream(Body::new(stream))))
    }
}

/// Whoever reads the stream, as the one who brings news sees them.
struct Subscriber {
    caller: Caller,
    post: Mutex<Post>,
}

struct Post {
    /// The list that they were last told of, or had when they subscribed.
    told: ListDigest,
    /// Whether they are yet to be told.
    has_news: bool,
    reader: Option<Waker>,
}

impl Subscriber {
    fn post(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_news(&self, context: &Context<'_>) -> Poll<()> {
        let mut post = self.post();
        if std::mem::take(&mut post.has_news) {
            return Poll::Ready(());
        }
        match &mut post.reader {
            Some(reader) => reader.clone_from(context.waker()),
            reader => *reader = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Listener for Subscriber {
    fn caller(&self) -> Option<Caller> {
        Some(self.caller.clone())
    }

    fn list_is(&self, now: ListDigest) -> BoxFuture<'_, Result<(), NotTold>> {
        let mut post = self.post();
        if post.told != now {
            post.told = now;
            post.has_news = true;
            if let Some(reader) = post.reader.take() {
                reader.wake();
            }
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

struct SubscriptionStream {
    first: Option<Bytes>,
    subscription: Subscription,
    server: Implementation,
    subscriber: Arc<Subscriber>,
    silent: Pin<Box<Sleep>>,
    /// The grant's, and the server's.
    ends: [Pin<Box<WaitForCancellationFutureOwned>>; 2],
    is_over: bool,
    /// Kept, so that whoever ends the grant finds it.
    _ended: GrantEnd,
    _watching: Option<Watching>,
    _counted: Underway,
}

type Frames = Option<Result<Frame<Bytes>, axum::Error>>;

impl http_body::Body for SubscriptionStream {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Frames> {
        let frame = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        if let Some(first) = self.first.take() {
            return frame(first);
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut ends = self.ends.iter_mut();
        if ends.any(|end| end.as_mut().poll(context).is_ready()) {
            self.is_over = true;
            return frame(event(&self.subscription.complete(self.server.clone())));
        }
        if self.subscriber.poll_news(context).is_ready() {
            self.silent.as_mut().reset(Instant::now() + KEEP_ALIVE);
            return frame(event(&self.subscription.tools_changed()));
        }
        if self.silent.as_mut().poll(context).is_ready() {
            self.silent.as_mut().reset(Instant::now() + KEEP_ALIVE);
            // Asked again, so that it wakes the stream next time.
            let _ = self.silent.as_mut().poll(context);
            return frame(COMMENT);
        }
        Poll::Pending
    }
}
