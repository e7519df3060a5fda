//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::call_api_as::CallApiAsArguments;

/// Safe access to Clerk for AI agents.
#[derive(Debug, Parser)]
#[command(name = "clerk-mcp", version, max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl CommandLine {
    /// Reads it. Where that fails, or help is asked for, clap prints and ends the process.
    pub(crate) fn read(arguments: &[OsString]) -> Self {
        Self::try_parse_from(arguments).unwrap_or_else(|mut error| {
            if let Some(tip) = one_value_of_tools(&error, arguments) {
                error.insert(
                    ContextKind::Suggested,
                    ContextValue::StyledStrs(vec![tip.into()]),
                );
            }
            error.exit()
        })
    }
}

/// For a value too many right after `--tools`: how to write several.
fn one_value_of_tools(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    if !matches!(
        error.kind(),
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand
    ) {
        return None;
    }
    let Some(ContextValue::String(unexpected)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if unexpected.starts_with('-') {
        return None;
    }
    let place = arguments.iter().position(|given| given == &**unexpected)?;
    let before = |by: usize| arguments.get(place.checked_sub(by)?)?.to_str();
    let joined = before(1).and_then(|given| {
        given
            .strip_prefix("--tools=")
            .or_else(|| given.strip_prefix("-t="))
    });
    let apart = before(1).filter(|_| matches!(before(2), Some("--tools" | "-t")));
    let value = joined.or(apart)?;
    Some(format!(
        "'--tools' takes one value; write several as '--tools {value},{unexpected}'"
    ))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the Clerk tools to an MCP client over standard input and output
    Stdio(Box<ServiceArguments>),
    /// List the tools that the same flags would serve
    Tools(ToolsArguments),
    /// Call one tool and print its result
    Call(Box<CallArguments>),
    /// Try it all: the remote MCP server beside a local Clerk, without an account
    Dev(crate::dev::DevArguments),
    /// Serve the remote MCP server: OAuth 2.1 for MCP clients, sign-in through Clerk
    Serve(crate::serve::ServeArguments),
    /// Run a local Clerk over seeded data, on a loopback port
    Emulate(crate::emulate::Args),
    /// Act as another user, on the record: a sign-in link, or session tokens
    Impersonate(Box<crate::impersonate::ImpersonateArguments>),
    /// Ask a running server whether it is ready: for containers and scripts
    Healthcheck(crate::healthcheck::HealthcheckArguments),
}

/// What is served, and to whom. The same for every command that calls tools.
#[derive(Debug, Args)]
pub(crate) struct ServiceArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// When to ask a person before destructive calls
    #[arg(long, value_enum, default_value_t = ConfirmWhen::Auto)]
    pub(crate) confirm: ConfirmWhen,
    /// Append one JSON line for each tool call to this file (default: standard error)
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) call_api_as: CallApiAsArguments,
}

/// Which tools.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Tools to serve: `*`, `users`, `users.*`, `users.getUserCount`; several with commas, or with the
    /// flag again
    #[arg(long, short = 't', value_name = "PATTERNS")]
    pub(crate) tools: Vec<String>,
    /// Serve only tools that change nothing
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Let private metadata through in results
    #[arg(long)]
    pub(crate) allow_private_metadata: bool,
    /// Act as this signed-in user: only what they could do themselves
    #[arg(long, value_name = "USER_ID")]
    pub(crate) user: Option<String>,
    /// With --user: act in this organization and no other
    #[arg(long, value_name = "ORGANIZATION_ID", requires = "user")]
    pub(crate) org: Option<String>,
    /// With --user: allow no more than this role, such as org:member
    #[arg(long, value_name = "ROLE", requires = "user")]
    pub(crate) role: Option<String>,
}

/// Which Clerk.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Secret key (better: CLERK_SECRET_KEY, which other users of this machine cannot see)
    #[arg(long, visible_alias = "sk", alias = "secretKey", value_name = "KEY")]
    pub(crate) secret_key: Option<String>,
    /// Backend API address [default: `CLERK_API_URL`, else Clerk's own]
    #[arg(long, alias = "apiUrl", value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// Use a local Clerk inside this process: no key, no network
    #[arg(long, conflicts_with_all = ["secret_key", "api_url"])]
    pub(crate) emulate: bool,
    /// Seed of the local Clerk (TOML, YAML or JSON)
    #[arg(long, value_name = "FILE", requires = "emulate")]
    pub(crate) seed: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ToolsArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Print the definitions as MCP clients get them
    #[arg(long)]
    pub(crate) json: bool,
    /// Show the tools over the API of this configuration of `serve`, and who has them; with --json
    /// their definitions
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tools", "read_only", "user"])]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(override_usage = "clerk-mcp call <TOOL> [KEY=VALUE]... [OPTIONS]")]
pub(crate) struct CallArguments {
    /// The tool's name
    pub(crate) tool: String,
    /// Its arguments: userId=user_…, lists with commas, JSON with name:=…
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) arguments: Vec<String>,
    /// Its arguments as one JSON object; `-` reads it from standard input
    #[arg(long, value_name = "JSON", conflicts_with = "arguments")]
    pub(crate) json: Option<String>,
    /// Do not ask before destructive calls; without a terminal they are refused otherwise
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfirmWhen {
    /// When the client can ask; otherwise its own approval applies
    Auto,
    /// Always; refuse where nobody can be asked
    Always,
    /// Never; the client's own approval applies
    Never,
}

impl From<ConfirmWhen> for mcp::Confirm {
    fn from(when: ConfirmWhen) -> Self {
        match when {
            ConfirmWhen::Auto => Self::Auto,
            ConfirmWhen::Always => Self::Always,
            ConfirmWhen::Never => Self::Never,
        }
    }
}
