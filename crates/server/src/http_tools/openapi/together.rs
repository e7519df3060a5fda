//! All schemas of a file judged at once.
//!
//! Tools share most of their schemas: compiling each tool's by itself compiles what is shared again and
//! again, for arguments that may never come. Here one schema that holds them all is compiled, thrown
//! away, and a tool's own is compiled when the tool is first called. Where that says less than
//! compiling each, each is.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Operation, schema::Schemas};
use crate::http_tools::{
    schema::{self, ObjectSchema},
    tool::Input,
};

/// Gives the tools the schemas that they refer to (by pointer), below `$defs`. Those of sound schemas are
/// [`Input::Judged`]; else all are as written, and whoever compiles them finds out which is wrong.
pub(super) fn judged(
    read: Vec<(Operation, Vec<String>)>,
    schemas: &Schemas<'_, '_>,
) -> Vec<Operation> {
    let sound = are_sound(&read, schemas);
    let complete = |(mut operation, referred): (Operation, Vec<String>)| {
        if let Input::Written(mut input) = operation.spec.input {
            let definitions = schemas.definitions(&referred);
            if !definitions.is_empty() {
                input.insert(DEFINITIONS.to_owned(), Value::Object(definitions));
            }
            operation.spec.input = if sound {
                Input::Judged(ObjectSchema::judged(input))
            } else {
                Input::Written(input)
            };
        }
        operation
    };
    read.into_iter().map(complete).collect()
}

const DEFINITIONS: &str = "$defs";

/// Whether every tool's schema is sound, as far as one look says it: `false` decides nothing.
fn are_sound(read: &[(Operation, Vec<String>)], schemas: &Schemas<'_, '_>) -> bool {
    let referred = read.iter().flat_map(|(_, referred)| referred);
    let definitions = schemas.definitions(referred.collect::<BTreeSet<_>>());
    let inputs = read
        .iter()
        .enumerate()
        .filter_map(|(index, (operation, _))| {
            let Input::Written(input) = &operation.spec.input else {
                return None;
            };
            Some((index.to_string(), Value::Object(input.clone())))
        });
    let inputs = Value::Object(inputs.collect());
    let stands_alone = definitions
        .values()
        .chain([&inputs])
        .all(|schema| leads_to_definitions(schema, &definitions));
    if !stands_alone {
        return false;
    }
    let mut all = Map::new();
    all.insert("properties".to_owned(), inputs);
    all.insert(DEFINITIONS.to_owned(), Value::Object(definitions));
    schema::validator(&Value::Object(all)).is_ok()
}

/// Whether a schema means the same wherever it stands: its references lead to the definitions alone, and
/// nothing in it is an address. A property may have one of these names; then each tool is compiled.
fn leads_to_definitions(schema: &Value, definitions: &Map<String, Value>) -> bool {
    match schema {
        Value::Object(members) => members.iter().all(|(key, value)| match key.as_str() {
            "$ref" => value
                .as_str()
                .and_then(|target| target.strip_prefix("#/$defs/"))
                .is_some_and(|name| definitions.contains_key(name)),
            "$id" | "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$schema" => false,
            _ => leads_to_definitions(value, definitions),
        }),
        Value::Array(items) => items
            .iter()
            .all(|item| leads_to_definitions(item, definitions)),
        _ => true,
    }
}
