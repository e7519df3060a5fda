//! Where the emulator takes time and randomness from: always its caller.

/// The time of day.
pub trait Clock: Send + Sync {
    /// Unix time in milliseconds.
    fn now(&self) -> u64;
}

/// A source of random bytes, for ids, trace ids and fault probabilities.
pub trait Random: Send {
    /// Fills `bytes` with random bytes.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// One second in milliseconds.
pub(crate) const SECOND: u64 = 1_000;
/// One minute in milliseconds.
pub(crate) const MINUTE: u64 = 60 * SECOND;
/// One hour in milliseconds.
pub(crate) const HOUR: u64 = 60 * MINUTE;
/// One day in milliseconds.
pub(crate) const DAY: u64 = 24 * HOUR;
