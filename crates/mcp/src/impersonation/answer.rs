//! What the API answered, as a tool's result.

use bytes::Bytes;
use clerk::oauth::Secret;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use toolkit::{
    cut::{RESULT_LIMIT, json_size},
    text::escape_invisible,
};

use super::error::ImpersonationError;
use crate::{own_tool::ToolResult, owners_api::hide};

/// JSON Schema of the result.
pub(super) fn schema(exposes_tokens: bool) -> Map<String, Value> {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "user_id": { "type": "string", "description": "Who was acted as" },
            "status": { "type": "integer", "description": "The HTTP status" },
            "content_type": { "type": "string" },
            "body": { "description": "JSON, or text; null if it was neither" },
            "truncated": { "type": "boolean", "description": "Whether the body is only its beginning" },
            "hint": { "type": "string" },
        },
        "required": ["user_id", "status", "body"],
    });
    if exposes_tokens {
        schema["properties"]["session_token"] = json!({ "type": "string" });
    }
    schema.as_object().cloned().unwrap_or_default()
}

/// The result. The token that was used is taken out of whatever the API says.
///
/// # Errors
/// `redirect_refused` for a redirect: nothing is sent anywhere else.
pub(super) fn result(
    user_id: &str,
    response: http::Response<Bytes>,
    token: &Secret,
    exposes_tokens: bool,
) -> Result<ToolResult, ImpersonationError> {
    let status = response.status().as_u16();
    if response.status().is_redirection() {
        return Err(ImpersonationError::refused(
            "redirect_refused",
            format!("the API answered with a redirect ({status}), which is not followed"),
            "call the address that it leads to, if it is below the API's base URL",
        ));
    }
    let response = match exposes_tokens {
        true => response,
        false => hide(response, token.expose().as_bytes()),
    };
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let (mut body, truncated) = body(response.body(), content_type);
    escape_invisible(&mut body);
    let mut structured = Map::new();
    structured.insert("user_id".into(), user_id.into());
    structured.insert("status".into(), status.into());
    if let Some(content_type) = content_type {
        structured.insert("content_type".into(), content_type.into());
    }
    structured.insert("body".into(), body);
    if truncated {
        structured.insert("truncated".into(), true.into());
    }
    if let Some(hint) = hint(status) {
        structured.insert("hint".into(), hint.into());
    }
    if exposes_tokens {
        structured.insert("session_token".into(), token.expose().into());
    }
    Ok(ToolResult {
        is_error: status >= 400,
        ..ToolResult::structured(structured)
    })
}

/// JSON as JSON, text as text, both within bounds; nothing else. And whether it was cut.
fn body(bytes: &[u8], content_type: Option<&str>) -> (Value, bool) {
    let media = content_type.unwrap_or_default().split(';').next();
    let media = media.unwrap_or_default().trim().to_ascii_lowercase();
    if (media == "application/json" || media.ends_with("+json"))
        && let Ok(value) = serde_json::from_slice::<Value>(bytes)
        && json_size(&value) <= RESULT_LIMIT
    {
        return (value, false);
    }
    match std::str::from_utf8(bytes) {
        Ok("") | Err(_) => (Value::Null, false),
        Ok(text) if text.len() <= RESULT_LIMIT => (text.into(), false),
        Ok(text) => {
            let whole = (0..=RESULT_LIMIT)
                .rev()
                .find(|at| text.is_char_boundary(*at));
            let kept = whole.and_then(|at| text.get(..at)).unwrap_or_default();
            (kept.into(), true)
        }
    }
}

fn hint(status: u16) -> Option<&'static str> {
    match status {
        401 => Some(
            "the API does not take this session token. Tokens that no browser asked for may carry no \
             `azp`: see `authorizedParties` in the API's own check",
        ),
        403 => Some("this person may not do that: it is what they see, too"),
        429 => Some("wait, then try again"),
        _ => None,
    }
}
