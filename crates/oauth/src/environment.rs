//! What the rules need from the machine they run on.

use std::future::Future;
use std::pin::Pin;

/// A boxed future; `Send` everywhere but on wasm32, where nothing moves between threads.
#[cfg(not(target_arch = "wasm32"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed future; `Send` everywhere but on wasm32, where nothing moves between threads.
#[cfg(target_arch = "wasm32")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Randomness from the operating system, fit for secrets: every token's security rests on it.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` random bytes.
pub(crate) fn random_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
