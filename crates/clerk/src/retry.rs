//! When a request is sent again, and after how long.

use std::time::Duration;

use crate::transport::TransportErrorKind;

/// How often and how soon failed requests are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is sent at most; 1 means never again.
    pub attempts: u32,
    /// The longest wait before the second attempt; it doubles with each one that follows.
    pub base_delay: Duration,
    /// The longest `Retry-After` that is waited for; a longer one gives the error back.
    pub longest_retry_after: Duration,
}

impl Default for RetryPolicy {
    /// 3 attempts, 200 ms, 10 s.
    fn default() -> Self {
        Self {
            attempts: 3,
            base_delay: Duration::from_millis(200),
            longest_retry_after: Duration::from_secs(10),
        }
    }
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An answer with this status and, from `Retry-After`, this many seconds.
    Status {
        status: u16,
        retry_after: Option<u64>,
    },
    /// No complete answer.
    Transport(TransportErrorKind),
}

/// How long to wait before the next attempt, or `None` when there is none.
///
/// `attempt` counts from 1; `random` gives the jitter: full, so that many clients that failed
/// together do not come back together.
pub(crate) fn delay(
    policy: &RetryPolicy,
    only_reads: bool,
    attempt: u32,
    failure: Failure,
    random: u64,
) -> Option<Duration> {
    if attempt >= policy.attempts || !may_repeat(only_reads, failure) {
        return None;
    }
    if let Failure::Status {
        retry_after: Some(seconds),
        ..
    } = failure
    {
        let wait = Duration::from_secs(seconds);
        return (wait <= policy.longest_retry_after).then_some(wait);
    }
    let doubled = 1_u32
        .checked_shl(attempt.saturating_sub(1))
        .unwrap_or(u32::MAX);
    let longest = policy.base_delay.saturating_mul(doubled);
    let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    Some(Duration::from_millis(
        random % longest.saturating_add(1).max(1),
    ))
}

/// A read may always be repeated; a write only if it surely did not run.
fn may_repeat(only_reads: bool, failure: Failure) -> bool {
    use TransportErrorKind::{Connect, Interrupted, Timeout};
    match failure {
        Failure::Status { status: 429, .. } | Failure::Transport(Connect) => true,
        Failure::Status {
            status: 500 | 502 | 503 | 504,
            ..
        }
        | Failure::Transport(Timeout | Interrupted) => only_reads,
        Failure::Status { .. } | Failure::Transport(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportErrorKind::{
        BodyTooLarge, Connect, Interrupted, Other, Timeout,
    };
    use proptest::prelude::*;

    fn status(status: u16) -> Failure {
        Failure::Status {
            status,
            retry_after: None,
        }
    }

    fn repeats(only_reads: bool, failure: Failure) -> bool {
        delay(&RetryPolicy::default(), only_reads, 1, failure, 0).is_some()
    }

    #[test]
    fn reads_are_repeated_when_it_may_help() {
        for code in [429, 500, 502, 503, 504] {
            assert!(repeats(true, status(code)), "{code}");
        }
        for code in [301, 400, 401, 402, 403, 404, 409, 422, 501, 505] {
            assert!(!repeats(true, status(code)), "{code}");
        }
        for kind in [Connect, Timeout, Interrupted] {
            assert!(repeats(true, Failure::Transport(kind)), "{kind:?}");
        }
        for kind in [BodyTooLarge, Other] {
            assert!(!repeats(true, Failure::Transport(kind)), "{kind:?}");
        }
    }

    #[test]
    fn writes_are_repeated_only_when_they_surely_did_not_run() {
        assert!(repeats(false, status(429)));
        assert!(repeats(false, Failure::Transport(Connect)));
        for code in [500, 502, 503, 504, 404] {
            assert!(!repeats(false, status(code)), "{code}");
        }
        for kind in [Timeout, Interrupted, BodyTooLarge, Other] {
            assert!(!repeats(false, Failure::Transport(kind)), "{kind:?}");
        }
    }

    #[test]
    fn retry_after_is_obeyed_up_to_ten_seconds() {
        let policy = RetryPolicy::default();
        let after = |seconds| Failure::Status {
            status: 429,
            retry_after: Some(seconds),
        };
        assert_eq!(
            delay(&policy, false, 1, after(10), 7),
            Some(Duration::from_secs(10))
        );
        assert_eq!(delay(&policy, true, 1, after(0), 7), Some(Duration::ZERO));
        assert_eq!(delay(&policy, true, 1, after(11), 7), None);
        assert_eq!(delay(&policy, true, 1, after(u64::MAX), 7), None);
    }

    #[test]
    fn the_longest_delay_doubles() {
        let policy = RetryPolicy {
            attempts: 9,
            ..RetryPolicy::default()
        };
        for (attempt, longest) in [(1, 200), (2, 400), (3, 800)] {
            let found = delay(&policy, true, attempt, status(503), longest);
            assert_eq!(found, Some(Duration::from_millis(longest)));
            let found = delay(&policy, true, attempt, status(503), longest + 1);
            assert_eq!(found, Some(Duration::ZERO));
        }
    }

    proptest! {
        #[test]
        fn never_more_attempts_and_never_a_panic(
            attempts in 0_u32..5,
            base in any::<u64>(),
            attempt in 1_u32..200,
            code in 100_u16..600,
            random in any::<u64>(),
        ) {
            let base_delay = Duration::from_millis(base);
            let policy = RetryPolicy { attempts, base_delay, ..RetryPolicy::default() };
            let found = delay(&policy, true, attempt, status(code), random);
            prop_assert!(found.is_none() || attempt < attempts);
        }
    }
}
