use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{Layer as _, filter::Targets, fmt, layer::SubscriberExt as _};

use crate::{
    environment::{self, CLERK_MCP_LOG},
    failure::Failure,
};

/// Sends log lines to standard error, from `CLERK_MCP_LOG` upwards (default `warn`). Audit rows are
/// logged as well unless they go to a file.
pub(crate) fn start(audit_to_stderr: bool) -> Result<(), Failure> {
    let level = match environment::read(CLERK_MCP_LOG)? {
        Some(text) => text.parse::<LevelFilter>().map_err(|_| {
            Failure::usage(format!(
                "{CLERK_MCP_LOG}={text:?} is no level\nhint: off, error, warn, info, debug or trace"
            ))
        })?,
        None => LevelFilter::WARN,
    };
    let mut targets = Targets::new().with_default(level);
    if audit_to_stderr && level != LevelFilter::OFF {
        targets = targets.with_target("audit", Level::INFO);
    }
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_filter(targets);
    let subscriber = tracing_subscriber::registry().with(lines);
    // A second start would be a fault of this program; its log lines are the lesser loss.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}
