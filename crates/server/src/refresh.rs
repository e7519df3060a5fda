//! What is asked before a refresh token rotates: whether the person may still be signed in, and
//! whether Clerk still stands by what it gave.

use std::time::Duration;

use oauth::{BoxFuture, Grant, RefreshCheck, RefreshRefusal};

use crate::{
    app::AuthorizationApp,
    people::{PersonError, Standing},
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
            self.app.sign_in.refresh(grant, upstream).await
        })
    }
}
