/// Waits for a signal to end, and names it.
#[cfg(unix)]
pub(crate) async fn terminated() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};

    let listen = |kind| signal(kind).ok();
    let (Some(mut terminate), Some(mut interrupt)) = (
        listen(SignalKind::terminate()),
        listen(SignalKind::interrupt()),
    ) else {
        // Without handlers the signals' own effect remains: the process ends.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn terminated() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}
