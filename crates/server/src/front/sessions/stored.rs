//! Sessions that outlive the process: kept when they begin, and taken up again when their principal
//! uses them.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use futures_util::future::join_all;
use mcp::rmcp_adapter::Introduction;
use oauth::{StoreError, Timestamp};
use rmcp::{
    model::InitializeRequestParams,
    transport::streamable_http_server::session::{
        SessionId, SessionManager as _, SessionState, SessionStore, SessionStoreError,
    },
};
use store::sessions::{SessionBounds, StoredSession, ToolsTold};
use tokio::sync::Mutex;

use super::{MOST_SESSIONS_EACH, OwnedSessions, Owner, PrincipalKey, SessionFault, Used, streams};
use crate::{front::Principal, tool_lists::Heard};

/// How old the kept moment of a session's last use may grow: writing it at every call would cost a
/// commit each. After a crash a session may end so much too early.
pub(crate) const TOUCHED_EVERY: Duration = Duration::from_secs(60);
/// How long messages of streams are kept: a client that comes back comes soon, and they may tell of
/// people.
const EVENTS_KEPT: Duration = Duration::from_secs(60 * 60);
/// The largest `initialize` that is kept, bytes of JSON. A session with a larger one ends with the
/// process.
const LARGEST_INITIALIZE: usize = 16 * 1024;
/// rmcp's session ids are UUIDs; nothing else is looked for.
const ID_LENGTH: usize = 36;

/// A session of an earlier process that rmcp does not have yet.
#[derive(Debug)]
pub(in crate::front) struct Dormant {
    initialize: InitializeRequestParams,
    /// Held by the request that wakes it: the others wait until the handshake was repeated.
    pub(in crate::front) waking: Mutex<()>,
}

impl OwnedSessions {
    /// Takes up a session that `principal` had in an earlier process. `None` when there is none, or
    /// it is somebody else's, or was not used for long.
    ///
    /// # Errors
    /// [`SessionFault::Full`], and [`SessionFault::Store`] when the store cannot say.
    pub(in crate::front) async fn recall(
        &self,
        id: &str,
        principal: &Principal,
    ) -> Result<Option<Used>, SessionFault> {
        if id.len() != ID_LENGTH {
            return Ok(None);
        }
        // Another request may have taken it up since this one looked.
        if self.owners().contains_key(id) {
            return Ok(self.enter(id, principal));
        }
        let key = streams::key(id);
        let Some(stored) = self.store.session(key).await? else {
            return Ok(None);
        };
        let now = Timestamp(self.env.now());
        let is_over = stored.used_at.after(self.idle).has_passed(now);
        if stored.principal != principal.key.as_str() || is_over {
            return Ok(None);
        }
        let Ok(initialize) = serde_json::from_str(&stored.initialize) else {
            tracing::error!("a kept session cannot be read");
            return Ok(None);
        };
        if let Some(oldest) = self.making_room(&principal.key) {
            self.close_session(&oldest).await?;
        }
        self.take_up(id, &principal.key, &stored, initialize)?;
        // Whoever ended it meanwhile, in the store and here, has ended it.
        if self.store.session(key).await?.is_none() {
            self.owners().remove(id);
        }
        Ok(self.enter(id, principal))
    }

    fn take_up(
        &self,
        id: &str,
        principal: &PrincipalKey,
        stored: &StoredSession,
        initialize: InitializeRequestParams,
    ) -> Result<(), SessionFault> {
        let introduction = Introduction::of(&initialize);
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let mut owners = self.owners();
        if owners.contains_key(id) {
            return Ok(());
        }
        if owners.len() >= self.most.all {
            return Err(SessionFault::Full);
        }
        let owner = Owner {
            principal: principal.clone(),
            created: (stored.created_at.0, number),
            client: Some(introduction.client.as_str().into()),
            has_batches: introduction.has_batches(),
            is_ready: true,
            used_at: stored.used_at.0,
            kept_at: stored.used_at.0,
            streams: 0,
            is_unkept: false,
            dormant: Some(Arc::new(Dormant {
                initialize,
                waking: Mutex::default(),
            })),
            heard: Heard::of(stored.tools),
        };
        owners.insert(id.into(), owner);
        Ok(())
    }

    /// The session's other half, while rmcp does not have it yet.
    pub(in crate::front) fn dormant(&self, id: &str) -> Option<Arc<Dormant>> {
        self.owners().get(id)?.dormant.clone()
    }

    /// A request that was to wake this session was handled: whether rmcp has it now, it knows.
    pub(in crate::front) async fn woken(&self, id: &str) {
        let id: SessionId = id.into();
        if self.sessions.has_session(&id).await.unwrap_or_default()
            && let Some(owner) = self.owners().get_mut(&id)
        {
            owner.dormant = None;
        }
    }

    /// Notes in the store when sessions were used, of those whose note is `age` old or older.
    pub async fn keep_use(&self, age: Duration) {
        let now = self.env.now();
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let used: Vec<(SessionId, u64)> = {
            let owners = self.owners();
            let used = owners.iter().filter_map(|(id, owner)| {
                let used_at = if owner.streams > 0 {
                    now
                } else {
                    owner.used_at
                };
                let is_old = used_at.saturating_sub(owner.kept_at) >= age.max(1);
                is_old.then(|| (Arc::clone(id), used_at))
            });
            used.collect()
        };
        let keyed = used
            .iter()
            .map(|(id, at)| (streams::key(id), Timestamp(*at)));
        let keyed: Vec<_> = keyed.collect();
        if let Err(error) = self.store.touch_sessions(&keyed).await {
            tracing::error!(%error, "the use of sessions could not be noted");
            return;
        }
        let mut owners = self.owners();
        for (id, at) in used {
            if let Some(owner) = owners.get_mut(&id) {
                owner.kept_at = at;
            }
        }
    }

    /// Deletes kept sessions that nobody uses, and events that are old; whether there is more.
    ///
    /// # Errors
    /// The store's.
    pub async fn sweep_kept(&self) -> Result<bool, StoreError> {
        let now = Timestamp(self.env.now());
        let bounds = SessionBounds {
            sessions_end: now.before(self.idle).before(TOUCHED_EVERY),
            events_end: now.before(EVENTS_KEPT),
            most_sessions: self.most.all,
        };
        let swept = self.store.sweep_sessions(bounds).await?;
        tracing::debug!(?swept, "swept sessions");
        Ok(swept.more)
    }

    /// Closes these sessions, side by side: their commits are then few.
    pub(super) async fn close_all(&self, ids: &[SessionId]) {
        const SIDE_BY_SIDE: usize = 64;
        for part in ids.chunks(SIDE_BY_SIDE) {
            for closed in join_all(part.iter().map(|id| self.close_session(id))).await {
                if let Err(error) = closed {
                    tracing::warn!(%error, "a session that nobody used could not be ended");
                }
            }
        }
    }

    async fn keep(&self, id: &str, initialize: &InitializeRequestParams) -> Result<(), Unkept> {
        let text = serde_json::to_string(initialize).map_err(|_| Unkept::TooLarge)?;
        if text.len() > LARGEST_INITIALIZE {
            return Err(Unkept::TooLarge);
        }
        let (principal, created_at) = {
            let owners = self.owners();
            let owner = owners.get(id).ok_or(Unkept::Gone)?;
            (owner.principal.to_string(), Timestamp(owner.created.0))
        };
        let session = StoredSession {
            id: streams::key(id),
            principal,
            initialize: text,
            created_at,
            used_at: created_at,
            // Nothing was listed before the handshake was done.
            tools: ToolsTold::default(),
        };
        let kept = self.store.keep_session(&session, MOST_SESSIONS_EACH).await;
        if kept.is_err()
            && let Some(owner) = self.owners().get_mut(id)
        {
            owner.is_unkept = true;
        }
        kept.map_err(Unkept::Store)
    }

    /// Ends a session that has just begun, if the store had no room for it; whether it did. What was
    /// promised of it could not be held: its streams could not be resumed, and a kill would take it.
    pub(in crate::front) async fn end_unkept(&self, id: &str) -> bool {
        let id: SessionId = id.into();
        if !self.owners().get(&id).is_some_and(|owner| owner.is_unkept) {
            return false;
        }
        // There is nothing of it in the store, which says so by an error.
        let _ = self.close_session(&id).await;
        true
    }
}

/// Why a session ends with the process.
#[derive(Debug, thiserror::Error)]
enum Unkept {
    #[error("its initialize is too large to be kept")]
    TooLarge,
    #[error("it has ended already")]
    Gone,
    #[error(transparent)]
    Store(StoreError),
}

/// Where rmcp keeps what it needs to take up a session again.
pub(in crate::front) struct Shelf(pub(in crate::front) Arc<OwnedSessions>);

#[async_trait::async_trait]
impl SessionStore for Shelf {
    async fn load(&self, id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let dormant = self.0.dormant(id);
        Ok(dormant.map(|dormant| SessionState::new(dormant.initialize.clone())))
    }

    async fn store(&self, id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        Ok(self.0.keep(id, &state.initialize_params).await?)
    }

    /// Closing a session has deleted it.
    async fn delete(&self, _: &str) -> Result<(), SessionStoreError> {
        Ok(())
    }
}
