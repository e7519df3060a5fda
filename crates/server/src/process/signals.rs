//! The signals that ask the program to end.

/// Waits for such a signal. It listens from now on, not from when it is first awaited: no signal
/// falls into the gap. The result is its name.
#[cfg(unix)]
pub fn terminated() -> impl Future<Output = &'static str> {
    use tokio::signal::unix::{SignalKind, signal};

    let terminate = signal(SignalKind::terminate()).ok();
    let interrupt = signal(SignalKind::interrupt()).ok();
    async move {
        let (Some(mut terminate), Some(mut interrupt)) = (terminate, interrupt) else {
            // Without handlers the signals' own effect remains: the process ends.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn terminated() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}
