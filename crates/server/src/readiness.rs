//! Whether the server can do its work: its database can be read and written.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clerk::Env;
use oauth::{Store, StoreError, Timestamp};
use tokio::sync::watch;

/// How long what was found is believed: looking writes to the disk, and anybody may probe.
const BELIEVED: Duration = Duration::from_secs(1);
/// How long the database may take: whoever probes gives up as well.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found last, or the look that is under way.
#[derive(Debug, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Unknown,
    /// Somebody looks. What they find is told to all who wait.
    Looking(watch::Receiver<Option<bool>>),
    Found(Found),
}

#[derive(Clone, Copy, Debug)]
struct Found {
    is_ready: bool,
    /// When the look ended.
    at: Timestamp,
}

impl Readiness {
    /// Whether `store` can be read and written now, or could be a second before. Of any number of callers
    /// at once one look is the answer, and it goes on when they hang up: what it has written is on record.
    pub async fn of(&self, store: &Arc<dyn Store>, env: &Arc<dyn Env>) -> bool {
        let looked_at = Arc::clone(store);
        self.found(env, move || async move { looked_at.check().await })
            .await
    }

    async fn found<L, F>(&self, env: &Arc<dyn Env>, look: L) -> bool
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let mut looking = {
            let mut state = lock(&self.0);
            match &*state {
                State::Found(found) if found.is_believed(Timestamp(env.now())) => {
                    return found.is_ready;
                }
                // One that came to no end has closed its side.
                State::Looking(looking) if looking.has_changed().is_ok() => looking.clone(),
                State::Unknown | State::Found(_) | State::Looking(_) => {
                    let (told, looking) = watch::channel(None);
                    *state = State::Looking(looking.clone());
                    let (state, env, look) = (Arc::clone(&self.0), Arc::clone(env), look());
                    tokio::spawn(async move {
                        let is_ready = has_succeeded(look).await;
                        let at = Timestamp(env.now());
                        *lock(&state) = State::Found(Found { is_ready, at });
                        told.send_replace(Some(is_ready));
                    });
                    looking
                }
            }
        };
        let found = looking.wait_for(Option::is_some).await;
        found.is_ok_and(|found| *found == Some(true))
    }
}

impl Found {
    fn is_believed(&self, now: Timestamp) -> bool {
        self.at <= now && !self.at.after(BELIEVED).has_passed(now)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn has_succeeded(look: impl Future<Output = Result<(), StoreError>>) -> bool {
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "not ready: the store failed");
            false
        }
        Err(_) => {
            tracing::error!("not ready: the store did not answer within {PATIENCE:?}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::{AtomicU32, Ordering};

    use clerk::BoxFuture;
    use futures_util::future::join_all;
    use tokio::time::{Instant, sleep};

    use super::*;

    const START: u64 = 1_800_000_000_000;

    /// The runtime's clock, which stands still while anybody works.
    struct Paused(Instant);

    impl Env for Paused {
        fn now(&self) -> u64 {
            START + u64::try_from(self.0.elapsed().as_millis()).unwrap()
        }

        fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
            Box::pin(sleep(time))
        }

        fn random(&self) -> u64 {
            0
        }
    }

    /// A database that takes its time, and counts who looks.
    struct Slow {
        readiness: Readiness,
        env: Arc<dyn Env>,
        takes: Duration,
        looks: Arc<AtomicU32>,
    }

    impl Slow {
        fn new(takes: Duration) -> Self {
            Self {
                readiness: Readiness::default(),
                env: Arc::new(Paused(Instant::now())),
                takes,
                looks: Arc::default(),
            }
        }

        async fn probe(&self) -> bool {
            let (takes, looks) = (self.takes, Arc::clone(&self.looks));
            let look = move || async move {
                looks.fetch_add(1, Ordering::Relaxed);
                sleep(takes).await;
                Ok(())
            };
            self.readiness.found(&self.env, look).await
        }

        fn looks(&self) -> u32 {
            self.looks.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_causes_no_further_look() {
        let slow = Slow::new(Duration::from_millis(100));
        for _ in 0..10 {
            let hung_up = tokio::time::timeout(Duration::from_millis(30), slow.probe()).await;
            // The first three come while it looks; to the others the answer is known.
            assert!(hung_up.is_err() || hung_up.unwrap());
        }
        assert!(slow.probe().await);
        assert_eq!(slow.looks(), 1);
        sleep(BELIEVED + Duration::from_millis(200)).await;
        assert!(slow.probe().await);
        assert_eq!(slow.looks(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_stands_in_line_for_a_database_that_hangs() {
        let slow = Slow::new(Duration::from_secs(3_600));
        let began = Instant::now();
        let probes = (0..6).map(|number| {
            let slow = &slow;
            async move {
                sleep(Duration::from_millis(500) * number).await;
                slow.probe().await
            }
        });
        let found = join_all(probes).await;
        assert!(found.iter().all(|is_ready| !is_ready));
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
        assert_eq!(slow.looks(), 1);
        // It is believed from when the look ended on, not from when it began.
        sleep(Duration::from_millis(900)).await;
        assert!(!slow.probe().await);
        assert_eq!(slow.looks(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_came_to_no_end_is_not_waited_for() {
        let slow = Slow::new(Duration::ZERO);
        let broken = || async { panic!("the look broke") };
        assert!(!slow.readiness.found(&slow.env, broken).await);
        assert!(slow.probe().await);
    }
}
