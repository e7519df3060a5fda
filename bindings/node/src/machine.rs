//! The machine's clock and randomness, for the Clerk client.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clerk::{BoxFuture, Env};

/// This machine. Sleeping needs a tokio runtime, which every call has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

impl Env for Machine {
    fn now(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    #[expect(
        clippy::expect_used,
        reason = "without randomness nothing here is safe; the caller turns a panic into an error"
    )]
    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        u64::from_ne_bytes(bytes)
    }
}
