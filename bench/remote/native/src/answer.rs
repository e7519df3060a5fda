//! The one tool that every contender has: `add`, of `{"a": 17, "b": 25}`.

use serde_json::{Value, json};

/// Its arguments in every call.
#[must_use]
pub fn arguments() -> Value {
    json!({"a": 17, "b": 25})
}

/// What every right answer holds, whoever writes its JSON.
pub const RIGHT: &[u8] = br#""text":"42""#;

/// The schema of its arguments.
#[must_use]
pub fn input_schema() -> Value {
    object(&json!({"a": {"type": "number"}, "b": {"type": "number"}}))
}

/// The schema of its structured result.
#[must_use]
pub fn output_schema() -> Value {
    object(&json!({"sum": {"type": "number"}}))
}

fn object(properties: &Value) -> Value {
    let names: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .collect();
    json!({
        "type": "object",
        "required": names,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// What `bare-api` answers: orders of a kilobyte in all.
#[must_use]
pub fn orders() -> String {
    let order = |number: u32| {
        json!({
            "id": format!("ord_{number:04}"),
            "status": "open",
            "total": {"amount": 1999, "currency": "EUR"},
            "note": "Leave it at the door, please.",
        })
    };
    json!({"data": (1..=8).map(order).collect::<Vec<_>>()}).to_string()
}

/// What every right answer of `bare-api` holds, through a tool as well.
pub const LAST_ORDER: &[u8] = b"ord_0008";
