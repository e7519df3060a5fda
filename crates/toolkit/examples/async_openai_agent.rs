//! An agent on OpenAI's two APIs with the client and the types of async-openai.
//!
//! `cargo run -p clerk-mcp-toolkit --features agent-examples --example async_openai_agent` plays it
//! offline: the model is a script, Clerk is the emulator.

pub mod support;

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::{
        chat::{
            ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage,
            ChatCompletionRequestUserMessage, ChatCompletionResponseMessage,
            CreateChatCompletionRequest,
        },
        responses::{CreateResponse, EasyInputMessage, InputItem, InputParam},
    },
};
use clerk_mcp_toolkit::{ClerkToolkit, adapters::async_openai as adapter};
use serde_json::Value;
use support::{
    Failure, QUESTION, ScriptedModel, TURNS,
    openai_script::{chat_script, response_script},
};

/// A client of the model at `api`; `Client::new()` is OpenAI's own.
pub fn client(api: &str) -> Client<OpenAIConfig> {
    let config = OpenAIConfig::new()
        .with_api_base(api)
        .with_api_key("sk-scripted");
    Client::with_config(config)
}

/// Asks a model of the Chat Completions API until it asks for no more tools; gives the conversation
/// before its answer, and the answer.
pub async fn chat(
    toolkit: &ClerkToolkit,
    client: &Client<OpenAIConfig>,
    question: &str,
) -> Result<(Vec<ChatCompletionRequestMessage>, String), Failure> {
    let mut messages = vec![ChatCompletionRequestUserMessage::from(question).into()];
    for _ in 0..TURNS {
        let request = CreateChatCompletionRequest {
            model: "gpt-5.2".into(),
            messages: messages.clone(),
            tools: Some(adapter::chat_tools(toolkit)),
            ..Default::default()
        };
        let mut answer = client.chat().create(request).await?;
        let message = answer.choices.remove(0).message;
        let results = adapter::run_chat_calls(toolkit, &message).await;
        if results.is_empty() {
            return Ok((messages, message.content.unwrap_or_default()));
        }
        messages.push(said(message).into());
        messages.extend(results);
    }
    Err("the model asks for tools without end".into())
}

/// The assistant's message as the next request repeats it.
fn said(message: ChatCompletionResponseMessage) -> ChatCompletionRequestAssistantMessage {
    ChatCompletionRequestAssistantMessage {
        content: message.content.map(Into::into),
        tool_calls: message.tool_calls,
        ..Default::default()
    }
}

/// The same with the Responses API.
pub async fn respond(
    toolkit: &ClerkToolkit,
    client: &Client<OpenAIConfig>,
    question: &str,
) -> Result<(Vec<InputItem>, String), Failure> {
    let mut input = vec![InputItem::from(EasyInputMessage::from(question))];
    for _ in 0..TURNS {
        let request = CreateResponse {
            model: Some("gpt-5.2".into()),
            input: InputParam::Items(input.clone()),
            tools: Some(adapter::responses_tools(toolkit)),
            ..Default::default()
        };
        let answer = client.responses().create(request).await?;
        let results = adapter::run_responses_calls(toolkit, &answer.output).await;
        if results.is_empty() {
            return Ok((input, answer.output_text().unwrap_or_default()));
        }
        input.extend(answer.output.into_iter().map(InputItem::from));
        input.extend(results);
    }
    Err("the model asks for tools without end".into())
}

/// Plays both conversations.
pub async fn play() -> Result<Vec<Value>, Failure> {
    let mut played = Vec::new();
    let model = ScriptedModel::start(chat_script())?;
    let (messages, text) = chat(&support::toolkit()?, &client(model.url()), QUESTION).await?;
    for message in messages {
        played.push(serde_json::to_value(message)?);
    }
    played.push(text.into());

    let model = ScriptedModel::start(response_script())?;
    let (input, text) = respond(&support::toolkit()?, &client(model.url()), QUESTION).await?;
    for item in input {
        played.push(serde_json::to_value(item)?);
    }
    played.push(text.into());
    Ok(played)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    play().await?.iter().for_each(support::print);
    Ok(())
}
