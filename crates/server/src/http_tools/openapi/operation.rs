//! One operation as a tool.

use std::collections::BTreeMap;

use http::{HeaderName, Method};
use serde_json::{Map, Value};
use toolkit::text::escape_str;

use super::{Candidate, Choice, document::Document, schema::Schemas};
use crate::http_tools::{
    body::{Body, JsonTemplate},
    fault::shown,
    fields::{Field, Header, Style, header_name},
    path::PathTemplate,
    template::{LONGEST_NAME, Template},
    tool::{GivenHints, Input, OutputKind, ToolSpec},
};

/// The longest description of a tool, characters.
const LONGEST_DESCRIPTION: usize = 1024;
/// The longest title of a tool, characters.
const LONGEST_TITLE: usize = 80;
const LEAVE_OUT: &str = "leave the operation out with `exclude` in [api]";

/// The tool of an operation, as far as it can be one, and what its input refers to: `$defs` are left
/// to who knows all tools.
pub(super) fn spec<'a>(
    document: &Document<'a>,
    schemas: &mut Schemas<'_, 'a>,
    choice: &Choice,
    candidate: &Candidate<'_>,
) -> Option<(ToolSpec, Vec<String>)> {
    let mut reading = Reading {
        document,
        schemas,
        own_headers: &choice.own_headers,
        arguments: Map::new(),
        required: Vec::new(),
        in_path: BTreeMap::new(),
        query: Vec::new(),
        headers: Vec::new(),
        whole: true,
    };
    for (parameter, pointer) in parameters(document, candidate) {
        reading.parameter(parameter, &pointer);
    }
    let path = reading.path(candidate);
    let body = reading.body(candidate);
    let whole = reading.whole;
    let query = std::mem::take(&mut reading.query);
    let headers = std::mem::take(&mut reading.headers);
    let (input, referred) = reading.input();
    if !whole {
        return None;
    }
    let text = |key: &str| candidate.operation.get(key).and_then(Value::as_str);
    let (summary, details) = (
        text("summary").map(str::trim),
        text("description").map(str::trim),
    );
    let description = match (summary, details) {
        (Some(summary), Some(details)) if !details.starts_with(summary) => {
            format!("{summary}\n\n{details}")
        }
        (summary, details) => details.or(summary).map_or_else(
            || format!("{} {}", candidate.method.to_uppercase(), candidate.path),
            str::to_owned,
        ),
    };
    let spec = ToolSpec {
        name: plain_name(&candidate.id),
        title: summary
            .filter(|summary| !summary.is_empty())
            .map(|summary| cut(summary, LONGEST_TITLE)),
        description: cut(&description, LONGEST_DESCRIPTION),
        method: match candidate.method {
            "post" => Method::POST,
            "put" => Method::PUT,
            "patch" => Method::PATCH,
            "delete" => Method::DELETE,
            _ => Method::GET,
        },
        path: path?,
        query,
        headers,
        body,
        input: Input::Written(input),
        output: output(document, candidate),
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
    };
    Some((spec, referred))
}

struct Reading<'r, 'd, 'a> {
    document: &'r Document<'a>,
    schemas: &'r mut Schemas<'d, 'a>,
    own_headers: &'r [HeaderName],
    arguments: Map<String, Value>,
    required: Vec<Value>,
    /// Arguments of the path, by the name of the parameter.
    in_path: BTreeMap<String, String>,
    query: Vec<Field>,
    headers: Vec<Header>,
    /// Whether everything so far could be read.
    whole: bool,
}

/// The parameters of an operation and of its path; the operation's win.
fn parameters<'a>(document: &Document<'a>, candidate: &Candidate<'a>) -> Vec<(&'a Value, String)> {
    let of = |holder: &'a Value, pointer: &str| {
        let given = holder.get("parameters").and_then(Value::as_array);
        let given = given.into_iter().flatten().enumerate();
        let pointer = pointer.to_owned();
        given.filter_map(move |(index, parameter)| {
            document.resolve(parameter, format!("{pointer}/parameters/{index}"))
        })
    };
    let own: Vec<_> = of(candidate.operation, &candidate.pointer).collect();
    let key = |parameter: &'a Value| (parameter.get("name"), parameter.get("in"));
    let shared = of(candidate.item, &candidate.item_pointer)
        .filter(|(shared, _)| own.iter().all(|(own, _)| key(own) != key(shared)));
    let mut all: Vec<_> = shared.collect();
    all.extend(own);
    all
}

impl Reading<'_, '_, '_> {
    fn fault(&mut self, pointer: impl Into<String>, problem: impl Into<String>, hint: &str) {
        self.document.faults.add(pointer, problem, hint);
        self.whole = false;
    }

    fn parameter(&mut self, parameter: &Value, pointer: &str) {
        let text = |key: &str| parameter.get(key).and_then(Value::as_str);
        let (Some(name), Some(place)) = (text("name"), text("in")) else {
            self.fault(pointer, "a parameter needs `name` and `in`", "add them");
            return;
        };
        let required = place == "path" || parameter.get("required") == Some(&Value::Bool(true));
        let header = match place {
            "header" => {
                // OpenAPI: these three are never parameters.
                let skipped = ["accept", "content-type", "authorization"];
                if skipped.contains(&name.to_ascii_lowercase().as_str()) {
                    return;
                }
                match header_name(name) {
                    Ok(header) if self.own_headers.contains(&header) => return,
                    Ok(header) => Some(header),
                    Err(_) if !required => return,
                    Err((problem, _)) => {
                        self.fault(pointer, problem, LEAVE_OUT);
                        return;
                    }
                }
            }
            "cookie" if !required => return,
            "cookie" => {
                let problem = format!("the cookie {} cannot be sent", shown(name));
                self.fault(pointer, problem, LEAVE_OUT);
                return;
            }
            "path" | "query" => None,
            other => {
                let problem = format!("{} is no place of a parameter", shown(other));
                self.fault(pointer, problem, "use path, query or header");
                return;
            }
        };
        if let Some(problem) = self.unsendable(parameter, place) {
            // What nobody needs is left out, as cookies are.
            if required {
                self.fault(pointer, format!("{}: {problem}", shown(name)), LEAVE_OUT);
            }
            if place == "path" {
                // One fault is enough: it is there, as far as the path is concerned.
                self.in_path.insert(name.to_owned(), plain_name(name));
            }
            return;
        }
        let Some(schema) = parameter.get("schema") else {
            return;
        };
        let mut schema = self.schemas.convert(schema, &format!("{pointer}/schema"));
        if let (Some(description), Value::Object(schema)) = (text("description"), &mut schema) {
            schema.insert(
                "description".to_owned(),
                cut(description, LONGEST_DESCRIPTION).into(),
            );
        }
        let argument = self.argument(name, place, schema, required);
        let template = Template::argument(&argument);
        match header {
            Some(name) => self.headers.push(Header { name, template }),
            None if place == "path" => drop(self.in_path.insert(name.to_owned(), argument)),
            None => self.query.push(Field {
                style: style(parameter).unwrap_or_default(),
                ..Field::new(name, template)
            }),
        }
    }

    /// Why no request could hold a value of this parameter.
    fn unsendable(&self, parameter: &Value, place: &str) -> Option<String> {
        let Some(schema) = parameter.get("schema") else {
            return Some("a parameter without `schema` cannot be an argument".to_owned());
        };
        let given = parameter.get("style").and_then(Value::as_str);
        let kind = self.document.kind(schema);
        match (place, kind) {
            ("query", kind) => match style(parameter) {
                Err(problem) => Some(problem),
                Ok(Style::Deep) => None,
                Ok(_) if kind == Some("object") => Some(
                    "an object in a query is sent with the style `deepObject` alone".to_owned(),
                ),
                Ok(_) => None,
            },
            (_, Some(kind @ ("object" | "array"))) => Some(format!(
                "an {kind} cannot be sent in a {place}, only one value"
            )),
            ("path", _) if given.is_some_and(|style| style != "simple") => Some(format!(
                "the style {} is not made in a path, only `simple`",
                shown(given.unwrap_or_default())
            )),
            _ => None,
        }
    }

    /// Adds an argument, under a name of its own.
    fn argument(&mut self, name: &str, place: &str, schema: Value, required: bool) -> String {
        let plain = plain_name(name);
        let mut free = plain.clone();
        let mut number = 1;
        while self.arguments.contains_key(&free) {
            let suffix = match number {
                1 => format!("_{place}"),
                number => format!("_{place}_{number}"),
            };
            let start: String = plain.chars().take(LONGEST_NAME - suffix.len()).collect();
            free = format!("{start}{suffix}");
            number += 1;
        }
        self.arguments.insert(free.clone(), schema);
        if required {
            self.required.push(free.clone().into());
        }
        free
    }

    fn path(&mut self, candidate: &Candidate<'_>) -> Option<PathTemplate> {
        let pointer = &candidate.item_pointer;
        let mut text = String::new();
        let mut rest = candidate.path;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            let Some(argument) = self.in_path.get(name) else {
                let problem = format!("the path has {{{name}}}, but no such parameter");
                self.fault(pointer, problem, "add it to `parameters`, with in: path");
                return None;
            };
            text.push_str(&format!("{{{argument}}}"));
            rest = after;
        }
        text.push_str(rest);
        match PathTemplate::parse(&text) {
            Ok(path) => Some(path),
            Err(problem) => {
                self.fault(pointer, format!("{}: {problem}", shown(&text)), LEAVE_OUT);
                None
            }
        }
    }

    fn body(&mut self, candidate: &Candidate<'_>) -> Body {
        // OpenAPI 3.0 ("requestBody"): where HTTP knows no body, it is ignored.
        let given = candidate.operation.get("requestBody");
        let Some(given) = given.filter(|_| candidate.method != "get") else {
            return Body::None;
        };
        let pointer = format!("{}/requestBody", candidate.pointer);
        let Some((given, pointer)) = self.document.resolve(given, pointer) else {
            self.whole = false;
            return Body::None;
        };
        let required = given.get("required") == Some(&Value::Bool(true));
        let content = given.get("content").and_then(Value::as_object);
        let find = |is: fn(&str) -> bool| {
            let mut types = content.into_iter().flatten();
            types.find(|(kind, _)| is(essence(kind).as_str()))
        };
        let at = |kind: &str| {
            format!(
                "{pointer}/content/{}/schema",
                crate::http_tools::reader::token(kind)
            )
        };
        if let Some((kind, media)) = find(is_json) {
            let schema = media.get("schema").cloned().unwrap_or(Value::Bool(true));
            let schema = self.schemas.convert(&schema, &at(kind));
            let argument = self.argument("body", "request", schema, required);
            return Body::Json(JsonTemplate::Text(Template::argument(&argument)));
        }
        if let Some((kind, media)) = find(|kind| kind == "application/x-www-form-urlencoded") {
            return self.form(media, &at(kind));
        }
        // Also where the file does not say `required`, as few do: without its body it is no operation.
        if content.is_some_and(|content| !content.is_empty()) {
            let kinds = content.into_iter().flat_map(Map::keys).map(String::as_str);
            let kinds = kinds.collect::<Vec<_>>().join(", ");
            let problem = format!(
                "a body of {} cannot be made: only JSON and forms",
                shown(&kinds)
            );
            self.fault(pointer, problem, LEAVE_OUT);
        }
        Body::None
    }

    fn form(&mut self, media: &Value, pointer: &str) -> Body {
        let schema = media.get("schema").and_then(|schema| {
            // The clone's references are resolved where they lead.
            let reference = schema.get("$ref").and_then(Value::as_str);
            match reference {
                Some(reference) => self
                    .document
                    .root
                    .pointer(&self.document.target(reference, pointer)?),
                None => Some(schema),
            }
        });
        let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
        let (Some(schema), Some(properties)) = (schema, properties) else {
            self.fault(
                pointer,
                "a form needs a schema with `properties`",
                LEAVE_OUT,
            );
            return Body::None;
        };
        let required = schema.get("required").and_then(Value::as_array);
        let mut fields = Vec::new();
        for (name, property) in properties {
            if property.get("readOnly") == Some(&Value::Bool(true)) {
                continue;
            }
            let at = format!(
                "{pointer}/properties/{}",
                crate::http_tools::reader::token(name)
            );
            let needed = required.is_some_and(|names| names.iter().any(|needed| needed == name));
            if self.document.kind(property) == Some("object") {
                if needed {
                    let problem = format!("{}: an object cannot be a field of a form", shown(name));
                    self.fault(at, problem, LEAVE_OUT);
                }
                continue;
            }
            let property = self.schemas.convert(property, &at);
            let argument = self.argument(name, "form", property, needed);
            fields.push(Field::new(name, Template::argument(&argument)));
        }
        Body::Form(fields)
    }

    fn input(self) -> (Map<String, Value>, Vec<String>) {
        let mut input = Map::new();
        input.insert("type".to_owned(), "object".into());
        input.insert("properties".to_owned(), Value::Object(self.arguments));
        if !self.required.is_empty() {
            input.insert("required".to_owned(), Value::Array(self.required));
        }
        input.insert("additionalProperties".to_owned(), false.into());
        (input, self.schemas.referred())
    }
}

fn style(parameter: &Value) -> Result<Style, String> {
    let given = parameter
        .get("style")
        .and_then(Value::as_str)
        .unwrap_or("form");
    let explode = parameter.get("explode").and_then(Value::as_bool);
    Ok(match (given, explode.unwrap_or(given == "form")) {
        ("form", true) => Style::Repeated,
        ("form", false) => Style::Comma,
        ("spaceDelimited", _) => Style::Space,
        ("pipeDelimited", _) => Style::Pipe,
        ("deepObject", _) => Style::Deep,
        (other, _) => return Err(format!("{} is no style of a query", shown(other))),
    })
}

/// What a tool makes of the operation's good answers.
fn output(document: &Document<'_>, candidate: &Candidate<'_>) -> OutputKind {
    let responses = candidate
        .operation
        .get("responses")
        .and_then(Value::as_object);
    let good = responses.and_then(|responses| {
        let mut good = responses
            .iter()
            .filter(|(status, _)| status.starts_with('2'));
        good.next().or_else(|| responses.get_key_value("default"))
    });
    let content = good.and_then(|(status, response)| {
        let pointer = format!("{}/responses/{status}", candidate.pointer);
        let (response, _) = document.resolve(response, pointer)?;
        response.get("content")?.as_object()
    });
    let kinds: Vec<String> = content
        .into_iter()
        .flat_map(Map::keys)
        .map(|k| essence(k))
        .collect();
    let begins = |prefix: &str| kinds.iter().any(|kind| kind.starts_with(prefix));
    if kinds.is_empty() || kinds.iter().any(|kind| is_json(kind)) {
        OutputKind::Json
    } else if begins("text/") {
        OutputKind::Text
    } else if begins("image/") {
        OutputKind::Image
    } else if begins("audio/") {
        OutputKind::Audio
    } else {
        OutputKind::File
    }
}

fn essence(kind: &str) -> String {
    let essence = kind.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || kind.ends_with("+json")
}

/// The name of an operation without `operationId`: `get_orders_customerId`.
pub(super) fn name_of(method: &str, path: &str) -> String {
    let words = path.split(|character: char| !character.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    std::iter::once(method)
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

/// A name that clients and models accept.
fn plain_name(name: &str) -> String {
    let plain = |character: char| {
        let good = character.is_ascii_alphanumeric() || "_-".contains(character);
        if good { character } else { '_' }
    };
    let name: String = name.chars().map(plain).take(LONGEST_NAME).collect();
    if name.is_empty() {
        "_".to_owned()
    } else {
        name
    }
}

fn cut(text: &str, longest: usize) -> String {
    let mut short: String = text.trim().chars().take(longest).collect();
    if short.len() < text.trim().len() {
        short.pop();
        short.push('…');
    }
    escape_str(&short).into_owned()
}
