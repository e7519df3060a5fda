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
