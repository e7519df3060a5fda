//! What a tool may be sent. Every fault is found and named at once, before anything is sent.

use clerk::{IdKind, check_id, check_segment};
use serde_json::{Map, Value};

use crate::{
    error::ArgumentError,
    operation::{Kind, Location, Parameter, Run},
    pointer, redact, time_expression,
    tool::Tool,
};

/// The most elements a list argument may have (Clerk's own limit for filters).
pub const LIST_LIMIT: usize = 100;
/// The longest text argument, in bytes.
pub const TEXT_LIMIT: usize = 8 * 1024;

/// Arguments that are what the tool takes: times are Unix milliseconds, everything else is as sent.
#[derive(Clone, Debug, Default)]
pub struct Arguments(Map<String, Value>);

impl Arguments {
    /// The argument of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The text argument of this name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The whole-number argument of this name.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    /// Whether the argument is given and `true`.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(&Value::Bool(true))
    }

    /// The list of texts of this name; empty when absent.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<String> {
        let rows = self
            .get(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        rows.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.shift_remove(name);
    }
}

/// Checks `given` against what the tool takes.
///
/// # Errors
/// Every argument that is unknown, bound, missing, of the wrong type or form.
pub fn check(tool: &Tool, given: &Value, now_ms: u64) -> Result<Arguments, Vec<ArgumentError>> {
    let empty = Map::new();
    let given = match given {
        Value::Object(given) => given,
        Value::Null => &empty,
        other => {
            return Err(vec![error(
                "arguments",
                format!("expected an object, got {}", kind_of(other)),
            )]);
        }
    };
    let parameters: Vec<Parameter> = tool.parameters().collect();
    let mut errors = Vec::new();
    let mut checked = Map::new();
    for (name, value) in given {
        match parameters.iter().find(|parameter| parameter.name == name) {
            Some(parameter) => match check_value(parameter, value, now_ms) {
                Ok(value) => {
                    checked.insert(name.clone(), value);
                }
                Err(fault) => errors.push(fault),
            },
            None => errors.push(unknown(tool, &parameters, name)),
        }
    }
    for parameter in &parameters {
        if parameter.required && !given.contains_key(parameter.name) {
            let expected = expected(parameter.kind);
            errors.push(error(
                parameter.name,
                format!("is missing; expected {expected}"),
            ));
        }
    }
    if errors.is_empty() {
        errors.extend(together(tool, &parameters, &checked));
    }
    if errors.is_empty() {
        Ok(Arguments(checked))
    } else {
        Err(errors)
    }
}

fn check_value(parameter: &Parameter, value: &Value, now_ms: u64) -> Result<Value, ArgumentError> {
    let name = parameter.name;
    if let Some(at) = redact::find_marker(value) {
        return Err(ArgumentError {
            name: format!("{name}{at}"),
            message: "holds a redaction marker, not the real value".into(),
            hint: Some("leave it out: what is not sent is not changed".into()),
        });
    }
    let mistyped = || {
        let mut fault = error(
            name,
            format!(
                "expected {}, got {}",
                expected(parameter.kind),
                kind_of(value)
            ),
        );
        if value.is_null() && !parameter.required {
            fault.hint = Some("leave it out to keep what is there".into());
        }
        fault
    };
    match parameter.kind {
        Kind::Id(kind) => check_id_text(name, kind, value.as_str().ok_or_else(mistyped)?)?,
        Kind::Slug => {
            let text = value.as_str().ok_or_else(mistyped)?;
            check_segment(text).map_err(|fault| from_display(name, &fault))?;
        }
        Kind::Text => check_text(name, value.as_str().ok_or_else(mistyped)?)?,
        Kind::Email => {
            let text = value.as_str().ok_or_else(mistyped)?;
            check_text(name, text)?;
            if !is_email(text) {
                return Err(error(
                    name,
                    format!("{text:?} is not an e-mail address; expected name@host"),
                ));
            }
        }
        Kind::Url => {
            let text = value.as_str().ok_or_else(mistyped)?;
            check_text(name, text)?;
            if !is_url(text) {
                return Err(error(
                    name,
                    format!("{text:?} is not a URL; expected https://…"),
                ));
            }
        }
        Kind::Boolean if !value.is_boolean() => return Err(mistyped()),
        Kind::Boolean => {}
        Kind::Integer(least, most) => {
            let number = whole_number(value).ok_or_else(mistyped)?;
            if !(least..=most).contains(&number) {
                let expected = expected(parameter.kind);
                return Err(error(
                    name,
                    format!("{number} is out of range; expected {expected}"),
                ));
            }
            return Ok(number.into());
        }
        Kind::Time => {
            if !(value.is_string() || value.is_number()) {
                return Err(mistyped());
            }
            let time = time_expression::parse(value, now_ms).map_err(|e| from_display(name, &e))?;
            return Ok(time.into());
        }
        Kind::OneOf(names) => {
            let text = value.as_str().ok_or_else(mistyped)?;
            if !names.contains(&text) {
                return Err(error(
                    name,
                    format!("{text:?} is none of {}", names.join(", ")),
                ));
            }
        }
        Kind::OrderBy(names) => {
            let text = value.as_str().ok_or_else(mistyped)?;
            if !names.contains(&text.strip_prefix(['+', '-']).unwrap_or(text)) {
                let names = names.join(", ");
                return Err(error(
                    name,
                    format!("{text:?} is none of {names}, with + or - before"),
                ));
            }
        }
        Kind::TextList | Kind::IdList(_) | Kind::Pointers | Kind::Several(_) => {
            check_list(parameter, value, mistyped)?;
        }
        Kind::Metadata if !value.is_object() => return Err(mistyped()),
        Kind::Metadata => {}
        Kind::Conditions => {
            crate::find_users::Condition::parse_all(value).map_err(|fault| ArgumentError {
                name: format!("{name}{}", fault.name),
                ..fault
            })?;
        }
    }
    Ok(value.clone())
}

fn check_list(
    parameter: &Parameter,
    value: &Value,
    mistyped: impl Fn() -> ArgumentError,
) -> Result<(), ArgumentError> {
    let rows = value.as_array().ok_or_else(&mistyped)?;
    if rows.len() > LIST_LIMIT {
        let count = rows.len();
        return Err(error(
            parameter.name,
            format!("has {count} elements; at most {LIST_LIMIT}"),
        ));
    }
    let mut pointers = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let text = row.as_str().ok_or_else(&mistyped)?;
        let name = format!("{}/{index}", parameter.name);
        check_text(&name, text)?;
        match parameter.kind {
            Kind::IdList(kind) => {
                check_id_text(&name, kind, text.strip_prefix(['+', '-']).unwrap_or(text))?;
            }
            Kind::Several(names) if !names.contains(&text) => {
                return Err(error(
                    &name,
                    format!("{text:?} is none of {}", names.join(", ")),
                ));
            }
            Kind::Pointers => pointers.push(text.to_owned()),
            _ => {}
        }
    }
    if !pointers.is_empty() {
        pointer::Selection::parse(&pointers).map_err(|e| from_display(parameter.name, &e))?;
    }
    Ok(())
}

/// Rules over several arguments.
fn together(
    tool: &Tool,
    parameters: &[Parameter],
    checked: &Map<String, Value>,
) -> Option<ArgumentError> {
    let alternatives: Vec<&str> = parameters
        .iter()
        .filter(|p| p.location == Location::Path && !p.required)
        .map(|p| p.name)
        .collect();
    let given = alternatives
        .iter()
        .filter(|name| checked.contains_key(**name))
        .count();
    if !alternatives.is_empty() && given != 1 {
        let fault = if given == 0 {
            "is missing"
        } else {
            "are both given"
        };
        let names = alternatives.join(" or ");
        return Some(error(
            &names,
            format!("{fault}; expected exactly one of them"),
        ));
    }
    let changes: Vec<&str> = parameters
        .iter()
        .filter(|p| matches!(p.location, Location::Body(_)))
        .map(|p| p.name)
        .collect();
    let is_update = matches!(tool.operation().run, Run::Requests(requests)
        if requests.iter().any(|request| request.method == crate::operation::Method::Patch));
    if is_update && !changes.iter().any(|name| checked.contains_key(*name)) {
        let names = changes.join(", ");
        return Some(error(
            &names,
            "nothing to change; expected at least one of them".into(),
        ));
    }
    None
}

fn unknown(tool: &Tool, parameters: &[Parameter], name: &str) -> ArgumentError {
    let withheld = tool.operation().parameters.iter().find(|p| p.name == name);
    if let Some(parameter) = withheld {
        let message = if parameter.backend_only {
            "cannot be set by a signed-in user"
        } else {
            "is decided by the session and cannot be given"
        };
        return ArgumentError {
            name: name.into(),
            message: message.into(),
            hint: Some("leave it out".into()),
        };
    }
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    let expected = if names.is_empty() {
        "no arguments".to_owned()
    } else {
        names.join(", ")
    };
    error(
        name,
        format!("is unknown; {} takes {expected}", tool.name()),
    )
}

fn check_id_text(name: &str, kind: IdKind, text: &str) -> Result<(), ArgumentError> {
    check_id(kind, text).map_err(|fault| from_display(name, &fault))
}

fn check_text(name: &str, text: &str) -> Result<(), ArgumentError> {
    if text.len() > TEXT_LIMIT {
        let length = text.len();
        return Err(error(
            name,
            format!("is {length} bytes long; at most {TEXT_LIMIT}"),
        ));
    }
    Ok(())
}

fn is_email(text: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(blank)
    })
}

fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

/// JSON Schema calls `5.0` an integer too.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and within ±2^53"
)]
fn whole_number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && n.abs() < 9.0e15)
            .map(|n| n as i64)
    })
}

fn error(name: &str, message: String) -> ArgumentError {
    ArgumentError {
        name: name.into(),
        message,
        hint: None,
    }
}

/// Splits an error that says its hint on a line of its own.
fn from_display(name: &str, fault: &dyn std::fmt::Display) -> ArgumentError {
    let text = fault.to_string();
    let (message, hint) = match text.split_once("\nhint: ") {
        Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
        None => (text, None),
    };
    ArgumentError {
        name: name.into(),
        message,
        hint,
    }
}

/// The expected form, for people and models.
#[must_use]
pub fn expected(kind: Kind) -> String {
    match kind {
        Kind::Id(kind) => format!("an id that starts with {}", kind.prefix()),
        Kind::Slug => "a slug, like acme-inc".into(),
        Kind::Text => "text".into(),
        Kind::Email => "an e-mail address".into(),
        Kind::Url => "a URL, like https://example.com/welcome".into(),
        Kind::Boolean => "true or false".into(),
        Kind::Integer(least, i64::MAX) => format!("a whole number from {least}"),
        Kind::Integer(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Time => "a date like 2026-05-12, a time ago like 7d, or Unix milliseconds".into(),
        Kind::OneOf(names) => format!("one of {}", names.join(", ")),
        Kind::OrderBy(names) => format!("one of {}, with + or - before", names.join(", ")),
        Kind::TextList => "a list of texts".into(),
        Kind::IdList(kind) => format!("a list of ids that start with {}", kind.prefix()),
        Kind::Metadata => "a JSON object".into(),
        Kind::Pointers => "a list of JSON pointers, like /id".into(),
        Kind::Conditions => {
            r#"a list of conditions, like {"pointer":"/public_metadata/plan","equals":"pro"}"#
                .into()
        }
        Kind::Several(names) => format!("a list of {}", names.join(", ")),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
