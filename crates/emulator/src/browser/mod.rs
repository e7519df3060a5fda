//! Browsers that sign in: Clerk's clients and their cookies, and the pages around them.

pub(crate) mod clients;
pub(crate) mod email_code;
pub(crate) mod frontend_api;
pub(crate) mod handshake;
pub(crate) mod home;
pub(crate) mod sign_in;
pub(crate) mod state;
