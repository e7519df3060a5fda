//! `--name value` on the command line.

use std::str::FromStr;

use crate::Result;

/// The value of a flag, or `default` where it is not given.
///
/// # Errors
/// When the value is missing or of another kind.
pub fn flag<T: FromStr>(name: &str, default: T) -> Result<T> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    if arguments.next().is_none() {
        return Ok(default);
    }
    let value = arguments
        .next()
        .ok_or_else(|| format!("{name} needs a value"))?;
    value
        .parse()
        .map_err(|_| format!("{name} {value:?} cannot be read").into())
}
