//! Schemas of an OpenAPI file as JSON Schema 2020-12: what they refer to goes below `$defs`, so that
//! circles stay finite. Each is converted once, however many tools refer to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::document::Document;

/// The deepest schema, and the most that one tool refers to.
const DEEPEST: usize = 64;
const MOST_DEFINITIONS: usize = 200;

/// The schemas of a file.
pub(super) struct Schemas<'d, 'a> {
    document: &'d Document<'a>,
    /// What is below `$defs`, by JSON pointer into the file.
    definitions: BTreeMap<String, Definition>,
    /// The names that are taken.
    names: BTreeSet<String>,
    /// Where the schemas lead that were converted since this was last taken, each once.
    referred: Vec<String>,
}

/// A schema that others refer to.
struct Definition {
    name: String,
    /// Its new form and where it leads; made when the first tool needs it.
    made: Option<(Value, Vec<String>)>,
}

impl<'d, 'a> Schemas<'d, 'a> {
    pub(super) fn new(document: &'d Document<'a>) -> Self {
        Self {
            document,
            definitions: BTreeMap::new(),
            names: BTreeSet::new(),
            referred: Vec::new(),
        }
    }

    /// A schema in its new form. What it refers to is in the next [`Schemas::referred`].
    pub(super) fn convert(&mut self, schema: &Value, pointer: &str) -> Value {
        self.at_depth(schema, pointer, 0)
    }

    /// Everything that the schemas refer to that were converted since the last call, and what that
    /// refers to in turn: what one tool needs.
    pub(super) fn referred(&mut self) -> Vec<String> {
        let mut pending = std::mem::take(&mut self.referred);
        let mut seen: BTreeSet<String> = pending.iter().cloned().collect();
        let mut found = Vec::new();
        while let Some(pointer) = pending.pop() {
            if found.len() >= MOST_DEFINITIONS {
                let problem = format!("one tool refers to more than {MOST_DEFINITIONS} schemas");
                let faults = self.document.faults;
                faults.add(pointer, problem, "leave the operation out with `exclude`");
                break;
            }
            for next in self.leads_to(&pointer) {
                if !seen.contains(next) {
                    seen.insert(next.clone());
                    pending.push(next.clone());
                }
            }
            found.push(pointer);
        }
        found
    }

    /// These of the file's schemas, for `$defs`.
    pub(super) fn definitions<'p>(
        &self,
        pointers: impl IntoIterator<Item = &'p String>,
    ) -> Map<String, Value> {
        let definitions = pointers.into_iter().filter_map(|pointer| {
            let definition = self.definitions.get(pointer)?;
            let (schema, _) = definition.made.as_ref()?;
            Some((definition.name.clone(), schema.clone()))
        });
        definitions.collect()
    }

    /// Where a schema leads that something refers to.
    fn leads_to(&mut self, pointer: &str) -> &[String] {
        let is_made = |definition: &Definition| definition.made.is_some();
        if !self.definitions.get(pointer).is_some_and(is_made)
            && let Some(schema) = self.document.root.pointer(pointer)
        {
            let converted = self.convert(schema, pointer);
            let leads_to = std::mem::take(&mut self.referred);
            if let Some(definition) = self.definitions.get_mut(pointer) {
                definition.made = Some((converted, leads_to));
            }
        }
        let definition = self.definitions.get(pointer);
        definition
            .and_then(|definition| definition.made.as_ref())
            .map_or(&[], |(_, leads_to)| leads_to)
    }

    fn at_depth(&mut self, schema: &Value, pointer: &str, depth: usize) -> Value {
        let Value::Object(members) = schema else {
            return schema.clone();
        };
        if depth > DEEPEST {
            let hint = "give parts of it names in components.schemas";
            self.document
                .faults
                .add(pointer, "this schema is too deep", hint);
            return Value::Bool(true);
        }
        let mut converted = Map::new();
        if let Some(Value::String(reference)) = members.get("$ref") {
            if let Some(name) = self.name(reference, pointer) {
                converted.insert("$ref".to_owned(), format!("#/$defs/{name}").into());
            }
            if self.document.is_3_0 {
                return Value::Object(converted);
            }
        }
        for (key, value) in members {
            if key == "$ref" || is_left_out(key) {
                continue;
            }
            let at = || format!("{pointer}/{}", crate::http_tools::reader::token(key));
            let value = match (key.as_str(), value) {
                (
                    "properties" | "patternProperties" | "dependentSchemas" | "$defs",
                    Value::Object(schemas),
                ) => {
                    let at = at();
                    let schemas = schemas.iter().filter(|(_, schema)| !is_read_only(schema));
                    let schemas = schemas.map(|(name, schema)| {
                        let at = format!("{at}/{}", crate::http_tools::reader::token(name));
                        (name.clone(), self.at_depth(schema, &at, depth + 1))
                    });
                    Value::Object(schemas.collect())
                }
                ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(schemas)) => {
                    let at = at();
                    let schemas = schemas.iter().enumerate().map(|(index, schema)| {
                        self.at_depth(schema, &format!("{at}/{index}"), depth + 1)
                    });
                    schemas.collect()
                }
                (key, Value::Object(_)) if HOLDS_A_SCHEMA.contains(&key) => {
                    self.at_depth(value, &at(), depth + 1)
                }
                ("required", Value::Array(names)) => {
                    let properties = members.get("properties");
                    let is_there = |name: &&Value| {
                        let property = name.as_str().and_then(|name| properties?.get(name));
                        !property.is_some_and(is_read_only)
                    };
                    names.iter().filter(is_there).cloned().collect()
                }
                _ => value.clone(),
            };
            converted.insert(key.clone(), value);
        }
        if self.document.is_3_0 {
            modernize(&mut converted);
        }
        Value::Object(converted)
    }

    /// The name below `$defs` of what a reference leads to.
    fn name(&mut self, reference: &str, at: &str) -> Option<String> {
        let target = self.document.target(reference, at)?;
        let known = self.definitions.get(&target);
        let name = match known {
            Some(definition) => definition.name.clone(),
            None if self.document.root.pointer(&target).is_none() => {
                self.document.unresolvable(reference, format!("{at}/$ref"));
                return None;
            }
            None => {
                let name = self.free_name(&target);
                let definition = Definition {
                    name: name.clone(),
                    made: None,
                };
                self.definitions.insert(target.clone(), definition);
                name
            }
        };
        if !self.referred.contains(&target) {
            self.referred.push(target);
        }
        Some(name)
    }

    /// A name that no other schema has, of the last part of a pointer.
    fn free_name(&mut self, target: &str) -> String {
        let last = target.rsplit('/').next().unwrap_or_default();
        let plain = |character: char| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '_'
            }
        };
        let wanted: String = last.chars().map(plain).collect();
        let mut name = wanted.clone();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        name
    }
}

/// Keywords whose value is one schema.
const HOLDS_A_SCHEMA: [&str; 10] = [
    "items",
    "additionalProperties",
    "not",
    "contains",
    "propertyNames",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// What says nothing to a model, or only something within the file.
fn is_left_out(key: &str) -> bool {
    let others = [
        "$id",
        "$schema",
        "$anchor",
        "discriminator",
        "example",
        "externalDocs",
        "xml",
        "readOnly",
    ];
    key.starts_with("x-") || others.contains(&key)
}

/// A property that the API alone sets.
fn is_read_only(schema: &Value) -> bool {
    schema.get("readOnly") == Some(&Value::Bool(true))
}

/// 3.0 to 2020-12: `nullable`, and bounds that are switches.
fn modernize(schema: &mut Map<String, Value>) {
    for (bound, switch) in [
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ] {
        match schema.get(switch) {
            Some(Value::Bool(true)) => {
                schema.remove(switch);
                if let Some(value) = schema.remove(bound) {
                    schema.insert(switch.to_owned(), value);
                }
            }
            Some(Value::Bool(false)) => drop(schema.remove(switch)),
            _ => {}
        }
    }
    if schema.remove("nullable") != Some(Value::Bool(true)) {
        return;
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    match schema.get("type") {
        Some(Value::String(kind)) => {
            let kinds = json!([kind, "null"]);
            schema.insert("type".to_owned(), kinds);
        }
        Some(_) => {}
        None if schema.contains_key("allOf") || schema.contains_key("oneOf") => {
            let inner = std::mem::take(schema);
            schema.insert("anyOf".to_owned(), json!([inner, {"type": "null"}]));
        }
        None => {}
    }
}
