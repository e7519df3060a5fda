//! Tools that ask the client while they run, by requests of their own (revisions with sessions).

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolResult, ContentBlock, CreateMessageRequestParams, ElicitRequestParams,
        ElicitationSchema, JsonObject, SamplingMessage,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::content::text;

/// The answer of the tool `name`, if it is one of this file.
///
/// # Errors
/// `-32602` for missing arguments; the client's error where it refuses to be asked.
pub(crate) async fn call(
    name: &str,
    arguments: &JsonObject,
    context: &RequestContext<RoleServer>,
) -> Result<Option<CallToolResult>, ErrorData> {
    let answer = match name {
        "test_sampling" => sample(text(arguments, "prompt")?, context).await?,
        "test_elicitation" => elicit(text(arguments, "message")?, contact(), context).await?,
        "test_elicitation_sep1034_defaults" => {
            elicit("Please look over these values.", defaults(), context).await?
        }
        "test_elicitation_sep1330_enums" => {
            elicit("Please choose.", enumerations(), context).await?
        }
        _ => return Ok(None),
    };
    Ok(Some(CallToolResult::success(vec![ContentBlock::text(
        answer,
    )])))
}

async fn sample(prompt: &str, context: &RequestContext<RoleServer>) -> Result<String, ErrorData> {
    let messages = vec![SamplingMessage::user_text(prompt)];
    let answer = context
        .peer
        .create_message(CreateMessageRequestParams::new(messages, 100))
        .await
        .map_err(not_answered)?;
    let text = answer
        .message
        .content
        .first()
        .and_then(|block| block.as_text());
    Ok(format!(
        "The model says: {}",
        text.map_or("nothing", |text| text.text.as_str())
    ))
}

async fn elicit(
    message: &str,
    schema: Value,
    context: &RequestContext<RoleServer>,
) -> Result<String, ErrorData> {
    let question = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.into(),
        requested_schema: elicitation_schema(schema)?,
    };
    let answer = context
        .peer
        .create_elicitation(question)
        .await
        .map_err(not_answered)?;
    let content = answer.content.unwrap_or_default();
    Ok(format!("The person did {:?}: {content}", answer.action))
}

fn not_answered(error: impl ToString) -> ErrorData {
    ErrorData::internal_error(format!("not answered: {}", error.to_string()), None)
}

/// `schema` as rmcp's type.
///
/// # Errors
/// `-32603` if rmcp cannot express it.
pub(crate) fn elicitation_schema(schema: Value) -> Result<ElicitationSchema, ErrorData> {
    serde_json::from_value(schema)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn contact() -> Value {
    json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "Your name" },
            "email": { "type": "string", "description": "Your e-mail address" },
        },
        "required": ["username", "email"],
    })
}

/// SEP-1034: each primitive type with a default.
fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "default": "John Doe" },
            "age": { "type": "integer", "default": 30 },
            "score": { "type": "number", "default": 95.5 },
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": { "type": "boolean", "default": true },
        },
        "required": [],
    })
}

/// SEP-1330: enumerations with and without titles, of one and of many, and the older `enumNames`.
fn enumerations() -> Value {
    let titled = |names: [&str; 3]| -> Value {
        (1..)
            .zip(names)
            .map(|(number, title)| json!({ "const": format!("value{number}"), "title": title }))
            .collect()
    };
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": ["option1", "option2", "option3"] },
            "titledSingle": {
                "type": "string",
                "oneOf": titled(["First Option", "Second Option", "Third Option"]),
            },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "items": { "type": "string", "enum": ["option1", "option2", "option3"] },
            },
            "titledMulti": {
                "type": "array",
                "items": { "anyOf": titled(["First Choice", "Second Choice", "Third Choice"]) },
            },
        },
        "required": [],
    })
}
