//! Whether a token of Clerk's that is in use has ended: by itself, or because of its person.

use std::sync::Arc;

use clerk::BoxFuture;

use super::{Checker, TokenSource};
use crate::{
    clerk_pace::ASKED_EVERY,
    clerk_tokens::{ClerkTokenFault, ClerkTokens},
    people::{Person, PersonError, Standing},
    token_ends::{InUse, Known, LookAgain, TokenEnds},
};

impl LookAgain for Checker {
    fn known<'a>(&'a self, in_use: &'a InUse) -> BoxFuture<'a, Known> {
        Box::pin(async move {
            // What is no longer kept lets go of its end.
            self.known.run_pending_tasks().await;
            let now = self.app.now();
            if in_use.expires_at.is_some_and(|at| at.has_passed(now)) {
                return Known::Over;
            }
            let of_token = match (in_use.fresh_for(now), &self.source) {
                (Some(rest), _) => rest,
                (None, TokenSource::Clerk(tokens)) if !tokens.asks_clerk(&in_use.token) => {
                    match self.verify(tokens, in_use).await {
                        Ok(true) => return Known::Over,
                        Ok(false) => ASKED_EVERY,
                        Err(_) => return Known::Old,
                    }
                }
                (None, _) => return Known::Old,
            };
            let Some(user_id) = &in_use.user_id else {
                return Known::Good(of_token);
            };
            match self.app.people.known_for_waiting(user_id).await {
                Some((person, _)) if is_over(&person) => Known::Over,
                Some((_, of_person)) => Known::Good(of_token.min(of_person)),
                None => Known::Old,
            }
        })
    }

    fn ask<'a>(&'a self, in_use: &'a InUse) -> BoxFuture<'a, Result<bool, PersonError>> {
        Box::pin(async move {
            if let TokenSource::Clerk(tokens) = &self.source
                && in_use.fresh_for(self.app.now()).is_none()
                && self.verify(tokens, in_use).await?
            {
                return Ok(true);
            }
            let Some(user_id) = &in_use.user_id else {
                return Ok(false);
            };
            let person = self.app.people.for_waiting(user_id).await;
            match person {
                Err(unavailable @ PersonError::Unavailable { .. }) => Err(unavailable),
                person => Ok(is_over(&person)),
            }
        })
    }

    fn ends(&self) -> &TokenEnds {
        &self.ends
    }
}

/// Whether nobody is served any more who was this person.
pub(super) fn is_over(person: &Result<Arc<Person>, PersonError>) -> bool {
    match person {
        Ok(person) => person.standing == Standing::Banned,
        Err(error) => *error == PersonError::Deleted,
    }
}

impl Checker {
    /// Whether a token in use has ended by itself, whoever its person is now.
    async fn verify(&self, tokens: &ClerkTokens, in_use: &InUse) -> Result<bool, PersonError> {
        let now = self.app.now();
        match tokens.holder(&in_use.token).await {
            Ok(_) => {
                in_use.looked_at(now);
                Ok(false)
            }
            Err(ClerkTokenFault::Refused) => Ok(true),
            Err(ClerkTokenFault::Unavailable { retry_after }) => {
                Err(PersonError::Unavailable { retry_after })
            }
        }
    }
}
