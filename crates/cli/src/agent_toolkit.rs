//! The command line of `@clerk/agent-toolkit`, so that an old client configuration needs only its
//! command changed: `-p local-mcp` (npx's way to name the toolkit's binary) means `stdio`, and `--tools`
//! may have several values there.

use std::ffi::{OsStr, OsString};

use crate::failure::Failure;

/// Rewrites an old command line; a present one passes unchanged.
///
/// # Errors
/// When `-p` names something that the toolkit never had.
pub(crate) fn translate(arguments: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let mut translated = Vec::new();
    let mut is_old = false;
    let mut rest = arguments.into_iter();
    translated.extend(rest.next());
    // After a subcommand, `-p` is the subcommand's affair.
    let mut in_subcommand = false;
    while let Some(argument) = rest.next() {
        let named = match argument.to_str() {
            _ if in_subcommand || is_old => None,
            Some("-p" | "--package") => Some(rest.next().unwrap_or_default()),
            Some(text) => text
                .strip_prefix("-p=")
                .or_else(|| text.strip_prefix("--package="))
                .map(OsString::from),
            None => None,
        };
        match named {
            Some(name) if name == OsStr::new("local-mcp") => is_old = true,
            Some(name) => {
                let name = name.to_string_lossy();
                return Err(Failure::usage(format!(
                    "-p {name:?} is unknown\nhint: -p local-mcp is the only one that \
                     @clerk/agent-toolkit had; it means `clerk-mcp stdio`"
                )));
            }
            None => {
                in_subcommand |= !argument.to_string_lossy().starts_with('-')
                    && !is_old
                    && translated.len() == 1;
                translated.push(argument);
            }
        }
    }
    if !is_old {
        return Ok(translated);
    }
    let mut old = one_value_each(translated);
    old.insert(1.min(old.len()), "stdio".into());
    Ok(old)
}

/// `--tools users organizations`, as the toolkit's README had it, with the flag before each value.
fn one_value_each(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut each = Vec::new();
    let mut after_value = false;
    for (place, argument) in arguments.iter().enumerate() {
        let text = argument.to_string_lossy();
        if text.starts_with('-') {
            after_value = text.starts_with("--tools=") || text.starts_with("-t=");
        } else if after_value {
            each.push("--tools".into());
        } else {
            let before = place.checked_sub(1).and_then(|place| arguments.get(place));
            after_value = before.is_some_and(|flag| flag == "--tools" || flag == "-t");
        }
        each.push(argument.clone());
    }
    each
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(line: &str) -> Result<String, String> {
        let arguments = line.split(' ').map(OsString::from).collect();
        let translated = translate(arguments).map_err(|failure| failure.to_string())?;
        Ok(translated.join(OsStr::new(" ")).into_string().unwrap())
    }

    #[test]
    fn old_lines_mean_stdio() {
        for (old, new) in [
            ("clerk-mcp -p local-mcp", "clerk-mcp stdio"),
            (
                "clerk-mcp -p=local-mcp --tools users",
                "clerk-mcp stdio --tools users",
            ),
            (
                "clerk-mcp --tools users -p local-mcp",
                "clerk-mcp stdio --tools users",
            ),
            (
                "clerk-mcp -p local-mcp -t * --sk x",
                "clerk-mcp stdio -t * --sk x",
            ),
            (
                "clerk-mcp -p local-mcp --tools users organizations --sk x",
                "clerk-mcp stdio --tools users --tools organizations --sk x",
            ),
            (
                "clerk-mcp --sk x -t=users.getUser a b -p=local-mcp",
                "clerk-mcp stdio --sk x -t=users.getUser --tools a --tools b",
            ),
        ] {
            assert_eq!(translated(old).as_deref(), Ok(new), "{old}");
        }
    }

    #[test]
    fn new_lines_pass_unchanged() {
        for line in [
            "clerk-mcp",
            "clerk-mcp stdio --emulate",
            "clerk-mcp emulate -p 8789",
            "clerk-mcp call --tools users getUserCount",
        ] {
            assert_eq!(translated(line).as_deref(), Ok(line));
        }
    }

    #[test]
    fn an_unknown_package_is_named() {
        assert!(
            translated("clerk-mcp -p remote-mcp")
                .unwrap_err()
                .contains("remote-mcp")
        );
        assert!(
            translated("clerk-mcp -p")
                .unwrap_err()
                .contains("hint: -p local-mcp")
        );
    }
}
