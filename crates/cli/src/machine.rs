//! The machine's clock and randomness, as the server has them, for the emulator too.

use std::time::Duration;

use clerk::{BoxFuture, Env};
use server::process;

/// This machine, to the Clerk client and to the emulator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

impl Machine {
    /// Unix time in milliseconds.
    pub(crate) fn now_ms() -> u64 {
        process::Machine::now_ms()
    }

    /// Bytes from the operating system's generator.
    pub(crate) fn random_bytes(bytes: &mut [u8]) {
        process::Machine::random_bytes(bytes);
    }
}

impl Env for Machine {
    fn now(&self) -> u64 {
        process::Machine.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u64 {
        process::Machine.random()
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
