//! OpenAI's APIs as plain JSON, for any HTTP client and any server that speaks them.
//!
//! Tools are not `strict`: that mode wants every argument to be sent, and would make a model set what
//! it should leave as it is. The toolkit checks arguments itself and names every fault at once.

use serde_json::{Value, json};

use super::dispatch::{ModelCall, ModelResult, run_all};
use crate::{tool::Tool, toolkit::ClerkToolkit};

/// The `tools` of a Chat Completions request.
#[must_use]
pub fn chat_tools(toolkit: &ClerkToolkit) -> Vec<Value> {
    let definition = |tool: &Tool| {
        json!({
            "type": "function",
            "function": {
                "name": tool.name(),
                "description": tool.operation().description,
                "parameters": tool.input_schema(),
            },
        })
    };
    toolkit.tools().iter().map(definition).collect()
}

/// Runs the `tool_calls` of an assistant message and gives the `tool` messages to send back after it;
/// none when it calls no function.
///
/// Every function call is answered, one to a tool that the toolkit does not have by `unknown_tool`:
/// an agent with tools of its own takes their calls out first. Custom tool calls are left alone.
pub async fn run_chat_calls(toolkit: &ClerkToolkit, message: &Value) -> Vec<Value> {
    let calls: Vec<&Value> = elements(&message["tool_calls"])
        .filter(|call| call["type"] != "custom")
        .collect();
    let asked = calls.iter().map(|call| model_call(&call["function"]));
    let results = run_all(toolkit, asked.collect()).await;
    let answer = |(call, result): (&&Value, ModelResult)| {
        let text = result.text;
        json!({"role": "tool", "tool_call_id": call["id"], "content": text})
    };
    calls.iter().zip(results).map(answer).collect()
}

/// The `tools` of a Responses request.
#[must_use]
pub fn responses_tools(toolkit: &ClerkToolkit) -> Vec<Value> {
    let definition = |tool: &Tool| {
        json!({
            "type": "function",
            "name": tool.name(),
            "description": tool.operation().description,
            "parameters": tool.input_schema(),
            // This API, unlike Chat Completions, is strict unless told otherwise.
            "strict": false,
        })
    };
    toolkit.tools().iter().map(definition).collect()
}

/// Runs the `function_call` items of a response's `output` and gives the `function_call_output` items
/// for the next `input`; none when it calls no function. Unknown tools are answered as in
/// [`run_chat_calls`].
pub async fn run_responses_calls(toolkit: &ClerkToolkit, output: &[Value]) -> Vec<Value> {
    let calls: Vec<&Value> = output
        .iter()
        .filter(|item| item["type"] == "function_call")
        .collect();
    let asked = calls.iter().map(|call| model_call(call));
    let results = run_all(toolkit, asked.collect()).await;
    let answer = |(call, result): (&&Value, ModelResult)| {
        let text = result.text;
        json!({"type": "function_call_output", "call_id": call["call_id"], "output": text})
    };
    calls.iter().zip(results).map(answer).collect()
}

fn model_call(function: &Value) -> ModelCall<'_> {
    ModelCall {
        name: function["name"].as_str().unwrap_or_default(),
        arguments: function["arguments"].clone(),
    }
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
