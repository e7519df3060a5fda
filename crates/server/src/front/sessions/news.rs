//! News of a session's tools, in the stream that belongs to no request.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use clerk::BoxFuture;
use futures_util::Stream;
use mcp::Caller;
use rmcp::{
    model::{ServerJsonRpcMessage, ServerNotification, ToolListChangedNotification},
    transport::streamable_http_server::session::{ServerSseMessage, SessionId},
};
use store::sessions::ListDigest;

use super::{OwnedSessions, Owners, SessionFault, streams::Streams};
use crate::{
    front::Principal,
    tool_lists::{Listener, Mailbox, NotTold, Watching},
};

impl OwnedSessions {
    /// A session's client is answered its list of tools. What it has then is kept, so that the next
    /// process knows whether there is news.
    pub(in crate::front) async fn listed(&self, id: &str, principal: &Principal) {
        let Some(served) = &principal.served else {
            return;
        };
        let (list, caller) = (ListDigest(served.tools_digest()), served.service().caller());
        let is_new = {
            let mut owners = self.owners();
            let owner = owners.get_mut(id);
            owner.is_some_and(|owner| owner.heard.listed(caller, list))
        };
        if is_new && let Err(error) = self.store.tools_listed(super::streams::key(id), list).await {
            // The client has its list; after a crash it is told once more than it had to be.
            tracing::warn!(%error, "which tools a session has listed could not be kept");
        }
        // The list may follow from facts that are as old as they are kept.
        if let Some(user_id) = &caller.user_id {
            self.lists.look_again(user_id, false);
        }
    }

    /// What `live` sends, and news of the session's tools. Of several streams the newest is told.
    ///
    /// # Errors
    /// [`SessionFault::NoOwner`] outside of any request.
    pub(super) fn with_news<S>(
        &self,
        id: &SessionId,
        opening: Opening,
        live: S,
    ) -> Result<WithNews<S>, SessionFault> {
        let principal = Self::owner()?;
        let mailbox = Arc::<Mailbox<_>>::default();
        if let Some(caller) = principal.caller()
            && let Some(owner) = self.owners().get_mut(id)
        {
            owner.heard.comes_as(caller);
        }
        let listener = SessionListener {
            owners: Arc::clone(&self.owners),
            streams: Arc::clone(&self.streams),
            id: Arc::clone(id),
            mailbox: Arc::clone(&mailbox),
            opening: Mutex::new(Some(opening)),
        };
        let user_id = principal
            .caller()
            .and_then(|caller| caller.user_id.as_deref());
        let now = self.env.now();
        let watching = user_id.map(|user_id| self.lists.watch(user_id, Arc::new(listener), now));
        Ok(WithNews {
            live: Box::pin(live),
            mailbox,
            _watching: watching,
        })
    }
}

/// A stream of a session, as the one who brings news sees it.
struct SessionListener {
    owners: Arc<Owners>,
    streams: Arc<Streams>,
    id: SessionId,
    mailbox: Arc<Mailbox<ServerSseMessage>>,
    /// How it was opened, until the session's list was first made since.
    opening: Mutex<Option<Opening>>,
}

/// How a stream is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// It begins: what was told in another one may be lost.
    New,
    /// It goes on after the event of this number.
    After(u64),
}

impl SessionListener {
    fn opening(&self) -> MutexGuard<'_, Option<Opening>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for SessionListener {
    fn caller(&self) -> Option<Caller> {
        self.owners.lock().get(&self.id)?.heard.caller()
    }

    fn list_is(&self, now: ListDigest) -> BoxFuture<'_, Result<(), NotTold>> {
        Box::pin(async move {
            let opening = *self.opening();
            let is_new_stream = opening == Some(Opening::New);
            let is_news = {
                let owners = self.owners.lock();
                let owner = owners.get(&self.id);
                owner.is_some_and(|owner| owner.heard.is_news(now, is_new_stream))
            };
            if is_news {
                // In the store before anybody sees it.
                let place = self.streams.commit_news(&self.id, now).await?;
                if let Some(owner) = self.owners.lock().get_mut(&self.id) {
                    owner.heard.told(now);
                }
                let news = ToolListChangedNotification::default();
                let news = ServerNotification::ToolListChangedNotification(news);
                let news = ServerJsonRpcMessage::notification(news);
                self.mailbox.put(ServerSseMessage::new(place, news));
            } else if let Some(Opening::After(number)) = opening
                && let Some(told) = self.streams.told_after(&self.id, number).await?
            {
                // It was told in another stream while this one was being opened.
                self.mailbox.put(told);
            }
            *self.opening() = None;
            Ok(())
        })
    }
}

/// A stream with news in it. It ends when the session does.
pub(super) struct WithNews<S> {
    live: Pin<Box<S>>,
    mailbox: Arc<Mailbox<ServerSseMessage>>,
    _watching: Option<Watching>,
}

impl<S: Stream<Item = ServerSseMessage>> Stream for WithNews<S> {
    type Item = ServerSseMessage;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<ServerSseMessage>> {
        if let Poll::Ready(next) = self.live.as_mut().poll_next(context) {
            return Poll::Ready(next);
        }
        self.mailbox.poll_take(context).map(Some)
    }
}
