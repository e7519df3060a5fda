//! How long tests wait for what must come.

use std::time::{Duration, Instant};

/// Nothing here takes this long, however busy the machine is; a test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that the server does by itself, or in a moment.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "still not: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}
