//! `clerk-mcp serve`: the remote MCP server.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clerk::HttpTransport;
use server::config::{Config, Flags, Sources};

use crate::{
    check, environment,
    failure::Failure,
    logging,
    printer::Printer,
    remote::{Remote, Surrounded},
    signals,
};

/// The configuration that is read where no other is named, if it is there.
const DEFAULT_CONFIG: &str = "clerk-mcp.toml";

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArguments {
    /// Configuration file [default: clerk-mcp.toml, if there is one]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients reach the server: https, or http on loopback
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
    /// Database file
    #[arg(long, value_name = "FILE")]
    database: Option<String>,
    /// Check the configuration, Clerk and the OAuth application, and end
    #[arg(long)]
    check: bool,
}

/// Serves until SIGINT or SIGTERM.
pub(crate) async fn run(arguments: ServeArguments, printer: &Printer) -> Result<(), Failure> {
    let terminated = signals::terminated();
    let check_only = arguments.check;
    let config = read(arguments, printer)?;
    if check_only {
        return check::run(&config, printer).await;
    }
    logging::start(true)?;
    let surrounded = Surrounded {
        env: Arc::new(crate::machine::Machine),
        clerk: Arc::new(HttpTransport::new()),
        people: Vec::new(),
    };
    let remote = Remote::start(&config, surrounded).await?;
    printer.note(&format!(
        "clerk-mcp: serving {} on {}",
        config.public_url.join(server::MCP_PATH),
        remote.address()
    ));
    let stopped = async {
        let signal = terminated.await;
        printer.note(&format!("clerk-mcp: {signal}: finishing what is open"));
    };
    remote.serve(stopped).await
}

/// The configuration in this file, with the environment over it.
pub(crate) fn read_file(path: PathBuf, printer: &Printer) -> Result<Config, Failure> {
    let arguments = ServeArguments {
        config: Some(path),
        public_url: None,
        bind: None,
        database: None,
        check: false,
    };
    read(arguments, printer)
}

fn read(arguments: ServeArguments, printer: &Printer) -> Result<Config, Failure> {
    let named = arguments.config.is_some();
    let path = arguments.config.unwrap_or_else(|| DEFAULT_CONFIG.into());
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if !named && error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::usage(format!(
                "{}: cannot be read: {error}\nhint: name the configuration file with --config",
                path.display()
            )));
        }
    };
    let flags = Flags {
        public_url: arguments.public_url,
        bind: arguments.bind,
        database: arguments.database,
    };
    let name = path.display().to_string();
    load(
        text.as_deref().map(|text| (name.as_str(), text)),
        &environment::read_any,
        flags,
        path.parent().unwrap_or(Path::new("")),
        printer,
    )
}

/// Reads a configuration, prints its warnings, and fails with all of its faults.
pub(crate) fn load(
    toml: Option<(&str, &str)>,
    env: &dyn Fn(&str) -> Option<String>,
    flags: Flags,
    base_dir: &Path,
    printer: &Printer,
) -> Result<Config, Failure> {
    let sources = Sources {
        toml,
        env,
        flags,
        read_file: &|path| std::fs::read_to_string(path),
        base_dir,
    };
    match Config::load(sources) {
        Ok((config, warnings)) => {
            for warning in warnings {
                printer.warn(&warning.to_string());
            }
            Ok(config)
        }
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Err(Failure::usage(faults.join("\n")))
        }
    }
}
