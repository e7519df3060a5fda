//! The rig adapter: its example agent with a mock model of rig's.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "tests; each uses a part"
)]

#[path = "../examples/rig_agent.rs"]
mod agent;
#[path = "adapters/cases.rs"]
mod cases;
mod support;

use agent::asking;
use cases::{Answer, Seen, in_a, wait};
use clerk_mcp_toolkit::{ClerkToolkit, ToolError, adapters::rig};
use rig_core::{
    message::{Message, ToolResultContent, UserContent},
    test_utils::{MockCompletionModel, MockTurn},
    tool::{ToolErrorKind, ToolExecutionError},
};
use serde_json::{Value, json};
use support::{Clerk, TEAM};

fn converse(toolkit: &ClerkToolkit, calls: &[(&str, Value)]) -> Seen {
    let mut script = vec![MockTurn::text("done")];
    if !calls.is_empty() {
        script.insert(0, asking(calls).unwrap());
    }
    let model = MockCompletionModel::from_turns(script);
    let text = wait(agent::ask(toolkit, model.clone(), "?")).unwrap();
    assert_eq!(text, "done");
    let last = model.requests().pop().unwrap();
    let definitions = last
        .tools
        .iter()
        .map(|tool| json!([tool.name, tool.description, tool.parameters]));
    Seen {
        definitions: definitions.collect(),
        answers: last.chat_history.iter().flat_map(answers).collect(),
    }
}

fn answers(message: &Message) -> Vec<Answer> {
    let Message::User { content } = message else {
        return Vec::new();
    };
    let results = content.iter().filter_map(|part| match part {
        UserContent::ToolResult(result) => Some(result),
        _ => None,
    });
    results
        .map(|result| {
            let [ToolResultContent::Text(text)] = &result.content[..] else {
                panic!("{:?} is not one text", result.content)
            };
            Answer {
                text: text.text.clone(),
                is_error: Some(result.is_error),
            }
        })
        .collect()
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
fn mistyped_arguments_are_a_result() {
    cases::mistyped_arguments_are_a_result(converse);
}

/// What is no JSON object is told to the model by rig itself; nothing reaches the toolkit.
#[test]
fn malformed_arguments_are_refused_by_rig() {
    let clerk = Clerk::of_toml(TEAM);
    for arguments in [json!("{\"banned\": "), json!("[1]"), json!([1])] {
        let seen = converse(&clerk.toolkit(), &[("getUserCount", arguments)]);
        let [answer] = &seen.answers[..] else {
            panic!("{:?}", seen.answers)
        };
        assert_eq!(answer.is_error, Some(true));
        assert!(answer.text.contains("are not a JSON object"), "{answer:?}");
    }
    assert!(clerk.take_sent().is_empty());
}

#[test]
fn the_example_is_true() {
    let conversation = wait(agent::play()).unwrap();
    cases::the_example_is_true(&conversation, conversation.last().unwrap());
}

fn failure(toolkit: &ClerkToolkit, name: &str, arguments: Value) -> ToolExecutionError {
    let tools = rig::tools(toolkit);
    let tool = tools.iter().find(|tool| *tool.name() == *name).unwrap();
    wait(tool.execute(arguments)).unwrap_err()
}

#[test]
fn errors_keep_kind_code_status_and_source() {
    let clerk = Clerk::of_toml(TEAM);
    let missing = failure(&clerk.toolkit(), "getUser", json!({"userId": "user_none"}));
    assert_eq!(missing.kind(), ToolErrorKind::NotFound);
    assert_eq!(missing.code(), Some("resource_not_found"));
    assert_eq!(missing.http_status(), Some(404));
    assert!(matches!(missing.downcast_ref(), Some(ToolError::Clerk(_))));

    let refused = failure(
        &clerk.toolkit_of(in_a("user_b")),
        "deleteOrganization",
        json!({}),
    );
    assert_eq!(refused.kind(), ToolErrorKind::PermissionDenied);
    assert_eq!(refused.code(), Some("not_permitted"));
    assert!(refused.model_feedback().unwrap().contains("\"hint\":"));

    let wrong = failure(&clerk.toolkit(), "getUser", json!({}));
    assert_eq!(wrong.kind(), ToolErrorKind::InvalidArgs);
    assert_eq!(wrong.code(), Some("invalid_arguments"));
}

#[test]
fn nobody_is_told_to_repeat_a_write() {
    let clerk = Clerk::of_toml(TEAM);
    clerk.fail(|_| Some((429, r#"{"errors":[{"code":"too_many_requests"}]}"#.into())));
    let read = failure(&clerk.toolkit(), "getUserCount", json!({}));
    assert_eq!(
        (read.kind(), read.retryable()),
        (ToolErrorKind::RateLimited, Some(true))
    );
    let write = failure(
        &clerk.toolkit(),
        "updateUser",
        json!({"userId": "user_a", "firstName": "A"}),
    );
    assert_eq!(
        (write.kind(), write.retryable()),
        (ToolErrorKind::RateLimited, Some(false))
    );
}
