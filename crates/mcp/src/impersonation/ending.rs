//! How impersonations end before their time.

use clerk::Request;
use http::Method;
use serde_json::Value;

use super::{
    error::ImpersonationError,
    impersonator::{Ended, Impersonator},
    journal::{JournalError, Started},
    people,
    record::Record,
};

/// An impersonation that has to be ended. Dropping it does so in the background.
pub(super) struct Unended {
    impersonator: Impersonator,
    started: Started,
    /// Whether somebody has seen to its end.
    settled: bool,
}

impl Unended {
    pub(super) fn new(impersonator: &Impersonator, started: Started) -> Self {
        Self {
            impersonator: impersonator.clone(),
            started,
            settled: false,
        }
    }

    pub(super) fn started(&self) -> &Started {
        &self.started
    }

    /// Learns more of it, and puts that on record.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Started)) -> Result<(), JournalError> {
        change(&mut self.started);
        self.impersonator.0.journal.write(&self.started)
    }

    /// Leaves it to its own end, or to [`Impersonator::revoke_all`].
    pub(super) fn keep(mut self) -> Started {
        self.settled = true;
        self.started.clone()
    }

    /// Ends it. If Clerk cannot be told, the journal still has it.
    pub(super) async fn end(mut self) -> Result<Ended, ImpersonationError> {
        let ended = self.impersonator.end_started(&self.started).await;
        self.settled = true;
        ended
    }

    /// Ends what an error has left half begun, and gives the error back: it says more than what
    /// might go wrong here.
    pub(super) async fn end_after(self, error: ImpersonationError) -> ImpersonationError {
        if let Err(second) = self.end().await {
            tracing::warn!(error = %second, "an impersonation that failed could not be ended");
        }
        error
    }
}

impl Drop for Unended {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let (impersonator, started) = (self.impersonator.clone(), self.started.clone());
        let ending = async move {
            if let Err(error) = impersonator.end_started(&started).await {
                tracing::warn!(%error, impersonation = started.id, "it could not be ended");
            }
        };
        self.impersonator.0.background.run(Box::pin(ending));
    }
}

impl std::fmt::Debug for Unended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.started.fmt(f)
    }
}

/// What [`Impersonator::revoke_all`] came to.
#[derive(Debug, Default)]
pub struct Revoked {
    /// What was ended, and what it was.
    pub ended: Vec<(Started, Ended)>,
    /// What may go on, and why.
    pub failed: Vec<(Started, ImpersonationError)>,
    /// How many belong to another instance than this key's.
    pub elsewhere: usize,
}

impl Impersonator {
    /// Ends everything that the journal knows of at this instance. What has ended by itself is
    /// forgotten.
    ///
    /// # Errors
    /// [`ImpersonationError`] when the journal cannot be read. What Clerk refuses is in the answer.
    pub async fn revoke_all(&self) -> Result<Revoked, ImpersonationError> {
        let mut revoked = Revoked::default();
        for started in self.0.journal.read()? {
            if started.ends_at <= self.0.client.env().now() {
                self.0.journal.remove(&started.id)?;
                continue;
            }
            match self.is_here(&started).await {
                Ok(false) => revoked.elsewhere += 1,
                Ok(true) => match self.end_started(&started).await {
                    Ok(ended) => revoked.ended.push((started, ended)),
                    Err(error) => revoked.failed.push((started, error)),
                },
                Err(error) => revoked.failed.push((started, error)),
            }
        }
        Ok(revoked)
    }

    /// Whether this instance knows the person: all instances share one address, and an unknown
    /// session would look like one that has ended.
    async fn is_here(&self, started: &Started) -> Result<bool, ImpersonationError> {
        if started.api_url != self.0.client.api_url().as_str() {
            return Ok(false);
        }
        match people::get(&self.0.client, &started.user_id).await {
            Ok(_) => Ok(true),
            Err(error) if error.code == "resource_not_found" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends one, on the record, and forgets it.
    pub(super) async fn end_started(&self, started: &Started) -> Result<Ended, ImpersonationError> {
        let record = Record::ending(&self.0, started);
        let ended = self.revoke(started).await;
        let ended = ended.and_then(|ended| {
            self.0.journal.remove(&started.id)?;
            Ok(ended)
        });
        record.end(&ended);
        ended
    }

    async fn revoke(&self, started: &Started) -> Result<Ended, ImpersonationError> {
        if let Some(id) = &started.session_id {
            self.revoke_session(id).await?;
            return Ok(Ended::Sessions(1));
        }
        if let Some(id) = &started.actor_token_id
            && self.revoke_actor_token(id).await?
        {
            return Ok(Ended::Unused);
        }
        let mut count = 0;
        for session in people::active_sessions(&self.0.client, &started.user_id).await? {
            let actor = people::actor(&session);
            let mark = actor.and_then(|actor| actor.get("impersonation")?.as_str());
            let id = session.get("id").and_then(Value::as_str);
            if let (Some(mark), Some(id)) = (mark, id)
                && mark == started.id
            {
                self.revoke_session(id).await?;
                count += 1;
            }
        }
        Ok(Ended::Sessions(count))
    }

    /// `RevokeActorToken`. Whether it was still unused: Clerk revokes no other.
    async fn revoke_actor_token(&self, id: &str) -> Result<bool, ImpersonationError> {
        let template = "/actor_tokens/{actor_token_id}/revoke";
        let request = Request::new("RevokeActorToken", Method::POST, template)
            .path_parameter("actor_token_id", id)?;
        match self.0.client.send(&request).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.status(), Some(400 | 404)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// `RevokeSession`. One that is gone has ended.
    async fn revoke_session(&self, id: &str) -> Result<(), ImpersonationError> {
        let template = "/sessions/{session_id}/revoke";
        let request = Request::new("RevokeSession", Method::POST, template)
            .path_parameter("session_id", id)?;
        match self.0.client.send(&request).await {
            Ok(_) => Ok(()),
            Err(error) if error.status() == Some(404) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
