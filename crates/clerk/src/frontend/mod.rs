//! The calls of Clerk's Frontend API that start a session with a ticket and live in it, with the
//! feature `frontend`.
//!
//! A ticket is an actor token or a sign-in token that the Backend API made. [`FrontendClient`] redeems
//! it as a native application does: no browser, no cookies, no origin; who it is, is told in the header
//! `Authorization` (query `_is_native=1`). What comes of it is a [`TicketSession`], which gives session
//! tokens until it is ended, here or through the Backend API.
//!
//! Nothing is sent twice: a ticket works once, even if the answer was lost.

mod client;
mod error;
mod session;

pub use client::FrontendClient;
pub use error::FrontendError;
pub use session::TicketSession;
