//! The Anthropic adapter: its example agent with a scripted model.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "tests; each uses a part"
)]

#[path = "../examples/anthropic_agent.rs"]
mod agent;
#[path = "adapters/cases.rs"]
mod cases;
mod support;

use agent::{asking, saying, support::ScriptedModel};
use cases::{Answer, Seen, wait};
use clerk_mcp_toolkit::{ClerkToolkit, adapters::anthropic};
use serde_json::{Value, json};
use support::{Clerk, TEAM};

fn converse(toolkit: &ClerkToolkit, calls: &[(&str, Value)]) -> Seen {
    let mut script = vec![saying("done")];
    if !calls.is_empty() {
        script.insert(0, asking(calls));
    }
    let model = ScriptedModel::start(script).unwrap();
    let conversation = wait(agent::converse(toolkit, model.url(), "?")).unwrap();
    assert_eq!(conversation.last().unwrap()["content"][0]["text"], "done");
    let requests = model.requests();
    let last = requests.last().unwrap();
    let definition =
        |tool: &Value| json!([tool["name"], tool["description"], tool["input_schema"]]);
    let results = last["messages"].get(2).map(|message| {
        assert_eq!(message["role"], "user");
        message["content"].as_array().unwrap().iter()
    });
    Seen {
        definitions: last["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(definition)
            .collect(),
        answers: results
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, block)| {
                assert_eq!(block["type"], "tool_result");
                assert_eq!(block["tool_use_id"], format!("toolu_{index}"));
                Answer {
                    text: block["content"].as_str().unwrap().to_owned(),
                    is_error: block["is_error"].as_bool(),
                }
            })
            .collect(),
    }
}

#[test]
fn definitions_are_the_toolkits() {
    cases::definitions_are_the_toolkits(converse);
}

#[test]
fn every_tool_answers_like_the_toolkit() {
    cases::every_tool_answers_like_the_toolkit(converse);
}

#[test]
fn attacks_are_refused() {
    cases::attacks_are_refused(converse);
}

#[test]
fn an_error_of_clerks_is_a_result() {
    cases::an_error_of_clerks_is_a_result(converse);
}

#[test]
fn invisible_characters_of_errors_are_written_out() {
    cases::invisible_characters_of_errors_are_written_out(converse);
}

#[test]
fn other_json_is_a_result() {
    cases::other_json_is_a_result(converse);
}

#[test]
fn mistyped_arguments_are_a_result() {
    cases::mistyped_arguments_are_a_result(converse);
}

#[test]
fn malformed_arguments_are_a_result() {
    cases::malformed_arguments_are_a_result(converse);
}

#[test]
fn an_unknown_tool_is_a_result() {
    cases::an_unknown_tool_is_a_result(converse);
}

#[test]
fn the_example_is_true() {
    let conversation = wait(agent::play()).unwrap();
    cases::the_example_is_true(&conversation, conversation.last().unwrap());
}

#[test]
fn what_uses_no_tool_of_ours_is_left_alone() {
    let toolkit = Clerk::of_toml(TEAM).toolkit();
    for message in [
        json!(null),
        json!({"role": "assistant", "content": "hello"}),
        json!({"role": "assistant", "content": [{"type": "text", "text": "hello"}]}),
        json!({"role": "assistant", "content": [{"type": "server_tool_use", "id": "srvtoolu_0", "name": "web_search", "input": {}}]}),
    ] {
        assert_eq!(
            wait(anthropic::run_tool_uses(&toolkit, &message)),
            None,
            "{message}"
        );
    }
}
