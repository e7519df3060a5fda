//! Every environment variable the program reads besides those of the server, each declared once.

use std::env;

use crate::failure::Failure;

/// The instance's secret key.
pub(crate) const CLERK_SECRET_KEY: &str = "CLERK_SECRET_KEY";
/// The Backend API's address.
pub(crate) const CLERK_API_URL: &str = "CLERK_API_URL";
/// `v1`, as Clerk's SDKs read it, or a date for the `Clerk-API-Version` header.
pub(crate) const CLERK_API_VERSION: &str = "CLERK_API_VERSION";
/// How much is logged.
pub(crate) use server::process::logging::CLERK_MCP_LOG;

/// The Frontend API's address; the configuration's own, which `impersonate` asks for too.
pub(crate) const CLERK_FRONTEND_API: &str = "CLERK_FRONTEND_API";
/// The instance's publishable key, which names the Frontend API.
pub(crate) const CLERK_PUBLISHABLE_KEY: &str = "CLERK_PUBLISHABLE_KEY";
/// Where a user's programs keep their state (XDG Base Directory Specification).
pub(crate) const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// The user's own folder; state is below it unless `XDG_STATE_HOME` says otherwise.
pub(crate) const HOME: &str = "HOME";
/// Where a user's programs keep their state on Windows.
pub(crate) const LOCALAPPDATA: &str = "LOCALAPPDATA";

/// The variable's value; an empty one counts as absent.
///
/// # Errors
/// When it is not UTF-8.
pub(crate) fn read(name: &'static str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value.trim().to_owned())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::usage(format!(
            "{name} is not valid text\nhint: set it again"
        ))),
    }
}
