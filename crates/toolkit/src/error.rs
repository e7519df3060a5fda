use std::fmt;

use serde_json::{Map, Value, json};

use crate::{text, toolkit_error::ErrorKind};

/// Why a tool did not do what it was asked.
#[derive(Debug)]
pub enum ToolError {
    /// No such tool here.
    UnknownTool {
        /// The name asked for.
        name: String,
        /// Why, and what to do.
        hint: String,
    },
    /// The arguments are not what the tool takes. Nothing was sent.
    Arguments(Vec<ArgumentError>),
    /// The bound session may not do this. Nothing was changed.
    NotPermitted {
        /// What is missing.
        message: String,
        /// What would help.
        hint: String,
    },
    /// Clerk refused, or could not be reached.
    Clerk(clerk::Error),
    /// The first requests of the tool were carried out, then one failed.
    Partial {
        /// What has been done.
        done: &'static str,
        /// What has not.
        failed: &'static str,
        /// Why.
        source: clerk::Error,
    },
    /// Clerk answered with JSON of a form that the operation does not have.
    Answer {
        /// Clerk's operation.
        operation: &'static str,
        /// What was expected.
        expected: &'static str,
    },
}

/// What is wrong with one argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentError {
    /// Its name, or a JSON pointer into it.
    pub name: String,
    /// What is wrong and what is expected.
    pub message: String,
    /// What to do, where that is more than the message says.
    pub hint: Option<String>,
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A message is the rest of a sentence about the argument, or a sentence of its own.
        let verbs = ["is ", "are ", "has ", "holds "];
        let colon = if verbs.iter().any(|verb| self.message.starts_with(verb)) {
            ""
        } else {
            ":"
        };
        write!(f, "`{}`{colon} {}", self.name, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl ToolError {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownTool { .. } => ErrorKind::UnknownTool,
            Self::Arguments(_) => ErrorKind::InvalidArguments,
            Self::NotPermitted { .. } => ErrorKind::NotPermitted,
            Self::Clerk(error) | Self::Partial { source: error, .. } => ErrorKind::of_clerk(error),
            Self::Answer { .. } => ErrorKind::Clerk,
        }
    }

    /// The HTTP status of Clerk's answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.clerk()?.status()
    }

    /// Clerk's name for the request that failed.
    #[must_use]
    pub fn clerk_trace_id(&self) -> Option<&str> {
        self.clerk()?.trace_id()
    }

    /// A stable code: Clerk's own where Clerk refused.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::UnknownTool { .. } => "unknown_tool",
            Self::Arguments(_) => "invalid_arguments",
            Self::NotPermitted { .. } => "not_permitted",
            Self::Clerk(error) | Self::Partial { source: error, .. } => error.code(),
            Self::Answer { .. } => "unexpected_answer",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownTool { hint, .. } | Self::NotPermitted { hint, .. } => Some(hint.clone()),
            Self::Arguments(_) => None,
            Self::Clerk(error) => error.hint(),
            Self::Partial { failed, source, .. } => {
                let cause = source
                    .hint()
                    .map(|hint| format!(" ({hint})"))
                    .unwrap_or_default();
                Some(format!(
                    "call again with only what is missing: {failed}{cause}"
                ))
            }
            Self::Answer { .. } => Some(
                "check the API URL and CLERK_API_VERSION: this does not look like Clerk".into(),
            ),
        }
    }

    /// The error as a tool result carries it: `{"error": {…}}`, with invisible characters made
    /// visible.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut error = Map::new();
        error.insert("code".into(), self.code().into());
        error.insert("message".into(), self.message().into());
        if let Self::Arguments(errors) = self {
            let rows = errors.iter().map(|e| match &e.hint {
                Some(hint) => json!({"argument": e.name, "message": e.message, "hint": hint}),
                None => json!({"argument": e.name, "message": e.message}),
            });
            error.insert("arguments".into(), Value::Array(rows.collect()));
        }
        if let Some(clerk_error) = self.clerk() {
            let numbers = [
                ("status", clerk_error.status().map(u64::from)),
                ("retry_after", clerk_error.retry_after()),
            ];
            for (name, number) in numbers {
                if let Some(number) = number {
                    error.insert(name.into(), number.into());
                }
            }
            if let Some(long) = long_message(clerk_error) {
                error.insert("long_message".into(), long.into());
            }
            if let Some(trace_id) = clerk_error.trace_id() {
                error.insert("clerk_trace_id".into(), trace_id.into());
            }
        }
        if let Some(hint) = self.hint() {
            error.insert("hint".into(), hint.into());
        }
        let mut error = Value::Object(error);
        // Clerk's messages, and ours, quote what people wrote.
        text::escape_invisible(&mut error);
        let mut result = Map::new();
        result.insert("error".into(), error);
        result
    }

    /// Clerk's part in it.
    #[must_use]
    pub fn clerk(&self) -> Option<&clerk::Error> {
        match self {
            Self::Clerk(error) | Self::Partial { source: error, .. } => Some(error),
            _ => None,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::UnknownTool { name, .. } => {
                let short: String = name.chars().take(64).collect();
                format!("there is no tool {short:?}")
            }
            Self::Arguments(errors) => {
                let rows: Vec<String> = errors.iter().map(ToString::to_string).collect();
                format!("invalid arguments: {}", rows.join("; "))
            }
            Self::NotPermitted { message, .. } => message.clone(),
            Self::Clerk(error) => without_hint(error),
            Self::Partial {
                done,
                failed,
                source,
            } => {
                format!(
                    "{done} was done, {failed} was not: {}",
                    without_hint(source)
                )
            }
            Self::Answer {
                operation,
                expected,
            } => {
                format!("Clerk's answer to {operation} is not {expected}")
            }
        }
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ToolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.clerk().map(|error| error as _)
    }
}

impl From<clerk::Error> for ToolError {
    fn from(error: clerk::Error) -> Self {
        Self::Clerk(error)
    }
}

/// A client error says its hint on lines of its own; here the hint has a member of its own.
fn without_hint(error: &clerk::Error) -> String {
    let text = error.to_string();
    text.split("\nhint:").next().unwrap_or_default().to_owned()
}

fn long_message(error: &clerk::Error) -> Option<String> {
    match error {
        clerk::Error::Api(api) => api
            .errors
            .first()
            .map(|detail| detail.long_message.clone())
            .filter(|message| !message.is_empty()),
        _ => None,
    }
}
