//! Calls of the owner's API, by whatever tool: requests go below its base URL and nowhere else, and the
//! credential that they carry is in no answer.

mod base_url;
mod echo;

pub use base_url::{BaseUrl, BaseUrlError, PathError};
pub use echo::hide;
