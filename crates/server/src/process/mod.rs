//! What a process needs around a server: the machine's clock and randomness, its socket and files,
//! its signals, log lines, and an end with an exit code.

mod local_server;
pub mod logging;
mod machine;
pub mod signals;
mod start_error;

pub use self::{
    local_server::{LocalServer, Neighbours, storage_fault},
    machine::Machine,
    start_error::StartError,
};
