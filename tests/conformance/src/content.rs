//! Tools that answer at once, with each kind of content.

use rmcp::{
    ErrorData,
    model::{CallToolResult, ContentBlock, JsonObject, ResourceContents},
};
use serde_json::Value;

/// One violet pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGPIcf8PAALVAbPrmul5AAAAAElFTkSuQmCC";
/// A millisecond of silence.
const WAV: &str =
    "UklGRjQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YRAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The answer of the tool `name`, if it is one of this file.
///
/// # Errors
/// `-32602` if an argument is missing or of another type.
pub(crate) fn call(
    name: &str,
    arguments: &JsonObject,
) -> Result<Option<CallToolResult>, ErrorData> {
    let content = match name {
        "test_simple_text" => vec![ContentBlock::text("A simple text, for tests.")],
        "test_image_content" => vec![image()],
        "test_audio_content" => vec![ContentBlock::audio(WAV, "audio/wav")],
        "test_embedded_resource" => vec![resource("test://embedded-resource", "text/plain")],
        "test_multiple_content_types" => vec![
            ContentBlock::text("Text, an image and a resource:"),
            image(),
            resource("test://mixed-content-resource", "application/json"),
        ],
        "test_error_handling" => {
            let content = vec![ContentBlock::text("This tool fails on purpose.")];
            return Ok(Some(CallToolResult::error(content)));
        }
        "test_custom_header" => vec![ContentBlock::text(text(arguments, "value")?)],
        "json_schema_2020_12_tool" => vec![ContentBlock::text("The schema is the point.")],
        _ => return Ok(None),
    };
    Ok(Some(CallToolResult::success(content)))
}

/// The text argument `name`.
///
/// # Errors
/// `-32602` if it is missing or no text.
pub(crate) fn text<'a>(arguments: &'a JsonObject, name: &str) -> Result<&'a str, ErrorData> {
    arguments
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| ErrorData::invalid_params(format!("{name} must be text"), None))
}

fn image() -> ContentBlock {
    ContentBlock::image(PNG, "image/png")
}

fn resource(uri: &str, mime_type: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::TextResourceContents {
        uri: uri.into(),
        mime_type: Some(mime_type.into()),
        text: r#"{"embedded":true}"#.into(),
        meta: None,
    })
}
