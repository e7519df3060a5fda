//! Results and errors of the service in rmcp's types.

use rmcp::{
    ErrorData,
    model::{
        CallToolResponse, CallToolResult, ContentBlock, ElicitRequest, ElicitRequestParams,
        ElicitResult, ElicitationAction, ElicitationSchema, InputRequest, InputRequests,
        InputRequiredResult, ResourceContents, Tool, ToolAnnotations,
    },
};
use serde_json::Value;

use crate::{
    call::{CallAnswer, Decision, Question},
    own_tool::{Content, Definition, ToolResult},
    resources::ResourceError,
};

/// The name of the one input that a confirmation asks for.
pub(super) const CONFIRMATION: &str = "confirmation";
/// The member of the answer that says yes.
const CONFIRM: &str = "confirm";

/// A tool as `tools/list` shows it.
#[must_use]
pub fn listed(tool: Definition) -> Tool {
    let hints = tool.hints;
    let mut definition =
        Tool::new(tool.name, tool.description, tool.input_schema).with_title(tool.title);
    definition.output_schema = tool.output_schema;
    definition.annotations = Some(ToolAnnotations::from_raw(
        None,
        Some(hints.read_only),
        Some(hints.destructive),
        Some(hints.idempotent),
        Some(hints.open_world),
    ));
    definition
}

/// An unknown tool is a protocol error (specification, "Tools", Error Handling).
pub(super) fn unknown_tool(refusal: &ToolResult) -> ErrorData {
    let error = refusal.structured.as_ref().and_then(|s| s.get("error"));
    let text = |name| {
        error
            .and_then(|error| error.get(name))
            .and_then(Value::as_str)
    };
    let message = match (text("message"), text("hint")) {
        (Some(message), Some(hint)) => format!("{message}\nhint: {hint}"),
        (Some(message), None) => message.to_owned(),
        (None, _) => "there is no such tool".to_owned(),
    };
    ErrorData::invalid_params(message, error.cloned())
}

pub(super) fn response(answer: CallAnswer) -> CallToolResponse {
    match answer {
        CallAnswer::Result(result) => tool_result(result).into(),
        CallAnswer::Ask { question, state } => {
            let request = InputRequest::Elicitation(ElicitRequest::new(elicitation(question)));
            let requests = InputRequests::from([(CONFIRMATION.to_owned(), request)]);
            InputRequiredResult::new(Some(requests), Some(state)).into()
        }
    }
}

pub(super) fn tool_result(result: ToolResult) -> CallToolResult {
    let content = match result.content.is_empty() {
        true => vec![ContentBlock::text(result.text())],
        false => result.content.into_iter().map(content_block).collect(),
    };
    let mut call_result = if result.is_error {
        CallToolResult::error(content)
    } else {
        CallToolResult::success(content)
    };
    call_result.structured_content = result.structured.map(Value::Object);
    call_result
}

fn content_block(content: Content) -> ContentBlock {
    match content {
        Content::Text(text) => ContentBlock::text(text),
        Content::Image { data, mime_type } => ContentBlock::image(data, mime_type),
        Content::Audio { data, mime_type } => ContentBlock::audio(data, mime_type),
        Content::Blob {
            uri,
            data,
            mime_type,
        } => ContentBlock::resource(ResourceContents::BlobResourceContents {
            uri,
            mime_type: Some(mime_type),
            blob: data,
            meta: None,
        }),
    }
}

pub(super) fn elicitation(question: Question) -> ElicitRequestParams {
    let schema = ElicitationSchema::builder()
        .required_bool_property(CONFIRM, |schema| schema.title(question.title))
        .build()
        .unwrap_or_else(|_| ElicitationSchema::new(Default::default()));
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question.message,
        requested_schema: schema,
    }
}

/// Only an accepted form with an explicit yes is a yes.
pub(super) fn decision(result: &ElicitResult) -> Decision {
    let confirmed = result
        .content
        .as_ref()
        .and_then(|content| content.get(CONFIRM));
    match (&result.action, confirmed) {
        (ElicitationAction::Accept, Some(Value::Bool(true))) => Decision::Accepted,
        (ElicitationAction::Accept | ElicitationAction::Decline, _) => Decision::Declined,
        _ => Decision::Unanswered,
    }
}

pub(super) fn decision_of_json(value: &Value) -> Decision {
    serde_json::from_value(value.clone()).map_or(Decision::Unanswered, |result: ElicitResult| {
        decision(&result)
    })
}

pub(super) fn resource_error(error: &ResourceError) -> ErrorData {
    let mut message = Value::from(error.to_string());
    toolkit::text::escape_invisible(&mut message);
    let message = message.as_str().unwrap_or_default().to_owned();
    match error {
        ResourceError::NotFound(uri) => {
            let mut uri = Value::from(uri.as_str());
            toolkit::text::escape_invisible(&mut uri);
            ErrorData::resource_not_found(message, Some(serde_json::json!({ "uri": uri })))
        }
        ResourceError::Tool(error) => {
            let data = Some(Value::Object(error.to_json()));
            match error {
                toolkit::ToolError::Arguments(_) => ErrorData::invalid_params(message, data),
                // Who may not read it learns no more than that.
                toolkit::ToolError::NotPermitted { .. } => {
                    ErrorData::resource_not_found(message, data)
                }
                error if error.clerk().and_then(clerk::Error::status) == Some(404) => {
                    ErrorData::resource_not_found(message, data)
                }
                _ => ErrorData::internal_error(message, data),
            }
        }
    }
}
