//! Bodies of requests: JSON made as a value, never as text, or a form.

use serde_json::{Map, Value};

use super::{
    fault::{ArgumentFault, Faults},
    fields::Field,
    template::{Source, Template, Values},
};

/// The body of a tool's requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Body {
    #[default]
    None,
    Json(JsonTemplate),
    Form(Vec<Field>),
}

impl Body {
    pub(crate) fn sources(&self) -> Vec<&Source> {
        match self {
            Self::None => Vec::new(),
            Self::Json(template) => template.sources(),
            Self::Form(fields) => fields.iter().flat_map(|f| f.template.sources()).collect(),
        }
    }
}

/// JSON with places for values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JsonTemplate {
    Literal(Value),
    /// A place alone gives the value with its type, within a text only scalars.
    Text(Template),
    List(Vec<JsonTemplate>),
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// Reads a template; every text of it may have places.
    pub(crate) fn parse(value: &Value, pointer: &str, faults: &Faults) -> Option<Self> {
        Some(match value {
            Value::String(text) => match Template::parse(text) {
                Ok(template) => Self::Text(template),
                Err(problem) => {
                    faults.add(pointer, problem, "a place for a value looks like {name}");
                    return None;
                }
            },
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items: Vec<_> = items
                    .map(|(index, item)| Self::parse(item, &format!("{pointer}/{index}"), faults))
                    .collect();
                Self::List(items.into_iter().collect::<Option<_>>()?)
            }
            Value::Object(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| {
                        let pointer = format!("{pointer}/{}", super::reader::token(name));
                        Some((name.clone(), Self::parse(value, &pointer, faults)?))
                    })
                    .collect();
                Self::Object(members.into_iter().collect::<Option<_>>()?)
            }
            other => Self::Literal(other.clone()),
        })
    }

    /// The value; `None` when there is only an absent one. Members and elements that are absent are
    /// left out.
    pub(crate) fn fill(&self, values: Values<'_>) -> Result<Option<Value>, ArgumentFault> {
        Ok(match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Text(template) => match template.alone() {
                // An explicit null is a value here.
                Some(Source::Argument(name)) => values.arguments.get(name).cloned(),
                Some(Source::State(name) | Source::OptionalState(name)) => {
                    values.state.get(name).cloned()
                }
                None => template.text(values)?.map(Value::String),
            },
            Self::List(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for item in items {
                    filled.extend(item.fill(values)?);
                }
                Some(Value::Array(filled))
            }
            Self::Object(members) => {
                let mut filled = Map::new();
                for (name, template) in members {
                    if let Some(value) = template.fill(values)? {
                        filled.insert(name.clone(), value);
                    }
                }
                Some(Value::Object(filled))
            }
        })
    }

    fn sources(&self) -> Vec<&Source> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(template) => template.sources().collect(),
            Self::List(items) => items.iter().flat_map(Self::sources).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, t)| t.sources()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn fill(template: &Value, arguments: &Value) -> Result<Option<Value>, ArgumentFault> {
        let faults = Faults::default();
        let template = JsonTemplate::parse(template, "", &faults).unwrap();
        template.fill(Values {
            arguments: arguments.as_object().unwrap(),
            state: &Map::new(),
        })
    }

    #[test]
    fn a_place_alone_keeps_the_type() {
        let template = json!({
            "note": "{note}", "text": "#{count}", "list": [1, "{note}", "{absent}"],
            "nested": {"deep": "{object}"}, "left": "{absent}", "null": "{null}", "t": true,
        });
        let arguments =
            json!({"note": "a\"},{\"x\":1", "count": 3, "object": {"a": [1]}, "null": null});
        let filled = fill(&template, &arguments).unwrap().unwrap();
        assert_eq!(
            filled,
            json!({
                "note": "a\"},{\"x\":1", "text": "#3", "list": [1, "a\"},{\"x\":1"],
                "nested": {"deep": {"a": [1]}}, "null": null, "t": true,
            })
        );
        assert_eq!(fill(&json!("{absent}"), &json!({})).unwrap(), None);
        assert!(fill(&json!({"a": "x{o}"}), &json!({"o": {}})).is_err());
    }

    #[test]
    fn faults_say_where() {
        let faults = Faults::default();
        assert!(JsonTemplate::parse(&json!({"a/b": ["x", "{"]}), "/body", &faults).is_none());
        assert_eq!(faults.into_vec()[0].pointer, "/body/a~1b/1");
    }

    proptest! {
        #[test]
        fn members_stay_as_they_are(note in any::<String>()) {
            let filled = fill(&json!({"fixed": 1, "note": "{note}"}), &json!({"note": note}));
            let text = filled.unwrap().unwrap().to_string();
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read, json!({"fixed": 1, "note": note}));
        }
    }
}
