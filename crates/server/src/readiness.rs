//! Whether the server can do its work: its database can be read and written.

use std::time::Duration;

use oauth::{Store, Timestamp};
use tokio::sync::Mutex;

/// How long what was found is believed: looking writes to the disk, and anybody may probe.
const BELIEVED: Duration = Duration::from_secs(1);
/// How long the database may take: whoever probes gives up as well.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found last.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<Found>>);

#[derive(Clone, Copy, Debug)]
struct Found {
    is_ready: bool,
    at: Timestamp,
}

impl Readiness {
    /// Whether `store` can be read and written, as of `now` or a second before. Of any number of callers
    /// at once one looks.
    pub async fn of(&self, store: &dyn Store, now: Timestamp) -> bool {
        let mut last = self.0.lock().await;
        if let Some(found) = *last
            && found.at <= now
            && !found.at.after(BELIEVED).has_passed(now)
        {
            return found.is_ready;
        }
        let is_ready = match tokio::time::timeout(PATIENCE, store.check()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "not ready: the store failed");
                false
            }
            Err(_) => {
                tracing::error!("not ready: the store did not answer within {PATIENCE:?}");
                false
            }
        };
        *last = Some(Found { is_ready, at: now });
        is_ready
    }
}
