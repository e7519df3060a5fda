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

/// Clerk's limits of the Frontend API: starting to sign in, and trying a code.
const SIGN_INS: Limit = Limit {
    requests: 5,
    per_ms: 10 * SECOND,
};
const ATTEMPTS: Limit = Limit {
    requests: 3,
    per_ms: 10 * SECOND,
};

/// All limits: the one over all requests, which is chosen, and Clerk's own of signing in.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    all: Window,
    sign_ins: Window,
    attempts: Window,
}

impl RateLimiter {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            all: Window::new(limit),
            sign_ins: Window::new(SIGN_INS),
            attempts: Window::new(ATTEMPTS),
        }
    }

    pub(crate) fn limit(&self) -> Limit {
        self.all.limit
    }

    /// Admits a request to an operation, or says in how many seconds one will be.
    pub(crate) fn admit(&mut self, operation: Option<&str>, now: u64) -> Result<(), u64> {
        match operation {
            Some("SignIn" | "createSignIn") => self.sign_ins.admit(now)?,
            Some("SignInCode") => self.attempts.admit(now)?,
            _ => {}
        }
        self.all.admit(now)
    }
}

/// The requests of the last window.
#[derive(Debug)]
struct Window {
    limit: Limit,
    admitted: VecDeque<u64>,
}

impl Window {
    fn new(limit: Limit) -> Self {
        Self {
            limit,
            admitted: VecDeque::new(),
        }
    }

    /// Admits a request, or says in how many seconds one will be.
    fn admit(&mut self, now: u64) -> Result<(), u64> {
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
        let mut limiter = Window::new(Limit {
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
