//! `clerk-mcp dev` as a process, in a folder of its own.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{Response, get, post, request};
use super::patience::PATIENCE;

/// What the attacked server runs with: proxies are believed, so that each test has an address, and
/// with it limits, of its own.
pub(crate) const CONFIG: &str = r#"
name = "Attacked"
trusted_proxies = ["127.0.0.1"]
allowed_origins = ["https://inspector.example"]

[oauth]
private_use_schemes = ["com.example.app"]

[[oauth.clients]]
client_id = "configured"
name = "Configured Client"
redirect_uris = ["https://configured.example/callback"]
secret_file = "configured.secret"

[demo]
tools = true

[limits]
max_body = "1MiB"
shutdown_grace = "10s"

[audit]
file = "audit.jsonl"

[[access]]
everyone = true
tools = ["userInfo", "add", "users", "organizations", "invitations"]

[[access]]
role = ["admin", "premium"]
tools = ["generateImage"]

[[access]]
role = "admin"
tools = ["users", "organizations", "invitations"]
clerk = "instance"
"#;

/// The secret of the client `configured`.
pub(crate) const CONFIGURED_SECRET: &str = "a-secret-that-nobody-guesses-0123456789";

/// A server and its emulated Clerk, which end with this process at the latest.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) clerk: String,
    /// The application that signs people in with that Clerk.
    pub(crate) app: String,
    pub(crate) folder: PathBuf,
    /// What it exports for other commands, as pairs. The key among them is no part of the log.
    pub(crate) exports: Vec<(String, String)>,
    log: Arc<Mutex<String>>,
    /// Reads the log until the last process that writes to it has ended.
    reader: Option<JoinHandle<()>>,
    /// What must not be in its log, nor in its audit.
    unwritten: Mutex<Vec<String>>,
    child: Child,
    /// Whoever started the server ends it when this closes, as it does when the test's process ends.
    life: Option<ChildStdin>,
}

/// The server that the tests of one process share.
pub(crate) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start("shared", CONFIG))
}

/// An empty folder.
pub(crate) fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "remote-{name}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Server {
    pub(crate) fn start(name: &str, config: &str) -> Self {
        Self::start_in(folder(name), config, "warn")
    }

    /// Starts with a configuration.
    pub(crate) fn start_in(folder: PathBuf, config: &str, level: &str) -> Self {
        Self::start_at(folder, config, level, &Self::free_port())
    }

    /// Starts where a server was before: to its clients it is the same one.
    pub(crate) fn start_again(self, config: &str, level: &str) -> Self {
        self.start_again_after(config, level, |_| ())
    }

    /// The same, with something done to its folder in between.
    pub(crate) fn start_again_after(
        self,
        config: &str,
        level: &str,
        change: impl FnOnce(&Path),
    ) -> Self {
        let port = self.url.rsplit(':').next().unwrap().to_owned();
        let mut before = self;
        before.terminate();
        assert!(before.wait().success());
        // Its folder stays.
        let folder = std::mem::take(&mut before.folder);
        change(&folder);
        Self::start_at(folder, config, level, &port)
    }

    /// Kills it (SIGKILL), and starts it where it was.
    pub(crate) fn kill_and_start_again(self, config: &str) -> Self {
        let port = self.url.rsplit(':').next().unwrap().to_owned();
        let mut before = self;
        let process = std::fs::read_to_string(before.folder.join("server.pid")).unwrap();
        let killed = Command::new("kill")
            .args(["-s", "KILL", process.trim()])
            .status();
        assert!(killed.unwrap().success());
        before.terminate();
        assert!(!before.wait().success());
        let folder = std::mem::take(&mut before.folder);
        Self::start_at(folder, config, "warn", &port)
    }

    /// A port that is free, and none of those that the system hands out: after a restart it is free as well.
    pub(crate) fn free_port() -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let process = std::process::id().wrapping_mul(16);
        loop {
            let number = process.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
            let port = 10_000 + u16::try_from(number % 20_000).unwrap();
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port.to_string();
            }
        }
    }

    fn start_at(folder: PathBuf, config: &str, level: &str, port: &str) -> Self {
        std::fs::write(folder.join("clerk-mcp.toml"), config).unwrap();
        std::fs::write(folder.join("configured.secret"), CONFIGURED_SECRET).unwrap();
        Self::run(folder, port, &["--config", "clerk-mcp.toml"], level)
    }

    /// Starts with these arguments.
    pub(crate) fn start_with(folder: PathBuf, arguments: &[&str], level: &str) -> Self {
        Self::run(folder, &Self::free_port(), arguments, level)
    }

    /// Reads the addresses from the banner: all ports but maybe the server's are free ones.
    fn run(folder: PathBuf, port: &str, arguments: &[&str], level: &str) -> Self {
        // A shared server is never dropped: the shell ends it when its standard input closes.
        // (The standard input of a job in the background is empty; hence the third descriptor.)
        let script = "exec 3<&0; \"$@\" 3<&- & server=$!; echo $server >server.pid; \
                      (cat <&3 >/dev/null; kill -TERM $server) 2>/dev/null & wait $server";
        // In place of the seed that `dev` has.
        let seed = folder.join("seed.toml").exists();
        let seed: &[&str] = if seed { &["--seed", "seed.toml"] } else { &[] };
        let mut child = Command::new("sh")
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_clerk-mcp"), "dev"])
            .args(["--port", port, "--clerk-port", "0", "--app-port", "0"])
            .args(["--dir", "state"])
            .args(arguments)
            .args(seed)
            .env("CLERK_MCP_LOG", level)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let life = child.stdin.take();
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut banner = Vec::new();
        let mut exports = Vec::new();
        for line in lines.by_ref().map(Result::unwrap) {
            if let Some(pairs) = line.trim().strip_prefix("export ") {
                let pairs = pairs.split(' ').filter_map(|pair| pair.split_once('='));
                exports = pairs
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                continue;
            }
            log.lock().unwrap().push_str(&format!("{line}\n"));
            let ends = line.starts_with("Stop with");
            banner.push(line);
            if ends {
                break;
            }
        }
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let address = |label: &str| {
            let line = banner.iter().find(|line| line.starts_with(label));
            let word = line.and_then(|line| {
                line.split_whitespace()
                    .find(|word| word.starts_with("http"))
            });
            let word = word.unwrap_or_else(|| panic!("no {label:?} in the banner: {banner:?}"));
            word.trim_end_matches("/mcp").to_owned()
        };
        Self {
            url: address("MCP server"),
            clerk: address("Local Clerk"),
            app: address("Demo shop"),
            exports,
            folder,
            log,
            reader: Some(reader),
            unwritten: Mutex::default(),
            child,
            life,
        }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The one resource.
    pub(crate) fn mcp(&self) -> String {
        self.at("/mcp")
    }

    /// What has been read of its standard error: the whole once it was waited for.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// It writes this to standard error. (An answer may be here before the line about it is.)
    #[track_caller]
    pub(crate) fn logs(&self, wanted: &str) {
        let begun = Instant::now();
        while !self.log().contains(wanted) {
            let waited = begun.elapsed();
            let log = self.log();
            assert!(waited < PATIENCE, "no {wanted:?} in: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The emulator's control API.
    pub(crate) fn control(&self, path: &str, body: &Value) {
        let url = format!("{}/_emulator/{path}", self.clerk);
        let response = post(&url).json(body).send();
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }

    /// Waits until the server has asked Clerk for this so many times. (Clerk notes a request when it comes,
    /// whatever time its answer takes.)
    #[track_caller]
    pub(crate) fn until_clerk_is_asked(&self, operation: &str, times: usize) {
        let begun = Instant::now();
        loop {
            let log = get(&format!("{}/_emulator/requests", self.clerk)).send();
            let log = log.json();
            let all = log["data"].as_array().unwrap();
            let of_operation = all.iter().filter(|one| one["operation"] == operation);
            if of_operation.count() >= times {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn clear_faults(&self) {
        let url = format!("{}/_emulator/faults", self.clerk);
        assert_eq!(request("DELETE", &url).send().status, 200);
    }

    /// Moves the one clock of Clerk and of the server.
    pub(crate) fn advance(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap();
        self.control("clock", &json!({ "advance_ms": milliseconds }));
    }

    /// Clerk's Backend API, as the instance's owner.
    pub(crate) fn clerk_api(&self, method: &'static str, path: &str, body: &Value) -> Response {
        let url = format!("{}/v1{path}", self.clerk);
        let response = request(method, &url)
            .bearer("sk_test_emulate")
            .json(body)
            .send();
        assert_eq!(response.status, 200, "{method} {path}: {}", response.text());
        response
    }

    /// What the emulated Clerk keeps of its OAuth provider, once `ready` finds in it what it wants.
    pub(crate) fn kept_by_clerk(&self, ready: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.folder.join("state/clerk.json"));
            let kept: Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
            if ready(&kept["state"]["oauth"]) {
                return kept["state"]["oauth"].clone();
            }
            assert!(begun.elapsed() < PATIENCE, "it is not kept: {kept}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Revokes at Clerk what it has granted this server for somebody.
    pub(crate) fn end_grants_at_clerk(&self, user: &str) {
        let grants_of = |kept: &Value| -> Vec<Value> {
            let grants = kept["grants"].as_array().into_iter().flatten();
            let grants = grants.filter(|grant| grant["user_id"] == user);
            grants.map(|grant| grant["id"].clone()).collect()
        };
        let tokens_of = |kept: &Value| -> Vec<String> {
            let grants = grants_of(kept);
            let tokens = kept["refresh_tokens"].as_array().into_iter().flatten();
            let tokens = tokens.filter(|token| grants.contains(&token["grant_id"]));
            let ids = tokens.filter_map(|token| token["id"].as_str());
            ids.map(str::to_owned).collect()
        };
        // What is kept lags behind what was answered: a grant may be there before its tokens are.
        let kept = self.kept_by_clerk(|kept| !tokens_of(kept).is_empty());
        let tokens = tokens_of(&kept);
        for token in &tokens {
            let fields = [
                ("client_id", "clerk_mcp_emulated"),
                ("client_secret", "emulated-client-secret"),
                ("token", token),
            ];
            let url = format!("{}/oauth/token/revoke", self.clerk);
            let response = post(&url).form(&fields).send();
            assert_eq!(response.status, 200, "{}", response.brief());
        }
    }

    /// Gives somebody a role in public metadata, or none.
    pub(crate) fn set_role(&self, user: &str, role: Option<&str>) {
        let body = json!({ "public_metadata": { "role": role } });
        self.clerk_api("PATCH", &format!("/users/{user}/metadata"), &body);
    }

    /// The rows of the audit log so far that `wanted` picks; waits until there is one.
    pub(crate) fn audited(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let file = self.folder.join("audit.jsonl");
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let rows = text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            let rows: Vec<Value> = rows.filter(&wanted).collect();
            if !rows.is_empty() || begun.elapsed() > PATIENCE {
                return rows;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&mut self) {
        self.life = None;
    }

    /// How it ended; its log is whole then.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        // One failure at a time.
        if !std::thread::panicking() {
            let audit = std::fs::read_to_string(self.folder.join("audit.jsonl"));
            let (audit, log) = (audit.unwrap_or_default(), self.log());
            for secret in self.unwritten.lock().unwrap().iter() {
                assert!(!audit.contains(secret), "{secret} in the audit");
                assert!(!log.contains(secret), "{secret} in the log: {log}");
            }
        }
        status
    }

    /// None of these secrets is in what the server writes until it ends, which is looked at then.
    pub(crate) fn never_writes(&self, secrets: &[&str]) {
        assert!(secrets.iter().all(|secret| !secret.is_empty()));
        let secrets = secrets.iter().map(|secret| (*secret).to_owned());
        self.unwritten.lock().unwrap().extend(secrets);
    }

    pub(crate) fn is_ready(&self) -> bool {
        get(&self.at("/readyz")).send().status == 200
    }

    /// Every file that it keeps.
    pub(crate) fn kept_files(&self) -> Vec<PathBuf> {
        files(&self.folder.join("state"))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

impl Drop for Server {
    /// A test that ends leaves no process behind.
    fn drop(&mut self) {
        self.terminate();
        self.wait();
        if !self.folder.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
