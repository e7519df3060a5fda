//! How much of the instance's rate limit is used.

use std::collections::VecDeque;
use std::time::Duration;

use crate::secret_key::InstanceKind;

/// Bulk requests leave this much of the limit, in percent, to people who wait.
const BULK_PERCENT: u64 = 80;

/// How long bulk requests rest after a 429 that does not say how long.
const DEFAULT_PAUSE_MS: u64 = 1_000;

/// Clerk's limit for one instance: so many requests in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests; at least 1.
    pub requests: u32,
    /// In what time; to the millisecond.
    pub per: Duration,
}

impl RateLimit {
    /// What Clerk documents: 100 requests in 10 s for a development instance, 1000 for production.
    pub fn for_instance(instance: InstanceKind) -> Self {
        let requests = match instance {
            InstanceKind::Development => 100,
            InstanceKind::Production => 1_000,
        };
        Self {
            requests,
            per: Duration::from_secs(10),
        }
    }
}

/// When requests were sent, and whether one more has room. Times are Unix milliseconds.
#[derive(Debug)]
pub(crate) struct Budget {
    bulk_limit: usize,
    per: u64,
    /// Send times in the current window, oldest first; never more than `bulk_limit`, as older
    /// ones cannot change an answer.
    sent: VecDeque<u64>,
    paused_until: u64,
    latest: u64,
}

impl Budget {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let bulk = (u64::from(limit.requests) * BULK_PERCENT / 100).max(1);
        Self {
            bulk_limit: usize::try_from(bulk).unwrap_or(usize::MAX),
            per: u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX),
            sent: VecDeque::new(),
            paused_until: 0,
            latest: 0,
        }
    }

    /// Counts a request that is sent now, whatever the budget says.
    pub(crate) fn count(&mut self, now: u64) {
        self.advance(now);
        self.record(now);
    }

    /// Counts a bulk request as sent now, or says how long to wait before asking again.
    pub(crate) fn ask(&mut self, now: u64) -> Result<(), Duration> {
        self.advance(now);
        let mut free_at = self.paused_until;
        if self.sent.len() >= self.bulk_limit {
            let oldest = self.sent.front().copied().unwrap_or(now);
            free_at = free_at.max(oldest.saturating_add(self.per));
        }
        if free_at > now {
            return Err(Duration::from_millis(free_at - now));
        }
        self.record(now);
        Ok(())
    }

    /// Clerk answered 429: bulk requests rest for `retry_after`, but not longer than `longest`.
    pub(crate) fn pause(&mut self, now: u64, retry_after: Option<u64>, longest: Duration) {
        self.advance(now);
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let wait = retry_after.map_or(DEFAULT_PAUSE_MS, |seconds| seconds.saturating_mul(1_000));
        self.paused_until = self.paused_until.max(now.saturating_add(wait.min(longest)));
    }

    /// Moves on to `now` and forgets what has left the window.
    fn advance(&mut self, now: u64) {
        if now < self.latest {
            // The clock was set back. Nothing is known of the time that passed: take it as none.
            let back = self.latest - now;
            for time in &mut self.sent {
                *time = time.saturating_sub(back);
            }
            self.paused_until = self.paused_until.saturating_sub(back);
        }
        self.latest = now;
        while self
            .sent
            .front()
            .is_some_and(|time| now.saturating_sub(*time) >= self.per)
        {
            self.sent.pop_front();
        }
    }

    fn record(&mut self, now: u64) {
        if self.sent.len() >= self.bulk_limit {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    fn budget(requests: u32) -> Budget {
        Budget::new(RateLimit {
            requests,
            per: TEN_SECONDS,
        })
    }

    #[test]
    fn bulk_requests_leave_a_fifth_of_the_limit() {
        let mut budget = budget(10);
        for _ in 0..8 {
            assert_eq!(budget.ask(1_000), Ok(()));
        }
        assert_eq!(budget.ask(1_000), Err(TEN_SECONDS));
        assert_eq!(budget.ask(4_000), Err(Duration::from_secs(7)));
        assert_eq!(budget.ask(11_000), Ok(()));
    }

    #[test]
    fn interactive_requests_count_against_bulk_requests() {
        let mut budget = budget(10);
        for second in 0..20 {
            budget.count(second * 100);
        }
        assert_eq!(budget.ask(2_000), Err(Duration::from_millis(9_200)));
        assert_eq!(budget.ask(11_200), Ok(()));
    }

    #[test]
    fn a_429_stops_bulk_requests() {
        let mut budget = budget(100);
        budget.pause(1_000, Some(3), TEN_SECONDS);
        assert_eq!(budget.ask(1_500), Err(Duration::from_millis(2_500)));
        budget.pause(1_500, None, TEN_SECONDS);
        assert_eq!(
            budget.ask(1_500),
            Err(Duration::from_millis(2_500)),
            "a pause never shrinks"
        );
        assert_eq!(budget.ask(4_000), Ok(()));
        budget.pause(4_000, Some(3_600), TEN_SECONDS);
        assert_eq!(
            budget.ask(4_000),
            Err(TEN_SECONDS),
            "an hour is for the caller to wait"
        );
    }

    #[test]
    fn a_clock_set_back_neither_blocks_nor_opens_the_window() {
        let mut budget = budget(5);
        for _ in 0..4 {
            assert_eq!(budget.ask(1_000_000), Ok(()));
        }
        assert_eq!(budget.ask(500_000), Err(TEN_SECONDS));
        assert_eq!(budget.ask(510_000), Ok(()));
    }

    #[test]
    fn a_limit_of_one_lets_one_through() {
        let mut budget = budget(1);
        assert_eq!(budget.ask(5), Ok(()));
        assert!(budget.ask(5).is_err());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Count,
        Ask,
        Pause(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
        let step = prop_oneof![
            2 => Just(Step::Count),
            6 => Just(Step::Ask),
            1 => (0_u64..4).prop_map(Step::Pause),
        ];
        prop::collection::vec((0_u64..900, step), 0..300)
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_limit_of_bulk_sends(
            requests in 1_u32..30,
            steps in steps(),
        ) {
            let per = Duration::from_secs(3);
            let mut budget = Budget::new(RateLimit { requests, per });
            let limit = (u64::from(requests) * 4 / 5).max(1) as usize;
            let (mut now, mut bulk, mut all) = (0_u64, Vec::new(), Vec::new());
            for (passed, step) in steps {
                now += passed;
                match step {
                    Step::Count => {
                        budget.count(now);
                        all.push(now);
                    }
                    Step::Pause(seconds) => budget.pause(now, Some(seconds), TEN_SECONDS),
                    Step::Ask => match budget.ask(now) {
                        Ok(()) => {
                            bulk.push(now);
                            all.push(now);
                            let used = all.iter().filter(|time| now - **time < 3_000).count();
                            prop_assert!(used <= limit, "a bulk send found {used} of {limit} used");
                        }
                        Err(wait) => prop_assert!(!wait.is_zero() && wait <= TEN_SECONDS),
                    },
                }
            }
            for (index, start) in bulk.iter().enumerate() {
                let inside = bulk[index..].iter().filter(|time| **time - start < 3_000).count();
                prop_assert!(inside <= limit, "{inside} of {limit} from {start} on");
            }
        }

        /// Whoever waits as long as told gets through, if nobody else came in between.
        #[test]
        fn the_wait_it_names_is_enough(asks in prop::collection::vec(0_u64..500, 1..60)) {
            let mut budget = Budget::new(RateLimit { requests: 5, per: Duration::from_secs(2) });
            let mut now = 0;
            for passed in asks {
                now += passed;
                if let Err(wait) = budget.ask(now) {
                    now += wait.as_millis() as u64;
                    prop_assert_eq!(budget.ask(now), Ok(()));
                }
            }
        }
    }
}
