//! What nobody can use any more is deleted, now and then.

use std::{sync::Arc, time::Duration};

use oauth::StoreError;

use crate::app::App;

/// How often.
const INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How long to let others write between the parts of a sweep.
const PAUSE: Duration = Duration::from_millis(50);

/// Sweeps until it is dropped.
pub(crate) async fn forever(app: Arc<App>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        loop {
            match part(&app).await {
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

/// Deletes a part; whether there is more.
async fn part(app: &App) -> Result<bool, StoreError> {
    let now = app.now();
    let swept = app.oauth.store().sweep(now).await?;
    let unused = now.before(app.tool_state_kept);
    let values = app.tool_state.sweep_values(unused).await?;
    tracing::debug!(?swept, ?values, "swept");
    Ok(swept.more || values.more)
}
