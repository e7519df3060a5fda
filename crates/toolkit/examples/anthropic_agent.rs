//! An agent on Anthropic's Messages API without a client library: JSON over HTTP.
//!
//! `cargo run -p clerk-mcp-toolkit --example anthropic_agent` plays it offline: the model is a script,
//! Clerk is the emulator.

pub mod support;

use clerk_mcp_toolkit::{ClerkToolkit, adapters::anthropic};
use serde_json::{Value, json};
use support::{Failure, LAST_WORD, QUESTION, ScriptedModel, TURNS, post, turns};

/// Asks the model until it uses no more tools; the last row of the conversation is its answer.
pub async fn converse(
    toolkit: &ClerkToolkit,
    api: &str,
    question: &str,
) -> Result<Vec<Value>, Failure> {
    let tools = anthropic::tools(toolkit);
    let mut messages = vec![json!({"role": "user", "content": question})];
    for _ in 0..TURNS {
        let request = json!({
            "model": "claude-sonnet-4-5",
            "max_tokens": 1024,
            "messages": messages,
            "tools": tools,
        });
        let answer = post(&format!("{api}/messages"), &request).await?;
        let message = json!({"role": "assistant", "content": answer["content"]});
        let results = anthropic::run_tool_uses(toolkit, &message).await;
        messages.push(message);
        match results {
            Some(results) => messages.push(results),
            None => return Ok(messages),
        }
    }
    Err("the model uses tools without end".into())
}

/// An answer that uses tools.
pub fn asking(calls: &[(&str, Value)]) -> Value {
    let uses = calls.iter().enumerate().map(|(index, (name, input))| {
        json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": input})
    });
    answer(uses.collect(), "tool_use")
}

/// An answer that is the model's last word.
pub fn saying(text: &str) -> Value {
    answer(vec![json!({"type": "text", "text": text})], "end_turn")
}

fn answer(content: Vec<Value>, stop_reason: &str) -> Value {
    json!({
        "id": "msg_0",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": content,
        "stop_reason": stop_reason,
    })
}

/// Plays the conversation.
pub async fn play() -> Result<Vec<Value>, Failure> {
    let mut script: Vec<Value> = turns().iter().map(|calls| asking(calls)).collect();
    script.push(saying(LAST_WORD));
    let model = ScriptedModel::start(script)?;
    converse(&support::toolkit()?, model.url(), QUESTION).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    play().await?.iter().for_each(support::print);
    Ok(())
}
