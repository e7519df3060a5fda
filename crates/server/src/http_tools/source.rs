//! Files as JSON values, and the lines that parts of them stand in. TOML, YAML and JSON.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;
use toml::de::{DeTable, DeValue};

/// A table of a TOML file, its keys in the order of the file. Times become texts.
pub(crate) fn toml_table(table: &DeTable<'_>) -> Value {
    let mut members: Vec<_> = table.iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    let members = members
        .into_iter()
        .map(|(key, value)| (key.get_ref().to_string(), toml_value(value.get_ref())));
    Value::Object(members.collect())
}

fn toml_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            read.map(Value::from).unwrap_or_default()
        }
        DeValue::Float(number) => {
            let read = number.as_str().parse().ok().and_then(Number::from_f64);
            read.map(Value::Number).unwrap_or_default()
        }
        DeValue::Boolean(switch) => Value::Bool(*switch),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items
            .iter()
            .map(|item| toml_value(item.get_ref()))
            .collect(),
        DeValue::Table(table) => toml_table(table),
    }
}

/// The line of what a JSON pointer leads to in a TOML file, or of the last thing on the way there.
pub(crate) fn toml_line(text: &str, table: &DeTable<'_>, pointer: &str) -> Option<usize> {
    let mut at = None;
    let mut table = Some(table);
    let mut array = None;
    for token in tokens(pointer) {
        let found = match (table, array.take()) {
            (Some(inner), _) => {
                let member = inner.iter().find(|(key, _)| *key.get_ref() == token);
                if let Some((key, _)) = member {
                    at = Some(key.span().start);
                }
                member.map(|(_, value)| value)
            }
            (None, Some(items)) => {
                let items: &toml::de::DeArray<'_> = items;
                let item = token.parse().ok().and_then(|index: usize| items.get(index));
                if let Some(item) = item {
                    at = Some(item.span().start);
                }
                item
            }
            (None, None) => None,
        };
        let Some(found) = found else { break };
        table = found.get_ref().as_table();
        array = found.get_ref().as_array();
    }
    let before = text.as_bytes().iter().take(at?);
    Some(1 + before.filter(|byte| **byte == b'\n').count())
}

/// Why a file is neither YAML nor JSON.
#[derive(Debug)]
pub(crate) struct NotReadable {
    pub(crate) line: Option<usize>,
    pub(crate) problem: String,
}

/// The value of a YAML or JSON file.
pub(crate) fn document(text: &str) -> Result<Value, NotReadable> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| NotReadable {
            line: Some(error.line()),
            problem: format!("this is not JSON: {}", brief(&error.to_string())),
        });
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| NotReadable {
        line: error
            .location()
            .and_then(|location| usize::try_from(location.line()).ok()),
        problem: format!("this is not YAML: {}", brief(&error.to_string())),
    })
}

/// How YAML is read: as version 1.2, so that `y` and `no` are texts and not truths. The file is its
/// owner's and bounded as a whole, and so is what its anchors and aliases make of it.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_events: MOST_EVENTS,
            max_nodes: MOST_EVENTS,
            max_depth: DEEPEST,
            max_recorded_anchor_events: MOST_REPEATED,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_REPEATED,
        },
    }
}

/// More than a file of the largest size has, were it of nothing but short names and values.
const MOST_EVENTS: usize = 8_000_000;
/// What anchors name and aliases repeat, in names and values.
const MOST_REPEATED: usize = 100_000;
/// As deep as JSON may be (serde_json's own bound).
const DEEPEST: usize = 128;

/// The lines of a YAML or JSON file.
pub(crate) struct DocumentLines(Option<Spanned<Node>>);

impl DocumentLines {
    /// Reads a file once more, for its lines alone. One that is neither YAML nor JSON has none.
    pub(crate) fn read(text: &str) -> Self {
        Self(serde_saphyr::from_str_with_options(text, options()).ok())
    }

    /// The line of what a JSON pointer leads to, or of the last thing on the way.
    pub(crate) fn line(&self, pointer: &str) -> Option<usize> {
        let root = self.0.as_ref()?;
        let (mut node, mut line) = (&root.value, root.referenced.line());
        for token in tokens(pointer) {
            let next = match node {
                Node::Scalar => None,
                Node::List(items) => {
                    let index = token.parse().ok();
                    let item = index.and_then(|index: usize| items.get(index));
                    item.map(|item| (item.referenced.line(), &item.value))
                }
                Node::Table(members) => {
                    let member = members.iter().find(|(key, _)| key.value == token);
                    member.map(|(key, value)| (key.referenced.line(), &value.value))
                }
            };
            let Some((next_line, next)) = next else { break };
            (node, line) = (next, next_line);
        }
        usize::try_from(line).ok()
    }
}

fn tokens(pointer: &str) -> impl Iterator<Item = String> {
    let tokens = pointer.split('/').skip(1);
    tokens.map(|token| token.replace("~1", "/").replace("~0", "~"))
}

fn brief(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(200).collect()
}

/// The shape of a document, for its lines alone.
enum Node {
    Scalar,
    List(Vec<Spanned<Node>>),
    Table(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape)
    }
}

struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut table = Vec::new();
        while let Some(member) = members.next_entry()? {
            table.push(member);
        }
        Ok(Node::Table(table))
    }
}

/// An object of a document.
pub(crate) fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn lines_are_found_in_every_kind_of_file() {
        let toml =
            "[api]\nbase_url = \"x\"\n\n[[tools]]\nname = \"a\"\n\n[[tools]]\nquery = { a = 1 }\n";
        let table = DeTable::parse(toml).unwrap();
        for (pointer, line) in [
            ("/api/base_url", 2),
            ("/tools/0/name", 5),
            ("/tools/1", 7),
            ("/tools/1/query/a", 8),
            ("/tools/1/path", 7),
        ] {
            let found = toml_line(toml, table.get_ref(), pointer);
            assert_eq!(found, Some(line), "{pointer}");
        }
        let yaml = "a:\n  b:\n    - 1\n    - c: 2\n\"d/e\": 3\n";
        let json = "{\"a\":\n{\"b\":\n[1,\n{\"c\": 2}]},\n\"d/e\": 3}";
        for text in [yaml, json] {
            let lines = DocumentLines::read(text);
            for (pointer, line) in [("/a/b/1/c", 4), ("/d~1e", 5), ("/a/b/1/none", 4)] {
                assert_eq!(lines.line(pointer), Some(line), "{pointer} {text}");
            }
        }
    }
}
