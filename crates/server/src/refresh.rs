//! What is asked before a refresh token rotates: whether the person may still be signed in, and
//! whether Clerk still stands by what it gave.

use std::{sync::Arc, time::Duration};

use oauth::{BoxFuture, Grant, RefreshCheck, RefreshRefusal, Sealed};

use crate::{
    app::AuthorizationApp,
    people::{PersonError, Standing},
    sign_in::{SignIn, pauses},
};

/// When to try again if Clerk does not say.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// How long Clerk may take to say who somebody is, its own retries included: clients give up too.
const PATIENCE: Duration = Duration::from_secs(5);
/// When to try again for somebody who is locked.
const LOCKED_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Asks Clerk.
#[derive(Debug)]
pub(crate) struct Refreshing<'a> {
    app: &'a AuthorizationApp,
}

impl<'a> Refreshing<'a> {
    /// For one token request.
    #[must_use]
    pub(crate) fn new(app: &'a AuthorizationApp) -> Self {
        Self { app }
    }

    async fn person(&self, grant: &Grant) -> Result<(), RefreshRefusal> {
        let asking = self.app.people.now(&grant.user_id);
        let unavailable = PersonError::Unavailable { retry_after: None };
        let asked = tokio::time::timeout(PATIENCE, asking).await;
        match asked.unwrap_or(Err(unavailable)) {
            Ok(person) => match person.standing {
                Standing::Good => Ok(()),
                Standing::Banned => Err(RefreshRefusal::Ended),
                // A stranger's wrong guesses can do that: the grant waits until it has passed.
                Standing::Locked => Err(RefreshRefusal::Unavailable {
                    retry_after: LOCKED_RETRY_AFTER,
                }),
            },
            Err(PersonError::Deleted) => Err(RefreshRefusal::Ended),
            Err(PersonError::Unavailable { retry_after }) => Err(RefreshRefusal::Unavailable {
                retry_after: retry_after.unwrap_or(RETRY_AFTER),
            }),
        }
    }
}

impl RefreshCheck for Refreshing<'_> {
    fn check<'a>(
        &'a self,
        grant: &'a Grant,
        upstream: Option<Vec<u8>>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, RefreshRefusal>> {
        Box::pin(async move {
            self.person(grant).await?;
            let store = self.app.oauth.store().as_ref();
            self.app.sign_in.refresh(grant, upstream, store).await
        })
    }

    fn unkept(&self, grant: &Grant, renewed: Vec<u8>, sealed: Sealed) {
        let SignIn::ClerkOauth(clerk) = self.app.sign_in.as_ref() else {
            return;
        };
        let Some(held) = clerk.hold(grant, renewed) else {
            return;
        };
        let app = Arc::clone(&self.app.app);
        let (id, version) = (grant.id.clone(), grant.upstream_version);
        tokio::spawn(async move {
            for pause in pauses() {
                app.env.sleep(pause).await;
                let store = app.oauth.store();
                match store
                    .update_upstream(&id, version, &sealed, app.now())
                    .await
                {
                    // In a conflict another request was faster, with the same or something newer.
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(grant = %id, %error, "what Clerk gave anew is not kept yet")
                    }
                }
            }
            drop(held);
        });
    }
}
