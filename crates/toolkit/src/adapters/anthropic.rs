//! Anthropic's Messages API as plain JSON, for any HTTP client.

use serde_json::{Value, json};

use super::dispatch::{ModelCall, ModelResult, run_all};
use crate::{tool::Tool, toolkit::ClerkToolkit};

/// The `tools` of a Messages request.
#[must_use]
pub fn tools(toolkit: &ClerkToolkit) -> Vec<Value> {
    let definition = |tool: &Tool| {
        json!({
            "name": tool.name(),
            "description": tool.operation().description,
            "input_schema": tool.input_schema(),
        })
    };
    toolkit.tools().iter().map(definition).collect()
}

/// Runs the `tool_use` blocks of an assistant message and gives the user message of `tool_result`
/// blocks to send back after it; `None` when it uses no tool.
///
/// Every `tool_use` is answered, one of a tool that the toolkit does not have by `unknown_tool`: an
/// agent with tools of its own takes their blocks out first. Blocks of tools that run at Anthropic
/// are left alone.
pub async fn run_tool_uses(toolkit: &ClerkToolkit, message: &Value) -> Option<Value> {
    let blocks = message["content"].as_array()?.iter();
    let uses: Vec<&Value> = blocks.filter(|block| block["type"] == "tool_use").collect();
    if uses.is_empty() {
        return None;
    }
    let asked = uses.iter().map(|block| ModelCall {
        name: block["name"].as_str().unwrap_or_default(),
        arguments: block["input"].clone(),
    });
    let results = run_all(toolkit, asked.collect()).await;
    let answer = |(block, result): (&&Value, ModelResult)| {
        json!({
            "type": "tool_result",
            "tool_use_id": block["id"],
            "content": result.text,
            "is_error": result.error.is_some(),
        })
    };
    let content: Vec<Value> = uses.iter().zip(results).map(answer).collect();
    Some(json!({"role": "user", "content": content}))
}
