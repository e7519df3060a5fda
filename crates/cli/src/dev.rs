//! `clerk-mcp dev`: a local Clerk and the remote MCP server beside it, without an account, a
//! configuration or the network.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use emulator::Emulator;
use server::{
    app::EmulatedPerson,
    config::Flags,
    process::{LocalServer, Neighbours},
};
use tokio_util::sync::CancellationToken;

use crate::{
    emulate::{self, Saving},
    emulated::{EmulatedClerk, EmulatedClock},
    environment,
    failure::Failure,
    logging,
    people::Table,
    printer::Printer,
    serve, signals,
};

/// The OAuth application that the server is at the emulated Clerk. It opens nothing else.
const CLIENT_ID: &str = "clerk_mcp_emulated";
const CLIENT_SECRET: &str = "emulated-client-secret";

#[derive(Debug, clap::Args)]
pub(crate) struct DevArguments {
    /// Port of the MCP server; 0 takes a free one
    #[arg(long, default_value_t = 8788)]
    port: u16,
    /// Port of the local Clerk; 0 takes a free one
    #[arg(long, default_value_t = 8789)]
    clerk_port: u16,
    /// Folder for what is kept between runs
    #[arg(long, value_name = "FOLDER", default_value = ".clerk-mcp")]
    dir: PathBuf,
    /// Users and organizations to begin with (.toml, .yaml or .json); used when the folder is new
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Forget what is kept, and begin anew
    #[arg(long)]
    fresh: bool,
    /// Configuration in place of the built-in one; addresses, Clerk and storage stay those of `dev`
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs both until SIGINT or SIGTERM.
pub(crate) async fn run(arguments: DevArguments, printer: &Printer) -> Result<(), Failure> {
    let terminated = signals::terminated();
    logging::start(true)?;
    let folder = Folder::open(&arguments)?;
    let (emulator, restored) = emulate::load(arguments.seed.as_deref(), Some(&folder.emulator()))?;
    if restored && arguments.seed.is_some() {
        printer.warn("--seed is not used: the folder is not new\nhint: begin anew with --fresh");
    }
    let emulator = Arc::new(emulator);
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (clerk_listener, clerk_address) =
        emulate::listen(loopback(arguments.clerk_port), "--clerk-port").await?;
    let clerk_url = format!("http://{clerk_address}");
    emulator.set_url(&clerk_url);
    // The server's own port has to be known before its configuration can name it.
    let (listener, address) = emulate::listen(loopback(arguments.port), "--port").await?;
    let public_url = format!("http://{address}");
    emulator
        .ensure_oauth_application(
            CLIENT_ID,
            Some(CLIENT_SECRET),
            &[&format!("{public_url}/callback")],
        )
        .map_err(Failure::failed)?;
    let config = config(
        &arguments,
        &folder,
        &emulator,
        &clerk_url,
        &public_url,
        printer,
    )?;
    let people = people(&emulator);
    let surrounded = Neighbours {
        env: Arc::new(EmulatedClock(Arc::clone(&emulator))),
        clerk: Arc::new(EmulatedClerk(Arc::clone(&emulator))),
        people: people.clone(),
    };
    let remote = LocalServer::on(listener, address, &config, surrounded).await?;
    let saving = Saving::begin(&emulator, Some(&folder.emulator()))?;
    printer.note(&banner(&public_url, &clerk_url, &people, &arguments.dir)?);

    let stop = CancellationToken::new();
    let clerk = emulate::serve_until(
        clerk_listener,
        &emulator,
        saving,
        stop.cancelled(),
        *printer,
    );
    let serving = async {
        let stopped = async {
            terminated.await;
        };
        remote.serve(stopped).await;
        // Open calls of the server still need their Clerk: it ends after them.
        stop.cancel();
    };
    let (saved, ()) = tokio::join!(clerk, serving);
    saved
}

/// Where everything is kept.
struct Folder(PathBuf);

impl Folder {
    fn open(arguments: &DevArguments) -> Result<Self, Failure> {
        let folder = Self(arguments.dir.clone());
        let cannot = |what: &str, error: std::io::Error| {
            Failure::usage(format!(
                "{}: {what}: {error}\nhint: name another folder with --dir",
                folder.0.display()
            ))
        };
        if arguments.fresh {
            for file in folder.files() {
                match std::fs::remove_file(&file) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(cannot("cannot be emptied", error));
                    }
                    _ => {}
                }
            }
        }
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&folder.0)
            .map_err(|error| cannot("cannot be made", error))?;
        // What is kept here is nobody's source.
        let ignore = folder.0.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(&ignore, "*\n").map_err(|error| cannot("cannot be written", error))?;
        }
        Ok(folder)
    }

    fn emulator(&self) -> PathBuf {
        self.0.join("clerk.json")
    }

    fn database(&self) -> PathBuf {
        self.0.join("clerk-mcp.db")
    }

    /// All that `--fresh` forgets.
    fn files(&self) -> Vec<PathBuf> {
        let database = self.database().into_os_string();
        let beside = ["", "-wal", "-shm", ".key"].map(|ending| {
            let mut name = database.clone();
            name.push(ending);
            PathBuf::from(name)
        });
        beside.into_iter().chain([self.emulator()]).collect()
    }
}

/// What the demonstration runs with, unless another configuration is named.
const CONFIG: &str = r#"
name = "Clerk MCP"

[sign_in]
organizations = true

[demo]
tools = true

# Everybody: who am I, the demonstration's sum, and Clerk as far as they could go themselves.
[[access]]
everyone = true
tools = ["userInfo", "add", "users", "organizations", "invitations"]

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

fn config(
    arguments: &DevArguments,
    folder: &Folder,
    emulator: &Emulator,
    clerk_url: &str,
    public_url: &str,
    printer: &Printer,
) -> Result<server::config::Config, Failure> {
    let (name, text) = match &arguments.config {
        None => ("the built-in configuration".to_owned(), CONFIG.to_owned()),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!("{}: cannot be read: {error}", path.display()))
            })?;
            (path.display().to_string(), text)
        }
    };
    let secret_key = emulator.secret_key();
    let environment = |name: &str| match name {
        "CLERK_SECRET_KEY" => Some(secret_key.clone()),
        "CLERK_API_URL" | "CLERK_FRONTEND_API" => Some(clerk_url.to_owned()),
        "CLERK_CLIENT_ID" => Some(CLIENT_ID.to_owned()),
        "CLERK_CLIENT_SECRET" => Some(CLIENT_SECRET.to_owned()),
        // A real instance in the environment is never reached from here; secrets of the owner's API,
        // whatever they are called, are read.
        name if ["CLERK_", "COOKIE_", "APP_URL"]
            .iter()
            .any(|of| name.starts_with(of)) =>
        {
            None
        }
        name => environment::read_any(name),
    };
    let flags = Flags {
        public_url: Some(public_url.to_owned()),
        bind: public_url.strip_prefix("http://").map(str::to_owned),
        database: Some(folder.database().display().to_string()),
    };
    let base = arguments.config.as_deref().and_then(Path::parent);
    serve::load(
        Some((&name, &text)),
        &environment,
        flags,
        base.unwrap_or(Path::new("")),
        printer,
    )
}

fn people(emulator: &Emulator) -> Vec<EmulatedPerson> {
    let people = emulator
        .people()
        .into_iter()
        .filter(|person| !person.barred);
    let mut people: Vec<EmulatedPerson> = people
        .map(|person| EmulatedPerson {
            name: person.name,
            email: person.email_address.unwrap_or_default(),
            role: person.role.unwrap_or_default(),
        })
        .collect();
    // Those who show something first.
    people.sort_by_key(|person| person.role.is_empty());
    people.truncate(MOST_NAMED);
    people
}

/// The most people that the banner and the home page name.
const MOST_NAMED: usize = 8;

fn banner(
    public_url: &str,
    clerk_url: &str,
    people: &[EmulatedPerson],
    folder: &Path,
) -> Result<String, Failure> {
    let mut table = Table::new(&["", "PERSON", "E-MAIL", "ROLE"]);
    for person in people {
        let role = if person.role.is_empty() {
            "-"
        } else {
            &person.role
        };
        table.row([
            String::new(),
            person.name.clone(),
            person.email.clone(),
            role.to_owned(),
        ]);
    }
    let mcp = format!("{public_url}{}", server::MCP_PATH);
    Ok(format!(
        "MCP server    {mcp}   (how to connect each client: {public_url})\n\
         Local Clerk   {clerk_url}   (its mail: {clerk_url}/_emulator/inbox)\n\
         Kept in       {folder}   (--fresh begins anew)\n\n\
         Sign in as one of these, or of more\n{table}\n\
         Connect\n\
         \x20 Claude Code     claude mcp add --transport http clerk {mcp}\n\
         \x20 VS Code         code --add-mcp '{{\"name\":\"clerk\",\"type\":\"http\",\"url\":\"{mcp}\"}}'\n\
         \x20 Cursor          {{\"mcpServers\":{{\"clerk\":{{\"url\":\"{mcp}\"}}}}}} in ~/.cursor/mcp.json\n\
         \x20 MCP Inspector   npx @modelcontextprotocol/inspector --transport http --server-url {mcp}\n\n\
         Stop with Ctrl-C.",
        folder = folder.display(),
    ))
}
