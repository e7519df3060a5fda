//! The ends of tokens whose issuer tells nobody when it ends them: they are looked at now and then for
//! as long as somebody is served by them, so that streams end too.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clerk::BoxFuture;
use oauth::{PlainToken, Timestamp, TokenHash};
use tokio_util::sync::CancellationToken;

use crate::{
    clerk_pace::{ClerkPace, Turn, fresh_for},
    clerk_tokens::Holder,
    ended::GrantEnd,
    people::PersonError,
};

/// How often what is known is looked at. What others were told of a person counts by then.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15);

/// Looks at a token again.
pub(crate) trait LookAgain: Send + Sync + 'static {
    /// What is known of a token without asking Clerk.
    fn known<'a>(&'a self, token: &'a InUse) -> BoxFuture<'a, Known>;
    /// Asks Clerk whether it has ended.
    ///
    /// # Errors
    /// [`PersonError`] while Clerk cannot say: it goes on.
    fn ask<'a>(&'a self, token: &'a InUse) -> BoxFuture<'a, Result<bool, PersonError>>;
    /// The ends, to take this one out.
    fn ends(&self) -> &TokenEnds;
}

/// What is known of a token without asking Clerk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It has ended.
    Over,
    /// It is good, as of so recently that Clerk need not be asked for this long.
    Good(Duration),
    /// Only Clerk can say.
    Old,
}

/// A token that is being used.
#[derive(Debug)]
pub(crate) struct InUse {
    pub(crate) token: PlainToken,
    /// Whose it is; a machine is nobody.
    pub(crate) user_id: Option<String>,
    /// When it is over; `None` when it never is.
    pub(crate) expires_at: Option<Timestamp>,
    /// When it was last found good, Unix milliseconds.
    looked_at: AtomicU64,
    end: Weak<CancellationToken>,
}

impl InUse {
    /// It was found good.
    pub(crate) fn looked_at(&self, now: Timestamp) {
        self.looked_at.store(now.0, Ordering::Relaxed);
    }

    /// How long it need not be looked at, `now`.
    pub(crate) fn fresh_for(&self, now: Timestamp) -> Option<Duration> {
        fresh_for(self.looked_at.load(Ordering::Relaxed), now.0)
    }
}

/// The ends of the tokens that are being used.
#[derive(Debug)]
pub(crate) struct TokenEnds {
    in_use: Mutex<HashMap<TokenHash, Arc<InUse>>>,
    pace: Arc<ClerkPace>,
}

impl TokenEnds {
    /// None yet. Clerk is asked about them at this pace.
    pub(crate) fn new(pace: Arc<ClerkPace>) -> Self {
        Self {
            in_use: Mutex::default(),
            pace,
        }
    }

    /// The end of this token, which was found good `now`. `watcher` looks at it from now on.
    pub(crate) fn of<W: LookAgain>(
        &self,
        token: &PlainToken,
        holder: &Holder,
        now: Timestamp,
        watcher: Weak<W>,
    ) -> GrantEnd {
        let mut ends = self.lock();
        if let Some(known) = ends.get(&token.hash())
            && let Some(end) = known.end.upgrade().filter(|end| !end.is_cancelled())
        {
            known.looked_at(now);
            return end;
        }
        let end = GrantEnd::default();
        let in_use = Arc::new(InUse {
            token: token.clone(),
            user_id: holder.caller.user_id.clone(),
            expires_at: holder.expires_at,
            looked_at: AtomicU64::new(now.0),
            end: Arc::downgrade(&end),
        });
        ends.insert(token.hash(), Arc::clone(&in_use));
        tokio::spawn(watch(watcher, in_use, Arc::clone(&self.pace)));
        end
    }

    /// Ends it for everybody who is served by it: it was just refused.
    pub(crate) fn end(&self, token: &TokenHash) {
        if let Some(end) = self
            .lock()
            .remove(token)
            .and_then(|known| known.end.upgrade())
        {
            end.cancel();
        }
    }

    /// Takes out a token that nobody uses any more, or whose end was told.
    fn forget(&self, in_use: &Arc<InUse>) {
        let mut ends = self.lock();
        let hash = in_use.token.hash();
        if ends
            .get(&hash)
            .is_some_and(|known| Arc::ptr_eq(known, in_use))
        {
            ends.remove(&hash);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Arc<InUse>>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at a token until it has ended, or nobody uses it.
async fn watch<W: LookAgain>(watcher: Weak<W>, in_use: Arc<InUse>, pace: Arc<ClerkPace>) {
    let mut rest = INTERVAL;
    let has_ended = loop {
        tokio::time::sleep(rest).await;
        let mut known = look(&watcher, &in_use).await;
        if known == Some(Known::Old) {
            known = ask_in_turn(&watcher, &in_use, &pace).await;
        }
        rest = match known {
            Some(Known::Good(time)) => time.min(INTERVAL),
            Some(Known::Old) => INTERVAL,
            Some(Known::Over) => break true,
            None => break false,
        };
    };
    if has_ended && let Some(end) = in_use.end.upgrade() {
        end.cancel();
    }
    if let Some(watcher) = watcher.upgrade() {
        watcher.ends().forget(&in_use);
    }
}

/// What is known of a token without asking Clerk; `None` when nobody uses it any more.
async fn look<W: LookAgain>(watcher: &Weak<W>, in_use: &InUse) -> Option<Known> {
    let watcher = watcher.upgrade()?;
    let known = watcher.known(in_use).await;
    (in_use.end.strong_count() > 0).then_some(known)
}

/// Waits for a turn to ask Clerk about a token that it alone can say something of, and asks if that is so
/// even then. What is known afterwards.
async fn ask_in_turn<W: LookAgain>(
    watcher: &Weak<W>,
    in_use: &InUse,
    pace: &ClerkPace,
) -> Option<Known> {
    let mut turn = pin!(pace.turn());
    let turn = loop {
        let turn: Option<Turn<'_>> = tokio::select! {
            turn = &mut turn => Some(turn),
            () = tokio::time::sleep(INTERVAL) => None,
        };
        match (look(watcher, in_use).await, turn) {
            (Some(Known::Old), Some(turn)) => break turn,
            (Some(Known::Old), None) => {}
            (known, _) => return known,
        }
    };
    match turn.ask(watcher.upgrade()?.ask(in_use)).await {
        Ok(true) => Some(Known::Over),
        // While Clerk cannot say, it goes on.
        Ok(false) | Err(_) => Some(Known::Good(INTERVAL)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use mcp::Caller;
    use tokio::time::Instant;

    use super::*;

    const START: u64 = 1_800_000_000_000;

    /// A Clerk that says of each token what is set, and notes when it was asked.
    struct Clerk {
        begun: Instant,
        ends: TokenEnds,
        over: Mutex<Vec<String>>,
        asked: Mutex<Vec<(u64, String)>>,
        is_away: std::sync::atomic::AtomicBool,
    }

    impl Clerk {
        fn new(per_second: u32) -> Arc<Self> {
            Arc::new(Self {
                begun: Instant::now(),
                ends: TokenEnds::new(Arc::new(ClerkPace::new(Some(per_second)))),
                over: Mutex::default(),
                asked: Mutex::default(),
                is_away: false.into(),
            })
        }

        fn now(&self) -> Timestamp {
            Timestamp(START + u64::try_from(self.begun.elapsed().as_millis()).unwrap())
        }

        /// Somebody comes with this token, and is served by it.
        fn serve(self: &Arc<Self>, token: &str, life: Option<u64>) -> GrantEnd {
            let holder = Holder {
                caller: Caller::default(),
                expires_at: life.map(|seconds| self.now().after(Duration::from_secs(seconds))),
            };
            let token = PlainToken::presented(token);
            self.ends
                .of(&token, &holder, self.now(), Arc::downgrade(self))
        }

        fn asked(&self) -> Vec<(u64, String)> {
            std::mem::take(&mut self.asked.lock().unwrap())
        }
    }

    impl LookAgain for Clerk {
        fn known<'a>(&'a self, in_use: &'a InUse) -> BoxFuture<'a, Known> {
            let now = self.now();
            let known = match in_use.fresh_for(now) {
                _ if in_use.expires_at.is_some_and(|at| at.has_passed(now)) => Known::Over,
                Some(rest) => Known::Good(rest),
                None => Known::Old,
            };
            Box::pin(std::future::ready(known))
        }

        fn ask<'a>(&'a self, in_use: &'a InUse) -> BoxFuture<'a, Result<bool, PersonError>> {
            let token = in_use.token.reveal().to_owned();
            let is_over = self.over.lock().unwrap().contains(&token);
            let second = self.begun.elapsed().as_secs();
            self.asked.lock().unwrap().push((second, token));
            let answer = match self.is_away.load(Ordering::Relaxed) {
                true => Err(PersonError::Unavailable { retry_after: None }),
                false => {
                    in_use.looked_at(self.now());
                    Ok(is_over)
                }
            };
            Box::pin(std::future::ready(answer))
        }

        fn ends(&self) -> &TokenEnds {
            &self.ends
        }
    }

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn clerk_is_asked_about_each_once_a_minute_and_about_all_at_the_pace() {
        let clerk = Clerk::new(2);
        let served: Vec<_> = (0..200)
            .map(|number| clerk.serve(&format!("token {number}"), None))
            .collect();
        pass(59).await;
        assert_eq!(clerk.asked(), [], "each was good when it came");
        pass(61).await;
        let asked = clerk.asked();
        assert!((110..=122).contains(&asked.len()), "{}", asked.len());
        pass(120).await;
        let mut at: HashMap<String, Vec<u64>> = HashMap::new();
        for (second, token) in asked.into_iter().chain(clerk.asked()) {
            at.entry(token).or_default().push(second);
        }
        assert_eq!(at.len(), 200, "everybody has their turn");
        for seconds in at.values() {
            assert!(
                seconds.windows(2).all(|two| two[1] >= two[0] + 60),
                "{seconds:?}"
            );
        }
        drop(served);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_again_and_who_is_gone_costs_no_question() {
        let clerk = Clerk::new(10);
        let gone = clerk.serve("gone", None);
        let busy = clerk.serve("busy", None);
        for _ in 0..30 {
            pass(10).await;
            let again = clerk.serve("busy", None);
            assert!(Arc::ptr_eq(&busy, &again));
        }
        assert!(clerk.asked().iter().all(|(_, token)| token == "gone"));
        drop(gone);
        pass(120).await;
        clerk.asked();
        assert_eq!(clerk.ends.lock().len(), 1);
        drop(busy);
        pass(120).await;
        assert!(clerk.ends.lock().is_empty());
        assert_eq!(clerk.asked(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_ends_within_a_minute_of_its_end_at_clerk() {
        let clerk = Clerk::new(1);
        let [ended, kept] = ["ended", "kept"].map(|token| clerk.serve(token, None));
        pass(61).await;
        clerk.over.lock().unwrap().push("ended".to_owned());
        pass(61).await;
        assert!(ended.is_cancelled() && !kept.is_cancelled());
        let again = clerk.serve("ended", None);
        assert!(!again.is_cancelled(), "it was found good anew");
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_is_known_waits_for_no_turn() {
        // Clerk is away: nobody has a turn for long.
        let clerk = Clerk::new(1);
        clerk.is_away.store(true, Ordering::Relaxed);
        let served: Vec<_> = (0..20)
            .map(|number| clerk.serve(&format!("token {number}"), None))
            .collect();
        let short = clerk.serve("short", Some(200));
        pass(180).await;
        let asked = clerk.asked();
        assert!((4..=6).contains(&asked.len()), "{asked:?}");
        assert!(served.iter().all(|end| !end.is_cancelled()));
        assert!(!short.is_cancelled());
        pass(20 + INTERVAL.as_secs()).await;
        assert!(short.is_cancelled());
        clerk.is_away.store(false, Ordering::Relaxed);
        pass(120).await;
        assert!(clerk.asked().len() >= 20, "it goes on");
    }
}
