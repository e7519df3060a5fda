//! The machine's clock and randomness. Everything else takes them from its caller.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clerk::{BoxFuture, Env};

/// This machine. Sleeping needs a tokio runtime.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl Machine {
    /// Unix time in milliseconds.
    #[must_use]
    pub fn now_ms() -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Bytes from the operating system's generator.
    ///
    /// # Panics
    /// On a machine without one: it can do nothing safely.
    #[expect(
        clippy::expect_used,
        reason = "without randomness nothing here is safe"
    )]
    pub fn random_bytes(bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

impl Env for Machine {
    fn now(&self) -> u64 {
        Self::now_ms()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        Self::random_bytes(&mut bytes);
        u64::from_ne_bytes(bytes)
    }
}

impl oauth::Random for Machine {
    fn fill(&self, bytes: &mut [u8]) {
        Self::random_bytes(bytes);
    }
}
