//! The OpenAI adapter: its two example agents with scripted models.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "tests; each uses a part"
)]

#[path = "../examples/openai_agent.rs"]
mod agent;
#[path = "adapters/cases.rs"]
mod cases;
#[path = "adapters/openai_wire.rs"]
mod openai_wire;
mod support;

use agent::support::{
    ScriptedModel,
    openai_script::{chat_asking, chat_saying, response_asking, response_saying},
};
use cases::{Seen, in_a, sent, wait};
use clerk_mcp_toolkit::{ClerkToolkit, adapters::openai};
use openai_wire::{seen_by_chat, seen_by_responses};
use serde_json::{Value, json};
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
    let conversation = wait(agent::chat(toolkit, model.url(), "?")).unwrap();
    assert_eq!(conversation.last().unwrap()["content"], "done");
    seen_by_chat(&model.requests())
}

fn respond(toolkit: &ClerkToolkit, calls: &[(&str, Value)]) -> Seen {
    let mut script = vec![response_saying("done")];
    if !calls.is_empty() {
        script.insert(0, response_asking(&as_text(calls)));
    }
    let model = ScriptedModel::start(script).unwrap();
    let conversation = wait(agent::respond(toolkit, model.url(), "?")).unwrap();
    assert_eq!(conversation.last().unwrap()["content"][0]["text"], "done");
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
    for conversation in wait(agent::play()).unwrap() {
        cases::the_example_is_true(&conversation, conversation.last().unwrap());
    }
}

#[test]
fn reads_run_side_by_side_and_writes_in_order() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    let read = |id: &str| {
        (
            "getOrganization",
            json!({"organizationId": id, "includeMembersCount": true}),
        )
    };
    let seen = chat(
        &toolkit,
        &[read("org_a"), ("getUserId", json!({})), read("org_b")],
    );
    let ids: Vec<Value> = seen
        .answers
        .iter()
        .map(|answer| serde_json::from_str::<Value>(&answer.text).unwrap()["id"].clone())
        .collect();
    assert_eq!(
        ids,
        [json!("org_a"), Value::Null, json!("org_b")],
        "in the order of the calls"
    );

    let bound = clerk.toolkit_of(in_a("user_a"));
    clerk.take_sent();
    let name = |name: &str| ("updateOrganization", json!({"name": name}));
    let get = ("getOrganization", json!({}));
    chat(&bound, &[get.clone(), get.clone()]);
    let reads = sent(&clerk);
    assert!(
        reads.chunks(2).all(|pair| pair[0] == pair[1]),
        "both go step by step together: {reads:?}"
    );
    chat(&bound, &[name("One"), get, name("Two")]);
    let requests = sent(&clerk);
    let mut steps: Vec<&str> = requests
        .iter()
        .map(|request| match request.as_str() {
            "GET /v1/organizations/org_a" => "read",
            "PATCH /v1/organizations/org_a" => "write",
            _ => "authorize",
        })
        .collect();
    steps.dedup();
    assert_eq!(
        steps,
        [
            "authorize",
            "write",
            "authorize",
            "read",
            "authorize",
            "write"
        ]
    );
}

#[test]
fn what_is_no_call_to_a_function_is_left_alone() {
    let toolkit = Clerk::of_toml(TEAM).toolkit();
    for message in [
        json!(null),
        json!({"role": "assistant", "content": "hello"}),
        json!({"role": "assistant", "tool_calls": null}),
        json!({"role": "assistant", "tool_calls": [{"id": "call_c", "type": "custom", "custom": {"name": "grep", "input": "x"}}]}),
    ] {
        assert!(
            wait(openai::run_chat_calls(&toolkit, &message)).is_empty(),
            "{message}"
        );
    }
    let output = [json!({"type": "reasoning", "summary": []}), json!(7)];
    assert!(wait(openai::run_responses_calls(&toolkit, &output)).is_empty());
    // Servers that only resemble OpenAI leave things out, or send arguments as an object.
    let count = r#"{"object":"total_count","total_count":5}"#;
    for arguments in [json!(""), json!(null), json!({}), json!("{}")] {
        let call =
            json!({"id": "call_0", "function": {"name": "getUserCount", "arguments": arguments}});
        let results = wait(openai::run_chat_calls(
            &toolkit,
            &json!({"tool_calls": [call]}),
        ));
        assert_eq!(
            results,
            [json!({"role": "tool", "tool_call_id": "call_0", "content": count})]
        );
    }
}
