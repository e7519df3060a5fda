//! How often Clerk is asked for the sake of those alone who only wait: about people whose streams are open
//! (`tool_lists`), and about tokens of Clerk's that are in use (`token_ends`). One pace for the server, so
//! that however many wait, Clerk's rate limit is left to those who do something.

use std::{future::pending, time::Duration};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep_until, timeout},
};

use crate::people::PersonError;

/// How old what is known may be before Clerk is asked for those alone who wait.
pub(crate) const ASKED_EVERY: Duration = Duration::from_secs(60);
/// How long Clerk has to answer. Everybody else waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long Clerk is left alone that could not answer (429, 5xx, nobody there), unless it names a longer
/// time itself.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest of such times: who names a longer one is asked then all the same.
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);

/// The turns in which Clerk is asked, one after the other.
#[derive(Debug)]
pub struct ClerkPace {
    /// From one turn to the next; `None`: there are none.
    each: Option<Duration>,
    /// When the next may begin. The lock is a fair queue.
    next: Mutex<Instant>,
}

/// A turn. Dropped without a question, it is the next one's.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    each: Duration,
    next: MutexGuard<'a, Instant>,
}

impl ClerkPace {
    /// So many turns in a second; `None`: never.
    pub(crate) fn new(per_second: Option<u32>) -> Self {
        Self {
            each: per_second.map(|turns| Duration::from_secs(1) / turns.max(1)),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Whether Clerk is ever asked.
    pub(crate) fn asks(&self) -> bool {
        self.each.is_some()
    }

    /// Waits for a turn: who came first has it first.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        let Some(each) = self.each else {
            return pending().await;
        };
        let next = self.next.lock().await;
        sleep_until(*next).await;
        Turn { each, next }
    }
}

impl Turn<'_> {
    /// Asks Clerk.
    ///
    /// # Errors
    /// What the question came to; [`PersonError::Unavailable`] when that takes too long.
    pub(crate) async fn ask<T>(
        mut self,
        question: impl Future<Output = Result<T, PersonError>>,
    ) -> Result<T, PersonError> {
        let asked = timeout(PATIENCE, question).await;
        let asked = asked.unwrap_or(Err(PersonError::Unavailable { retry_after: None }));
        *self.next = Instant::now() + pause_after(self.each, asked.as_ref().err());
        asked
    }
}

/// How long not to ask after this.
fn pause_after(each: Duration, error: Option<&PersonError>) -> Duration {
    match error {
        None | Some(PersonError::Deleted) => each,
        Some(PersonError::Unavailable { retry_after }) => {
            let pause = retry_after.unwrap_or(PAUSE).clamp(PAUSE, LONGEST_PAUSE);
            pause.max(each)
        }
    }
}

/// How long what was found out `at`, Unix milliseconds, is young enough; `None` when it is not. When the
/// clock was set back, what is later than now is of no known age.
pub(crate) fn fresh_for(at: u64, now: u64) -> Option<Duration> {
    let age = Duration::from_millis(now.checked_sub(at)?);
    ASKED_EVERY.checked_sub(age).filter(|rest| !rest.is_zero())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn however_long_clerk_wants_to_be_left_alone_it_is_asked_again() {
        let pause = |seconds: Option<u64>| {
            let retry_after = seconds.map(Duration::from_secs);
            let error = PersonError::Unavailable { retry_after };
            pause_after(Duration::from_secs(1), Some(&error)).as_secs()
        };
        assert_eq!(pause(None), 30);
        assert_eq!(pause(Some(5)), 30);
        assert_eq!(pause(Some(90)), 90);
        assert_eq!(pause(Some(u64::MAX)), 600);
    }

    #[tokio::test(start_paused = true)]
    async fn turns_go_round_and_one_that_is_not_used_costs_none() {
        let pace = Arc::new(ClerkPace::new(Some(1)));
        let begun = Instant::now();
        let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut askers = tokio::task::JoinSet::new();
        let unused = pace.turn().await;
        for name in ["ava", "noah", "priya"] {
            let (pace, asked) = (Arc::clone(&pace), Arc::clone(&asked));
            askers.spawn(async move {
                for _ in 0..3 {
                    let question = async {
                        asked.lock().unwrap().push(name);
                        Ok(())
                    };
                    pace.turn().await.ask(question).await.unwrap();
                }
            });
        }
        // Until all of them are waiting.
        tokio::task::yield_now().await;
        drop(unused);
        askers.join_all().await;
        assert_eq!(begun.elapsed().as_secs(), 8, "nine questions");
        drop(pace.turn().await);
        drop(pace.turn().await);
        assert_eq!(begun.elapsed().as_secs(), 9);
        let asked = asked.lock().unwrap();
        for round in asked.chunks(3) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, ["ava", "noah", "priya"], "{asked:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clerk_that_does_not_answer_is_left_alone() {
        let pace = ClerkPace::new(Some(10));
        let begun = Instant::now();
        let silent = pace.turn().await.ask(pending::<Result<(), _>>()).await;
        assert_eq!(silent, Err(PersonError::Unavailable { retry_after: None }));
        assert_eq!(begun.elapsed(), PATIENCE);
        drop(pace.turn().await);
        assert_eq!(begun.elapsed(), PATIENCE + PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_pace_there_is_no_turn() {
        let pace = ClerkPace::new(None);
        assert!(!pace.asks());
        let turn = timeout(Duration::from_secs(3600), pace.turn()).await;
        assert!(turn.is_err());
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_young() {
        let minute = u64::try_from(ASKED_EVERY.as_millis()).unwrap();
        assert_eq!(fresh_for(NOW, NOW), Some(ASKED_EVERY));
        assert_eq!(
            fresh_for(NOW, NOW + minute - 1),
            Some(Duration::from_millis(1))
        );
        assert_eq!(fresh_for(NOW, NOW + minute), None);
        assert_eq!(fresh_for(NOW, NOW - 1), None);
    }
}
