//! What the client needs from the machine it runs on.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A boxed future; `Send` everywhere but on wasm32, where nothing moves between threads.
#[cfg(not(target_arch = "wasm32"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed future; `Send` everywhere but on wasm32, where nothing moves between threads.
#[cfg(target_arch = "wasm32")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Time, sleep and randomness, passed in so that every rule can be tested at any moment.
pub trait Env: Send + Sync {
    /// The time, in milliseconds since the Unix epoch.
    fn now(&self) -> u64;

    /// Waits for `duration`. [`Env::now`] must have moved on by about as much when it returns: the
    /// client asks again after the sleep, and a clock that stands still would make it ask for ever.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;

    /// 64 random bits. They spread retries in time; nothing secret depends on them.
    fn random(&self) -> u64;
}
