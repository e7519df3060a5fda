//! What every adapter shares: a tool's name and JSON arguments in, JSON text out. The text is that of
//! an MCP result, byte for byte.

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use crate::{
    error::{ArgumentError, ToolError},
    toolkit::{ClerkToolkit, Quiet},
};

/// How many calls of one model turn run side by side.
const SIDE_BY_SIDE: usize = 8;

/// A tool call as a model wrote it.
#[derive(Debug)]
pub(super) struct ModelCall<'a> {
    /// The tool's name.
    pub(super) name: &'a str,
    /// The arguments; a string is JSON text, as OpenAI sends it.
    pub(super) arguments: Value,
}

/// What the model is told.
#[derive(Debug)]
pub(super) struct ModelResult {
    /// The result or the error, as compact JSON.
    pub(super) text: String,
    /// The error that `text` tells of.
    pub(super) error: Option<ToolError>,
}

/// Runs the calls of one model turn and gives their results in the order of the calls: side by side
/// where none of them changes anything, else one after the other.
pub(super) async fn run_all(toolkit: &ClerkToolkit, calls: Vec<ModelCall<'_>>) -> Vec<ModelResult> {
    let changes_nothing = calls.iter().all(|call| {
        toolkit
            .tool(call.name)
            .is_none_or(|tool| tool.hints().read_only)
    });
    let at_once = if changes_nothing { SIDE_BY_SIDE } else { 1 };
    // Collected first: a closure held across the await would not be `Send` for every lifetime.
    let running: Vec<_> = calls.into_iter().map(|call| run(toolkit, call)).collect();
    stream::iter(running).buffered(at_once).collect().await
}

/// Runs one call.
pub(super) async fn run(toolkit: &ClerkToolkit, call: ModelCall<'_>) -> ModelResult {
    let called = match arguments(toolkit, &call) {
        Ok(arguments) => toolkit.call(call.name, &arguments, &Quiet).await,
        Err(error) => Err(error),
    };
    let (value, error) = match called {
        Ok(outcome) => (Value::Object(outcome.structured), None),
        Err(error) => (Value::Object(error.to_json()), Some(error)),
    };
    ModelResult {
        text: value.to_string(),
        error,
    }
}

fn arguments(toolkit: &ClerkToolkit, call: &ModelCall<'_>) -> Result<Value, ToolError> {
    let Value::String(text) = &call.arguments else {
        return Ok(call.arguments.clone());
    };
    // Models send nothing at all for a tool that takes nothing; that a tool does not exist is the
    // greater fault than how it was called.
    if text.trim().is_empty() || toolkit.tool(call.name).is_none() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|fault| {
        ToolError::Arguments(vec![ArgumentError {
            name: "arguments".into(),
            message: format!("are not JSON: {fault}"),
            hint: Some("send one JSON object".into()),
        }])
    })
}
