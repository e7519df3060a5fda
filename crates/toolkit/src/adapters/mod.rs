//! The toolkit as Rust agent frameworks take tools: definitions for the model, and a dispatcher that
//! runs what the model asks for.
//!
//! | module | for | feature |
//! |---|---|---|
//! | [`openai`] | Chat Completions and Responses as plain JSON | |
//! | [`anthropic`] | Messages as plain JSON | |
//! | `async_openai` | the same two OpenAI APIs with async-openai's types | `async-openai` |
//! | `rig` | rig's agents | `rig` |
//!
//! A model gets the same text for the same call through each of them, and through MCP. A tool's error
//! is a result for the model, never an error of the loop. Nobody is asked before a call: leave out
//! what the model may not do ([`read_only`](crate::ClerkToolkitBuilder::read_only),
//! [`patterns`](crate::ClerkToolkitBuilder::patterns)), or look at
//! [`Tool::hints`](crate::Tool::hints) and ask a person before dispatching.

pub mod anthropic;
#[cfg(feature = "async-openai")]
pub mod async_openai;
mod dispatch;
pub mod openai;
#[cfg(feature = "rig")]
pub mod rig;
