//! The application beside the emulator, in one process: the API, and the ways of a browser.

#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod browser;
mod world;
