//! One call of the Backend API, as data.

use std::borrow::Cow;
use std::fmt;

use http::Method;
use serde_json::Value;

use crate::encode::encode_segment;
use crate::id::{IdError, check_segment};

/// One call of the Backend API: what to ask, not how it is sent.
///
/// `Debug` shows neither body nor query values: they hold passwords and personal data.
#[derive(Clone, PartialEq)]
pub struct Request {
    operation: &'static str,
    method: Method,
    path: String,
    query: Vec<(Cow<'static, str>, String)>,
    body: Option<Value>,
    priority: Priority,
}

/// How a request shares the instance's rate limit with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Priority {
    /// Someone waits for the answer: sent at once.
    #[default]
    Interactive,
    /// One of many, as in an export: waits until there is room.
    Bulk,
}

impl Request {
    /// A request for `operation` (its name in messages) at a path such as `/users/{user_id}`,
    /// without the leading `/v1`.
    pub fn new(operation: &'static str, method: Method, template: &'static str) -> Self {
        Self {
            operation,
            method,
            path: template.to_owned(),
            query: Vec::new(),
            body: None,
            priority: Priority::default(),
        }
    }

    /// Gives the path's parameter `name` its value, percent-encoded as one segment.
    ///
    /// # Errors
    /// [`IdError`] when [`check_segment`] refuses the value or the path has no such parameter.
    pub fn path_parameter(mut self, name: &str, value: &str) -> Result<Self, IdError> {
        check_segment(value).map_err(|error| IdError::Parameter {
            name: name.to_owned(),
            source: Box::new(error),
        })?;
        // An encoded value has no braces, so it can neither hide nor forge a placeholder.
        let placeholder = format!("{{{name}}}");
        if !self.path.contains(&placeholder) {
            let name = name.to_owned();
            return Err(IdError::UnknownParameter {
                operation: self.operation,
                name,
            });
        }
        self.path = self.path.replace(&placeholder, &encode_segment(value));
        Ok(self)
    }

    /// Adds a pair to the query. A name may come more than once: that is how Clerk takes lists.
    #[must_use]
    pub fn query(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets the JSON body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Sets the priority; it is [`Priority::Interactive`] otherwise.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The operation's name.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The HTTP method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, without `/v1`; parameters without a value still stand in braces.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query's pairs, not encoded.
    pub fn query_pairs(&self) -> &[(Cow<'static, str>, String)] {
        &self.query
    }

    /// The JSON body.
    pub fn json_body(&self) -> Option<&Value> {
        self.body.as_ref()
    }

    /// The priority.
    pub fn priority_level(&self) -> Priority {
        self.priority
    }

    /// Path and query as they are sent, after `/v1`.
    ///
    /// # Errors
    /// [`IdError::MissingParameter`] when a parameter of the path has no value.
    pub fn path_and_query(&self) -> Result<String, IdError> {
        if let Some((_, rest)) = self.path.split_once('{') {
            let name = rest.split('}').next().unwrap_or(rest).to_owned();
            return Err(IdError::MissingParameter {
                operation: self.operation,
                name,
            });
        }
        let mut address = self.path.clone();
        for (index, (name, value)) in self.query.iter().enumerate() {
            address.push(if index == 0 { '?' } else { '&' });
            address.push_str(&encode_segment(name));
            address.push('=');
            address.push_str(&encode_segment(value));
        }
        Ok(address)
    }

    /// Whether the request only reads, so that sending it twice does no harm.
    pub(crate) fn only_reads(&self) -> bool {
        self.method.is_safe()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.query.iter().map(|(name, _)| name.as_ref()).collect();
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &names)
            .field("body", &self.body.as_ref().map(|_| "not shown"))
            .field("priority", &self.priority)
            .finish()
    }
}
