//! Log lines.

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{Layer as _, filter::Targets, fmt, layer::SubscriberExt as _};

use super::start_error::StartError;

/// How much is logged to standard error: `error`, `warn` (default), `info`, `debug`, `trace`, `off`.
pub const CLERK_MCP_LOG: &str = "CLERK_MCP_LOG";

/// Libraries whose lines below `warn` hold whole requests and results, and with them tickets and
/// private metadata. The names also cover what begins with them, such as `hyper_util`.
const TOO_TALKATIVE: [&str; 5] = ["rmcp", "hyper", "h2", "rustls", "reqwest"];

/// The level that `CLERK_MCP_LOG` names.
///
/// # Errors
/// When it names none.
pub(super) fn level() -> Result<LevelFilter, StartError> {
    let given = std::env::var_os(CLERK_MCP_LOG).unwrap_or_default();
    match given.to_string_lossy().trim() {
        "" => Ok(LevelFilter::WARN),
        text => text.parse().map_err(|_| {
            StartError::usage(format!(
                "{CLERK_MCP_LOG}={text:?} is no level\nhint: off, error, warn, info, debug or trace"
            ))
        }),
    }
}

/// Sends log lines to standard error, from `CLERK_MCP_LOG` upwards (default `warn`). Audit rows are
/// logged as well unless they go to a file. Of libraries that would log secrets, nothing below `warn`
/// is logged, whatever the level.
///
/// # Errors
/// When the variable holds no level.
pub fn start(audit_to_stderr: bool) -> Result<(), StartError> {
    let level = level()?;
    let capped = level.min(LevelFilter::WARN);
    let mut targets = Targets::new()
        .with_default(level)
        .with_targets(TOO_TALKATIVE.map(|target| (target, capped)))
        // It warns of every call that is refused, and where it serves HTTP, clients' doings are errors to it:
        // they could fill the log. What is wrong here, the front says itself.
        .with_target("rmcp", level.min(LevelFilter::ERROR))
        .with_target("rmcp::transport", LevelFilter::OFF);
    if audit_to_stderr && level != LevelFilter::OFF {
        targets = targets.with_target("audit", Level::INFO);
    }
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_filter(targets);
    let subscriber = tracing_subscriber::registry().with(lines);
    // A second start would be a fault of this program; its log lines are the lesser loss.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}
