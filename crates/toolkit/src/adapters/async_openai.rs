//! OpenAI's APIs with the types of [`async-openai`](async_openai): the same as
//! [`openai`](super::openai), typed.

use async_openai::types::{
    chat::{
        ChatCompletionMessageToolCall, ChatCompletionMessageToolCalls,
        ChatCompletionRequestMessage, ChatCompletionRequestToolMessage,
        ChatCompletionResponseMessage, ChatCompletionTool, ChatCompletionTools, FunctionObject,
    },
    responses::{
        FunctionCallOutput, FunctionCallOutputItemParam, FunctionTool, FunctionToolCall, InputItem,
        Item, OutputItem, Tool as ResponsesTool,
    },
};
use serde_json::Value;

use super::dispatch::{ModelCall, ModelResult, run_all};
use crate::{tool::Tool, toolkit::ClerkToolkit};

/// The `tools` of a Chat Completions request.
#[must_use]
pub fn chat_tools(toolkit: &ClerkToolkit) -> Vec<ChatCompletionTools> {
    let definition = |tool: &Tool| {
        ChatCompletionTools::Function(ChatCompletionTool {
            function: FunctionObject {
                name: tool.name().into(),
                description: Some(tool.operation().description.into()),
                parameters: Some(Value::Object(tool.input_schema())),
                strict: None,
            },
        })
    };
    toolkit.tools().iter().map(definition).collect()
}

/// Runs the tool calls of an assistant message and gives the tool messages to send back after it;
/// none when it calls no function. See [`run_chat_calls`](super::openai::run_chat_calls).
pub async fn run_chat_calls(
    toolkit: &ClerkToolkit,
    message: &ChatCompletionResponseMessage,
) -> Vec<ChatCompletionRequestMessage> {
    let calls: Vec<&ChatCompletionMessageToolCall> = message
        .tool_calls
        .iter()
        .flatten()
        .filter_map(|call| match call {
            ChatCompletionMessageToolCalls::Function(call) => Some(call),
            ChatCompletionMessageToolCalls::Custom(_) => None,
        })
        .collect();
    let asked = calls
        .iter()
        .map(|call| model_call(&call.function.name, &call.function.arguments));
    let results = run_all(toolkit, asked.collect()).await;
    let answer = |(call, result): (&&ChatCompletionMessageToolCall, ModelResult)| {
        ChatCompletionRequestToolMessage {
            content: result.text.into(),
            tool_call_id: call.id.clone(),
        }
        .into()
    };
    calls.iter().zip(results).map(answer).collect()
}

/// The `tools` of a Responses request.
#[must_use]
pub fn responses_tools(toolkit: &ClerkToolkit) -> Vec<ResponsesTool> {
    let definition = |tool: &Tool| {
        ResponsesTool::Function(FunctionTool {
            name: tool.name().into(),
            description: Some(tool.operation().description.into()),
            parameters: Some(Value::Object(tool.input_schema())),
            strict: Some(false),
            ..FunctionTool::default()
        })
    };
    toolkit.tools().iter().map(definition).collect()
}

/// Runs the function calls of a response's output and gives their outputs for the next input; none
/// when it calls no function. See [`run_responses_calls`](super::openai::run_responses_calls).
pub async fn run_responses_calls(toolkit: &ClerkToolkit, output: &[OutputItem]) -> Vec<InputItem> {
    let calls: Vec<&FunctionToolCall> = output
        .iter()
        .filter_map(|item| match item {
            OutputItem::FunctionCall(call) => Some(call),
            _ => None,
        })
        .collect();
    let asked = calls
        .iter()
        .map(|call| model_call(&call.name, &call.arguments));
    let results = run_all(toolkit, asked.collect()).await;
    let answer = |(call, result): (&&FunctionToolCall, ModelResult)| {
        let output = FunctionCallOutputItemParam {
            call_id: Some(call.call_id.clone()),
            output: FunctionCallOutput::Text(result.text),
            id: None,
            status: None,
            name: None,
            namespace: None,
            caller: None,
        };
        InputItem::Item(Item::FunctionCallOutput(output))
    };
    calls.iter().zip(results).map(answer).collect()
}

fn model_call<'a>(name: &'a str, arguments: &str) -> ModelCall<'a> {
    ModelCall {
        name,
        arguments: Value::from(arguments),
    }
}
