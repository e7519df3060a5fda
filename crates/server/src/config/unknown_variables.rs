//! Variables that look like settings and are none: a typing mistake must not change nothing in silence.

use std::collections::BTreeSet;

use toolkit::{pattern::nearest_within, text::escape_str};

use super::{
    environment::Environment,
    fault::{Place, Warning, shown},
    settings::{ALL, Kind, Setting},
};

/// What this program's variables begin with. Others (`CLERK_…`) are Clerk's SDKs' as well, each of which
/// has some that mean nothing here.
const PREFIX: &str = "CLERK_MCP_";
/// Those that are no settings.
const OTHERS: [&str; 2] = [
    crate::process::logging::CLERK_MCP_LOG,
    crate::http_tools::BASE_URL_VARIABLE,
];

/// A warning for each variable that nothing reads. `asked` are the names that this configuration was read
/// from, or would have been.
pub(super) fn unknown_variables(
    environment: &Environment,
    asked: &BTreeSet<String>,
) -> Vec<Warning> {
    let known: BTreeSet<String> = ALL.iter().flat_map(|setting| variables(setting)).collect();
    let is_known =
        |name: &str| asked.contains(name) || known.contains(name) || OTHERS.contains(&name);
    let set = environment.set();
    set.filter(|(name, value)| {
        let rest = name.strip_prefix(PREFIX);
        rest.is_some_and(|rest| !is_known(name) && !is_of_the_surroundings(rest, value.text()))
    })
    .map(|(name, _)| Warning {
        // What a name may hold is the operating system's affair.
        place: Place::Variable(escape_str(name).replace('\n', "\\n")),
        problem: "no setting has this variable: it changes nothing".to_owned(),
        hint: hint(name, asked, &known),
    })
    .collect()
}

/// The variables of a setting, but for one that each entry of a table has for itself.
fn variables(setting: &Setting) -> Vec<String> {
    let Some(name) = setting.env.filter(|name| !name.contains('<')) else {
        return Vec::new();
    };
    let file = (setting.kind == Kind::Secret).then(|| format!("{name}_FILE"));
    file.into_iter().chain([name.to_owned()]).collect()
}

/// Whether others set such variables around this program: Kubernetes and Docker for a service of its
/// name, whoever starts it to say where it is (`CLERK_MCP_BIN`).
fn is_of_the_surroundings(rest: &str, value: &str) -> bool {
    let is_service = rest.ends_with("SERVICE_HOST") || rest.contains("SERVICE_PORT");
    let is_link = value.starts_with("tcp://") || value.starts_with("udp://");
    let is_link_part = ["_TCP_", "_UDP_"].iter().any(|part| {
        let port = rest.split_once(part).map(|(port, _)| port);
        port.is_some_and(|port| port.contains("PORT_"))
    });
    // An address that was meant for `CLERK_MCP_BIND` is no path.
    let is_program = rest.ends_with("BIN") && value.contains(std::path::is_separator);
    is_service || is_link || is_link_part || is_program
}

fn hint(name: &str, asked: &BTreeSet<String>, known: &BTreeSet<String>) -> String {
    const CLIENT_SECRET: &str = "CLERK_MCP_CLIENT_SECRET_";
    if let Some(meant) = setting_of(name) {
        return match meant.env {
            Some(variable) => format!("did you mean {variable}?"),
            None => format!(
                "`{}` has no variable: set it in the file",
                meant.key.replace("[]", "")
            ),
        };
    }
    if name.starts_with(CLIENT_SECRET) {
        let clients = asked.iter().filter(|name| name.starts_with(CLIENT_SECRET));
        let clients: Vec<&str> = clients.map(String::as_str).collect();
        return match clients.as_slice() {
            [] => "it would be the secret of a client, and [[oauth.clients]] has none".to_owned(),
            clients => format!(
                "the clients of [[oauth.clients]] have {}",
                clients.join(", ")
            ),
        };
    }
    let candidates = || known.iter().map(String::as_str).chain(OTHERS);
    // As for keys of the file, but that these are longer: a third of what was typed may be wrong.
    let rest = name.len().saturating_sub(PREFIX.len());
    if let Some(near) = nearest_within(name, rest.div_ceil(3), candidates()) {
        return format!("did you mean {near}?");
    }
    let ours: Vec<&str> = candidates()
        .filter(|name| name.starts_with(PREFIX))
        .collect();
    format!(
        "the variables that begin like that are {}; {} would be none of them",
        ours.join(", "),
        shown(name)
    )
}

/// The setting whose key the name repeats: `CLERK_MCP_READ_ONLY`, `CLERK_MCP_STORAGE_PATH`.
fn setting_of(name: &str) -> Option<&'static Setting> {
    let rest = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
    let rest = rest.strip_suffix("_file").unwrap_or(&rest);
    let is_whole = |setting: &&&Setting| setting.key.replace("[]", "").replace('.', "_") == rest;
    let is_last = |setting: &&&Setting| setting.key.rsplit('.').next() == Some(rest);
    let once = || ALL.iter().filter(|setting| !setting.key.contains("[]"));
    let found = once().find(is_whole).or_else(|| once().find(is_last));
    found.copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(variables: &[(&str, &str)], asked: &[&str]) -> Vec<String> {
        let environment = variables.iter().copied().collect();
        let asked = asked.iter().map(|name| (*name).to_owned()).collect();
        let warnings = unknown_variables(&environment, &asked);
        warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_variable_that_nothing_reads_is_told_with_the_one_that_was_meant() {
        for (name, meant) in [
            ("CLERK_MCP_PUBLIC_URI", "did you mean CLERK_MCP_PUBLIC_URL?"),
            ("CLERK_MCP_PUBLICURL", "did you mean CLERK_MCP_PUBLIC_URL?"),
            (
                "CLERK_MCP_TRUSTED_PROXY",
                "did you mean CLERK_MCP_TRUSTED_PROXIES?",
            ),
            ("CLERK_MCP_BIN", "did you mean CLERK_MCP_BIND?"),
            ("CLERK_MCP_LOGS", "did you mean CLERK_MCP_LOG?"),
            ("CLERK_MCP_SECRET_KEY", "did you mean CLERK_SECRET_KEY?"),
            (
                "CLERK_MCP_SECRET_KEY_FILE",
                "did you mean CLERK_SECRET_KEY?",
            ),
            ("CLERK_MCP_STORAGE_PATH", "did you mean CLERK_MCP_DATABASE?"),
            (
                "CLERK_MCP_API_BASEURL",
                "did you mean CLERK_MCP_API_BASE_URL?",
            ),
            (
                "CLERK_MCP_READ_ONLY",
                "`policy.read_only` has no variable: set it in the file",
            ),
            (
                "CLERK_MCP_LIMITS_MAX_BODY",
                "`limits.max_body` has no variable: set it in the file",
            ),
            (
                "CLERK_MCP_CLIENT_SECRET_OTHER",
                "[[oauth.clients]] have CLERK_MCP_CLIENT_SECRET_MINE",
            ),
            (
                "CLERK_MCP_NOTHING_LIKE_IT",
                "are CLERK_MCP_ALLOWED_ORIGINS, ",
            ),
        ] {
            let warned = warned(&[(name, "0.0.0.0:8788")], &["CLERK_MCP_CLIENT_SECRET_MINE"]);
            assert_eq!(warned.len(), 1, "{name}: {warned:?}");
            let begins =
                format!("{name}: no setting has this variable: it changes nothing\nhint: ");
            assert!(warned[0].starts_with(&begins), "{warned:?}");
            assert!(warned[0].contains(meant), "{warned:?}");
            assert!(!warned[0].contains("8788"), "{warned:?}");
        }
    }

    #[test]
    fn what_is_read_empty_or_of_the_surroundings_is_not_told() {
        let fine = [
            ("CLERK_MCP_PUBLIC_URL", "x"),
            ("CLERK_MCP_AUDIENCE", "x"),
            ("CLERK_MCP_LOG", "x"),
            ("CLERK_MCP_API_BASE_URL", "x"),
            ("CLERK_MCP_CLIENT_SECRET_MINE", "x"),
            ("CLERK_MCP_PUBLIC_URI", " "),
            ("CLERK_MCPX", "x"),
            ("CLERK_JWT_KEY", "x"),
            ("CLERK_MCP_BIN", "/repo/target/release/clerk-mcp"),
            (
                "CLERK_MCP_BENCH_SERVER_BIN",
                "target/release/clerk-mcp-bench-server",
            ),
            ("CLERK_MCP_SERVICE_HOST", "10.0.0.7"),
            ("CLERK_MCP_SERVICE_PORT", "8788"),
            ("CLERK_MCP_SERVICE_PORT_HTTP", "8788"),
            ("CLERK_MCP_PORT", "tcp://10.0.0.7:8788"),
            ("CLERK_MCP_PORT_8788_TCP", "tcp://10.0.0.7:8788"),
            ("CLERK_MCP_PORT_8788_TCP_PROTO", "tcp"),
            ("CLERK_MCP_PORT_8788_TCP_ADDR", "10.0.0.7"),
        ];
        let told = warned(&fine, &["CLERK_MCP_CLIENT_SECRET_MINE"]);
        assert!(told.is_empty(), "{told:?}");
    }

    #[test]
    fn every_variable_of_a_setting_is_known() {
        for setting in ALL {
            for name in variables(setting) {
                let told = warned(&[(&name, "x")], &[]);
                assert!(told.is_empty(), "{told:?}");
            }
        }
    }
}
