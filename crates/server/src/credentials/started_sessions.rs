//! The Clerk sessions that this server has started are noted where a crash does not reach, and end there
//! when they have ended at Clerk.

use std::{fmt, sync::Arc, time::Duration};

use clerk::{Client, Request};
use futures_util::{StreamExt as _, stream};
use http::Method;
use oauth::Timestamp;
use store::started_sessions::StartedSessionStore;

/// How long nobody has looked after a session that a crash must have left: each server notes its own
/// every five minutes (`sweep`).
const LEFT_AFTER: Duration = Duration::from_secs(15 * 60);
/// How many are revoked side by side.
pub(super) const REVOKED_AT_ONCE: usize = 8;

/// What has been started, and its end at Clerk. Clones are the same.
#[derive(Clone)]
pub(super) struct StartedSessions {
    client: Client,
    store: Arc<dyn StartedSessionStore>,
}

impl fmt::Debug for StartedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedSessions").finish_non_exhaustive()
    }
}

impl StartedSessions {
    pub(super) fn new(client: Client, store: Arc<dyn StartedSessionStore>) -> Self {
        Self { client, store }
    }

    /// Notes that this server looks after these. That it cannot be noted keeps nobody from their tools.
    pub(super) async fn attend(&self, ids: &[String]) {
        if ids.is_empty() {
            return;
        }
        if let Err(error) = self.store.attend(ids, self.now()).await {
            tracing::error!(%error, "sessions at Clerk are not on record: a crash would leave them");
        }
    }

    /// Revokes what a crash, of this server or of another at the same store, has left.
    pub(super) async fn end_left(&self) {
        let left = match self.store.unattended(self.now().before(LEFT_AFTER)).await {
            Ok(left) => left,
            Err(error) => {
                tracing::warn!(%error, "sessions at Clerk that a crash left are not known");
                return;
            }
        };
        if left.is_empty() {
            return;
        }
        tracing::info!(
            count = left.len(),
            "revoking sessions at Clerk that were left"
        );
        let revoking = stream::iter(left);
        revoking
            .for_each_concurrent(REVOKED_AT_ONCE, |id| async move { self.revoke(&id).await })
            .await;
    }

    /// `RevokeSession`. One that is gone has ended. What Clerk does not end now stays on record, and is
    /// tried again as what a crash has left.
    pub(super) async fn revoke(&self, id: &str) {
        let request = Request::new(
            "RevokeSession",
            Method::POST,
            "/sessions/{session_id}/revoke",
        );
        let ended = match request.path_parameter("session_id", id) {
            Ok(request) => self.client.send(&request).await.map(drop),
            Err(_) => Ok(()),
        };
        match ended {
            Err(error) if error.status() != Some(404) => {
                tracing::warn!(session = id, %error, "a session could not be revoked");
            }
            _ => {
                if let Err(error) = self.store.forget_started(id).await {
                    tracing::warn!(session = id, %error, "a session that ended stays on record");
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.client.env().now())
    }
}
