//! What a model behind OpenAI's APIs saw, read from the requests it got.

use serde_json::{Value, json};

use crate::cases::{Answer, Seen};

/// From requests to Chat Completions.
pub fn seen_by_chat(requests: &[Value]) -> Seen {
    let last = requests.last().unwrap();
    let definition = |tool: &Value| {
        assert_eq!(tool["type"], "function");
        assert!(tool["function"].get("strict").is_none());
        let function = &tool["function"];
        json!([
            function["name"],
            function["description"],
            function["parameters"]
        ])
    };
    let results = rows(&last["messages"]).filter(|message| message["role"] == "tool");
    Seen {
        definitions: rows(&last["tools"]).map(definition).collect(),
        answers: results
            .enumerate()
            .map(|(index, message)| {
                assert_eq!(message["tool_call_id"], format!("call_{index}"));
                answer(&message["content"])
            })
            .collect(),
    }
}

/// From requests to the Responses API.
pub fn seen_by_responses(requests: &[Value]) -> Seen {
    let last = requests.last().unwrap();
    let definition = |tool: &Value| {
        assert_eq!(tool["type"], "function");
        assert_eq!(
            tool["strict"], false,
            "this API is strict unless told otherwise"
        );
        json!([tool["name"], tool["description"], tool["parameters"]])
    };
    let results = rows(&last["input"]).filter(|item| item["type"] == "function_call_output");
    Seen {
        definitions: rows(&last["tools"]).map(definition).collect(),
        answers: results
            .enumerate()
            .map(|(index, item)| {
                assert_eq!(item["call_id"], format!("call_{index}"));
                answer(&item["output"])
            })
            .collect(),
    }
}

fn answer(text: &Value) -> Answer {
    Answer {
        text: text.as_str().unwrap().to_owned(),
        is_error: None,
    }
}

fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().unwrap().iter()
}
