//! An OpenAPI document and its references.

use serde_json::Value;

use crate::http_tools::fault::{Faults, shown};

/// The longest chain of references.
const LONGEST_CHAIN: usize = 16;

/// An OpenAPI document.
pub(super) struct Document<'a> {
    pub(super) root: &'a Value,
    /// 3.0, whose schemas are not quite JSON Schema.
    pub(super) is_3_0: bool,
    pub(super) faults: &'a Faults,
}

impl<'a> Document<'a> {
    pub(super) fn new(root: &'a Value, faults: &'a Faults) -> Option<Self> {
        let version = match root.get("openapi") {
            Some(Value::String(version)) => version.clone(),
            // YAML takes `3.1` for a number.
            Some(Value::Number(version)) => version.to_string(),
            _ => String::new(),
        };
        let is = |minor: &str| {
            let rest = version.strip_prefix(minor);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_3_0 = is("3.0");
        if !is_3_0 && !is("3.1") {
            let problem = match root.get("swagger") {
                Some(_) => "this is Swagger 2.0".to_owned(),
                None if version.is_empty() => "this is no OpenAPI file".to_owned(),
                None => format!("OpenAPI {} is not read", shown(&version)),
            };
            faults.add("/openapi", problem, "give a file of OpenAPI 3.0 or 3.1");
            return None;
        }
        Some(Self {
            root,
            is_3_0,
            faults,
        })
    }

    /// What a value is once its references are followed, and where that is.
    pub(super) fn resolve(&self, value: &'a Value, pointer: String) -> Option<(&'a Value, String)> {
        let (mut found, mut at) = (value, pointer);
        for _ in 0..LONGEST_CHAIN {
            let Some(reference) = found.get("$ref").and_then(Value::as_str) else {
                return Some((found, at));
            };
            let target = self.target(reference, &at)?;
            let pointer = format!("{at}/$ref");
            let Some(next) = self.root.pointer(&target) else {
                self.unresolvable(reference, pointer);
                return None;
            };
            (found, at) = (next, target);
        }
        let hint = "references must end at something";
        self.faults
            .add(at, "these references lead in a circle", hint);
        None
    }

    /// The type of a schema, where it has a single one besides null. What is wrong with its references
    /// is found when it is converted.
    pub(super) fn kind<'v>(&self, schema: &'v Value) -> Option<&'v str>
    where
        'a: 'v,
    {
        let mut found = schema;
        for _ in 0..LONGEST_CHAIN {
            let Some(reference) = found.get("$ref").and_then(Value::as_str) else {
                break;
            };
            found = self.root.pointer(reference.strip_prefix('#')?)?;
        }
        match found.get("type")? {
            Value::String(kind) => Some(kind),
            Value::Array(kinds) => {
                let mut kinds = kinds.iter().filter_map(Value::as_str);
                let kind = kinds.find(|kind| *kind != "null")?;
                kinds.all(|other| other == "null").then_some(kind)
            }
            _ => None,
        }
    }

    /// The JSON pointer of a reference into this document.
    pub(super) fn target(&self, reference: &str, at: &str) -> Option<String> {
        let pointer = reference
            .strip_prefix('#')
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let Some(pointer) = pointer else {
            self.faults.add(
                format!("{at}/$ref"),
                format!("the reference {} leads out of this file", shown(reference)),
                "bundle the API's files into one; nothing is fetched",
            );
            return None;
        };
        let decoded = url::form_urlencoded::parse(pointer.replace('+', "%2B").as_bytes())
            .next()
            .map(|(name, _)| name.into_owned());
        Some(decoded.unwrap_or_default())
    }

    pub(super) fn unresolvable(&self, reference: &str, pointer: String) {
        let problem = format!("the reference {} leads to nothing", shown(reference));
        self.faults.add(pointer, problem, "check the name");
    }
}
