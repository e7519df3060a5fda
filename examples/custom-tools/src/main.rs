//! An MCP server with tools of its own: notes that each person keeps, and their orders at a shop.
//!
//! It is `clerk-mcp serve` with these tools besides: the same configuration, sign-in, access rules and
//! audit log. README.md says how to run it.

mod notes;
mod orders;

use std::process::ExitCode;

use clerk_mcp_server::Serve;

use crate::{
    notes::{AddNote, ClearNotes, ListNotes},
    orders::ListOrders,
};

#[tokio::main]
async fn main() -> ExitCode {
    let mut server = Serve::new().tool(AddNote).tool(ListNotes).tool(ClearNotes);
    // The shop wants session tokens, which there are with sign_in.mode = "app".
    if let Ok(url) = std::env::var("SHOP_API_URL") {
        server = server.tool(ListOrders::new(url));
    }
    let mut check = false;
    for argument in std::env::args_os().skip(1) {
        if argument == "--check" {
            check = true;
        } else {
            server = server.config(argument);
        }
    }
    if check {
        return server.check_main().await;
    }
    server.main().await
}
