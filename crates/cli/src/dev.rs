//! `clerk-mcp dev`: a local Clerk, the remote MCP server and an application beside it, without an
//! account, a configuration or the network.

use std::{
    fs::{File, TryLockError},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use clerk::{ApiUrl, Client, SecretKey};
use demo::DemoApp;
use emulator::Emulator;
use http::{Request, Response};
use server::{
    app::EmulatedPerson,
    config::SignIn,
    impersonation_journal::FileJournal,
    process::{LocalServer, Neighbours},
};
use tokio_util::sync::CancellationToken;

use crate::{
    dev_config::{self, Addresses, CLIENT_ID, CLIENT_SECRET, Given, SignInMode},
    emulate::{self, Saving},
    emulated::{EmulatedClerk, EmulatedClock},
    failure::Failure,
    local_http::{self, Dropped, Handle, listen},
    logging,
    people::Table,
    printer::Printer,
    signals,
};

#[derive(Debug, clap::Args)]
pub(crate) struct DevArguments {
    /// Port of the MCP server; 0 takes a free one
    #[arg(long, default_value_t = 8788)]
    port: u16,
    /// Port of the local Clerk; 0 takes a free one
    #[arg(long, default_value_t = 8789)]
    clerk_port: u16,
    /// Port of the application that signs people in with that Clerk; 0 takes a free one
    #[arg(long, default_value_t = 8787)]
    app_port: u16,
    /// How people sign in to the MCP server
    #[arg(long, value_enum, value_name = "MODE", default_value_t = SignInMode::ClerkOauth, conflicts_with = "config")]
    sign_in: SignInMode,
    /// Folder for what is kept between runs
    #[arg(long, value_name = "FOLDER", default_value = ".clerk-mcp")]
    dir: PathBuf,
    /// Users and organizations to begin with (.toml, .yaml or .json); used when the folder is new
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Forget what is kept, and begin anew
    #[arg(long)]
    fresh: bool,
    /// Configuration in place of the built-in one; addresses, Clerk and storage stay those of `dev`,
    /// and the application where it names none
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs them all until SIGINT or SIGTERM.
pub(crate) async fn run(arguments: DevArguments, printer: &Printer) -> Result<(), Failure> {
    let terminated = signals::terminated();
    logging::start(true)?;
    let folder = Folder::open(&arguments)?;
    let (emulator, restored) = emulate::load(arguments.seed.as_deref(), Some(&folder.emulator()))?;
    if restored && arguments.seed.is_some() {
        printer.warn("--seed is not used: the folder is not new\nhint: begin anew with --fresh");
    }
    let emulator = Arc::new(emulator);
    // Each has to know the addresses of the others before it starts.
    let (clerk_listener, clerk_url) = at(arguments.clerk_port, "--clerk-port").await?;
    let (app_listener, app_url) = at(arguments.app_port, "--app-port").await?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let (listener, address) = listen(loopback, "--port").await?;
    let public_url = format!("http://{address}");
    let addresses = Addresses {
        mcp: &public_url,
        clerk: &clerk_url,
        app: &app_url,
    };
    emulator.set_url(&clerk_url);
    emulator
        .ensure_oauth_application(
            CLIENT_ID,
            Some(CLIENT_SECRET),
            &[&format!("{public_url}/callback")],
        )
        .map_err(Failure::failed)?;
    let given = Given {
        file: arguments.config.clone(),
        sign_in: arguments.sign_in,
        secret_key: emulator.secret_key(),
        has_organizations: emulator.has_organizations(),
        database: folder.database(),
    };
    let config = dev_config::read(&given, addresses, printer)?;
    if matches!(config.sign_in, SignIn::ClerkTokens(_)) {
        emulator.ensure_mcp_server(&config.public_url.join(server::MCP_PATH));
        if config.sse {
            emulator.ensure_mcp_server(&config.public_url.join(server::SSE_PATH));
        }
    }
    let app = Arc::new(application(&emulator, &given.secret_key, addresses)?);
    // Tools over the API are then called in sessions that Clerk does not start for everybody.
    let by_ticket = config.sign_in.ticket_sessions() && config.http_tools.is_some();
    let people = people(&emulator, by_ticket);
    let neighbours = Neighbours {
        env: Arc::new(EmulatedClock(Arc::clone(&emulator))),
        clerk: Arc::new(EmulatedClerk(Arc::clone(&emulator))),
        people: people.clone(),
    };
    let remote = LocalServer::on(listener, address, &config, neighbours).await?;
    let saving = Saving::begin(&emulator, Some(&folder.emulator()))?;
    printer.note(&banner(addresses, &given, &people, &arguments.dir)?);

    let stop = CancellationToken::new();
    let clerk = emulate::serve_until(
        clerk_listener,
        &emulator,
        saving,
        stop.cancelled(),
        *printer,
    );
    let application = local_http::serve_until(app_listener, &app, stop.cancelled());
    let serving = async {
        let stopped = async {
            let signal = terminated.await;
            printer.note(&format!("{signal}: finishing what is open"));
        };
        remote.serve(stopped).await;
        // Open calls of the server still need their Clerk and their API: those end after them.
        stop.cancel();
    };
    let (saved, (), ()) = tokio::join!(clerk, application, serving);
    saved
}

/// A socket of this machine, and its origin.
async fn at(port: u16, flag: &str) -> Result<(tokio::net::TcpListener, String), Failure> {
    let (listener, address) = listen((Ipv4Addr::LOCALHOST, port).into(), flag).await?;
    Ok((listener, format!("http://{address}")))
}

/// The demonstration's application, at the emulated Clerk.
fn application(
    emulator: &Arc<Emulator>,
    secret_key: &str,
    addresses: Addresses<'_>,
) -> Result<DemoApp, Failure> {
    let key = SecretKey::parse(secret_key).map_err(Failure::failed)?;
    let client = Client::builder(
        key,
        Arc::new(EmulatedClerk(Arc::clone(emulator))),
        Arc::new(EmulatedClock(Arc::clone(emulator))),
    )
    .api_url(ApiUrl::parse(addresses.clerk).map_err(Failure::failed)?);
    Ok(DemoApp::new(demo::Parts {
        url: addresses.app.to_owned(),
        clerk_url: addresses.clerk.to_owned(),
        mcp_url: addresses.mcp.to_owned(),
        mcp_client_id: CLIENT_ID.to_owned(),
        client: client.build(),
    }))
}

impl Handle for DemoApp {
    const LARGEST_BODY: usize = demo::MAX_BODY_BYTES;

    async fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Dropped> {
        Ok(self.handle(request).await)
    }
}

/// Where everything is kept.
///
/// It is one process' own: the local Clerk is kept in memory and written as a whole.
struct Folder {
    path: PathBuf,
    /// Locked while this process lives.
    _lock: File,
}

impl Folder {
    fn open(arguments: &DevArguments) -> Result<Self, Failure> {
        let path = arguments.dir.clone();
        let cannot = |what: &str, error: std::io::Error| {
            Failure::usage(format!(
                "{}: {what}: {error}\nhint: name another folder with --dir",
                arguments.dir.display()
            ))
        };
        let is_empty =
            std::fs::read_dir(&path).map_or(true, |mut entries| entries.next().is_none());
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&path)
            .map_err(|error| cannot("cannot be made", error))?;
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(path.join("lock"));
        let lock = lock.map_err(|error| cannot("cannot be written", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::failed(format!(
                    "{}: another `clerk-mcp dev` uses this folder\n\
                     hint: stop that one, or name another folder with --dir",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(cannot("cannot be locked", error)),
        }
        let folder = Self { path, _lock: lock };
        if arguments.fresh {
            let journal = std::fs::remove_dir_all(folder.impersonations());
            let files = folder.files().into_iter().map(std::fs::remove_file);
            for removed in files.chain([journal]) {
                match removed {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(cannot("cannot be emptied", error));
                    }
                    _ => {}
                }
            }
        }
        // What is kept in a folder of ours is nobody's source.
        if is_empty {
            let ignore = folder.path.join(".gitignore");
            std::fs::write(&ignore, "*\n").map_err(|error| cannot("cannot be written", error))?;
        }
        Ok(folder)
    }

    fn emulator(&self) -> PathBuf {
        self.path.join("clerk.json")
    }

    fn database(&self) -> PathBuf {
        self.path.join("clerk-mcp.db")
    }

    /// What was started at that Clerk, and is not there either.
    fn impersonations(&self) -> PathBuf {
        FileJournal::folder_beside(&self.database())
    }

    /// All files that `--fresh` forgets.
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

/// Whom to sign in as: those first who show something; `by_ticket`, those last who have a second factor.
fn people(emulator: &Emulator, by_ticket: bool) -> Vec<EmulatedPerson> {
    let people = emulator
        .people()
        .into_iter()
        .filter(|person| !person.barred);
    let mut people: Vec<EmulatedPerson> = people
        .map(|person| EmulatedPerson {
            name: person.name,
            email: person.email_address.unwrap_or_default(),
            role: person.role.unwrap_or_default(),
            without_session: by_ticket && person.second_factor,
        })
        .collect();
    people.sort_by_key(|person| person.role.is_empty());
    people.truncate(MOST_NAMED);
    people.sort_by_key(|person| person.without_session);
    people
}

/// The most people that the banner and the home page name.
const MOST_NAMED: usize = 8;

/// What those have to know who pick somebody with a second factor.
const SECOND_FACTOR: &str = "\x20 (second factor): tools over the API refuse them. They are called in a session that \
    this server\n  starts, and Clerk starts none for people with a second factor. To try them, sign in as \
    somebody else.\n\n";

/// What the roles are for in the built-in configuration.
const ROLES: &str = "\x20 Everybody has add, userInfo, the shop's tools and what is their own at Clerk; admin \
    and premium generateImage as\n  well; admin all of Clerk's users and organizations.\n";

fn banner(
    addresses: Addresses<'_>,
    given: &Given,
    people: &[EmulatedPerson],
    folder: &Path,
) -> Result<String, Failure> {
    let mut table = Table::new(&["", "PERSON", "E-MAIL", "ROLE", ""]);
    let mut note = "";
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
            match person.without_session {
                true => "(second factor)".to_owned(),
                false => String::new(),
            },
        ]);
        if person.without_session {
            note = SECOND_FACTOR;
        }
    }
    let Addresses {
        mcp: url,
        clerk,
        app,
    } = addresses;
    let mcp = format!("{url}{}", server::MCP_PATH);
    let roles = if given.file.is_none() { ROLES } else { "" };
    Ok(format!(
        "MCP server    {mcp}   (how to connect each client: {url})\n\
         Local Clerk   {clerk}   (its mail: {clerk}/_emulator/inbox)\n\
         Demo shop     {app}   (signs people in with that Clerk; its API, for tools: {app}/openapi.yaml)\n\
         Kept in       {folder}   (--fresh begins anew)\n\n\
         Sign in as one of these; the sign-in page has more, and asks for no password\n{table}{roles}\n{note}\
         Connect\n\
         \x20 Claude Code     claude mcp add --transport http clerk {mcp}\n\
         \x20 VS Code         code --add-mcp '{{\"name\":\"clerk\",\"type\":\"http\",\"url\":\"{mcp}\"}}'\n\
         \x20 Cursor          {{\"mcpServers\":{{\"clerk\":{{\"url\":\"{mcp}\"}}}}}} in ~/.cursor/mcp.json\n\
         \x20 MCP Inspector   npx @modelcontextprotocol/inspector@latest --transport http --server-url {mcp}   (Node 22.19 or newer)\n\n\
         For other commands of clerk-mcp, such as impersonate\n\
         \x20 export CLERK_API_URL={clerk} CLERK_SECRET_KEY={key}\n\n\
         Stop with Ctrl-C.",
        folder = folder.display(),
        key = given.secret_key,
    ))
}
