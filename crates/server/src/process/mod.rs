//! What a process needs around a server: the machine's clock and randomness, its socket and files,
//! its signals, log lines, and an end with an exit code.

mod database_lock;
mod local_server;
pub mod logging;
mod machine;
mod needs;
pub mod signals;
mod start_error;

use std::path::Path;

pub(crate) use self::local_server::check;
pub use self::{
    local_server::{LocalServer, Neighbours},
    machine::Machine,
    start_error::StartError,
};
use crate::config::Environment;

/// The environment of this process. What has no name in UTF-8 is nothing that is looked for.
#[must_use]
pub fn environment() -> Environment {
    let variables = std::env::vars_os();
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .collect()
}

/// Whether every user of this machine may read a file, as far as its own mode tells.
#[must_use]
pub fn is_open_to_all(file: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(file).is_ok_and(|file| file.mode() & 0o004 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}
