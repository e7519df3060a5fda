//! Subscriptions (2026-07-28, `subscriptions/listen`): a stream that tells its client when its tools have
//! changed, until either side ends it. It needs no task and no channel of rmcp's.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use clerk::BoxFuture;
use http::HeaderMap;
use http_body::Frame;
use mcp::{Attached, Caller, rmcp_adapter::Subscription};
use rmcp::{ServerHandler, model::Implementation};
use store::sessions::ListDigest;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    Authenticate, Front, Principal, Underway,
    answers::{Answer, event, event_stream, overloaded},
    direct,
};
use crate::{
    ended::GrantEnd,
    keep_alive::KeepAlive,
    tool_lists::{Listener, Mailbox, NotTold, Watching},
};

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
            told: Mutex::new(ListDigest(served.tools_digest())),
            news: Mailbox::default(),
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
            keep_alive: KeepAlive::new(),
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
    /// The list that they were last told of, or had when they subscribed.
    told: Mutex<ListDigest>,
    news: Mailbox<()>,
}

impl Listener for Subscriber {
    fn caller(&self) -> Option<Caller> {
        Some(self.caller.clone())
    }

    fn list_is(&self, now: ListDigest) -> BoxFuture<'_, Result<(), NotTold>> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *told, now) != now {
            self.news.put(());
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

struct SubscriptionStream {
    first: Option<Bytes>,
    subscription: Subscription,
    server: Implementation,
    subscriber: Arc<Subscriber>,
    keep_alive: KeepAlive,
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
        if self.subscriber.news.poll_take(context).is_ready() {
            self.keep_alive.sent();
            return frame(event(&self.subscription.tools_changed()));
        }
        self.keep_alive
            .poll_comment(context)
            .map(|comment| Some(Ok(Frame::data(comment))))
    }
}
