//! Texts with places for values: `/orders/{customerId}`.

use serde_json::{Map, Number, Value};

use super::fault::{ArgumentFault, shown};

/// What the places of a request are filled with.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The arguments of the call, as the client sent them.
    pub arguments: &'a Map<String, Value>,
    /// What was saved for this person and client.
    pub state: &'a Map<String, Value>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// `{limit}`
    Argument(String),
    /// `{state.cart}`, which must have been saved.
    State(String),
    /// `{state.cursor?}`, which is absent until it is saved.
    OptionalState(String),
}

impl Source {
    /// The value, unless it is absent or null.
    pub(crate) fn value<'a>(&self, values: Values<'a>) -> Option<&'a Value> {
        let value = match self {
            Self::Argument(name) => values.arguments.get(name),
            Self::State(name) | Self::OptionalState(name) => values.state.get(name),
        };
        value.filter(|value| !value.is_null())
    }

    /// As messages to the model name it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Argument(name) => name.clone(),
            Self::State(name) | Self::OptionalState(name) => format!("state.{name}"),
        }
    }
}

/// A text with places for values. `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(String),
    Value(Source),
}

/// Longest name of an argument: what clients and models accept.
pub(crate) const LONGEST_NAME: usize = 64;

impl Template {
    /// Reads a template; an error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err("a `}` closes nothing (write `}}` for a brace)".to_owned());
            }
            let Some((name, after)) = rest.split_once('}') else {
                return Err("a `{` is not closed (write `{{` for a brace)".to_owned());
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Value(source(name)?));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// A place for an argument and nothing else.
    pub(crate) fn argument(name: &str) -> Self {
        Self(vec![Part::Value(Source::Argument(name.to_owned()))])
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The place, if there is nothing else.
    pub(crate) fn alone(&self) -> Option<&Source> {
        match self.0.as_slice() {
            [Part::Value(source)] => Some(source),
            _ => None,
        }
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(source) => Some(source),
            Part::Literal(_) => None,
        })
    }

    /// The text without places, if there are none.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text, or `None` when a value is absent.
    pub(crate) fn text(&self, values: Values<'_>) -> Result<Option<String>, ArgumentFault> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Value(source) => match source.value(values) {
                    Some(value) => text.push_str(&scalar(source, value)?),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(text))
    }
}

/// A value within a text: a text, a number, true or false.
pub(crate) fn scalar(source: &Source, value: &Value) -> Result<String, ArgumentFault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(plain(number)),
        Value::Bool(switch) => Ok(switch.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(ArgumentFault::new(
            source.name(),
            "a text, a number, true or false is needed here",
        )),
    }
}

/// A number as an address has it: JSON Schema takes `5.0` for an integer, and an API for none.
fn plain(number: &Number) -> String {
    let whole = number
        .as_f64()
        .filter(|value| number.is_f64() && value.fract() == 0.0 && value.abs() < WHOLE_TO);
    match whole {
        Some(whole) => format!("{whole:.0}"),
        None => number.to_string(),
    }
}

/// All whole numbers below are exact (2^53).
const WHOLE_TO: f64 = 9_007_199_254_740_992.0;

fn source(text: &str) -> Result<Source, String> {
    let of_state = text.strip_prefix("state.");
    let optional = of_state.and_then(|name| name.strip_suffix('?'));
    let name = optional.or(of_state).unwrap_or(text);
    if !is_name(name) {
        return Err(format!(
            "{} is no name (letters, digits, `_` and `-`, at most {LONGEST_NAME})",
            shown(text)
        ));
    }
    let name = name.to_owned();
    Ok(match (of_state, optional) {
        (_, Some(_)) => Source::OptionalState(name),
        (Some(_), None) => Source::State(name),
        (None, None) => Source::Argument(name),
    })
}

/// Whether this can be the name of an argument, a saved value or a tool: what every client and
/// model provider accepts.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn fill(template: &str, arguments: Value) -> Result<Option<String>, ArgumentFault> {
        let (arguments, state) = (arguments, json!({"cursor": "c1"}));
        let values = Values {
            arguments: arguments.as_object().unwrap(),
            state: state.as_object().unwrap(),
        };
        Template::parse(template).unwrap().text(values)
    }

    #[test]
    fn places_are_filled_with_scalars() {
        for (template, expected) in [
            ("", ""),
            ("a", "a"),
            ("{a}", "x"),
            ("<{a}|{n}|{b}>", "<x|1.5|true>"),
            ("{{{a}}}", "{x}"),
            ("{state.cursor}!", "c1!"),
            ("{state.cursor?}!", "c1!"),
        ] {
            let filled = fill(template, json!({"a": "x", "n": 1.5, "b": true}));
            assert_eq!(filled.unwrap().as_deref(), Some(expected), "{template}");
        }
        assert_eq!(fill("x{a}", json!({})).unwrap(), None);
        assert_eq!(fill("x{a}", json!({"a": null})).unwrap(), None);
        assert_eq!(fill("x{state.none?}", json!({})).unwrap(), None);
        for value in [json!([1]), json!({})] {
            let fault = fill("x{a}", json!({"a": value})).unwrap_err();
            assert_eq!(fault.argument, "a");
        }
    }

    #[test]
    fn values_are_never_read_as_templates() {
        let filled = fill("{a}", json!({"a": "{b}{{", "b": "secret"}));
        assert_eq!(filled.unwrap().as_deref(), Some("{b}{{"));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "{",
            "}",
            "{}",
            "{a",
            "a}",
            "{a b}",
            "{a{b}}",
            "{state.}",
            "{state.?}",
            "{a?}",
            "{ä}",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            let _ = Template::parse(&text);
        }

        #[test]
        fn escaped_text_is_itself(text in any::<String>()) {
            let escaped = text.replace('{', "{{").replace('}', "}}");
            let template = Template::parse(&escaped).unwrap();
            prop_assert_eq!(template.literal(), Some(text.as_str()));
        }
    }
}
