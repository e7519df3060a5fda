//! Schemas of a few properties, and arguments read by them.

use std::sync::Arc;

use mcp::OwnToolError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// An object of these properties, all required and no others.
pub(super) fn object(properties: Value) -> Arc<Map<String, Value>> {
    let required: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .collect();
    let schema = json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    });
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

/// The arguments as a struct that denies unknown fields.
pub(super) fn read<T: DeserializeOwned>(arguments: &Map<String, Value>) -> Result<T, OwnToolError> {
    serde_json::from_value(Value::Object(arguments.clone()))
        .map_err(|error| OwnToolError::invalid_arguments(error.to_string()))
}
