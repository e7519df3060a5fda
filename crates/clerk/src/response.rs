//! The answer to a request that succeeded.

use std::fmt;

use serde_json::Value;

/// An answer with a 2xx status.
///
/// `Debug` does not show the body: it may hold tokens and personal data.
#[derive(Clone, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; `Null` when there was none.
    pub body: Value,
    /// Clerk's name for this request, to be given to their support.
    pub trace_id: Option<String>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = match &self.body {
            Value::Null => "null".to_owned(),
            Value::Array(items) => format!("an array of {}, not shown", items.len()),
            Value::Object(fields) => format!("an object of {} fields, not shown", fields.len()),
            _ => "a single value, not shown".to_owned(),
        };
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body", &format_args!("{body}"))
            .field("trace_id", &self.trace_id)
            .finish()
    }
}
