//! A local Clerk: the Backend API and the OAuth provider of the Frontend API over a seeded state,
//! for development and tests without an account.
//!
//! [`Emulator::handle`] is the whole of it: a request in, a reply out. There is no socket, no file,
//! no clock and no async runtime in this crate; whoever runs it brings those. The emulator shares
//! no types with the client of this workspace on purpose: both are checked against Clerk's
//! published OpenAPI file, and shared types would hide shared mistakes.
//!
//! ```
//! use emulator::{Answer, Clock, DEFAULT_SECRET_KEY, Emulator, Random, Seed};
//! # struct Noon;
//! # impl Clock for Noon { fn now(&self) -> u64 { 1_780_000_000_000 } }
//! # struct Counter(u8);
//! # impl Random for Counter {
//! #     fn fill(&mut self, bytes: &mut [u8]) { self.0 += 1; bytes.fill(self.0); }
//! # }
//! # use clerk_mcp_emulator as emulator;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::new(&Seed::default(), std::sync::Arc::new(Noon), Box::new(Counter(0)))?;
//! let request = http::Request::get("/v1/users/count")
//!     .header("authorization", format!("Bearer {DEFAULT_SECRET_KEY}"))
//!     .body(bytes::Bytes::new())?;
//! let Answer::Response(response) = emulator.handle(request).answer else { panic!("dropped") };
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```

// The JSON of a user has more members than the default lets one macro expand to.
#![recursion_limit = "256"]

mod api_keys;
mod body;
mod browser;
mod call;
mod clock;
mod control;
mod email_addresses;
mod emulator;
mod error;
mod faults;
mod format;
mod ids;
mod instance;
mod invitations;
mod jwt_templates;
mod machines;
mod memberships;
mod metadata;
mod model;
mod oauth;
mod organization_invitations;
mod organizations;
mod pages;
mod paging;
mod people;
mod query;
mod rate_limit;
mod reply;
mod request_log;
mod roles;
mod router;
mod seed;
mod sessions;
mod signing;
mod state;
mod table;
mod tickets;
mod users;
mod version;
mod views;
mod web;

pub use clock::{Clock, Random};
pub use emulator::{DEFAULT_SECRET_KEY, DEFAULT_URL, Emulator, MAX_BODY_BYTES};
pub use people::Person;
pub use reply::{Answer, Reply};
pub use seed::{Seed, SeedError, SeedFormat};
