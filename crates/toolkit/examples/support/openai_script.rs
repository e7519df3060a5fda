//! What the scripted model says in OpenAI's words.

use serde_json::{Value, json};

use super::{LAST_WORD, turns};

/// The whole script, for Chat Completions.
pub fn chat_script() -> Vec<Value> {
    let asking = turns()
        .into_iter()
        .map(|calls| chat_asking(&as_text(calls)));
    asking.chain([chat_saying(LAST_WORD)]).collect()
}

/// The whole script, for the Responses API.
pub fn response_script() -> Vec<Value> {
    let asking = turns()
        .into_iter()
        .map(|calls| response_asking(&as_text(calls)));
    asking.chain([response_saying(LAST_WORD)]).collect()
}

/// OpenAI's models write arguments as JSON text.
fn as_text(calls: Vec<(&'static str, Value)>) -> Vec<(&'static str, String)> {
    let calls = calls.into_iter();
    calls
        .map(|(name, arguments)| (name, arguments.to_string()))
        .collect()
}

/// A Chat Completions answer that asks for tools, each with its arguments as JSON text.
pub fn chat_asking(calls: &[(&str, String)]) -> Value {
    let calls = calls.iter().enumerate().map(|(index, (name, arguments))| {
        let function = json!({"name": name, "arguments": arguments});
        json!({"id": format!("call_{index}"), "type": "function", "function": function})
    });
    let calls: Vec<Value> = calls.collect();
    completion(json!({"role": "assistant", "content": null, "tool_calls": calls}))
}

/// A Chat Completions answer that is the model's last word.
pub fn chat_saying(text: &str) -> Value {
    completion(json!({"role": "assistant", "content": text}))
}

/// A Responses answer that asks for tools.
pub fn response_asking(calls: &[(&str, String)]) -> Value {
    let calls = calls.iter().enumerate().map(|(index, (name, arguments))| {
        json!({
            "type": "function_call",
            "id": format!("fc_{index}"),
            "call_id": format!("call_{index}"),
            "name": name,
            "arguments": arguments,
            "status": "completed",
        })
    });
    response(calls.collect())
}

/// A Responses answer that is the model's last word.
pub fn response_saying(text: &str) -> Value {
    let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
    response(vec![json!({
        "type": "message",
        "id": "msg_0",
        "role": "assistant",
        "status": "completed",
        "content": content,
    })])
}

fn completion(message: Value) -> Value {
    json!({
        "id": "chatcmpl_0",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-5.2",
        "choices": [{"index": 0, "message": message, "finish_reason": null, "logprobs": null}],
    })
}

fn response(output: Vec<Value>) -> Value {
    json!({
        "id": "resp_0",
        "object": "response",
        "created_at": 1_790_000_000,
        "model": "gpt-5.2",
        "status": "completed",
        "output": output,
    })
}
