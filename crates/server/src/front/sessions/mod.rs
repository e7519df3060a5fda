//! Sessions that belong to a principal. rmcp's sessions belong to whoever knows their id; here each
//! has an owner, and to everybody else it does not exist. They outlive the process ([`stored`]), and so
//! does what was sent in their streams ([`streams`]).

mod news;
mod places;
mod stored;
mod streams;
#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clerk::Env;
use futures_util::{Stream, StreamExt as _, stream};
use mcp::rmcp_adapter::Introduction;
use oauth::StoreError;
use rmcp::{
    model::{ClientJsonRpcMessage, ClientNotification, ServerJsonRpcMessage},
    transport::streamable_http_server::session::{
        EventStore, RestoreOutcome, ServerSseMessage, SessionId, SessionManager,
        local::{LocalSessionManager, LocalSessionManagerError, SessionConfig, SessionError},
    },
};
use store::sessions::SessionStore;

use self::news::Opening;
pub(crate) use self::stored::TOUCHED_EVERY;
use self::streams::{Resumed, Streams};
pub(super) use self::{
    stored::{Dormant, Shelf},
    streams::RepeatedId,
};
use super::{Principal, PrincipalKey};
use crate::tool_lists::{Heard, ToolLists};

tokio::task_local! {
    /// The request that is being handled. rmcp creates sessions and opens streams within it.
    static HANDLED: Handled;
}

struct Handled {
    /// Who sends it.
    principal: Principal,
    /// Whether its id is that of another.
    repeats_id: Cell<bool>,
}

/// The most sessions of one principal: past it the oldest makes room. A client that never ends any
/// takes nobody else's, and does not lock its person out.
pub(crate) const MOST_SESSIONS_EACH: usize = 100;

/// How many sessions there may be.
#[derive(Clone, Copy, Debug)]
pub struct MostSessions {
    /// Of everybody: past it nobody gets one.
    pub all: usize,
    /// Of one person, through whatever clients: past it one of theirs makes room.
    pub of_person: usize,
}

/// The sessions of 2025-11-25 and before.
pub struct OwnedSessions {
    sessions: LocalSessionManager,
    streams: Arc<Streams>,
    store: Arc<dyn SessionStore>,
    env: Arc<dyn Env>,
    lists: Arc<ToolLists>,
    /// How long one lives unused.
    idle: Duration,
    owners: Arc<Owners>,
    /// Counts the sessions that were ever created.
    created: AtomicU64,
    most: MostSessions,
}

impl fmt::Debug for OwnedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedSessions").finish_non_exhaustive()
    }
}

/// Whose each session is.
#[derive(Debug, Default)]
struct Owners(Mutex<HashMap<SessionId, Owner>>);

impl Owners {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Owner>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Owner {
    principal: PrincipalKey,
    /// When, Unix milliseconds, and of those of one moment which: the greater, the younger.
    created: (u64, u64),
    /// The client, as the audit names it; known once its `initialize` was answered.
    client: Option<Arc<str>>,
    /// Whether its revision has batches.
    has_batches: bool,
    /// Whether the client has said that it is ready.
    is_ready: bool,
    /// When it was last used, Unix milliseconds.
    used_at: u64,
    /// What the store knows of that.
    kept_at: u64,
    /// Streams that are open.
    streams: usize,
    /// Whether the store had no room for it.
    is_unkept: bool,
    /// What rmcp lacks to have it, when it is of an earlier process.
    dormant: Option<Arc<Dormant>>,
    /// What its client has heard of its tools.
    heard: Heard,
}

impl Owner {
    fn is_over(&self, now: u64, idle: Duration) -> bool {
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        self.streams == 0 && now.saturating_sub(self.used_at) >= idle
    }
}

/// A session that its owner uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Used {
    /// The client, as the audit names it, once the handshake is done.
    pub client: Option<Arc<str>>,
    /// Whether its revision has batches.
    pub has_batches: bool,
}

/// A stream of a session: as long as it is open, the session is in use.
#[derive(Debug)]
pub(super) struct OpenStream {
    sessions: Arc<OwnedSessions>,
    id: SessionId,
    /// Tells the session from itself, taken up anew.
    created: (u64, u64),
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let now = self.sessions.env.now();
        if let Some(owner) = self.sessions.owners().get_mut(&self.id)
            && owner.created == self.created
        {
            owner.streams -= 1;
            owner.used_at = now;
        }
    }
}

/// Why a session cannot be had.
#[derive(Debug)]
pub enum SessionFault {
    /// There are as many as the server may have.
    Full,
    /// It, or a stream of it, was to be opened outside of any request.
    NoOwner,
    /// A request has the id of another that is under way.
    RepeatedId,
    /// rmcp's own.
    Local(LocalSessionManagerError),
    /// Where they are kept cannot be reached.
    Store(StoreError),
}

impl fmt::Display for SessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there are as many sessions as there may be"),
            Self::NoOwner => f.write_str("a session without an owner"),
            Self::RepeatedId => f.write_str("a request has the id of another one"),
            Self::Local(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionFault {}

impl From<LocalSessionManagerError> for SessionFault {
    fn from(error: LocalSessionManagerError) -> Self {
        Self::Local(error)
    }
}

impl From<SessionError> for SessionFault {
    fn from(error: SessionError) -> Self {
        Self::Local(error.into())
    }
}

impl From<StoreError> for SessionFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl OwnedSessions {
    /// At most so many sessions, each of which ends once it was not used for `idle`, and is kept in
    /// `store` until then. Their streams tell of changes in `lists`.
    #[must_use]
    pub fn new(
        most: MostSessions,
        idle: Duration,
        store: Arc<dyn SessionStore>,
        env: Arc<dyn Env>,
        lists: Arc<ToolLists>,
    ) -> Self {
        let mut session_config = SessionConfig::default();
        // Calls that rmcp never sees use a session too: here is known when it was used.
        session_config.keep_alive = None;
        let streams = Arc::new(Streams::new(Arc::clone(&store), Arc::clone(&env)));
        let events = Arc::clone(&streams) as Arc<dyn EventStore>;
        let mut sessions = LocalSessionManager::default().with_event_store(events);
        sessions.session_config = session_config;
        Self {
            sessions,
            streams,
            store,
            env,
            lists,
            idle,
            owners: Arc::default(),
            created: AtomicU64::new(0),
            most,
        }
    }

    /// `principal` uses a session; `None` when they have no such session.
    pub(super) fn enter(&self, id: &str, principal: &Principal) -> Option<Used> {
        let now = self.env.now();
        let mut owners = self.owners();
        let owner = owners.get_mut(id)?;
        if owner.principal != principal.key || owner.is_over(now, self.idle) {
            return None;
        }
        owner.used_at = now;
        // Whoever waits for news and has authorized anew may have another list.
        if owner.streams > 0
            && let Some(caller) = principal.caller()
            && owner.heard.comes_as(caller)
            && let Some(user_id) = &caller.user_id
        {
            self.lists.look_again(user_id, true);
        }
        let client = owner.client.as_ref().filter(|_| owner.is_ready);
        Some(Used {
            client: client.map(Arc::clone),
            has_batches: owner.has_batches,
        })
    }

    /// The handshake began: who opened the session.
    pub(super) fn opened(&self, id: &str, introduction: &Introduction) {
        if let Some(owner) = self.owners().get_mut(id) {
            owner.client = Some(introduction.client.as_str().into());
            owner.has_batches = introduction.has_batches();
        }
    }

    /// The handshake is done.
    pub(super) fn ready(&self, id: &str) {
        if let Some(owner) = self.owners().get_mut(id) {
            owner.is_ready = true;
        }
    }

    /// Whether this event was the last of its stream, so that nothing is to be resumed.
    pub(super) fn is_over(last_event_id: &str) -> bool {
        Streams::is_over(last_event_id)
    }

    /// A stream of the session opens.
    pub(super) fn open_stream(self: &Arc<Self>, id: &str) -> Option<OpenStream> {
        let mut owners = self.owners();
        let key = owners.get_key_value(id)?.0.clone();
        let owner = owners.get_mut(id)?;
        owner.streams += 1;
        Some(OpenStream {
            sessions: Arc::clone(self),
            id: key,
            created: owner.created,
        })
    }

    /// Ends the sessions that were not used for long.
    pub async fn end_idle(&self) {
        let now = self.env.now();
        let over: Vec<SessionId> = {
            let owners = self.owners();
            let over = owners
                .iter()
                .filter(|(_, owner)| owner.is_over(now, self.idle));
            over.map(|(id, _)| id.clone()).collect()
        };
        self.close_all(&over).await;
    }

    /// Whether there is such a session, whosever it is.
    pub(super) fn is_there(&self, id: &str) -> bool {
        self.owners().contains_key(id)
    }

    /// Whether there is room for another.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.owners().len() < self.most.all
    }

    /// The session that makes room for another of this principal's: their oldest, if they have as many
    /// as they may; if the person has, the oldest of the client through which they have most.
    fn making_room(&self, principal: &PrincipalKey) -> Option<SessionId> {
        let owners = self.owners();
        let of_person = owners
            .iter()
            .filter(|(_, owner)| owner.principal.holder() == principal.holder());
        let mut clients: HashMap<&PrincipalKey, (usize, (u64, u64), &SessionId)> = HashMap::new();
        for (id, owner) in of_person {
            let client = clients.entry(&owner.principal);
            let (count, created, oldest) = client.or_insert((0, owner.created, id));
            *count += 1;
            if owner.created < *created {
                (*created, *oldest) = (owner.created, id);
            }
        }
        let own = clients.get(principal);
        let own = own.filter(|(count, ..)| *count >= MOST_SESSIONS_EACH);
        let all: usize = clients.values().map(|(count, ..)| count).sum();
        let most = || clients.values().max_by_key(|(count, ..)| *count);
        let (.., oldest) = match all >= self.most.of_person {
            true => own.or_else(most)?,
            false => own?,
        };
        Some(SessionId::clone(oldest))
    }

    /// Handles a request of `principal`: sessions created within it are theirs.
    ///
    /// # Errors
    /// [`RepeatedId`].
    pub(super) async fn owned_by<F: Future>(
        principal: Principal,
        handling: F,
    ) -> Result<F::Output, RepeatedId> {
        let handled = Handled {
            principal,
            repeats_id: Cell::new(false),
        };
        let handling = async {
            let output = handling.await;
            // rmcp has no words for it.
            let repeats_id = HANDLED.with(|handled| handled.repeats_id.get());
            if repeats_id {
                Err(RepeatedId)
            } else {
                Ok(output)
            }
        };
        HANDLED.scope(handled, handling).await
    }

    /// Who sends the request that is being handled.
    fn owner() -> Result<Principal, SessionFault> {
        HANDLED
            .try_with(|handled| handled.principal.clone())
            .map_err(|_| SessionFault::NoOwner)
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<SessionId, Owner>> {
        self.owners.lock()
    }
}

type Messages<S> = Result<S, SessionFault>;

impl SessionManager for OwnedSessions {
    type Error = SessionFault;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionFault> {
        let owner = Self::owner()?.key;
        if let Some(oldest) = self.making_room(&owner) {
            self.close_session(&oldest).await?;
        }
        if !self.has_room() {
            return Err(SessionFault::Full);
        }
        let (id, transport) = self.sessions.create_session().await?;
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let now = self.env.now();
        let owner = Owner {
            principal: owner,
            created: (now, number),
            client: None,
            has_batches: false,
            is_ready: false,
            used_at: now,
            kept_at: now,
            streams: 0,
            is_unkept: false,
            dormant: None,
            heard: Heard::default(),
        };
        self.owners().insert(id.clone(), owner);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionFault> {
        Ok(self.sessions.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionFault> {
        Ok(self.sessions.has_session(id).await?)
    }

    /// May be dropped half way: as long as rmcp has the session it has an owner, so that a sweep finds it.
    async fn close_session(&self, id: &SessionId) -> Result<(), SessionFault> {
        self.streams.end_session(id);
        self.sessions.close_session(id).await?;
        self.owners().remove(id);
        self.store.end_session(streams::key(id)).await?;
        // Whoever took it up again meanwhile found it in the store.
        if self.owners().contains_key(id) {
            self.sessions.close_session(id).await?;
            self.owners().remove(id);
        }
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Messages<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        let handle = {
            let sessions = self.sessions.sessions.read().await;
            sessions.get(id).cloned()
        };
        let handle =
            handle.ok_or_else(|| LocalSessionManagerError::SessionNotFound(Arc::clone(id)))?;
        let mut channel = handle.establish_request_wise_channel().await?;
        let first = channel.inner.recv().await;
        let mut first = first.ok_or(SessionError::SessionServiceTerminated)?;
        // Before the request is on its way: then it is known whose the messages are.
        let Ok(begun) = self.streams.begin(id, &message, &mut first) else {
            if let Some(channel) = channel.http_request_id {
                handle.close_request_wise_channel(channel).await?;
            }
            let _ = HANDLED.try_with(|handled| handled.repeats_id.set(true));
            return Err(SessionFault::RepeatedId);
        };
        let delivery = self.streams.deliver(first, channel.inner);
        handle
            .push_message(message, channel.http_request_id)
            .await?;
        begun.pushed();
        Ok(delivery)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionFault> {
        if let ClientJsonRpcMessage::Notification(notification) = &message
            && let ClientNotification::CancelledNotification(cancelled) = &notification.notification
            && let Some(request) = &cancelled.params.request_id
        {
            self.streams.cancelled(id, request);
        }
        Ok(self.sessions.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Messages<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        // A client that loses the stream before anything came names this place.
        let mut place = ServerSseMessage::default();
        place.event_id = Some(self.streams.common_place(id).await?);
        let live = self.sessions.create_standalone_stream(id).await?;
        let stream = stream::once(std::future::ready(place)).chain(live);
        self.with_news(id, Opening::New, stream)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Messages<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        let stream: Pin<Box<dyn Stream<Item = ServerSseMessage> + Send + Sync>> =
            match Streams::resumed(&last_event_id) {
                Resumed::Common(after) => {
                    let live = self.sessions.create_standalone_stream(id).await?;
                    let (last, stream) = self.streams.common_after(id, after, live).await?;
                    Box::pin(self.with_news(id, Opening::After(last), stream)?)
                }
                Resumed::Request(place) => {
                    let streams = Arc::clone(&self.streams);
                    Box::pin(streams.request_after(Arc::clone(id), place))
                }
                Resumed::Unknown => Box::pin(self.create_standalone_stream(id).await?),
            };
        Ok(stream)
    }

    async fn restore_session(
        &self,
        id: SessionId,
    ) -> Result<RestoreOutcome<Self::Transport>, SessionFault> {
        Ok(self.sessions.restore_session(id).await?)
    }
}
