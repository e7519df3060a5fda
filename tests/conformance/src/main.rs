//! The server that the MCP conformance suite is run against: the project's HTTP front layer with the
//! tools, prompts and resources that the suite's scenarios name, and nothing of Clerk.
//!
//! `clerk-mcp-conformance-fixture [ADDRESS]` serves on ADDRESS (`127.0.0.1:0` if absent) and prints
//! `{"url":"http://…/mcp"}` on one line of standard output once it accepts connections.

// The suite tests what newer revisions of MCP deprecate: logging, sampling, roots, subscriptions to
// one resource.
#![expect(
    deprecated,
    reason = "revision 2025-11-25 has what 2026-07-28 deprecates"
)]

mod asking;
mod catalogue;
mod content;
mod handler;
mod input_required;
mod notifying;
mod prompts;
mod resources;
mod transport;

use std::{error::Error, io::Write as _, net::SocketAddr, time::Duration};

use server::{
    config::TrustedProxies,
    connections::{ConnectionBounds, UNREAD_FOR},
};
use url::Url;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args()
        .nth(1)
        .as_deref()
        .unwrap_or("127.0.0.1:0")
        .parse()?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    let url = Url::parse(&format!("http://{}/mcp", listener.local_addr()?))?;
    writeln!(
        std::io::stdout(),
        "{}",
        serde_json::json!({ "url": url.as_str() })
    )?;
    let app = transport::router(handler::Fixture::new(), &url);
    // Nobody stops it but by ending the process.
    let bounds = ConnectionBounds {
        all: usize::MAX,
        of_address: usize::MAX,
        proxies: TrustedProxies::default(),
        unread: UNREAD_FOR,
    };
    server::listen::serve(listener, app, bounds, Default::default(), Duration::ZERO).await;
    Ok(())
}
