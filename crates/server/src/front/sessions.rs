//! Sessions that belong to a principal. rmcp's sessions belong to whoever knows their id; here each
//! has an owner, and to everybody else it does not exist.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clerk::Env;
use futures_util::Stream;
use mcp::rmcp_adapter::Introduction;
use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::streamable_http_server::session::{
        ServerSseMessage, SessionId, SessionManager,
        local::{LocalSessionManager, LocalSessionManagerError, SessionConfig},
    },
};

/// A name that no other principal has: person and client.
pub type PrincipalKey = Arc<str>;

tokio::task_local! {
    /// Who sends the request that is being handled. rmcp creates a session within it.
    static OWNER: PrincipalKey;
}

/// The one revision with JSON-RPC batches.
const BATCHES: &str = "2025-03-26";
/// The most sessions of one principal: past it the oldest makes room. A client that never ends any
/// takes nobody else's, and does not lock its person out.
pub(crate) const MOST_SESSIONS_EACH: usize = 100;

/// The sessions of 2025-11-25 and before.
pub struct OwnedSessions {
    sessions: LocalSessionManager,
    env: Arc<dyn Env>,
    /// How long one lives unused.
    idle: Duration,
    owners: Mutex<HashMap<SessionId, Owner>>,
    /// Counts the sessions that were ever created.
    created: AtomicU64,
    most: usize,
}

impl fmt::Debug for OwnedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedSessions").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Owner {
    principal: PrincipalKey,
    /// The greater, the younger.
    number: u64,
    /// The client, as the audit names it; known once its `initialize` was answered.
    client: Option<Arc<str>>,
    /// Whether its revision has batches.
    has_batches: bool,
    /// Whether the client has said that it is ready.
    is_ready: bool,
    /// When it was last used, Unix milliseconds.
    used_at: u64,
    /// Streams that are open.
    streams: usize,
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
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let now = self.sessions.env.now();
        if let Some(owner) = self.sessions.owners().get_mut(&self.id) {
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
    /// It was to be created outside of any request.
    NoOwner,
    /// rmcp's own.
    Local(LocalSessionManagerError),
}

impl fmt::Display for SessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there are as many sessions as there may be"),
            Self::NoOwner => f.write_str("a session without an owner"),
            Self::Local(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionFault {}

impl From<LocalSessionManagerError> for SessionFault {
    fn from(error: LocalSessionManagerError) -> Self {
        Self::Local(error)
    }
}

impl OwnedSessions {
    /// At most `most` sessions, each of which ends once it was not used for `idle`.
    #[must_use]
    pub fn new(most: usize, idle: Duration, env: Arc<dyn Env>) -> Self {
        let mut session_config = SessionConfig::default();
        // Calls that rmcp never sees use a session too: here is known when it was used.
        session_config.keep_alive = None;
        let mut sessions = LocalSessionManager::default();
        sessions.session_config = session_config;
        Self {
            sessions,
            env,
            idle,
            owners: Mutex::default(),
            created: AtomicU64::new(0),
            most,
        }
    }

    /// `principal` uses a session; `None` when they have no such session.
    pub(super) fn enter(&self, id: &str, principal: &PrincipalKey) -> Option<Used> {
        let now = self.env.now();
        let mut owners = self.owners();
        let owner = owners.get_mut(id)?;
        if owner.principal != *principal || owner.is_over(now, self.idle) {
            return None;
        }
        owner.used_at = now;
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
            owner.has_batches = introduction.version == BATCHES;
        }
    }

    /// The handshake is done.
    pub(super) fn ready(&self, id: &str) {
        if let Some(owner) = self.owners().get_mut(id) {
            owner.is_ready = true;
        }
    }

    /// A stream of the session opens.
    pub(super) fn open_stream(self: &Arc<Self>, id: &str) -> Option<OpenStream> {
        let mut owners = self.owners();
        let key = owners.get_key_value(id)?.0.clone();
        owners.get_mut(id)?.streams += 1;
        Some(OpenStream {
            sessions: Arc::clone(self),
            id: key,
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
        for id in over {
            if let Err(error) = self.close_session(&id).await {
                tracing::warn!(%error, "a session that nobody used could not be ended");
            }
        }
    }

    /// Whether there is room for another.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.owners().len() < self.most
    }

    /// The session that makes room for another of this principal's, if it has as many as it may.
    fn oldest_of_many(&self, principal: &PrincipalKey) -> Option<SessionId> {
        let owners = self.owners();
        let own = || {
            owners
                .iter()
                .filter(|(_, owner)| owner.principal == *principal)
        };
        if own().count() < MOST_SESSIONS_EACH {
            return None;
        }
        own()
            .min_by_key(|(_, owner)| owner.number)
            .map(|(id, _)| id.clone())
    }

    /// Handles a request of `principal`: sessions created within it are theirs.
    pub(super) async fn owned_by<F: Future>(principal: PrincipalKey, handling: F) -> F::Output {
        OWNER.scope(principal, handling).await
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<SessionId, Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Messages<S> = Result<S, SessionFault>;

impl SessionManager for OwnedSessions {
    type Error = SessionFault;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionFault> {
        let owner = OWNER
            .try_with(PrincipalKey::clone)
            .map_err(|_| SessionFault::NoOwner)?;
        if let Some(oldest) = self.oldest_of_many(&owner) {
            self.close_session(&oldest).await?;
        }
        if !self.has_room() {
            return Err(SessionFault::Full);
        }
        let (id, transport) = self.sessions.create_session().await?;
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let owner = Owner {
            principal: owner,
            number,
            client: None,
            has_batches: false,
            is_ready: false,
            used_at: self.env.now(),
            streams: 0,
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

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionFault> {
        self.owners().remove(id);
        Ok(self.sessions.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Messages<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        Ok(self.sessions.create_stream(id, message).await?)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionFault> {
        Ok(self.sessions.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Messages<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        Ok(self.sessions.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Messages<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static> {
        Ok(self.sessions.resume(id, last_event_id).await?)
    }
}
