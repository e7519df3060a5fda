//! Tools of [rig](rig_core)'s agents.

use std::sync::Arc;

use clerk::TransportErrorKind;
use rig_core::{
    message::ToolName,
    tool::{DynamicTool, ToolErrorKind, ToolExecutionError, ToolOutput},
};
use serde_json::Value;

use super::dispatch::{self, ModelCall};
use crate::{error::ToolError, tool::Tool, toolkit::ClerkToolkit};

/// The toolkit's tools, for `AgentBuilder::dynamic_tools` and the like.
///
/// A result is literal text, the JSON that every adapter gives. A failed call is a
/// [`ToolExecutionError`] whose feedback to the model is the error's JSON, with code and hint; its
/// `code()` and `http_status()` are Clerk's, its source is the [`ToolError`]. Arguments that are no
/// JSON object never come here: rig tells the model of them in its own words.
#[must_use]
pub fn tools(toolkit: &ClerkToolkit) -> Vec<DynamicTool> {
    let toolkit = Arc::new(toolkit.clone());
    toolkit
        .tools()
        .iter()
        .filter_map(|tool| dynamic_tool(&toolkit, tool))
        .collect()
}

/// `None` only for a tool without a name, and the table has none.
fn dynamic_tool(toolkit: &Arc<ClerkToolkit>, tool: &Tool) -> Option<DynamicTool> {
    let name = tool.name();
    let changes_nothing = tool.hints().read_only;
    let toolkit = Arc::clone(toolkit);
    Some(DynamicTool::new(
        ToolName::new(name).ok()?,
        tool.operation().description,
        Value::Object(tool.input_schema()),
        move |arguments| {
            let toolkit = Arc::clone(&toolkit);
            Box::pin(async move {
                let result = dispatch::run(&toolkit, ModelCall { name, arguments }).await;
                match result.error {
                    None => Ok(ToolOutput::text(result.text)),
                    Some(error) => Err(execution_error(error, result.text, changes_nothing)),
                }
            })
        },
    ))
}

fn execution_error(
    error: ToolError,
    feedback: String,
    changes_nothing: bool,
) -> ToolExecutionError {
    let kind = kind(&error);
    // A write that failed may have run: nobody repeats it but the model, who is told.
    let retryable = changes_nothing && kind.default_retryable() == Some(true);
    let mut execution_error = ToolExecutionError::new(kind, error.to_string())
        .with_code(error.code())
        .with_retryable(retryable)
        .with_model_feedback(feedback);
    if let Some(status) = error.clerk().and_then(clerk::Error::status) {
        execution_error = execution_error.with_http_status(status);
    }
    execution_error.with_source(error)
}

fn kind(error: &ToolError) -> ToolErrorKind {
    match error {
        ToolError::Arguments(_) => ToolErrorKind::InvalidArgs,
        ToolError::UnknownTool { .. } => ToolErrorKind::NotFound,
        ToolError::NotPermitted { .. } => ToolErrorKind::PermissionDenied,
        ToolError::Clerk(error) | ToolError::Partial { source: error, .. } => clerk_kind(error),
        _ => ToolErrorKind::Provider,
    }
}

fn clerk_kind(error: &clerk::Error) -> ToolErrorKind {
    match (error, error.status()) {
        (clerk::Error::Transport { kind, .. }, _) => match kind {
            TransportErrorKind::Timeout => ToolErrorKind::Timeout,
            TransportErrorKind::Connect | TransportErrorKind::Interrupted => ToolErrorKind::Network,
            _ => ToolErrorKind::Provider,
        },
        (clerk::Error::Request(_), _) => ToolErrorKind::InvalidArgs,
        (_, Some(401 | 403)) => ToolErrorKind::PermissionDenied,
        (_, Some(404)) => ToolErrorKind::NotFound,
        (_, Some(429)) => ToolErrorKind::RateLimited,
        _ => ToolErrorKind::Provider,
    }
}
