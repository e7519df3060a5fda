//! The async-openai adapter: its two example agents with scripted models.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "tests; each uses a part"
)]

#[path = "../examples/async_openai_agent.rs"]
mod agent;
#[path = "adapters/cases.rs"]
mod cases;
#[path = "adapters/openai_wire.rs"]
mod openai_wire;
mod support;

use agent::{
    client,
    support::{
        ScriptedModel,
        openai_script::{chat_asking, chat_saying, response_asking, response_saying},
    },
};
use cases::{Seen, wait};
use clerk_mcp_toolkit::{
    ClerkToolkit,
    adapters::{async_openai, openai},
};
use openai_wire::{seen_by_chat, seen_by_responses};
use serde_json::Value;
use support::{Clerk, TEAM};

fn as_text<'a>(calls: &[(&'a str, Value)]) -> Vec<(&'a str, String)> {
    let text = |arguments: &Value| match arguments {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    calls
        .iter()
        .map(|(name, arguments)| (*name, text(arguments)))
        .collect()
}

fn chat(toolkit: &ClerkToolkit, calls: &[(&str, Value)]) -> Seen {
    let mut script = vec![chat_saying("done")];
    if !calls.is_empty() {
        script.insert(0, chat_asking(&as_text(calls)));
    }
    let model = ScriptedModel::start(script).unwrap();
    let (_, text) = wait(async { agent::chat(toolkit, &client(model.url()), "?").await }).unwrap();
    assert_eq!(text, "done");
    seen_by_chat(&model.requests())
}

fn respond(toolkit: &ClerkToolkit, calls: &[(&str, Value)]) -> Seen {
    let mut script = vec![response_saying("done")];
    if !calls.is_empty() {
        script.insert(0, response_asking(&as_text(calls)));
    }
    let model = ScriptedModel::start(script).unwrap();
    let (_, text) =
        wait(async { agent::respond(toolkit, &client(model.url()), "?").await }).unwrap();
    assert_eq!(text, "done");
    seen_by_responses(&model.requests())
}

#[test]
fn definitions_are_the_toolkits() {
    cases::definitions_are_the_toolkits(chat);
    cases::definitions_are_the_toolkits(respond);
}

#[test]
fn every_tool_answers_like_the_toolkit() {
    cases::every_tool_answers_like_the_toolkit(chat);
    cases::every_tool_answers_like_the_toolkit(respond);
}

#[test]
fn attacks_are_refused() {
    cases::attacks_are_refused(chat);
    cases::attacks_are_refused(respond);
}

#[test]
fn an_error_of_clerks_is_a_result() {
    cases::an_error_of_clerks_is_a_result(chat);
    cases::an_error_of_clerks_is_a_result(respond);
}

#[test]
fn invisible_characters_of_errors_are_written_out() {
    cases::invisible_characters_of_errors_are_written_out(chat);
    cases::invisible_characters_of_errors_are_written_out(respond);
}

#[test]
fn other_json_is_a_result() {
    cases::other_json_is_a_result(chat);
    cases::other_json_is_a_result(respond);
}

#[test]
fn mistyped_arguments_are_a_result() {
    cases::mistyped_arguments_are_a_result(chat);
    cases::mistyped_arguments_are_a_result(respond);
}

#[test]
fn malformed_arguments_are_a_result() {
    cases::malformed_arguments_are_a_result(chat);
    cases::malformed_arguments_are_a_result(respond);
}

#[test]
fn an_unknown_tool_is_a_result() {
    cases::an_unknown_tool_is_a_result(chat);
    cases::an_unknown_tool_is_a_result(respond);
}

#[test]
fn the_example_is_true() {
    let conversation = wait(agent::play()).unwrap();
    cases::the_example_is_true(&conversation, conversation.last().unwrap());
}

#[test]
fn definitions_are_those_of_the_plain_adapter() {
    let toolkit = Clerk::of_toml(TEAM).toolkit();
    let plain = Value::Array(openai::chat_tools(&toolkit));
    let typed = serde_json::to_value(async_openai::chat_tools(&toolkit)).unwrap();
    assert_eq!(typed, plain);
    let plain = Value::Array(openai::responses_tools(&toolkit));
    let typed = serde_json::to_value(async_openai::responses_tools(&toolkit)).unwrap();
    assert_eq!(typed, plain);
}
