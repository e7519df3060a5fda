//! What tools give back.

use mcp::{Content, OwnToolError};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value};

/// Something that a tool can give back.
pub trait Output: Send {
    /// The JSON Schema of the structured content, if it has any.
    #[must_use]
    fn schema() -> Option<Map<String, Value>> {
        None
    }

    /// What clients get.
    ///
    /// # Errors
    /// When it cannot be JSON.
    fn produce(self) -> Result<Produced, OwnToolError>;
}

/// What clients get of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Produced {
    /// Structured content, and its JSON as text.
    Structured(Value),
    /// Content alone.
    Content(Vec<Content>),
}

/// Structured content: any type with a JSON Schema. What is no JSON object goes below `result`:
/// structured content always is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize + JsonSchema + Send> Output for Json<T> {
    fn schema() -> Option<Map<String, Value>> {
        Some(schema_of::<T>(
            SchemaSettings::draft2020_12().for_serialize(),
        ))
    }

    fn produce(self) -> Result<Produced, OwnToolError> {
        let value = serde_json::to_value(self.0).map_err(OwnToolError::internal)?;
        Ok(Produced::Structured(value))
    }
}

impl Output for String {
    fn produce(self) -> Result<Produced, OwnToolError> {
        Ok(Produced::Content(vec![Content::Text(self)]))
    }
}

impl Output for Content {
    fn produce(self) -> Result<Produced, OwnToolError> {
        Ok(Produced::Content(vec![self]))
    }
}

impl Output for Vec<Content> {
    fn produce(self) -> Result<Produced, OwnToolError> {
        Ok(Produced::Content(self))
    }
}

/// The schema of a type, without what no client needs.
pub(super) fn schema_of<T: JsonSchema>(settings: SchemaSettings) -> Map<String, Value> {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let generated = settings.into_generator().into_root_schema_for::<T>();
    let mut schema = match generated.to_value() {
        Value::Object(schema) => schema,
        // `true` or `false`: anything, or nothing.
        other => Map::from_iter([("allOf".to_owned(), Value::Array(vec![other]))]),
    };
    schema.remove("title");
    schema
}
