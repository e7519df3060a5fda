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

/// The lines of the file that a flag names; `None` where it is not given.
///
/// # Errors
/// When the file cannot be read.
pub fn lines(name: &str) -> Result<Option<Vec<String>>> {
    let file: String = flag(name, String::new())?;
    if file.is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    Ok(Some(text.lines().map(str::to_owned).collect()))
}
