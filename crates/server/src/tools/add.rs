use clerk::BoxFuture;
use mcp::{Caller, Content, Definition, OwnTool, OwnToolError, ToolResult};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolkit::{Progress, operation::Hints};

use super::schema;

/// `add`: two numbers. The demonstration's tool for everybody.
#[derive(Clone, Debug)]
pub struct Add(Definition);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    a: f64,
    b: f64,
}

impl Add {
    /// The tool.
    #[must_use]
    pub fn new() -> Self {
        Self(Definition {
            name: "add".into(),
            title: "Add".into(),
            description: "Adds two numbers.".into(),
            input_schema: schema::object(json!({"a": {"type": "number"}, "b": {"type": "number"}})),
            output_schema: Some(schema::object(json!({"sum": {"type": "number"}}))),
            hints: Hints::READ,
        })
    }
}

impl Default for Add {
    fn default() -> Self {
        Self::new()
    }
}

impl OwnTool for Add {
    fn definition(&self) -> &Definition {
        &self.0
    }

    fn is_immediate(&self) -> bool {
        true
    }

    fn call<'a>(
        &'a self,
        arguments: &'a Map<String, Value>,
        _: &'a Caller,
        _: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<ToolResult, OwnToolError>> {
        Box::pin(async move {
            let Arguments { a, b } = schema::read(arguments)?;
            let sum = number(a + b).ok_or_else(|| {
                OwnToolError::invalid_arguments("the sum is larger than any number of JSON")
            })?;
            let text = sum.to_string();
            let mut structured = Map::new();
            structured.insert("sum".into(), sum);
            Ok(ToolResult {
                content: vec![Content::Text(text)],
                ..ToolResult::structured(structured)
            })
        })
    }
}

/// A whole number without a fraction, as people write it.
fn number(value: f64) -> Option<Value> {
    // Below 2^53 every whole number is exact.
    let is_whole = value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
    if is_whole {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let whole = value as i64;
        return Some(whole.into());
    }
    serde_json::Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use futures_util::FutureExt as _;

    fn add(arguments: Value) -> Result<ToolResult, OwnToolError> {
        let arguments = arguments.as_object().unwrap().clone();
        let (tool, caller) = (Add::new(), Caller::default());
        let called = tool
            .call(&arguments, &caller, &toolkit::Quiet)
            .now_or_never();
        called.unwrap()
    }

    #[test]
    fn sums_are_written_as_people_do() {
        for (arguments, sum) in [
            (json!({"a": 2, "b": 3}), "5"),
            (json!({"a": 0.5, "b": 0.25}), "0.75"),
            (json!({"a": -2, "b": 1.0}), "-1"),
        ] {
            assert_eq!(add(arguments).unwrap().content, [Content::Text(sum.into())]);
        }
    }

    #[test]
    fn other_arguments_are_refused() {
        for arguments in [
            json!({"a": 1}),
            json!({"a": 1, "b": "2"}),
            json!({"a": 1, "b": 2, "c": 3}),
            json!({"a": 1e308, "b": 1e308}),
        ] {
            assert_eq!(add(arguments).unwrap_err().code, "invalid_arguments");
        }
    }
}
