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
