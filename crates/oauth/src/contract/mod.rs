//! The suite of tests that every [`Store`] must pass.
//!
//! A store's crate runs it so, each case as a test of its own:
//!
//! ```ignore
//! oauth::store_contract! {
//!     #[tokio::test(flavor = "multi_thread")]
//!     oauth::contract::Subject::new(Arc::new(MyStore::open().await), together)
//! }
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod assertions;
mod authorizations;
mod clients;
mod codes;
mod consents;
mod grants;
mod refresh_tokens;
mod rows;
mod sweep;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::environment::BoxFuture;
use crate::store::Store;

/// Runs futures at the same time, on several threads if it can, and waits for all of them.
pub type Together = fn(Vec<BoxFuture<'static, ()>>) -> BoxFuture<'static, ()>;

/// An empty store under test.
pub struct Subject {
    store: Arc<dyn Store>,
    together: Together,
    _kept: Option<Box<dyn Any + Send + Sync>>,
}

impl Subject {
    /// A subject of this empty store, whose races `together` runs.
    pub fn new(store: Arc<dyn Store>, together: Together) -> Self {
        Self {
            store,
            together,
            _kept: None,
        }
    }

    /// Keeps something, a temporary folder for example, until the test is over.
    #[must_use]
    pub fn keeping(self, kept: impl Any + Send + Sync) -> Self {
        Self {
            _kept: Some(Box::new(kept)),
            ..self
        }
    }

    /// Runs `attempt` many times at once, numbered from 0, and gives back every outcome.
    async fn race<T: Send + 'static>(
        &self,
        attempt: impl Fn(Arc<dyn Store>, u8) -> BoxFuture<'static, T>,
    ) -> Vec<T> {
        const RACERS: u8 = 12;
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let racer = |number| -> BoxFuture<'static, ()> {
            let attempt = attempt(Arc::clone(&self.store), number);
            let outcomes = Arc::clone(&outcomes);
            Box::pin(async move {
                let outcome = attempt.await;
                outcomes.lock().unwrap().push(outcome);
            })
        };
        (self.together)((0..RACERS).map(racer).collect()).await;
        let outcomes = std::mem::take(&mut *outcomes.lock().unwrap());
        assert_eq!(
            outcomes.len(),
            usize::from(RACERS),
            "every racer has come in"
        );
        outcomes
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// Makes [`run`] and `store_contract!` of one list. A case that is not on it is dead code, which the
/// compiler tells.
macro_rules! cases {
    ($dollar:tt $($module:ident { $($case:ident,)* })*) => {
        /// Runs the case of this name.
        ///
        /// # Panics
        /// When the store breaks its promises, or there is no such case.
        pub async fn run(case: &str, subject: Subject) {
            match case {
                $($(stringify!($case) => $module::$case(&subject).await,)*)*
                _ => panic!("there is no case `{case}`"),
            }
        }

        /// Makes a test of each case of the contract: of an attribute for asynchronous tests and an
        /// expression for a `contract::Subject`, in which `.await` may be used.
        #[macro_export]
        macro_rules! store_contract {
            (#[$dollar test:meta] $dollar subject:expr) => {
                $($(
                    #[$dollar test]
                    async fn $case() {
                        let subject = $dollar subject;
                        $crate::contract::run(stringify!($case), subject).await;
                    }
                )*)*
            };
        }
    };
}

cases! { $
    clients {
        a_registered_client_is_kept_until_it_expires,
        the_same_registration_is_the_same_client,
        registrations_without_fingerprint_are_always_new,
        an_expired_client_frees_its_fingerprint,
        one_of_many_concurrent_registrations_is_kept,
        a_metadata_document_replaces_the_earlier_one,
    }
    authorizations {
        an_authorization_is_kept_as_it_is,
        consent_is_given_once_and_repeated_without_harm,
        consent_given_many_times_at_once_moves_once,
        a_different_answer_is_refused,
        a_scope_that_was_not_asked_for_is_refused,
        another_browser_moves_nothing,
        an_expired_authorization_moves_nothing,
        an_unknown_authorization_is_told,
        a_state_from_clerk_works_once,
        a_state_of_another_consent_is_refused,
        one_of_many_concurrent_callbacks_wins,
        a_visit_gets_no_code_and_stays_a_visit,
        a_held_sign_in_waits_for_confirmation,
        a_declined_or_failed_sign_in_ends,
        finishing_keeps_grant_code_and_consent,
        finishing_again_writes_nothing,
        finishing_before_the_sign_in_is_refused,
        one_of_many_concurrent_finishes_wins,
    }
    consents {
        a_consent_is_bound_to_user_client_redirect_uri_and_resource,
        a_newer_consent_replaces_the_earlier_one,
        a_forgotten_consent_is_gone,
        consents_are_listed_newest_first,
        every_consent_of_a_person_is_forgotten_and_nobody_elses,
    }
    codes {
        a_code_gives_tokens_once,
        a_code_that_is_unknown,
        a_code_expires_after_its_time_exactly,
        a_guess_with_a_code_consumes_and_revokes_nothing,
        a_code_of_another_resource_is_not_consumed,
        a_replayed_code_revokes_the_grant,
        a_replay_by_another_client_revokes_nothing,
        a_code_of_a_revoked_grant_is_unknown,
        a_code_without_refresh_gives_no_refresh_token,
        one_of_many_concurrent_redemptions_wins_and_then_the_grant_is_revoked,
        redeeming_renews_a_registered_client,
    }
    refresh_tokens {
        a_refresh_token_rotates,
        a_lost_answer_costs_nothing,
        concurrent_refreshes_are_one_rotation_without_error,
        the_predecessor_dies_when_its_successor_is_presented,
        a_dead_refresh_token_revokes_the_grant,
        a_dead_refresh_token_of_another_client_revokes_nothing,
        a_guess_with_a_refresh_token_consumes_nothing,
        a_refresh_token_cannot_change_its_resource,
        a_refresh_token_expires_after_its_time_exactly,
        a_refresh_token_of_an_ended_grant_is_unknown,
        a_refresh_token_has_one_successor,
        a_repeated_rotation_extends_the_successor,
        replay_is_noticed_after_many_rotations,
        refreshing_renews_a_registered_client,
    }
    assertions {
        an_assertion_works_once,
        one_of_many_concurrent_uses_of_an_assertion_wins,
        a_used_assertion_is_kept_until_it_is_over,
    }
    grants {
        an_access_token_is_found_with_its_grant,
        an_access_token_expires_after_its_time_exactly,
        an_access_token_ends_with_its_grant,
        an_access_token_of_a_grant_that_is_over,
        either_token_revokes_the_whole_grant,
        a_token_of_another_client_revokes_nothing,
        a_dead_refresh_token_can_be_revoked,
        revoking_deletes_everything_that_is_sealed,
        revoking_one_grant_leaves_others,
        one_of_many_concurrent_revocations_wins,
        what_clerk_gave_is_updated_by_compare_and_swap,
        one_of_many_concurrent_updates_wins,
        an_ended_grant_takes_no_update,
        the_grants_of_a_user_are_the_live_ones,
    }
    sweep {
        sweeping_keeps_what_is_live,
        sweeping_deletes_expired_tokens_and_their_grants,
        sweeping_keeps_dead_refresh_tokens_until_they_expire,
        sweeping_keeps_codes_so_that_replays_are_noticed,
        sweeping_deletes_grants_whose_code_was_never_redeemed,
        sweeping_deletes_revoked_grants,
        sweeping_keeps_authorizations_a_while,
        sweeping_deletes_expired_clients_and_their_consents,
        sweeping_keeps_stale_documents_a_while,
        sweeping_deletes_stale_documents_with_their_consents,
        sweeping_deletes_old_consents,
        audit_records_are_appended_in_batches,
        old_audit_records_go_and_the_others_stay,
    }
}
