//! Nothing panics across the boundary: a panic would end the process, or leave a promise pending
//! for ever.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt as _;

use crate::failure::Failure;

/// Runs `work`; its panic is a failure. What it was working on is not used again.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(failure(&*panic)))
}

/// The same of a future.
pub(crate) async fn guard_future<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(failure(&*panic)))
}

fn failure(panic: &(dyn Any + Send)) -> Failure {
    let what = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Failure::internal(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure() {
        let failure = guard::<()>(|| panic!("broken {}", 1)).unwrap_err();
        assert!(failure.to_string().contains("broken 1"), "{failure}");
        let failure = guard_future::<()>(async { panic!("later") })
            .now_or_never()
            .unwrap()
            .unwrap_err();
        assert!(failure.to_string().contains("later"), "{failure}");
        assert!(guard(|| Ok(1)).is_ok());
    }
}
