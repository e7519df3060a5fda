//! How long tests wait for what must come.

use std::time::{Duration, Instant};

pub(crate) use super::http::PATIENCE;

/// Waits for something that the server does by itself, or in a moment.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "still not: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}
