//! The resources, and the one template.

use rmcp::{
    ErrorData,
    model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate},
};
use serde_json::json;

use crate::content::PNG;

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
/// What the template's URIs have around the id.
const TEMPLATE: (&str, &str) = ("test://template/", "/data");

/// Every resource that is listed.
pub(crate) fn all() -> Vec<Resource> {
    let watched = "test://watched-resource";
    vec![
        Resource::new(TEXT, "static-text")
            .with_description("A text")
            .with_mime_type("text/plain"),
        Resource::new(BINARY, "static-binary")
            .with_description("An image")
            .with_mime_type("image/png"),
        Resource::new(watched, "watched-resource")
            .with_description("A text to subscribe to")
            .with_mime_type("text/plain"),
    ]
}

/// Every template.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let (before, after) = TEMPLATE;
    vec![
        ResourceTemplate::new(format!("{before}{{id}}{after}"), "template")
            .with_description("The data of one id")
            .with_mime_type("application/json"),
    ]
}

/// The contents of `uri`.
///
/// # Errors
/// `-32602` with the URI in its data if there is no such resource (SEP-2164).
pub(crate) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    if uri == BINARY {
        return Ok(ReadResourceResult::new(vec![
            ResourceContents::BlobResourceContents {
                uri: uri.into(),
                mime_type: Some("image/png".into()),
                blob: PNG.into(),
                meta: None,
            },
        ]));
    }
    let id = uri
        .strip_prefix(TEMPLATE.0)
        .and_then(|rest| rest.strip_suffix(TEMPLATE.1));
    let (mime_type, text) = if let Some(id) = id {
        ("application/json", json!({ "id": id }).to_string())
    } else if all().iter().any(|resource| resource.uri == uri) {
        ("text/plain", "A text, for tests.".to_owned())
    } else {
        let message = "there is no such resource";
        return Err(ErrorData::invalid_params(
            message,
            Some(json!({ "uri": uri })),
        ));
    };
    Ok(ReadResourceResult::new(vec![
        ResourceContents::TextResourceContents {
            uri: uri.into(),
            mime_type: Some(mime_type.into()),
            text,
            meta: None,
        },
    ]))
}
