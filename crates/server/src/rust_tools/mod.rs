//! Tools written in Rust, beside the server's own.
//!
//! A [`Tool`] has typed arguments and a typed result: their JSON Schemas are what clients see, and
//! what arguments and results are held to. It is told who calls ([`Context`]), keeps values for that
//! person and client ([`State`]), and gets the credential that calls to the owner's API are made with.
//! [`crate::Serve`] runs a server with such tools; docs/guides/rust-tools.md shows how.
//!
//! ```
//! use clerk_mcp_server::{Context, Hints, Json, Tool, ToolError};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Visit {
//!     /// Which page.
//!     page: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Visits {
//!     count: u32,
//! }
//!
//! struct CountVisit;
//!
//! impl Tool for CountVisit {
//!     type Arguments = Visit;
//!     type Output = Json<Visits>;
//!     const NAME: &'static str = "countVisit";
//!     const DESCRIPTION: &'static str = "Counts a visit to a page.";
//!     const HINTS: Hints = Hints::CREATE;
//!
//!     async fn call(&self, visit: Visit, context: Context<'_>) -> Result<Json<Visits>, ToolError> {
//!         if visit.page.is_empty() {
//!             return Err(ToolError::invalid_arguments("`page` is empty"));
//!         }
//!         let visits = context.state();
//!         let count = visits.update("visits", |count| Ok(count.unwrap_or(0) + 1)).await?;
//!         Ok(Json(Visits { count }))
//!     }
//! }
//!
//! let server = clerk_mcp_server::Serve::new().tool(CountVisit);
//! # let _ = server;
//! ```

mod context;
mod output;
mod registered;
mod tool;

/// The guide's first tool is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/guides/rust-tools.md")]
struct Guide;

pub use self::{
    context::{Context, State},
    output::{Json, Output, Produced},
    registered::{RustTool, Surroundings},
    tool::{CATEGORY, DEFAULT_TIMEOUT, NoArguments, Tool},
};
