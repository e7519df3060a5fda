//! Reading members of JSON objects. `null` is absent; what is of another type is named in the error.

use serde_json::{Map, Value};

use crate::failure::Failure;

type Members = Map<String, Value>;

/// A text; empty is absent.
pub(crate) fn text<'a>(
    place: &str,
    members: &'a Members,
    name: &str,
) -> Result<Option<&'a str>, Failure> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(place, name, "text")),
    }
}

/// A list of texts.
pub(crate) fn texts(
    place: &str,
    members: &Members,
    name: &str,
) -> Result<Option<Vec<String>>, Failure> {
    let list = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong(place, name, "list of texts")),
    };
    list.iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .map(Some)
        .ok_or_else(|| wrong(place, name, "list of texts"))
}

/// True or false; false when absent.
pub(crate) fn flag(members: &Members, name: &str) -> Result<bool, Failure> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Failure::option(&format!(
            "`{name}` is neither true nor false"
        ))),
    }
}

/// An object; empty when absent.
pub(crate) fn object(members: &Members, name: &str) -> Result<Members, Failure> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(wrong(name, name, "object")),
    }
}

/// A member as people write it: `secretKey`, `clerkClient.secretKey`.
pub(crate) fn path(place: &str, name: &str) -> String {
    if place == name {
        name.to_owned()
    } else {
        format!("{place}.{name}")
    }
}

fn wrong(place: &str, name: &str, expected: &str) -> Failure {
    Failure::option(&format!("`{}` is no {expected}", path(place, name)))
}
