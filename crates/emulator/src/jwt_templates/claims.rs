//! Claim templates: JSON whose texts hold shortcodes.
//!
//! A text that is one shortcode (`{{user.public_metadata.plan || 'free'}}`) becomes what the
//! shortcode stands for, whatever its type; shortcodes within a longer text become text. Of operands
//! joined with `||` the first counts that is neither null nor false, or else the last one.

use serde_json::{Map, Value};

/// Fills in a template. What the context does not have is null.
pub(super) fn render(template: &Map<String, Value>, context: &Value) -> Map<String, Value> {
    let filled = template.iter();
    filled
        .map(|(name, value)| (name.clone(), fill(value, context)))
        .collect()
}

fn fill(value: &Value, context: &Value) -> Value {
    match value {
        Value::String(text) => fill_text(text, context),
        Value::Array(items) => items.iter().map(|item| fill(item, context)).collect(),
        Value::Object(members) => Value::Object(render(members, context)),
        other => other.clone(),
    }
}

fn fill_text(text: &str, context: &Value) -> Value {
    let whole = text
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"));
    if let Some(expression) = whole.filter(|inner| !inner.contains("}}")) {
        return evaluate(expression, context);
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{")
        && let Some((expression, behind)) = after.split_once("}}")
    {
        filled.push_str(before);
        match evaluate(expression, context) {
            Value::String(value) => filled.push_str(&value),
            other => filled.push_str(&other.to_string()),
        }
        rest = behind;
    }
    filled.push_str(rest);
    Value::String(filled)
}

fn evaluate(expression: &str, context: &Value) -> Value {
    let mut value = Value::Null;
    for operand in operands(expression) {
        value = evaluate_operand(operand.trim(), context);
        if !matches!(value, Value::Null | Value::Bool(false)) {
            break;
        }
    }
    value
}

/// The parts between `||`, which does not count within quotes.
fn operands(expression: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    let bytes = expression.as_bytes();
    let mut position = 0;
    while position < bytes.len() {
        match bytes[position] {
            b'\'' => quoted = !quoted,
            b'|' if !quoted && bytes.get(position + 1) == Some(&b'|') => {
                parts.push(&expression[start..position]);
                position += 1;
                start = position + 1;
            }
            _ => {}
        }
        position += 1;
    }
    parts.push(&expression[start..]);
    parts
}

/// A text in single quotes, a number, a boolean, or else a path such as `user.public_metadata.plan`.
fn evaluate_operand(operand: &str, context: &Value) -> Value {
    let quoted = operand
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    if let Some(text) = quoted {
        return Value::String(text.to_owned());
    }
    if let Ok(literal @ (Value::Bool(_) | Value::Number(_))) = serde_json::from_str(operand) {
        return literal;
    }
    let mut value = context;
    for name in operand.split('.') {
        match value.get(name) {
            Some(member) => value = member,
            None => return Value::Null,
        }
    }
    value.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn filled(text: &str) -> Value {
        let context = json!({
            "user": {
                "first_name": "John",
                "last_name": null,
                "email_verified": false,
                "phone_number_verified": true,
                "public_metadata": { "interests": ["hiking"], "age": 42, "a||b": 1 },
            },
        });
        fill(&json!(text), &context)
    }

    #[test]
    fn one_shortcode_keeps_its_type() {
        let cases = [
            ("{{user.first_name}}", json!("John")),
            ("{{ user.first_name }}", json!("John")),
            ("{{user.last_name}}", Value::Null),
            ("{{user.public_metadata.interests}}", json!(["hiking"])),
            ("{{user.public_metadata.age}}", json!(42)),
            ("{{user.public_metadata.age.deeper}}", Value::Null),
            ("{{user.i_dont_exist}}", Value::Null),
            ("{{}}", Value::Null),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn shortcodes_within_a_text_become_text() {
        let cases = [
            ("{{user.last_name}} {{user.first_name}}", "null John"),
            ("{{user.first_name}}{{user.first_name}}", "JohnJohn"),
            ("{{user.public_metadata.age}} years", "42 years"),
            (
                "likes {{user.public_metadata.interests}}",
                "likes [\"hiking\"]",
            ),
            ("no {{user.first_name", "no {{user.first_name"),
            ("}} {{user.first_name}}", "}} John"),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn the_first_operand_counts_that_is_not_falsy() {
        let cases = [
            (
                "{{user.email_verified || user.phone_number_verified}}",
                json!(true),
            ),
            (
                "{{user.last_name || 'Awesome User'}}",
                json!("Awesome User"),
            ),
            ("{{user.last_name||user.x|| 30 }}", json!(30)),
            ("{{user.last_name || -1.5}}", json!(-1.5)),
            ("{{user.first_name || 'x'}}", json!("John")),
            ("{{user.last_name || user.email_verified}}", json!(false)),
            ("{{user.last_name || 'a || b'}}", json!("a || b")),
            ("{{user.last_name || ''}}", json!("")),
            ("{{user.last_name || }}", Value::Null),
            ("Dear {{user.last_name || 'Sir'}}", json!("Dear Sir")),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn other_json_stays_as_it_is_and_texts_are_found_at_every_depth() {
        let template = json!({ "a": { "b": [1, null, true, "{{x.y}}", ["{{x.y}}!"]] } });
        let rendered = render(template.as_object().unwrap(), &json!({ "x": { "y": 7 } }));
        assert_eq!(
            Value::Object(rendered),
            json!({ "a": { "b": [1, null, true, 7, ["7!"]] } })
        );
    }

    proptest! {
        #[test]
        fn a_text_without_shortcodes_stays(text in "[^{]*") {
            prop_assert_eq!(filled(&text), json!(text));
        }

        #[test]
        fn no_text_is_too_odd(text in "[{}|' .a-c1é]*") {
            filled(&text);
        }
    }
}
