//! `clerk-mcp emulate`: the local Clerk on a socket, with its state in a file if wanted.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use emulator::{Answer, Emulator, MAX_BODY_BYTES, Seed};
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::connect;
use crate::failure::Failure;
use crate::local_http::{self, Dropped, Handle, listen};
use crate::machine::Machine;
use crate::printer::Printer;
use crate::signals;

/// The window of `--rate-limit`, as Clerk counts.
const RATE_WINDOW_MS: u64 = 10_000;
/// How often changes are written to the state file.
const SAVE_INTERVAL: Duration = Duration::from_millis(250);

/// Run a local Clerk Backend API, for development and tests without an account.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8789)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Start with the users and organizations of this file (.toml, .yaml or .json)
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Keep the state in this file: loaded if it exists, saved at the start and after changes
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Answer 429 after this many requests in 10 seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,
}

/// Serves until SIGINT or SIGTERM.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let printer = Printer::new();
    let (emulator, restored) = load(args.seed.as_deref(), args.state.as_deref())?;
    let emulator = Arc::new(emulator);
    if restored && args.seed.is_some() {
        printer.warn("--seed is not used: the state file exists and is what this starts with");
    }
    if let Some(requests) = args.rate_limit {
        let requests = usize::try_from(requests).unwrap_or(usize::MAX);
        emulator.set_rate_limit(requests, RATE_WINDOW_MS);
    }
    let (listener, address) = listen(SocketAddr::new(args.host, args.port), "--port").await?;
    let url = format!("http://{address}");
    emulator.set_url(&url);
    if !args.host.is_loopback() {
        printer.warn(&format!(
            "listening on {address}, which other machines may reach: \
             whoever can reads and changes everything here"
        ));
    }
    // Whoever has read the banner may send a signal.
    let terminated = signals::terminated();
    let saving = Saving::begin(&emulator, args.state.as_deref())?;
    printer.note(&banner(&emulator, &url, &args));
    let stopped = async {
        terminated.await;
    };
    serve_until(listener, &emulator, saving, stopped, printer).await
}

/// A state file that holds the state as of a revision.
pub(crate) struct Saving {
    file: PathBuf,
    written: u64,
}

impl Saving {
    /// Writes the file for the first time, so that one which cannot be written shows at the start.
    pub(crate) fn begin(emulator: &Emulator, file: Option<&Path>) -> Result<Option<Self>, Failure> {
        let Some(file) = file else {
            return Ok(None);
        };
        let written = emulator.revision();
        save(emulator, file).map_err(|error| {
            Failure::usage(format!(
                "cannot write {}: {error}\n\
                 hint: name a file in a folder that you may write to",
                file.display()
            ))
        })?;
        Ok(Some(Self {
            file: file.to_owned(),
            written,
        }))
    }
}

/// Serves the emulator, and saves its changes, until `ended` is done.
pub(crate) async fn serve_until(
    listener: TcpListener,
    emulator: &Arc<Emulator>,
    saving: Option<Saving>,
    ended: impl Future<Output = ()>,
    printer: Printer,
) -> Result<(), Failure> {
    let (served, all_served) = watch::channel(false);
    let serving = async {
        local_http::serve_until(listener, emulator, ended).await;
        // The receiver lives as long as this function.
        let _ = served.send(true);
    };
    let saving = async {
        match saving {
            Some(saving) => save_changes(emulator, saving, all_served.clone(), printer).await,
            None => Ok(()),
        }
    };
    let ((), saved) = tokio::join!(serving, saving);
    saved
}

/// The emulator of the state file if there is one (then `true`), else of the seed.
pub(crate) fn load(seed: Option<&Path>, state: Option<&Path>) -> Result<(Emulator, bool), Failure> {
    let clock = Arc::new(Machine);
    if let Some(file) = state {
        match std::fs::read(file) {
            Ok(bytes) => {
                let broken = |problem: String| {
                    Failure::failed(format!(
                        "{} is not a state of the emulator: {problem}\n\
                         hint: it is left as it is; move it away to start from the seed",
                        file.display()
                    ))
                };
                let snapshot =
                    serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
                let restored = Emulator::restore(snapshot, clock, Box::new(Machine));
                return Ok((restored.map_err(|error| broken(error.to_string()))?, true));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Failure::usage(format!(
                    "cannot read {}: {error}",
                    file.display()
                )));
            }
        }
    }
    let place = seed.unwrap_or(Path::new("the seed"));
    let seed = match seed {
        Some(file) => connect::read_seed(file)?,
        None => Seed::default(),
    };
    let made = Emulator::new(&seed, clock, Box::new(Machine))
        .map_err(|error| Failure::usage(format!("{}: {error}", place.display())));
    Ok((made?, false))
}

fn banner(emulator: &Emulator, url: &str, args: &Args) -> String {
    let (users, organizations) = emulator.size();
    let state = match &args.state {
        Some(file) => format!("kept in {}", file.display()),
        None => "in memory only".to_owned(),
    };
    let users = counted(users, "user");
    let organizations = counted(organizations, "organization");
    let key = emulator.secret_key();
    let publishable = emulator.publishable_key();
    format!(
        "Clerk emulator    {url}\n\
         \x20 secret key      {key}\n\
         \x20 publishable key {publishable}\n\
         \x20 state           {users}, {organizations}, {state}\n\
         \x20 sign-in pages   {url}, mail {url}/_emulator/inbox\n\
         \x20 clerk-mcp       CLERK_SECRET_KEY={key} CLERK_API_URL={url} clerk-mcp stdio\n\
         \x20 @clerk/backend  createClerkClient({{ secretKey: '{key}', apiUrl: '{url}' }})\n\
         Stop with Ctrl-C."
    )
}

fn counted(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// Writes the state shortly after changes, and once more when everything is served.
async fn save_changes(
    emulator: &Arc<Emulator>,
    saving: Saving,
    mut all_served: watch::Receiver<bool>,
    printer: Printer,
) -> Result<(), Failure> {
    let Saving { file, mut written } = saving;
    let mut warned = false;
    loop {
        let served = all_served.wait_for(|served| *served);
        let last = tokio::time::timeout(SAVE_INTERVAL, served).await.is_ok();
        let revision = emulator.revision();
        if written != revision {
            let (emulator, path) = (Arc::clone(emulator), file.clone());
            let saving = tokio::task::spawn_blocking(move || save(&emulator, &path));
            match saving
                .await
                .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            {
                Ok(()) => (written, warned) = (revision, false),
                Err(error) if last => {
                    return Err(Failure::failed(format!(
                        "the last changes are lost: cannot write {}: {error}",
                        file.display()
                    )));
                }
                Err(error) if !warned => {
                    printer.warn(&format!("cannot write {}: {error}", file.display()));
                    warned = true;
                }
                Err(_) => {}
            }
        }
        if last {
            return Ok(());
        }
    }
}

/// Replaces the file in one step: whoever reads it finds the old state or the new one. It holds
/// private metadata, so that only its owner may read it.
fn save(emulator: &Emulator, file: &Path) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = file.with_file_name(name);
    let write = || {
        let mut writer = std::io::BufWriter::new(create_private(&temporary)?);
        serde_json::to_writer(&mut writer, &emulator.snapshot())?;
        writer.flush()?;
        writer.get_ref().sync_all()?;
        std::fs::rename(&temporary, file)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

/// A new file that only its owner may read, where the system has such a thing.
fn create_private(file: &Path) -> std::io::Result<std::fs::File> {
    // One left by a process of the same number would keep its own mode.
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

impl Handle for Emulator {
    const LARGEST_BODY: usize = MAX_BODY_BYTES;

    async fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Dropped> {
        let reply = self.handle(request);
        if !reply.delay.is_zero() {
            tokio::time::sleep(reply.delay).await;
        }
        match reply.answer {
            Answer::Response(response) => Ok(response),
            Answer::DropConnection => Err(Dropped("a fault rule asks for it")),
        }
    }
}
