//! What nobody can use any more is deleted, now and then.

use std::{sync::Arc, time::Duration};

use oauth::{Store, StoreError, Timestamp};
use store::tool_state::ToolStateStore;

use crate::{
    app::App,
    credentials::Credentials,
    front::{OwnedSessions, TOUCHED_EVERY},
};

/// How often.
const INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How often sessions are looked at that nobody uses: one may live so much longer than is configured.
const SESSIONS_INTERVAL: Duration = Duration::from_secs(10);
/// How long to let others write between the parts of a sweep.
const PAUSE: Duration = Duration::from_millis(50);

/// Sweeps until it is dropped.
pub(crate) async fn forever(app: Arc<App>, credentials: Arc<Credentials>) {
    let store = app.oauth.store();
    loop {
        // What a crash has left at Clerk does not wait.
        credentials.sweep(store.as_ref(), app.now()).await;
        tokio::time::sleep(INTERVAL).await;
        loop {
            let (store, values) = (app.oauth.store().as_ref(), app.tool_state.as_ref());
            let kept = Kept {
                values: app.tool_state_kept,
                audit: app.audit_kept,
            };
            match part(store, values, kept, app.now()).await {
                Ok(true) => tokio::time::sleep(PAUSE).await,
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "the store could not be swept");
                    break;
                }
            }
        }
    }
}

/// How long what does not say itself is kept.
#[derive(Clone, Copy)]
struct Kept {
    /// Values of tools that nobody uses.
    values: Duration,
    /// Audit rows; `None` for ever.
    audit: Option<Duration>,
}

/// Deletes a part; whether there is more.
async fn part(
    store: &dyn Store,
    values: &dyn ToolStateStore,
    kept: Kept,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let swept = store.sweep(now).await?;
    let values = values.sweep_values(now.before(kept.values)).await?;
    let audit_rows = match kept.audit {
        Some(kept) => store.sweep_audit(now.before(kept)).await?,
        None => 0,
    };
    tracing::debug!(?swept, ?values, audit_rows, "swept");
    Ok(swept.more || values.more || audit_rows > 0)
}

/// Ends unused sessions, and has the store know which ones are used, until it is dropped.
pub(crate) async fn idle_sessions(sessions: Arc<OwnedSessions>) {
    loop {
        tokio::time::sleep(SESSIONS_INTERVAL).await;
        sessions.end_idle().await;
        sessions.keep_use(TOUCHED_EVERY).await;
        loop {
            match sessions.sweep_kept().await {
                Ok(true) => tokio::time::sleep(PAUSE).await,
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "sessions could not be swept");
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use oauth::{AuditRecord, MemoryStore};
    use serde_json::{Map, json};
    use store::tool_state::{Changes, MemoryToolState, Owner};

    use super::*;

    #[tokio::test]
    async fn values_that_nobody_used_for_as_long_as_a_grant_lives_go() {
        const KEPT: Duration = Duration::from_secs(180 * 24 * 60 * 60);
        let now = Timestamp(1_800_000_000_000);
        let values = MemoryToolState::new();
        for (user_id, age) in [("old", KEPT), ("young", KEPT - Duration::from_millis(1))] {
            let owner = Owner {
                user_id: user_id.to_owned(),
                client_id: "client".to_owned(),
            };
            let changes = Map::from_iter([("cart".to_owned(), json!(1))]);
            let changes = Changes::new(changes).unwrap();
            let changed = values
                .change_values(&owner, &changes, now.before(age))
                .await;
            changed.unwrap().unwrap();
        }
        let kept = Kept {
            values: KEPT,
            audit: None,
        };
        let more = part(&MemoryStore::new(), &values, kept, now).await;
        assert_eq!(more, Ok(false));
        assert_eq!(values.forget_values("old").await, Ok(0));
        assert_eq!(values.forget_values("young").await, Ok(1));
    }

    #[tokio::test]
    async fn audit_rows_go_when_their_time_is_over_or_never() {
        let now = Timestamp(1_800_000_000_000);
        let day = Duration::from_secs(24 * 60 * 60);
        let (store, values) = (MemoryStore::new(), MemoryToolState::new());
        let row = |age| AuditRecord {
            at: now.before(age),
            record: json!({}),
        };
        let rows = [row(91 * day), row(90 * day), row(day)];
        store.append_audit(&rows).await.unwrap();
        for (audit, left) in [(None, 3), (Some(90 * day), 2)] {
            let kept = Kept { values: day, audit };
            while part(&store, &values, kept, now).await.unwrap() {}
            assert_eq!(store.audit_log().len(), left, "{audit:?}");
        }
    }
}
