//! A sliding window: so many requests in so much time.

use crate::clock::SECOND;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many requests are allowed in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    pub(crate) requests: usize,
    pub(crate) per_ms: u64,
}

/// The requests of the last window.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    pub(crate) limit: Limit,
    admitted: VecDeque<u64>,
}

impl RateLimiter {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            limit,
            admitted: VecDeque::new(),
        }
    }

    /// Admits a request, or says in how many seconds one will be.
    pub(crate) fn admit(&mut self, now: u64) -> Result<(), u64> {
        while self
            .admitted
            .front()
            .is_some_and(|time| time + self.limit.per_ms <= now)
        {
            self.admitted.pop_front();
        }
        if self.admitted.len() < self.limit.requests {
            self.admitted.push_back(now);
            return Ok(());
        }
        let oldest = self.admitted.front().copied().unwrap_or(now);
        let wait = (oldest + self.limit.per_ms).saturating_sub(now);
        Err(wait.div_ceil(SECOND).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut limiter = RateLimiter::new(Limit {
            requests: 2,
            per_ms: 10_000,
        });
        assert_eq!(limiter.admit(0), Ok(()));
        assert_eq!(limiter.admit(4_000), Ok(()));
        assert_eq!(limiter.admit(5_000), Err(5));
        assert_eq!(limiter.admit(10_000), Ok(()));
        assert_eq!(limiter.admit(10_001), Err(4));
    }
}
