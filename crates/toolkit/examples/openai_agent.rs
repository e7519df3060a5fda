//! An agent on OpenAI's two APIs without a client library: JSON over HTTP.
//!
//! `cargo run -p clerk-mcp-toolkit --example openai_agent` plays it offline: the model is a script,
//! Clerk is the emulator.

pub mod support;

use clerk_mcp_toolkit::{ClerkToolkit, adapters::openai};
use serde_json::{Value, json};
use support::{
    Failure, QUESTION, ScriptedModel, TURNS,
    openai_script::{chat_script, response_script},
    post,
};

/// Asks a model of the Chat Completions API until it asks for no more tools; the last row of the
/// conversation is its answer.
pub async fn chat(
    toolkit: &ClerkToolkit,
    api: &str,
    question: &str,
) -> Result<Vec<Value>, Failure> {
    let tools = openai::chat_tools(toolkit);
    let mut messages = vec![json!({"role": "user", "content": question})];
    for _ in 0..TURNS {
        let request = json!({"model": "gpt-5.2", "messages": messages, "tools": tools});
        let answer = post(&format!("{api}/chat/completions"), &request).await?;
        let message = answer["choices"][0]["message"].clone();
        let results = openai::run_chat_calls(toolkit, &message).await;
        messages.push(message);
        if results.is_empty() {
            return Ok(messages);
        }
        messages.extend(results);
    }
    Err("the model asks for tools without end".into())
}

/// The same with the Responses API.
pub async fn respond(
    toolkit: &ClerkToolkit,
    api: &str,
    question: &str,
) -> Result<Vec<Value>, Failure> {
    let tools = openai::responses_tools(toolkit);
    let mut input = vec![json!({"role": "user", "content": question})];
    for _ in 0..TURNS {
        let request = json!({"model": "gpt-5.2", "input": input, "tools": tools});
        let answer = post(&format!("{api}/responses"), &request).await?;
        let output = answer["output"].as_array().ok_or("no output")?;
        let results = openai::run_responses_calls(toolkit, output).await;
        input.extend_from_slice(output);
        if results.is_empty() {
            return Ok(input);
        }
        input.extend(results);
    }
    Err("the model asks for tools without end".into())
}

/// Plays both conversations.
pub async fn play() -> Result<[Vec<Value>; 2], Failure> {
    let model = ScriptedModel::start(chat_script())?;
    let chatted = chat(&support::toolkit()?, model.url(), QUESTION).await?;

    let model = ScriptedModel::start(response_script())?;
    let responded = respond(&support::toolkit()?, model.url(), QUESTION).await?;
    Ok([chatted, responded])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    for conversation in play().await? {
        conversation.iter().for_each(support::print);
    }
    Ok(())
}
