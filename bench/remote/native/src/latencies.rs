//! How long each call took, and what follows from all of them.

use std::time::Duration;

use serde::Serialize;

/// What a block of calls comes to.
#[derive(Debug, Serialize)]
pub struct Summary {
    calls: usize,
    seconds: f64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    most_ms: f64,
}

impl Summary {
    /// Of the calls that ended within `elapsed`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    pub fn of(mut calls: Vec<Duration>, elapsed: Duration) -> Self {
        calls.sort_unstable();
        let at = |part: usize| {
            let index = (calls.len() * part / 100).min(calls.len().saturating_sub(1));
            calls
                .get(index)
                .map_or(0.0, |call| call.as_secs_f64() * 1000.0)
        };
        let seconds = elapsed.as_secs_f64();
        Self {
            calls: calls.len(),
            seconds,
            per_second: calls.len() as f64 / seconds,
            p50_ms: at(50),
            p99_ms: at(99),
            most_ms: at(100),
        }
    }
}
