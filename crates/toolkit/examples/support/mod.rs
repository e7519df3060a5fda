//! What the examples share: a Clerk and a model, both on this machine.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::print_stdout,
    reason = "each example uses a part of this, and prints; tests include the examples as modules"
)]

mod emulated_clerk;
mod http;
pub mod openai_script;
mod scripted_model;

use clerk_mcp_toolkit::{AuthContext, ClerkToolkit};
use serde_json::{Value, json};

pub use http::post;
pub use scripted_model::ScriptedModel;

/// Whatever can go wrong in an example.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How often an agent asks its model before it gives up.
pub const TURNS: usize = 10;

/// What the person asks in each example.
pub const QUESTION: &str =
    "Who is in my organization? Invite dana@example.com. And who is in org_other?";
/// What the scripted model says in the end.
pub const LAST_WORD: &str = "Dana is invited. I cannot look into org_other.";

/// What the scripted model asks for, one list a turn: it reads, changes something, and asks for more
/// than the toolkit gives.
pub fn turns() -> Vec<Vec<(&'static str, Value)>> {
    let members = json!({"limit": 5, "fields": ["/role", "/public_user_data/identifier"]});
    let invitation = json!({"emailAddress": "dana@example.com", "role": "org:member"});
    vec![
        vec![
            ("getOrganization", json!({"fields": ["/name"]})),
            ("getOrganizationMembershipList", members),
        ],
        vec![("createOrganizationInvitation", invitation)],
        vec![("getOrganization", json!({"organizationId": "org_other"}))],
    ]
}

/// A toolkit that does what Ava may do in her organization Northwind Metrics, over an emulated Clerk
/// with the default seed.
pub fn toolkit() -> Result<ClerkToolkit, Failure> {
    let session = AuthContext::new("user_2EmuAvaMitchell000000000000")?
        .with_organization("org_2EmuNorthwindMetrics0000000")?;
    let client = emulated_clerk::client()?;
    Ok(ClerkToolkit::builder(client)
        .auth_context(session)
        .build()?)
}

/// Prints one row of a conversation.
pub fn print(row: &Value) {
    println!("{row}");
}
