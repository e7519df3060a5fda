//! What a model is shown: JSON Schemas of a tool's arguments and results. Terse on purpose: every
//! byte is read by a model at every turn.

use serde_json::{Map, Value, json};

use crate::{
    operation::{Json, Kind, ListForm, Output, Parameter},
    tool::Tool,
};

/// The schema of the arguments.
#[must_use]
pub fn input(tool: &Tool) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in tool.parameters() {
        properties.insert(parameter.name.into(), Value::Object(property(&parameter)));
        if parameter.required {
            required.push(Value::from(parameter.name));
        }
    }
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), Value::Array(required));
    }
    schema.insert("additionalProperties".into(), false.into());
    schema
}

/// The schema of the structured result: top-level members only. Nothing is required of an object,
/// because `fields` may leave anything out.
#[must_use]
pub fn output(tool: &Tool) -> Map<String, Value> {
    let members = match tool.operation().output {
        Output::Object(members) | Output::Plain(members) => members
            .iter()
            .map(|(name, json)| ((*name).to_owned(), json_type(*json)))
            .collect(),
        Output::List(form) => {
            let mut members = Map::new();
            members.insert("data".into(), json!({"type": "array"}));
            if form == ListForm::Paged {
                members.insert("total_count".into(), json_type(Json::Integer));
            }
            members.insert("has_more".into(), json_type(Json::Boolean));
            members.insert("hint".into(), json_type(Json::String));
            members
        }
    };
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), Value::Object(members));
    schema
}

fn property(parameter: &Parameter) -> Map<String, Value> {
    let schema = match parameter.kind {
        Kind::Id(_) | Kind::Slug | Kind::Text | Kind::Email | Kind::Url => {
            json!({"type": "string"})
        }
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer(least, i64::MAX) => json!({"type": "integer", "minimum": least}),
        Kind::Integer(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Kind::Time => json!({"type": ["string", "integer"]}),
        Kind::OneOf(names) => json!({"enum": names}),
        Kind::OrderBy(names) => {
            json!({"type": "string", "pattern": format!("^[+-]?({})$", names.join("|"))})
        }
        Kind::TextList | Kind::IdList(_) => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Metadata => json!({"type": "object"}),
        Kind::Pointers => json!({
            "type": "array",
            "items": {"type": "string"},
            "description": "Return only these JSON pointers, like /id",
        }),
        Kind::Several(names) => json!({"type": "array", "items": {"enum": names}}),
        Kind::Conditions => json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "/public_metadata/plan"},
                    "equals": {},
                    "notEquals": {},
                    "contains": {"type": "string"},
                    "exists": {"type": "boolean"},
                },
                "required": ["pointer"],
                "additionalProperties": false,
            },
        }),
    };
    let mut schema = match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    };
    if !parameter.description.is_empty() {
        schema.insert("description".into(), parameter.description.into());
    }
    schema
}

fn json_type(json: Json) -> Value {
    match json {
        Json::String => json!({"type": "string"}),
        Json::Integer => json!({"type": "integer"}),
        Json::Boolean => json!({"type": "boolean"}),
        Json::Object => json!({"type": "object"}),
        Json::Array => json!({"type": "array"}),
        Json::Any => json!({}),
    }
}
