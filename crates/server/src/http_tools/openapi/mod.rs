//! Operations of an OpenAPI file (3.0 and 3.1) as tools.

mod document;
mod operation;
mod schema;
mod together;

use http::HeaderName;
use serde_json::Value;

use super::{
    fault::{Faults, shown},
    reader::token,
    source,
    tool::ToolSpec,
};
use document::Document;
use schema::Schemas;

/// The largest OpenAPI file, bytes.
pub const LARGEST_FILE: usize = 16 * 1024 * 1024;

/// Which operations become tools.
pub(super) struct Choice {
    /// `*`, `tag.*`, `tag.operationId` or `operationId`.
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    /// Headers that the server sends by itself: no arguments.
    pub(super) own_headers: Vec<HeaderName>,
}

/// The chosen operations of a file.
pub(super) struct Imported {
    /// Its name and text, for messages.
    pub(super) file: String,
    pub(super) text: String,
    pub(super) operations: Vec<Operation>,
}

/// An operation that became a tool.
pub(super) struct Operation {
    /// Its `operationId`, or the tool's name where it has none.
    pub(super) id: String,
    /// Where it is in the file.
    pub(super) pointer: String,
    pub(super) spec: ToolSpec,
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Reads a file. What is wrong in it goes to `faults`, what is wrong with the choice to `of_choice`
/// (`/include/0`).
pub(super) fn import(
    file: &str,
    text: &str,
    choice: &Choice,
    faults: &Faults,
    of_choice: &Faults,
) -> Option<Imported> {
    if text.len() > LARGEST_FILE {
        let problem = format!("the file is larger than {LARGEST_FILE} bytes");
        faults.add("", problem, "leave out what is no tool");
        return None;
    }
    let root = match source::document(text) {
        Ok(root) => root,
        Err(error) => {
            let line = error
                .line
                .map(|line| format!("line {line}: "))
                .unwrap_or_default();
            let problem = format!("{line}{}", error.problem);
            faults.add("", problem, "an OpenAPI file is YAML or JSON");
            return None;
        }
    };
    let document = Document::new(&root, faults)?;
    let before = faults.count();
    let candidates = candidates(&document);
    if candidates.is_empty() {
        if faults.count() == before {
            let hint = "give an operation below a path: get, post, put, patch or delete";
            faults.add("/paths", "there is no operation", hint);
        }
        return None;
    }
    check_patterns(&candidates, choice, of_choice);
    let chosen = candidates.iter().filter(|candidate| {
        let matches = |patterns: &[String]| patterns.iter().any(|p| candidate.matches(p));
        matches(&choice.include) && !matches(&choice.exclude)
    });
    let mut schemas = Schemas::new(&document);
    let read = chosen.filter_map(|candidate| {
        let (spec, referred) = operation::spec(&document, &mut schemas, choice, candidate)?;
        let operation = Operation {
            id: candidate.id.clone(),
            pointer: candidate.pointer.clone(),
            spec,
        };
        Some((operation, referred))
    });
    let read: Vec<_> = read.collect();
    let operations = together::judged(read, &schemas);
    Some(Imported {
        file: file.to_owned(),
        text: text.to_owned(),
        operations,
    })
}

/// An operation that may be chosen.
struct Candidate<'a> {
    id: String,
    tags: Vec<&'a str>,
    pointer: String,
    method: &'static str,
    path: &'a str,
    /// The path item, for the parameters that its operations share.
    item: &'a Value,
    item_pointer: String,
    operation: &'a Value,
}

impl Candidate<'_> {
    fn matches(&self, pattern: &str) -> bool {
        if pattern == "*" || pattern == self.id {
            return true;
        }
        if let Some(group) = pattern.strip_suffix(".*") {
            let below = self.id.strip_prefix(group);
            return self.tags.contains(&group) || below.is_some_and(|rest| rest.starts_with('.'));
        }
        self.tags.iter().any(|tag| {
            let rest = pattern
                .strip_prefix(tag)
                .and_then(|rest| rest.strip_prefix('.'));
            rest == Some(&self.id)
        })
    }
}

fn candidates<'a>(document: &Document<'a>) -> Vec<Candidate<'a>> {
    let Some(Value::Object(paths)) = document.root.get("paths") else {
        let hint = "an OpenAPI file of tools has `paths`";
        document.faults.add("/paths", "there are no paths", hint);
        return Vec::new();
    };
    let mut found = Vec::new();
    for (path, item) in paths {
        // An extension, not a path (OpenAPI, "Specification Extensions").
        if path.starts_with("x-") {
            continue;
        }
        let pointer = format!("/paths/{}", token(path));
        let Some((item, item_pointer)) = document.resolve(item, pointer) else {
            continue;
        };
        for method in METHODS {
            let Some(operation) = item.get(method).filter(|operation| operation.is_object()) else {
                continue;
            };
            let id = operation.get("operationId").and_then(Value::as_str);
            let tags = operation.get("tags").and_then(Value::as_array);
            let tags = tags.into_iter().flatten().filter_map(Value::as_str);
            found.push(Candidate {
                id: id.map_or_else(|| operation::name_of(method, path), str::to_owned),
                tags: tags.collect(),
                pointer: format!("{item_pointer}/{method}"),
                method,
                path,
                item,
                item_pointer: item_pointer.clone(),
                operation,
            });
        }
    }
    found
}

fn check_patterns(candidates: &[Candidate<'_>], choice: &Choice, faults: &Faults) {
    for (key, patterns) in [("include", &choice.include), ("exclude", &choice.exclude)] {
        for (index, pattern) in patterns.iter().enumerate() {
            if candidates
                .iter()
                .any(|candidate| candidate.matches(pattern))
            {
                continue;
            }
            let tags = candidates
                .iter()
                .flat_map(|candidate| candidate.tags.iter());
            let groups: Vec<String> = tags.map(|tag| format!("{tag}.*")).collect();
            let ids = candidates.iter().map(|candidate| candidate.id.as_str());
            let known = ids.chain(groups.iter().map(String::as_str));
            let hint = match toolkit::pattern::nearest(pattern, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use an operationId, tag.operationId, tag.* or *".to_owned(),
            };
            let problem = format!("{} matches no operation", shown(pattern));
            faults.add(format!("/{key}/{index}"), problem, hint);
        }
    }
}
