//! What the server of `clerk-mcp dev` runs with: a configuration for each way to sign in, or the given
//! one, with the addresses and keys of what runs beside it.

use std::path::{Path, PathBuf};

use server::config::{Config, Flags};

use crate::{failure::Failure, printer::Printer, serve};

/// The OAuth application that the server is at the emulated Clerk. It opens nothing else.
pub(crate) const CLIENT_ID: &str = "clerk_mcp_emulated";
pub(crate) const CLIENT_SECRET: &str = "emulated-client-secret";

/// How people sign in, where no configuration says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SignInMode {
    /// At Clerk, whose OAuth application this server is
    ClerkOauth,
    /// Through the demonstration's application, with the session that they have there
    App,
    /// At Clerk, which issues the tokens itself
    ClerkTokens,
}

/// The addresses of what runs, as origins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses<'a> {
    pub(crate) mcp: &'a str,
    pub(crate) clerk: &'a str,
    pub(crate) app: &'a str,
}

/// What the server is told besides.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The configuration file, in place of the built-in one for `sign_in`.
    pub(crate) file: Option<PathBuf>,
    pub(crate) sign_in: SignInMode,
    /// A key that opens the emulated Clerk.
    pub(crate) secret_key: String,
    /// Whether the local Clerk has organizations.
    pub(crate) has_organizations: bool,
    pub(crate) database: PathBuf,
}

/// What every built-in configuration begins with.
const HEAD: &str = "name = \"Clerk MCP\"

[demo]
tools = true
";

const CLERK_OAUTH: &str = r#"
[sign_in]
organizations = true

# The API of the demonstration's application, called with Clerk's access token of whoever is signed in.
[api]
credential = "oauth"
"#;

const APP: &str = r#"
[sign_in]
mode = "app"

# The API of the demonstration's application, called as whoever is signed in there.
[api]
credential = "session"
"#;

const CLERK_TOKENS: &str = r#"
[sign_in]
mode = "clerk-tokens"
audience = "resource"
organizations = true
session = "ticket"

# The API of the demonstration's application, called in a session that this server starts for whoever is
# signed in; not for people with a second factor, for whom Clerk starts none.
[api]
credential = "session"
"#;

/// The line of these that asks for the organization of whoever signs in.
const ORGANIZATIONS: &str = "organizations = true\n";

/// What follows them.
const SHOP: &str = r#"openapi = "openapi.yaml"
exclude = ["sayHello"]

# Everybody: who am I, the demonstration's sum, what is theirs in the shop, and Clerk as far as they
# could go themselves.
[[access]]
everyone = true
tools = ["userInfo", "add", "api.*", "users", "organizations", "invitations"]
"#;

/// What every built-in configuration ends with.
const ROLES: &str = r#"
# Some roles, by `role` in public metadata.
[[access]]
role = ["admin", "premium"]
tools = ["generateImage"]

# Admins: the whole instance.
[[access]]
role = "admin"
tools = ["users", "organizations", "invitations"]
clerk = "instance"
"#;

/// Reads the configuration.
pub(crate) fn read(
    given: &Given,
    addresses: Addresses<'_>,
    printer: &Printer,
) -> Result<Config, Failure> {
    let (name, text) = match &given.file {
        None => {
            let own = match given.sign_in {
                SignInMode::ClerkOauth => CLERK_OAUTH,
                SignInMode::App => APP,
                SignInMode::ClerkTokens => CLERK_TOKENS,
            };
            // Clerk has no such scope there.
            let own = match given.has_organizations {
                true => own.to_owned(),
                false => own.replace(ORGANIZATIONS, ""),
            };
            let name = "the built-in configuration".to_owned();
            (name, [HEAD, &own, SHOP, ROLES].concat())
        }
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!(
                    "{}: cannot be read: {error}\nhint: check the path of --config",
                    path.display()
                ))
            })?;
            (path.display().to_string(), text)
        }
    };
    let names = |table, key| names(&text, table, key);
    // What the file leaves open is the demonstration's application.
    let file: toml::Table = text.parse().unwrap_or_default();
    let mode = file.get("sign_in").and_then(|section| section.get("mode"));
    let is_through_app = mode.and_then(toml::Value::as_str) == Some("app");
    let app_url =
        (is_through_app && !names("sign_in", "app_url")).then(|| addresses.app.to_owned());
    let api = (!names("api", "base_url")).then(|| format!("{}/api", addresses.app));
    // A real instance in the environment is never reached from here; secrets of clients and of the owner's
    // API, whatever they are called, are read.
    let is_of_an_instance = |name: &str| {
        let prefixes = ["CLERK_", "COOKIE_", "APP_URL"];
        let is_clients = name.starts_with("CLERK_MCP_CLIENT_SECRET_");
        prefixes.iter().any(|of| name.starts_with(of)) && !is_clients
    };
    let mut environment = server::process::environment()
        .without(is_of_an_instance)
        .with("CLERK_SECRET_KEY", &given.secret_key)
        .with("CLERK_API_URL", addresses.clerk)
        .with("CLERK_FRONTEND_API", addresses.clerk)
        .with("CLERK_CLIENT_ID", CLIENT_ID)
        .with("CLERK_CLIENT_SECRET", CLIENT_SECRET);
    let left_open = [("APP_URL", app_url), ("CLERK_MCP_API_BASE_URL", api)];
    for (name, value) in left_open {
        if let Some(value) = value {
            environment = environment.with(name, value);
        }
    }
    let flags = Flags {
        public_url: Some(addresses.mcp.to_owned()),
        bind: addresses.mcp.strip_prefix("http://").map(str::to_owned),
        database: Some(given.database.display().to_string()),
    };
    let base = given.file.as_deref().and_then(Path::parent);
    let is_built_in = given.file.is_none();
    serve::load(
        Some((&name, &text)),
        &environment,
        flags,
        base.unwrap_or(Path::new("")),
        &|path| match is_built_in {
            true => Ok(demo::OPENAPI.to_owned()),
            false => std::fs::read_to_string(path),
        },
        printer,
    )
}

/// Whether a configuration gives a key of a table a value. One that is no TOML does not: reading it
/// whole says what is wrong.
fn names(text: &str, table: &str, key: &str) -> bool {
    let file: toml::Table = text.parse().unwrap_or_default();
    let table = file.get(table).and_then(toml::Value::as_table);
    table.is_some_and(|table| table.contains_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_their_tables_alone() {
        let text = "app_url = 1\n[sign_in]\nmode = \"app\"\n[api]\nbase_url = \"x\"\n";
        assert!(names(text, "api", "base_url"));
        assert!(!names(text, "sign_in", "app_url"));
        assert!(!names("[api", "api", "base_url"));
    }
}
