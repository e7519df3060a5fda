//! What the Clerk MCP server answers to a principal: tools, prompts, resources, completion,
//! confirmation of destructive calls, progress, audit.
//!
//! There is no transport and no runtime here. [`Service`] speaks in plain values; the feature
//! `rmcp` adds one adapter over it ([`rmcp_adapter`]), which stdio and HTTP servers share.

mod attached;
pub mod audit;
mod call;
mod completion;
mod confirmation;
pub mod impersonation;
mod own_tool;
pub mod owners_api;
mod prompts;
mod resources;
#[cfg(feature = "rmcp")]
pub mod rmcp_adapter;
mod service;

pub use attached::Attached;
pub use call::{Asking, CallAnswer, CallRequest, Decision, Host, Question};
pub use completion::{CompletionTarget, Completions};
pub use confirmation::{Confirm, Sealer};
pub use own_tool::{Content, Definition, OwnTool, OwnToolError, ToolResult};
pub use prompts::{Prompt, PromptArgument, PromptError};
pub use resources::{ResourceError, ResourceKind, ResourceText};
pub use service::{Caller, Service, Shared};
