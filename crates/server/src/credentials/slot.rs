//! A place for something that Clerk makes and that is kept: made once at a time, whoever waits for it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};

use crate::http_tools::CredentialFault;

type Making<T> = Shared<BoxFuture<'static, Result<T, CredentialFault>>>;

/// What is kept, and what is being made. Whoever comes while something is being made gets what comes
/// of it, be it a fault. What was begun is finished, even if everybody who waited has gone: it may
/// exist at Clerk by then.
pub(super) struct Slot<T>(Mutex<State<T>>);

struct State<T> {
    kept: Option<T>,
    making: Option<Making<T>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            kept: None,
            making: None,
        }))
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static> Slot<T> {
    /// What is kept if `serves` says that it will do, or else what `make` makes, to which what was
    /// kept before is given.
    ///
    /// # Errors
    /// What `make` ended with. Nothing is kept of that.
    pub(super) async fn get<F>(
        self: &Arc<Self>,
        serves: impl FnOnce(&T) -> bool,
        make: impl FnOnce(Option<T>) -> F,
    ) -> Result<T, CredentialFault>
    where
        F: Future<Output = Result<T, CredentialFault>> + Send + 'static,
    {
        let making = {
            let mut state = self.state();
            if let Some(kept) = state.kept.as_ref().filter(|kept| serves(kept)) {
                return Ok(kept.clone());
            }
            match &state.making {
                Some(making) => making.clone(),
                None => {
                    let task = tokio::spawn(make(state.kept.clone()));
                    let slot = Arc::clone(self);
                    let making = async move {
                        let made = task.await.unwrap_or_else(|error| {
                            tracing::error!(%error, "the task of a credential failed");
                            Err(super::unavailable("a credential could not be made"))
                        });
                        let mut state = slot.state();
                        state.making = None;
                        if let Ok(made) = &made {
                            state.kept = Some(made.clone());
                        }
                        made
                    };
                    // Driven by itself: it is kept even if nobody waits for it any more.
                    let making = making.boxed().shared();
                    tokio::spawn(making.clone());
                    state.making = Some(making.clone());
                    making
                }
            }
        };
        making.await
    }

    /// What is kept.
    pub(super) fn kept(&self) -> Option<T> {
        self.state().kept.clone()
    }

    /// Forgets what is kept, or what is just being made once it is, and gives it back.
    pub(super) async fn take(&self) -> Option<T> {
        let making = self.state().making.clone();
        if let Some(making) = making {
            // Whatever comes of it is told to whom it was made for.
            let _ = making.await;
        }
        self.state().kept.take()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;

    async fn all<T: Send + 'static>(
        slot: &Arc<Slot<usize>>,
        ask: impl Fn(Arc<Slot<usize>>) -> BoxFuture<'static, T>,
    ) -> Vec<T> {
        futures_util::future::join_all((0..200).map(|_| ask(Arc::clone(slot)))).await
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_at_once_gets_what_one_makes() {
        let (slot, made) = (Arc::<Slot<usize>>::default(), Arc::new(AtomicUsize::new(0)));
        for round in 1..=2 {
            let count = Arc::clone(&made);
            let asked = all(&slot, |slot| {
                let count = Arc::clone(&count);
                Box::pin(async move {
                    let make = |_| async move {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        Ok(count.fetch_add(1, Ordering::SeqCst) + 1)
                    };
                    slot.get(|kept| *kept >= round, make).await
                })
            });
            assert!(asked.await.into_iter().all(|asked| asked == Ok(round)));
            assert_eq!(made.load(Ordering::SeqCst), round);
        }
        let never = |_| async { Err(super::super::unavailable("not made again")) };
        assert_eq!(slot.get(|_| true, never).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_is_everybodys_and_the_next_one_tries_again() {
        let (slot, tried) = (Arc::<Slot<usize>>::default(), Arc::new(AtomicUsize::new(0)));
        let asked = all(&slot, |slot| {
            let tried = Arc::clone(&tried);
            Box::pin(async move {
                let make = |_| async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    tried.fetch_add(1, Ordering::SeqCst);
                    Err(super::super::unavailable("no"))
                };
                slot.get(|_| true, make).await
            })
        });
        assert!(asked.await.into_iter().all(|asked| asked.is_err()));
        assert_eq!(tried.load(Ordering::SeqCst), 1);
        assert_eq!(slot.get(|_| true, |_| async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_is_kept_though_nobody_waits() {
        let slot = Arc::<Slot<usize>>::default();
        let make = |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(7)
        };
        let given_up = tokio::time::timeout(Duration::from_millis(1), slot.get(|_| true, make));
        assert!(given_up.await.is_err());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let never = |_| async { Err(super::super::unavailable("not made again")) };
        assert_eq!(slot.get(|_| true, never).await, Ok(7));
        assert_eq!(slot.take().await, Some(7));
        assert_eq!(slot.take().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_being_made_is_taken_once_it_is() {
        let slot = Arc::<Slot<usize>>::default();
        let make = |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(7)
        };
        let given_up = tokio::time::timeout(Duration::from_millis(1), slot.get(|_| true, make));
        assert!(given_up.await.is_err());
        assert_eq!(slot.take().await, Some(7));
    }
}
