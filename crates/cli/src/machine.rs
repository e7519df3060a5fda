//! The machine's clock and randomness. Everything else takes them from its caller.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clerk::{BoxFuture, Env};

/// This machine, to the Clerk client and to the emulator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

impl Machine {
    /// Unix time in milliseconds.
    pub(crate) fn now_ms() -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Bytes from the operating system's generator.
    ///
    /// A machine without one can do nothing safely, so that failing ends the program.
    #[expect(
        clippy::expect_used,
        reason = "without randomness nothing here is safe"
    )]
    pub(crate) fn random_bytes(bytes: &mut [u8]) {
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

impl emulator::Clock for Machine {
    fn now(&self) -> u64 {
        Self::now_ms()
    }
}

impl emulator::Random for Machine {
    fn fill(&mut self, bytes: &mut [u8]) {
        Self::random_bytes(bytes);
    }
}
