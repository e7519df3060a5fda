//! The tools by name. The suite fixes names and arguments; what they do is in the other files.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool};
use serde_json::{Value, json};

/// Tools without arguments: name and description.
const PLAIN: [(&str, &str); 24] = [
    ("test_simple_text", "Answers with text"),
    ("test_image_content", "Answers with an image"),
    ("test_audio_content", "Answers with a sound"),
    ("test_embedded_resource", "Answers with a resource"),
    (
        "test_multiple_content_types",
        "Answers with text, an image and a resource",
    ),
    ("test_error_handling", "Fails"),
    ("test_tool_with_logging", "Logs three messages"),
    ("test_tool_with_progress", "Reports progress three times"),
    (
        "test_logging_tool",
        "Logs one message if the request asks for messages",
    ),
    (
        "test_reconnection",
        "Answers after a moment, so that a client can lose the stream",
    ),
    (
        "test_trigger_tool_change",
        "Tells subscribers that the tools changed",
    ),
    (
        "test_trigger_prompt_change",
        "Tells subscribers that the prompts changed",
    ),
    (
        "test_missing_capability",
        "Works only for clients that can sample",
    ),
    (
        "test_elicitation_sep1034_defaults",
        "Asks for values that have defaults",
    ),
    (
        "test_elicitation_sep1330_enums",
        "Asks for a choice in each form of enumeration",
    ),
    (
        "test_streaming_elicitation",
        "Asks for a value, by its result",
    ),
    (
        "test_input_required_result_elicitation",
        "Asks for a name, by its result",
    ),
    (
        "test_input_required_result_sampling",
        "Asks for a completion, by its result",
    ),
    (
        "test_input_required_result_list_roots",
        "Asks for the roots, by its result",
    ),
    (
        "test_input_required_result_request_state",
        "Asks with a sealed state",
    ),
    (
        "test_input_required_result_tampered_state",
        "Asks with a sealed state and refuses any other",
    ),
    (
        "test_input_required_result_multiple_inputs",
        "Asks for three things at once",
    ),
    (
        "test_input_required_result_multi_round",
        "Asks twice, one question after the other",
    ),
    (
        "test_input_required_result_capabilities",
        "Asks for what the client can answer",
    ),
];

/// Every tool.
pub(crate) fn tools() -> Vec<Tool> {
    let plain = PLAIN
        .iter()
        .map(|(name, description)| tool(name, description, json!({ "type": "object" })));
    plain
        .chain([
            tool(
                "test_sampling",
                "Asks the client's model",
                text_argument("prompt", "What to ask"),
            ),
            tool(
                "test_elicitation",
                "Asks the person for a name and an address",
                text_argument("message", "What the person is told"),
            ),
            tool(
                "test_custom_header",
                "Answers with an argument that is sent as a header, too",
                json!({
                    "type": "object",
                    "properties": {
                        "value": { "type": "string", "x-mcp-header": "Value" },
                    },
                    "required": ["value"],
                }),
            ),
            tool(
                "json_schema_2020_12_tool",
                "Has an input schema with the vocabulary of JSON Schema 2020-12",
                schema_2020_12(),
            ),
        ])
        .collect()
}

fn tool(name: &'static str, description: &'static str, input_schema: Value) -> Tool {
    Tool::new(name, description, Arc::new(object(input_schema)))
}

fn text_argument(name: &str, description: &str) -> Value {
    json!({
        "type": "object",
        "properties": { name: { "type": "string", "description": description } },
        "required": [name],
    })
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    }
}

/// As the suite's scenario `json-schema-2020-12` wants it, keyword for keyword.
fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {
                    "street": { "type": "string" },
                    "city": { "type": "string" },
                },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": {
            "properties": { "contactMethod": { "const": "phone" } },
            "required": ["contactMethod"],
        },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}
