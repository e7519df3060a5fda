//! Of a JSON-RPC message, what the front has to know: its method, and the tool it calls.

use std::borrow::Cow;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

/// A look at a message. Whatever it cannot read, rmcp refuses with the protocol's error, and what
/// rmcp reads otherwise the service refuses itself.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Peek<'a> {
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<Params<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

impl<'a> Peek<'a> {
    pub(super) fn at(body: &'a [u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    pub(super) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The tool of a `tools/call`.
    pub(super) fn tool(&self) -> Option<&str> {
        let name = self.params.as_ref()?.name.as_deref();
        name.filter(|_| self.method() == Some("tools/call"))
    }
}

/// The answer to a body that is no JSON-RPC message (JSON-RPC 2.0, section 5.1). Whose id it would
/// have been is not known.
pub(super) fn fault(body: &[u8]) -> Response<Body> {
    let (code, message) = match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) if is_array(body) => {
            let message =
                "batches are of revision 2025-03-26 alone\nhint: send one message at a time";
            (-32600, message.to_owned())
        }
        Ok(_) => (-32600, "the body is no JSON-RPC message".to_owned()),
        // The parser's message could quote the body; where it stopped says enough.
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message = format!("the body is no JSON: line {line}, column {column}");
            (-32700, message)
        }
    };
    refused(code, &message, &Value::Null)
}

/// Whether a body of JSON is a batch.
pub(super) fn is_array(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// The answer to a request that has the id of another one of its session that is under way.
pub(super) fn repeated_id(id: &Value) -> Response<Body> {
    let message = "another request of this session that has this id is not answered yet";
    refused(-32600, message, id)
}

/// The id of a request.
pub(super) fn id(body: &[u8]) -> Value {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    message.get("id").cloned().unwrap_or_default()
}

/// The arguments of a `tools/call`; none where they are no object.
pub(super) fn arguments(body: &[u8]) -> Value {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let arguments = message.pointer("/params/arguments");
    let arguments = arguments.filter(|arguments| arguments.is_object());
    arguments.cloned().unwrap_or_else(|| json!({}))
}

/// A message that is refused by JSON-RPC's error.
pub(super) fn refused(code: i32, message: &str, id: &Value) -> Response<Body> {
    let error = json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": { "code": code, "message": message },
    });
    let mut response = Response::new(Body::from(error.to_string()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_its_tool() {
        let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"x"},"name":"a\u0064d"}}"#;
        assert_eq!(Peek::at(call).tool(), Some("add"));
        let prompt = br#"{"method":"prompts/get","params":{"name":"add"}}"#;
        assert_eq!(Peek::at(prompt).tool(), None);
        for broken in [
            &b""[..],
            b"[]",
            b"{",
            b"\xff",
            br#"{"method":1}"#,
            br#"{"method":"tools/call","params":[]}"#,
        ] {
            assert_eq!(Peek::at(broken).tool(), None);
        }
    }
}
