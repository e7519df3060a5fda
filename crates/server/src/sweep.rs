//! What nobody can use any more is deleted, now and then.

use std::{sync::Arc, time::Duration};

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
            match app.oauth.store().sweep(app.now()).await {
                Ok(swept) if swept.more => {
                    tracing::debug!(?swept, "swept a part");
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(swept) => {
                    tracing::debug!(?swept, "swept");
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, "the store could not be swept");
                    break;
                }
            }
        }
    }
}
