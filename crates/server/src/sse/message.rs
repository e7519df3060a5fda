//! JSON-RPC messages of a client (JSON-RPC 2.0; MCP specification, "Messages").

use rmcp::model::NumberOrString;
use serde_json::{Map, Value};

/// The most messages of a batch (revision 2025-03-26).
pub(crate) const MOST_IN_BATCH: usize = 50;

/// A message from a client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incoming {
    /// It wants an answer.
    Request(Asked),
    /// It wants none.
    Notification {
        /// `notifications/cancelled`
        method: String,
        /// `Null` when there are none.
        params: Value,
    },
    /// The answer to a request of ours; `None` for an error.
    Response {
        /// The id of the request.
        id: Value,
        /// Its result.
        result: Option<Value>,
    },
}

/// A request with all that is in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// What the answer is to carry.
    pub(crate) id: NumberOrString,
    /// `tools/call`
    pub(crate) method: String,
    /// `Null` when there are none.
    pub(crate) params: Value,
}

/// What is no message (JSON-RPC 2.0, section 5.1: `-32600`), with the id that it came with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Malformed(pub Value);

impl Incoming {
    /// Reads one.
    ///
    /// # Errors
    /// [`Malformed`].
    pub(crate) fn read(message: Value) -> Result<Self, Malformed> {
        let Value::Object(mut members) = message else {
            return Err(Malformed(Value::Null));
        };
        let id = members.remove("id");
        Self::of(&mut members, id.as_ref()).ok_or_else(|| {
            let readable = id.filter(|id| id.is_string() || id.is_i64() || id.is_u64());
            Malformed(readable.unwrap_or_default())
        })
    }

    fn of(members: &mut Map<String, Value>, id: Option<&Value>) -> Option<Self> {
        if members.get("jsonrpc")? != "2.0" {
            return None;
        }
        let method = match members.remove("method") {
            None => None,
            Some(Value::String(method)) => Some(method),
            Some(_) => return None,
        };
        let params = members.remove("params").unwrap_or_default();
        match (method, id) {
            (Some(method), None) => Some(Self::Notification { method, params }),
            (Some(method), Some(id)) => Some(Self::Request(Asked {
                id: serde_json::from_value(id.clone()).ok()?,
                method,
                params,
            })),
            (None, Some(id)) => {
                let result = members.remove("result");
                (result.is_some() != members.contains_key("error")).then(|| Self::Response {
                    id: id.clone(),
                    result,
                })
            }
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let read = |message| Incoming::read(message).unwrap();
        assert!(matches!(
            read(json!({"jsonrpc": "2.0", "id": "a", "method": "ping"})),
            Incoming::Request(Asked { method, params: Value::Null, .. }) if method == "ping"
        ));
        assert!(matches!(
            read(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})),
            Incoming::Notification { .. }
        ));
        assert_eq!(
            read(json!({"jsonrpc": "2.0", "id": 3, "result": {}})),
            Incoming::Response {
                id: json!(3),
                result: Some(json!({}))
            }
        );
        assert_eq!(
            read(json!({"jsonrpc": "2.0", "id": 3, "error": {"code": 1, "message": "x"}})),
            Incoming::Response {
                id: json!(3),
                result: None
            }
        );
    }

    #[test]
    fn what_is_none_is_refused_with_its_id() {
        for (message, id) in [
            (json!([]), json!(null)),
            (json!("x"), json!(null)),
            (json!({}), json!(null)),
            (json!({"id": 1, "method": "ping"}), json!(1)),
            (
                json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}),
                json!(1),
            ),
            (json!({"jsonrpc": "2.0", "id": 1, "method": 2}), json!(1)),
            (
                json!({"jsonrpc": "2.0", "id": null, "method": "ping"}),
                json!(null),
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}),
                json!(null),
            ),
            (
                json!({"jsonrpc": "2.0", "id": {}, "method": "ping"}),
                json!(null),
            ),
            (json!({"jsonrpc": "2.0", "id": 1}), json!(1)),
            (
                json!({"jsonrpc": "2.0", "id": 1, "result": 1, "error": {}}),
                json!(1),
            ),
        ] {
            assert_eq!(
                Incoming::read(message.clone()),
                Err(Malformed(id)),
                "{message}"
            );
        }
    }
}
