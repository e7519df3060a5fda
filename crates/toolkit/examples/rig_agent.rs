//! An agent of rig's.
//!
//! `cargo run -p clerk-mcp-toolkit --features agent-examples --example rig_agent` plays it offline:
//! the model is rig's own mock model, Clerk is the emulator.

pub mod support;

use clerk_mcp_toolkit::{ClerkToolkit, adapters::rig};
use rig_agent::prelude::{AgentBuilder, DynModel};
use rig_core::{
    message::{AssistantContent, ToolCall, ToolFunction, ToolName},
    operation::Completion,
    test_utils::{MockCompletionModel, MockTurn},
};
use serde_json::Value;
use support::{Failure, LAST_WORD, QUESTION, TURNS, turns};

/// Asks the model until it asks for no more tools, and gives its answer.
pub async fn ask(
    toolkit: &ClerkToolkit,
    model: impl Into<DynModel<Completion>>,
    question: &str,
) -> Result<String, Failure> {
    let agent = AgentBuilder::new(model)
        .preamble("You look after an organization.")
        .dynamic_tools(rig::tools(toolkit))
        .default_max_turns(TURNS)
        .build();
    Ok(agent.prompt(question).await?.output().to_owned())
}

/// A turn in which the model asks for tools.
pub fn asking(calls: &[(&str, Value)]) -> Result<MockTurn, Failure> {
    let mut contents = Vec::new();
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let function = ToolFunction::new(ToolName::new(*name)?, arguments.clone());
        let call = ToolCall::from_wire(format!("call_{index}"), function);
        contents.push(AssistantContent::ToolCall(call));
    }
    Ok(MockTurn::from_contents(contents))
}

/// Plays the conversation.
pub async fn play() -> Result<Vec<Value>, Failure> {
    let mut script = Vec::new();
    for calls in turns() {
        script.push(asking(&calls)?);
    }
    script.push(MockTurn::text(LAST_WORD));
    let model = MockCompletionModel::from_turns(script);
    let answer = ask(&support::toolkit()?, model.clone(), QUESTION).await?;
    let mut played = Vec::new();
    for message in model
        .requests()
        .pop()
        .into_iter()
        .flat_map(|last| last.chat_history)
    {
        played.push(serde_json::to_value(message)?);
    }
    played.push(answer.into());
    Ok(played)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    play().await?.iter().for_each(support::print);
    Ok(())
}
