//! One `[[tools]]` entry.

use http::Method;
use serde_json::{Map, Value};

use super::{
    body::{Body, JsonTemplate},
    definitions::Reading,
    fault::{Faults, shown},
    fields::{Field, Header, header_name, is_of_value, is_secret_name},
    pagination::{MOST_PAGES, PageKind, Pagination},
    path::PathTemplate,
    reader::{Table, kind, token},
    source,
    template::{Part, Template, is_name},
    tool::{GivenHints, Input, OutputKind, ToolSpec},
};

/// What an entry may hold.
pub(super) const TOOL_KEYS: &[&str] = &[
    "name",
    "operation",
    "title",
    "description",
    "method",
    "path",
    "query",
    "headers",
    "body",
    "form",
    "input",
    "output",
    "annotations",
    "scopes",
    "credential",
    "timeout",
    "max_response",
    "retries",
    "pagination",
    "save",
];
const HINT_KEYS: &[&str] = &["read_only", "destructive", "idempotent", "open_world"];

impl Reading<'_> {
    /// A tool of an entry; what the entry does not say is `base`'s.
    pub(super) fn tool(&self, table: &Table<'_>, base: Option<ToolSpec>) -> Option<ToolSpec> {
        let own = base.is_none();
        let needed = |key: &str| {
            if own {
                table.needed(key)
            } else {
                table.text(key)
            }
        };
        let name = needed("name");
        let description = needed("description");
        let method = needed("method").and_then(|text| table.checked("method", text, method(text)));
        let path = needed("path").and_then(|text| {
            let read = PathTemplate::parse(text);
            let read =
                read.map_err(|problem| format!("{problem}\nhint: write it like /orders/{{id}}"));
            table.checked("path", text, read)
        });
        let mut spec = match base {
            Some(base) => base,
            None => ToolSpec {
                name: name.unwrap_or_default().to_owned(),
                title: None,
                description: String::new(),
                method: method.unwrap_or_default(),
                // Nothing can be said of the rest of a tool without its path.
                path: path?,
                query: fields(table, "query"),
                headers: headers(table),
                body: body(table),
                input: Input::Written(self.schema(table, "input").unwrap_or_default()),
                output: OutputKind::Json,
                output_pointer: None,
                output_schema: None,
                hints: GivenHints::default(),
                scopes: Vec::new(),
                credential: None,
                timeout: None,
                max_response: None,
                retries: None,
                pagination: None,
                save: Vec::new(),
            },
        };
        if let Some(name) = name {
            name.clone_into(&mut spec.name);
        }
        if let Some(description) = description {
            description.clone_into(&mut spec.description);
        }
        if let Some(title) = table.text("title") {
            spec.title = Some(title.to_owned());
        }
        self.output(table, &mut spec);
        if let Some(hints) = table.get("annotations") {
            let hints = Table::new(hints, table.at("annotations"), HINT_KEYS, table.faults);
            if let Some(hints) = hints {
                spec.hints = GivenHints {
                    read_only: hints.switch("read_only"),
                    destructive: hints.switch("destructive"),
                    idempotent: hints.switch("idempotent"),
                    open_world: hints.switch("open_world"),
                };
            }
        }
        if let Some(scopes) = table.texts("scopes") {
            spec.scopes = scopes;
        }
        spec.credential = self.credential(table).or(spec.credential);
        spec.timeout = table.duration("timeout").or(spec.timeout);
        spec.max_response = table.size("max_response").or(spec.max_response);
        let retries = table.integer("retries", 0..=5);
        spec.retries = retries
            .and_then(|count| u32::try_from(count).ok())
            .or(spec.retries);
        spec.pagination = pagination(table).or(spec.pagination);
        for (name, at) in table.text_map("save") {
            let place = format!("{}/{}", table.at("save"), token(name));
            if !is_name(name) {
                let hint = "use 1 to 64 letters, digits, `_` and `-`";
                table
                    .faults
                    .add(place, format!("{} is no name", shown(name)), hint);
            } else if is_pointer(at, &place, table.faults) {
                spec.save.push((name.to_owned(), at.to_owned()));
            }
        }
        Some(spec)
    }

    fn output(&self, table: &Table<'_>, spec: &mut ToolSpec) {
        let Some(output) = table.get("output") else {
            return;
        };
        let keys = &["kind", "pointer", "schema"];
        let Some(output) = Table::new(output, table.at("output"), keys, table.faults) else {
            return;
        };
        if let Some(text) = output.text("kind") {
            let found = OutputKind::ALL.iter().find(|(name, _)| *name == text);
            let found =
                found.ok_or("it is none of the kinds\nhint: use json, text, image, audio or file");
            if let Some((_, kind)) = output.checked("kind", text, found) {
                spec.output = *kind;
            }
        }
        if let Some(pointer) = output.text("pointer")
            && is_pointer(pointer, &output.at("pointer"), table.faults)
        {
            spec.output_pointer = Some(pointer.to_owned());
        }
        spec.output_schema = self.schema(&output, "schema").or(spec.output_schema.take());
    }

    /// A schema, written here or in a file of its own.
    fn schema(&self, table: &Table<'_>, key: &str) -> Option<Map<String, Value>> {
        let read = match table.get(key)? {
            Value::Object(schema) => return Some(schema.clone()),
            Value::String(name) => {
                let text = self.file(table, key, name)?;
                source::document(&text).map_err(|error| {
                    let line = error
                        .line
                        .map(|line| format!(", line {line}"))
                        .unwrap_or_default();
                    format!("{}{line}: {}", shown(name), error.problem)
                })
            }
            other => Err(format!("this is {}", kind(other))),
        };
        let schema = read.and_then(|value| {
            source::object(value).ok_or_else(|| "the file holds no schema".to_owned())
        });
        schema
            .map_err(|problem| {
                let hint = "write a JSON Schema as a table, or name a file that holds one";
                table.fault(key, problem, hint);
            })
            .ok()
    }
}

fn method(text: &str) -> Result<Method, &'static str> {
    match text {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "DELETE" => Ok(Method::DELETE),
        _ => Err("it is none of the methods\nhint: use GET, POST, PUT, PATCH or DELETE"),
    }
}

fn template(text: &str, at: &str, faults: &Faults) -> Option<Template> {
    Template::parse(text)
        .map_err(|problem| faults.add(at, problem, "a place for a value looks like {name}"))
        .ok()
}

fn fields(table: &Table<'_>, key: &str) -> Vec<Field> {
    let fields = table.text_map(key).into_iter().filter_map(|(name, text)| {
        let at = format!("{}/{}", table.at(key), token(name));
        Some(Field::new(name, template(text, &at, table.faults)?))
    });
    fields.collect()
}

fn headers(table: &Table<'_>) -> Vec<Header> {
    let headers = table
        .text_map("headers")
        .into_iter()
        .filter_map(|(name, text)| {
            let at = format!("{}/{}", table.at("headers"), token(name));
            let template = template(text, &at, table.faults)?;
            if !template.parts().iter().all(is_of_header) {
                let problem = format!("{} is no value of a header", shown(text));
                let hint = "use visible ASCII characters and spaces";
                table.faults.add(&at, problem, hint);
            }
            let fixed = template.literal().is_some();
            let name = own_header(name, fixed, &at, table.faults)?;
            Some(Header { name, template })
        });
    headers.collect()
}

/// Whether a part that no argument decides can stand in a header; values are looked at in each call.
fn is_of_header(part: &Part) -> bool {
    match part {
        Part::Literal(text) => text.bytes().all(is_of_value),
        Part::Value(_) => true,
    }
}

/// A header that a tool may set; a fixed value must not be a secret.
pub(super) fn own_header(
    name: &str,
    fixed: bool,
    at: &str,
    faults: &Faults,
) -> Option<http::HeaderName> {
    match header_name(name) {
        Err((problem, hint)) => faults.add(at, problem, hint),
        Ok(name) if fixed && is_secret_name(&name) => faults.add(
            at,
            "a secret does not belong in this file",
            "remove it, and set credential = { header = \"…\", secret_env = \"…\" }",
        ),
        Ok(name) => return Some(name),
    }
    None
}

fn body(table: &Table<'_>) -> Body {
    match (table.get("body"), table.has("form")) {
        (Some(_), true) => {
            table.fault("form", "a request has one body", "remove `body` or `form`");
            Body::None
        }
        (Some(value), false) => JsonTemplate::parse(value, &table.at("body"), table.faults)
            .map(Body::Json)
            .unwrap_or_default(),
        (None, true) => Body::Form(fields(table, "form")),
        (None, false) => Body::None,
    }
}

fn pagination(table: &Table<'_>) -> Option<Pagination> {
    let value = table.get("pagination")?;
    let keys = &[
        "kind",
        "parameter",
        "items",
        "max_pages",
        "next",
        "first",
        "size",
    ];
    let table = Table::new(value, table.at("pagination"), keys, table.faults)?;
    let (parameter, items) = (table.needed("parameter"), table.needed("items"));
    let max_pages = table.integer("max_pages", 1..=MOST_PAGES).unwrap_or(5);
    let pointer = |key: &str, text: &str| is_pointer(text, &table.at(key), table.faults);
    let refuse = |keys: &[&str], kind: &str| {
        for key in keys.iter().filter(|key| table.has(key)) {
            table.fault(
                key,
                format!("this is not for kind = \"{kind}\""),
                "remove it",
            );
        }
    };
    let kind = match table.needed("kind")? {
        "cursor" => {
            refuse(&["first", "size"], "cursor");
            let next = table.needed("next")?;
            pointer("next", next).then(|| PageKind::Cursor {
                next: next.to_owned(),
            })
        }
        "page" => {
            refuse(&["next"], "page");
            let size = table.integer("size", 1..=10_000);
            Some(PageKind::Page {
                first: table.integer("first", 0..=1).unwrap_or(1),
                size: size.and_then(|size| usize::try_from(size).ok()),
            })
        }
        other => {
            let problem = format!("{} is no kind of pagination", shown(other));
            table.fault("kind", problem, "use cursor or page");
            None
        }
    };
    let items = items.filter(|items| pointer("items", items));
    Some(Pagination {
        kind: kind?,
        parameter: parameter?.to_owned(),
        items: items?.to_owned(),
        max_pages,
    })
}

fn is_pointer(text: &str, at: &str, faults: &Faults) -> bool {
    let stray = text
        .split('~')
        .skip(1)
        .any(|rest| !rest.starts_with(['0', '1']));
    let good = (text.is_empty() || text.starts_with('/')) && !stray;
    if !good {
        let problem = format!("{} is no JSON pointer", shown(text));
        faults.add(at, problem, "write it like /data/0/id");
    }
    good
}
