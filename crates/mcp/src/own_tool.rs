//! Tools that are no Clerk operations: of the server itself, or over its owner's API.

use std::{borrow::Cow, fmt, sync::Arc};

use clerk::BoxFuture;
use serde_json::{Map, Value};
use toolkit::{Progress, operation::Hints};

use crate::service::Caller;

/// A tool that brings its own execution.
pub trait OwnTool: Send + Sync {
    /// What clients are told about it.
    fn definition(&self) -> &Definition;

    /// Whether it answers from what is at hand: it sends nothing and waits for nothing, so that there
    /// is nothing to cancel, to stream or to take up again. Such calls are answered sooner.
    fn is_immediate(&self) -> bool {
        false
    }

    /// Calls it with arguments as the client sent them: checking them is the tool's part. Dropping
    /// the future cancels the call.
    fn call<'a>(
        &'a self,
        arguments: &'a Map<String, Value>,
        caller: &'a Caller,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<ToolResult, OwnToolError>>;
}

/// A tool as clients see it (MCP specification, "Tool").
#[derive(Clone, Debug)]
pub struct Definition {
    /// The name, unique on the server.
    pub name: Cow<'static, str>,
    /// A name for people.
    pub title: Cow<'static, str>,
    /// What it does, for the model.
    pub description: Cow<'static, str>,
    /// JSON Schema of the arguments.
    pub input_schema: Arc<Map<String, Value>>,
    /// JSON Schema of the structured content, if it has any.
    pub output_schema: Option<Arc<Map<String, Value>>>,
    /// Annotations.
    pub hints: Hints,
}

/// A piece of a result (MCP specification, "Tool Result").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// An image.
    Image {
        /// Base64.
        data: String,
        /// `image/png`
        mime_type: String,
    },
    /// A sound.
    Audio {
        /// Base64.
        data: String,
        /// `audio/wav`
        mime_type: String,
    },
    /// A file.
    Blob {
        /// What it is called.
        uri: String,
        /// Base64.
        data: String,
        /// `application/pdf`
        mime_type: String,
    },
}

/// A tool's result as MCP carries it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolResult {
    /// The structured content.
    pub structured: Option<Map<String, Value>>,
    /// The content; when it is empty, the structured content as JSON text takes its place.
    pub content: Vec<Content>,
    /// Whether it is an error.
    pub is_error: bool,
}

impl ToolResult {
    /// A good result of structured content.
    #[must_use]
    pub fn structured(structured: Map<String, Value>) -> Self {
        Self {
            structured: Some(structured),
            ..Self::default()
        }
    }

    /// A good result of content.
    #[must_use]
    pub fn content(content: Vec<Content>) -> Self {
        Self {
            content,
            ..Self::default()
        }
    }

    /// The structured content as compact JSON.
    #[must_use]
    pub fn text(&self) -> String {
        // A map of JSON values always serializes.
        self.structured
            .as_ref()
            .map(|structured| serde_json::to_string(structured).unwrap_or_default())
            .unwrap_or_default()
    }
}

/// Why a tool of its own failed: what the model is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnToolError {
    /// Lower snake case, for the audit too.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl OwnToolError {
    /// An error of this code.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// `tool_failed`: the model hears that the tool failed, and the log why.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "a tool failed");
        Self::new("tool_failed", "the tool failed").hint("tell whoever runs this server")
    }

    /// Arguments of another form than the schema's.
    #[must_use]
    pub fn invalid_arguments(message: impl Into<String>) -> Self {
        Self {
            code: "invalid_arguments".to_owned(),
            message: message.into(),
            hint: Some("see the tool's input schema".to_owned()),
        }
    }
}

impl fmt::Display for OwnToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for OwnToolError {}
