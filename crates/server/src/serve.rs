//! A whole program: what `clerk-mcp serve` is, with tools of one's own.

use std::{
    fmt,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    Checked, MCP_PATH, check,
    config::{Config, ConfigFault, Flags, Sources, Warning},
    process::{self, LocalServer, Neighbours, StartError, signals},
    rust_tools::{RustTool, Tool},
};

/// The configuration that is read where no other is named, if it is there.
pub const DEFAULT_CONFIG: &str = "clerk-mcp.toml";

/// A server program: its configuration from a file, the environment and flags, its state in SQLite,
/// ended by SIGINT or SIGTERM. `clerk-mcp serve` is this, without tools of its own.
///
/// ```no_run
/// # use clerk_mcp_server::{Context, Hints, NoArguments, Tool, ToolError};
/// # struct Ping;
/// # impl Tool for Ping {
/// #     type Arguments = NoArguments;
/// #     type Output = String;
/// #     const NAME: &'static str = "ping";
/// #     const DESCRIPTION: &'static str = "Says pong.";
/// #     const HINTS: Hints = Hints::READ;
/// #     async fn call(&self, _: NoArguments, _: Context<'_>) -> Result<String, ToolError> {
/// #         Ok("pong".to_owned())
/// #     }
/// # }
/// #[tokio::main]
/// async fn main() -> std::process::ExitCode {
///     clerk_mcp_server::Serve::new().tool(Ping).main().await
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Serve {
    config: Option<PathBuf>,
    flags: Flags,
    tools: Vec<RustTool>,
}

impl Serve {
    /// The server that `clerk-mcp.toml` in the working directory and the environment describe.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads this file, which must be there, in place of [`DEFAULT_CONFIG`], which need not.
    #[must_use]
    pub fn config(self, file: impl Into<PathBuf>) -> Self {
        Self {
            config: Some(file.into()),
            ..self
        }
    }

    /// Settings of the command line; they win over environment and file.
    #[must_use]
    pub fn flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    /// Adds a tool. Nobody has it until an access rule names it.
    #[must_use]
    pub fn tool<T: Tool>(mut self, tool: T) -> Self {
        self.tools.push(RustTool::new(tool));
        self
    }

    /// Reads the configuration. Nothing is opened or sent.
    ///
    /// # Errors
    /// Everything that is wrong with it and with the tools, a line and a hint for each.
    pub fn load(&self) -> Result<(Config, Vec<Warning>), StartError> {
        self.load_by(Config::load)
    }

    /// Reads the configuration for its tools alone ([`Config::load_for_tools`]).
    ///
    /// # Errors
    /// As [`Serve::load`].
    pub fn load_for_tools(&self) -> Result<(Config, Vec<Warning>), StartError> {
        self.load_by(Config::load_for_tools)
    }

    /// Reads where the server listens, and nothing else of the configuration ([`Config::load_bind`]).
    ///
    /// # Errors
    /// When the file cannot be read, or `bind` is no address and port.
    pub fn load_bind(&self) -> Result<SocketAddr, StartError> {
        self.load_by(Config::load_bind)
    }

    fn load_by<T>(
        &self,
        load: impl FnOnce(Sources<'_>) -> Result<T, Vec<ConfigFault>>,
    ) -> Result<T, StartError> {
        let named = self.config.as_deref();
        let path = named.unwrap_or(Path::new(DEFAULT_CONFIG));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(StartError::usage(format!(
                    "{}: cannot be read: {error}\nhint: check the path, and that the server's user may read it",
                    path.display()
                )));
            }
        };
        let name = path.display().to_string();
        let sources = Sources {
            toml: text.as_deref().map(|text| (name.as_str(), text)),
            env: &process::environment(),
            flags: self.flags.clone(),
            read_file: &|path| std::fs::read_to_string(path),
            is_open_to_all: &process::is_open_to_all,
            base_dir: path.parent().unwrap_or(Path::new("")),
            tools: &self.tools,
        };
        load(sources).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            StartError::usage(faults.join("\n"))
        })
    }

    /// Reads the configuration, and tries what only shows once Clerk and the database are asked: what
    /// `clerk-mcp serve --check` does, with the tools of this program besides. Nothing is served, made or
    /// changed.
    ///
    /// # Errors
    /// As [`Serve::load`]. What is wrong elsewhere is in [`Checked::faults`].
    pub async fn check(&self) -> Result<(Checked, Vec<Warning>), StartError> {
        let (config, warnings) = self.load()?;
        Ok((check(&config).await, warnings))
    }

    /// [`Serve::check`], with what was found written to standard error: 0 where all is in order, 2 where
    /// configuration or tools are wrong, 1 where something else is.
    pub async fn check_main(&self) -> ExitCode {
        match self.check().await {
            Ok((checked, warnings)) => {
                for warning in warnings {
                    say(format_args!("warning: {warning}"));
                }
                say(format_args!("checked\n{checked}"));
                ExitCode::from(u8::from(!checked.is_good()))
            }
            Err(error) => {
                say(format_args!("{error}"));
                ExitCode::from(error.exit_code())
            }
        }
    }

    /// Serves until SIGINT or SIGTERM, then finishes what is open. What there is to know goes to
    /// standard error: warnings, where it serves, and log lines from `CLERK_MCP_LOG` upwards.
    ///
    /// # Errors
    /// [`StartError`] when it cannot start.
    pub async fn run(self) -> Result<(), StartError> {
        let terminated = signals::terminated();
        let (config, warnings) = self.load()?;
        for warning in warnings {
            say(format_args!("warning: {warning}"));
        }
        let server = LocalServer::start(&config, Neighbours::of_this_machine()).await?;
        say(format_args!(
            "serving {} on {}",
            config.public_url.join(MCP_PATH),
            server.address()
        ));
        let stopped = async {
            let signal = terminated.await;
            say(format_args!("{signal}: finishing what is open"));
        };
        server.serve(stopped).await;
        Ok(())
    }

    /// [`Serve::run`], with a failure written to standard error: 2 where configuration or tools are
    /// wrong, 1 where something else is.
    pub async fn main(self) -> ExitCode {
        match self.run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(format_args!("{error}"));
                ExitCode::from(error.exit_code())
            }
        }
    }
}

/// To standard error. Whether anybody reads it is not the program's business.
fn say(message: fmt::Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("clerk-mcp: {message}\n").as_bytes());
}
