//! Schemas of what goes in and of what comes out (JSON Schema 2020-12).

use std::sync::{Arc, OnceLock};

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value, json};

use super::fault::{ArgumentFault, Faults, shown};

/// Steps that a regular expression of a schema may take back, so that no argument can keep the
/// server busy.
const MOST_BACKTRACKING: usize = 50_000;
/// Most faults that are told of one call.
const MOST_TOLD: usize = 5;

/// A schema that is an object's, and its judge.
#[derive(Clone, Debug)]
pub(crate) struct ObjectSchema {
    schema: Arc<Map<String, Value>>,
    /// Made when it is first needed, where it is known that it can be made.
    validator: Arc<OnceLock<Validator>>,
}

impl ObjectSchema {
    /// Compiles a schema. References lead into the schema itself and nowhere else.
    pub(crate) fn compile(
        schema: Map<String, Value>,
        pointer: &str,
        faults: &Faults,
    ) -> Option<Self> {
        let value = Value::Object(schema);
        let validator = match validator(&value) {
            Ok(validator) => validator,
            Err(error) => {
                let at = error.instance_path().to_string();
                let problem = format!("this is no JSON Schema: {}", brief(&error.to_string()));
                let hint = "see https://json-schema.org/draft/2020-12; references lead into the \
                            schema itself (#/$defs/…)";
                faults.add(format!("{pointer}{at}"), problem, hint);
                return None;
            }
        };
        let Value::Object(schema) = value else {
            return None;
        };
        Some(Self {
            schema: Arc::new(schema),
            validator: Arc::new(OnceLock::from(validator)),
        })
    }

    /// A schema of which it is known that it compiles: it is not compiled before something is to be
    /// checked.
    pub(crate) fn judged(schema: Map<String, Value>) -> Self {
        Self {
            schema: Arc::new(schema),
            validator: Arc::default(),
        }
    }

    fn validator(&self) -> Result<&Validator, ArgumentFault> {
        if let Some(validator) = self.validator.get() {
            return Ok(validator);
        }
        let value = Value::Object((*self.schema).clone());
        let built = validator(&value).map_err(|error| {
            let problem = brief(&error.to_string());
            ArgumentFault::new("", format!("nothing fits this tool's schema: {problem}"))
        })?;
        Ok(self.validator.get_or_init(|| built))
    }

    pub(crate) fn json(&self) -> Arc<Map<String, Value>> {
        Arc::clone(&self.schema)
    }

    pub(crate) fn property(&self, name: &str) -> Option<&Value> {
        self.properties()?.get(name)
    }

    pub(crate) fn properties(&self) -> Option<&Map<String, Value>> {
        self.schema.get("properties")?.as_object()
    }

    pub(crate) fn requires(&self, name: &str) -> bool {
        let required = self.schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|required| required == name))
    }

    /// Whether a value is as the schema says: what is wrong, all at once.
    pub(crate) fn check(&self, object: &Map<String, Value>) -> Result<(), ArgumentFault> {
        let value = Value::Object(object.clone());
        let validator = self.validator()?;
        if validator.is_valid(&value) {
            return Ok(());
        }
        let told: Vec<String> = validator
            .iter_errors(&value)
            .take(MOST_TOLD)
            .map(|error| {
                let at = error.instance_path().to_string();
                let problem = brief(&error.to_string());
                if at.is_empty() {
                    problem
                } else {
                    format!("{}: {problem}", shown(&at))
                }
            })
            .collect();
        Err(ArgumentFault::new("", told.join("; ")))
    }
}

/// The judge of a schema.
pub(crate) fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(MOST_BACKTRACKING))
        .should_ignore_unknown_formats(true)
        .build(schema)
}

fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    toolkit::text::escape_str(&short).replace('\n', " ")
}

/// The schema of a tool's arguments: an object of nothing but its properties, unless the owner says
/// otherwise.
pub(crate) fn arguments(mut schema: Map<String, Value>) -> Map<String, Value> {
    schema.entry("type").or_insert_with(|| "object".into());
    schema.entry("properties").or_insert_with(|| json!({}));
    let open = ["unevaluatedProperties", "allOf", "anyOf", "oneOf", "$ref"];
    if !open.iter().any(|keyword| schema.contains_key(*keyword)) {
        schema
            .entry("additionalProperties")
            .or_insert(Value::Bool(false));
    }
    schema
}

/// The member that holds a result that is no object: MCP's structured content always is one.
pub(crate) const RESULT: &str = "result";

/// The schema of structured content: an object's as it is, any other below [`RESULT`]. The second
/// value says which.
pub(crate) fn structured(schema: Map<String, Value>) -> (Map<String, Value>, bool) {
    if schema.get("type").is_some_and(|kind| kind == "object") {
        return (schema, false);
    }
    let mut inner = Value::Object(schema);
    move_references(&mut inner, &format!("#/properties/{RESULT}"));
    let outer = json!({"type": "object", "properties": {RESULT: inner}, "required": [RESULT]});
    (object(outer), true)
}

/// The schema of what several pages make, from that of one item.
pub(crate) fn pages(item: Map<String, Value>) -> Map<String, Value> {
    let mut inner = Value::Object(item);
    move_references(&mut inner, "#/properties/items/items");
    object(json!({
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": inner},
            "more": {"type": "boolean", "description": "Whether there is more"},
            "next": {"description": "Where it goes on", "type": ["string", "integer"]},
        },
        "required": ["items", "more"],
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn move_references(value: &mut Value, to: &str) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => {
                        if let Some(rest) = target.strip_prefix('#')
                            && (rest.is_empty() || rest.starts_with('/'))
                        {
                            *target = format!("{to}{rest}");
                        }
                    }
                    value => move_references(value, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, to)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn compile(schema: Value) -> Result<ObjectSchema, Vec<super::super::fault::Fault>> {
        let faults = Faults::default();
        let schema = schema.as_object().unwrap().clone();
        ObjectSchema::compile(schema, "/input", &faults).ok_or_else(|| faults.into_vec())
    }

    #[test]
    fn other_arguments_are_refused_unless_said() {
        let open = json!({"additionalProperties": true});
        let check = |schema: &Value, value: Value| {
            let schema = compile(Value::Object(arguments(
                schema.as_object().unwrap().clone(),
            )));
            schema.unwrap().check(value.as_object().unwrap())
        };
        assert!(check(&json!({}), json!({"x": 1})).is_err());
        assert!(check(&open, json!({"x": 1})).is_ok());
        let two = json!({"properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}}});
        let fault = check(&two, json!({"a": "1", "b": "y\u{202e}"}))
            .unwrap_err()
            .to_string();
        assert!(fault.contains("`/a`") && fault.contains("`/b`"), "{fault}");
        assert!(!fault.contains('\u{202e}'));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for schema in [
            json!({"type": "objekt"}),
            json!({"properties": {"a": {"minLength": "1"}}}),
            json!({"$ref": "https://evil.example/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"$ref": "#/$defs/none"}),
            json!({"properties": {"a": {"pattern": "("}}}),
        ] {
            let faults = compile(schema.clone()).unwrap_err();
            assert!(
                faults[0].pointer.starts_with("/input"),
                "{schema}: {faults:?}"
            );
        }
    }

    #[test]
    fn a_result_that_is_no_object_goes_below_a_member() {
        let schema = json!({
            "type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}},
        });
        let (schema, moved) = structured(schema.as_object().unwrap().clone());
        assert!(moved);
        let schema = compile(Value::Object(schema)).unwrap();
        let check = |value: Value| schema.check(value.as_object().unwrap());
        assert!(check(json!({"result": [1, 2]})).is_ok());
        assert!(check(json!({"result": ["1"]})).is_err());
        assert!(check(json!({})).is_err());
    }

    #[test]
    fn regular_expressions_cannot_keep_the_server_busy() {
        let schema = compile(json!({"properties": {"a": {"pattern": "^(?=(a+)+b)(a+)+$"}}}));
        let value = json!({"a": "a".repeat(4000) + "!"});
        // Either answer would do; what matters is that there is one.
        let _ = schema.unwrap().check(value.as_object().unwrap());
    }
}
