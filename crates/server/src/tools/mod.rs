//! Tools that are no Clerk operations: who is signed in, and the demonstration's.

mod add;
mod generate_image;
mod schema;
mod user_info;

use std::sync::Arc;

use mcp::OwnTool;

pub use self::{add::Add, generate_image::GenerateImage, user_info::UserInfo};

/// The category of `userInfo` in tool patterns.
pub const ACCOUNT: &str = "account";
/// The category of the demonstration's tools in tool patterns.
pub const DEMO: &str = "demo";

/// The demonstration's tools: one for everybody, one that the access rules keep for some.
#[must_use]
pub fn demonstration() -> Vec<Arc<dyn OwnTool>> {
    vec![Arc::new(Add::new()), Arc::new(GenerateImage::new())]
}
