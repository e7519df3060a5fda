//! Tools that notify: the caller while they run, or whoever subscribed.

use std::time::Duration;

use rmcp::{
    RoleServer,
    model::{
        CallToolResult, ContentBlock, LoggingLevel, LoggingMessageNotificationParam,
        ProgressNotificationParam,
    },
    service::RequestContext,
};
use serde_json::json;

use crate::handler::{Change, Fixture};

/// Between two notifications, so that each is a message of its own on the wire.
const PAUSE: Duration = Duration::from_millis(50);

/// The answer of the tool `name`, if it is one of this file.
///
/// That a notification cannot be sent means that nobody waits for it any more, here and below.
pub(crate) async fn call(
    fixture: &Fixture,
    name: &str,
    context: &RequestContext<RoleServer>,
) -> Option<CallToolResult> {
    match name {
        "test_tool_with_logging" => {
            for message in ["started", "processes data", "completed"] {
                log(context, LoggingLevel::Info, message).await;
                tokio::time::sleep(PAUSE).await;
            }
        }
        "test_tool_with_progress" => {
            for (progress, message) in [(0.0, "begun"), (50.0, "half done"), (100.0, "done")] {
                report(context, progress, message).await;
                tokio::time::sleep(PAUSE).await;
            }
        }
        "test_logging_tool" => {
            // In revision 2026-07-28 each request says whether it wants messages.
            if let Some(level) = context.meta.log_level() {
                log(context, level, "asked for").await;
            }
        }
        "test_reconnection" => tokio::time::sleep(2 * PAUSE).await,
        "test_trigger_tool_change" => fixture.announce(Change::Tools),
        "test_trigger_prompt_change" => fixture.announce(Change::Prompts),
        _ => return None,
    }
    Some(CallToolResult::success(vec![ContentBlock::text(format!(
        "{name} is done."
    ))]))
}

async fn log(context: &RequestContext<RoleServer>, level: LoggingLevel, message: &str) {
    let message = LoggingMessageNotificationParam::new(level, json!(message));
    let _ = context
        .peer
        .notify_logging_message(message.with_logger("fixture"))
        .await;
}

async fn report(context: &RequestContext<RoleServer>, progress: f64, message: &str) {
    if let Some(token) = context.meta.get_progress_token() {
        let progress = ProgressNotificationParam::new(token, progress)
            .with_total(100.0)
            .with_message(message);
        let _ = context.peer.notify_progress(progress).await;
    }
}
