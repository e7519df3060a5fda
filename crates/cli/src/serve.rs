//! `clerk-mcp serve`: the remote MCP server.

use std::path::{Path, PathBuf};

use server::{
    Serve,
    config::{Config, Environment, Flags, Sources, Warning},
};

use crate::{failure::Failure, printer::Printer};

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
    let mut serve = Serve::new().flags(Flags {
        public_url: arguments.public_url,
        bind: arguments.bind,
        database: arguments.database,
    });
    if let Some(file) = arguments.config {
        serve = serve.config(file);
    }
    if arguments.check {
        return check(&told(serve.load()?, printer), printer).await;
    }
    Ok(serve.run().await?)
}

/// Tells all that is found, the faults last.
async fn check(config: &Config, printer: &Printer) -> Result<(), Failure> {
    let checked = server::check(config).await;
    printer.note(&checked.to_string());
    match checked.faults.len() {
        0 => printer.result("everything is in order"),
        1 => Err(Failure::failed("1 fault")),
        count => Err(Failure::failed(format!("{count} faults"))),
    }
}

/// The tools' part of the configuration in this file, with the environment over it; what of the rest is not
/// given is told.
pub(crate) fn read_tools(path: PathBuf, printer: &Printer) -> Result<Config, Failure> {
    Ok(told(Serve::new().config(path).load_for_tools()?, printer))
}

fn told((config, warnings): (Config, Vec<Warning>), printer: &Printer) -> Config {
    for warning in warnings {
        printer.warn(&warning.to_string());
    }
    config
}

/// Reads a configuration, prints its warnings, and fails with all of its faults.
pub(crate) fn load(
    toml: Option<(&str, &str)>,
    env: &Environment,
    flags: Flags,
    base_dir: &Path,
    read_file: &dyn Fn(&Path) -> std::io::Result<String>,
    printer: &Printer,
) -> Result<Config, Failure> {
    let sources = Sources {
        toml,
        env,
        flags,
        read_file,
        is_open_to_all: &server::process::is_open_to_all,
        base_dir,
        tools: &[],
    };
    match Config::load(sources) {
        Ok(loaded) => Ok(told(loaded, printer)),
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Err(Failure::usage(faults.join("\n")))
        }
    }
}
