//! The server and the local Clerk, as processes that are killed, stopped and looked into.

use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::http::get;
use crate::plan::SignIn;

/// How long a process may take to be there, on a machine that does much else.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The binary and what is loaded into it.
#[derive(Clone)]
pub(crate) struct Programs {
    pub(crate) clerk_mcp: PathBuf,
    pub(crate) machine: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) sign_in: SignIn,
}

impl Programs {
    /// Takes the binary that `CLERK_MCP_BIN` names, and compiles machine.c into `folder`.
    pub(crate) fn prepare(folder: &Path, sign_in: SignIn) -> Result<Self, String> {
        let clerk_mcp = std::env::var_os("CLERK_MCP_BIN").map(PathBuf::from);
        let clerk_mcp = clerk_mcp.ok_or(
            "CLERK_MCP_BIN names no binary\nhint: tests/chaos/run builds it and says where it is",
        )?;
        let machine = folder.join("machine.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/machine.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let compiled = Command::new(&compiler)
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&machine)
            .arg(source)
            .status();
        if !compiled.as_ref().is_ok_and(ExitStatus::success) {
            return Err(format!(
                "`{compiler}` does not compile {source}: {compiled:?}\nhint: Linux with glibc and a C \
                 compiler are needed; CC names another one"
            ));
        }
        Ok(Self {
            clerk_mcp,
            machine,
            folder: folder.to_owned(),
            sign_in,
        })
    }

    pub(crate) fn faults(&self) -> PathBuf {
        self.folder.join("faults")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.clerk_mcp);
        command
            .env_clear()
            .env("LD_PRELOAD", &self.machine)
            .env("CHAOS_FAULTS", self.faults())
            .current_dir(&self.folder);
        command
    }

    /// Starts `clerk-mcp emulate` with seed.toml.
    pub(crate) fn start_clerk(&self) -> Result<Process, String> {
        let mut command = self.command();
        command.args(["emulate", "--port", "0", "--seed", "seed.toml"]);
        if self.sign_in == SignIn::ClerkTokens {
            command.args(["--state", "clerk.json"]);
        }
        Self::clerk(command)
    }

    /// Starts it at the address that it had, with what it knew when it was stopped in order.
    pub(crate) fn start_clerk_again(&self, before: &Process) -> Result<Process, String> {
        let port = before.address.port().to_string();
        let begun = Instant::now();
        loop {
            let mut command = self.command();
            command.args(["emulate", "--port", &port, "--state", "clerk.json"]);
            match Self::clerk(command) {
                // Somebody's connection may have that port as its own for a moment.
                Err(_) if begun.elapsed() < START_LIMIT => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                started => return started,
            }
        }
    }

    fn clerk(command: Command) -> Result<Process, String> {
        Process::start(command, Arc::default(), |line| {
            let (_, address) = line.split_once("http://")?;
            address.split_whitespace().next().map(str::to_owned)
        })
    }

    /// Starts `clerk-mcp serve` with clerk-mcp.toml on a free port, and waits until it is ready.
    pub(crate) fn start_server(&self, clerk: &str, log: &Log) -> Result<Process, String> {
        let mut command = self.command();
        command
            .args(["serve", "--config", "clerk-mcp.toml"])
            .env("CLERK_SECRET_KEY", "sk_test_emulate")
            .env("CLERK_API_URL", clerk)
            .env("CLERK_FRONTEND_API", clerk);
        if self.sign_in == SignIn::ClerkOauth {
            command
                .env("CLERK_CLIENT_ID", "chaos")
                .env("CLERK_CLIENT_SECRET", "chaos-client-secret");
        }
        Process::start(command, Arc::clone(log), |line| {
            let is_it = line.contains("serving ");
            is_it.then(|| line.split_whitespace().next_back().map(str::to_owned))?
        })
    }
}

/// What a process has written to standard error.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Process {
    /// Starts it and waits for the line in which it says its address.
    fn start(
        mut command: Command,
        log: Log,
        address: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut child = child.map_err(|error| format!("{command:?}: {error}"))?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let found = lines.by_ref().find_map(|line| {
            let found = address(&line).and_then(|text| text.parse().ok());
            said.push(line);
            found
        });
        log.lock().unwrap().extend(said.iter().cloned());
        let Some(address) = found else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("it did not start: {}", said.join("\n")));
        };
        std::thread::spawn(move || lines.for_each(|line| log.lock().unwrap().push(line)));
        Ok(Self { address, child })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until `/readyz` says 200.
    pub(crate) fn wait_until_ready(&self) -> Result<(), String> {
        let begun = Instant::now();
        let url = format!("{}/readyz", self.url());
        loop {
            let answer = get(&url).send();
            if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if begun.elapsed() > START_LIMIT {
                return Err(format!("it never got ready: {answer:?}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// kill -9, now.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) -> io::Result<()> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status()?;
        let failed = || io::Error::other(format!("kill {name} failed"));
        sent.success().then_some(()).ok_or_else(failed)
    }

    /// SIGTERM; whether it ended well within `limit`.
    pub(crate) fn terminate(&mut self, limit: Duration) -> Result<(), String> {
        self.signal("-TERM").map_err(|error| error.to_string())?;
        let begun = Instant::now();
        while begun.elapsed() < limit {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("it ended with {status}")),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        self.kill();
        Err(format!("it did not end within {limit:?}"))
    }

    /// What it has now.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(proc.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|value| value.split_whitespace().next());
        let mut usage = Usage {
            resident_kib: resident.and_then(|kib| kib.parse().ok()).unwrap_or(0),
            ..Usage::default()
        };
        for entry in std::fs::read_dir(proc.join("fd"))? {
            // One that has closed meanwhile is none.
            let Ok(target) = std::fs::read_link(entry?.path()) else {
                continue;
            };
            match target.to_string_lossy().starts_with("socket:") {
                true => usage.sockets += 1,
                false => usage.other_descriptors += 1,
            }
        }
        Ok(usage)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    pub(crate) sockets: usize,
    pub(crate) other_descriptors: usize,
}
