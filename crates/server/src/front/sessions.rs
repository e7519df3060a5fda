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

use futures_util::Stream;
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

/// The most sessions of one principal: past it the oldest makes room. A client that never ends any
/// takes nobody else's, and does not lock its person out.
const MOST_EACH: usize = 100;

/// The sessions of 2025-11-25 and before.
#[derive(Debug)]
pub struct OwnedSessions {
    sessions: LocalSessionManager,
    owners: Mutex<HashMap<SessionId, Owner>>,
    /// Counts the sessions that were ever created.
    created: AtomicU64,
    most: usize,
}

#[derive(Debug)]
struct Owner {
    principal: PrincipalKey,
    /// The greater, the younger.
    number: u64,
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
    /// At most `most` sessions, each of which ends after `idle` without a message.
    #[must_use]
    pub fn new(most: usize, idle: Duration) -> Self {
        let mut session_config = SessionConfig::default();
        session_config.keep_alive = Some(idle);
        let mut sessions = LocalSessionManager::default();
        sessions.session_config = session_config;
        Self {
            sessions,
            owners: Mutex::default(),
            created: AtomicU64::new(0),
            most,
        }
    }

    /// Whether `principal` has this session.
    #[must_use]
    pub fn is_owner(&self, id: &str, principal: &PrincipalKey) -> bool {
        self.owners()
            .get(id)
            .is_some_and(|owner| owner.principal == *principal)
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
        if own().count() < MOST_EACH {
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
