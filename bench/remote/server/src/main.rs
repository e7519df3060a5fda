//! `clerk-mcp serve` for two things that the remote benchmark measures and the program itself has no use
//! for: a tool that waits, so that there are streams to keep open, and sessions that are kept in memory
//! alone, to see what it costs to keep them.
//!
//! `clerk-mcp-bench-server [--sessions-in-memory]` reads `clerk-mcp.toml` in the working directory.

use std::{error::Error, io::Write as _, process::ExitCode, sync::Arc, time::Duration};

use clerk::HttpTransport;
use mcp::audit::Audit;
use oauth::ServerKeys;
use schemars::JsonSchema;
use serde::Deserialize;
use server::{
    Context, Hints, Serve, Server, Surroundings, Tool, ToolError,
    audit_batch::{AuditQueue, StoreSink},
    client_documents::ClientDocuments,
    config::{Config, Keys},
    listen,
    process::{Machine, logging, signals},
};
use store::{
    SqliteStore,
    sessions::{MemorySessions, SessionStore},
    started_sessions::StartedSessionStore,
    tool_state::ToolStateStore,
};

const SESSIONS_IN_MEMORY: &str = "--sessions-in-memory";
/// How long rows of the audit log may take to be written at the end.
const AUDIT_GRACE: Duration = Duration::from_secs(10);

/// Reports progress, waits, and answers 42.
#[derive(Clone, Copy, Debug)]
struct Wait;

/// How long.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Waiting {
    seconds: u32,
}

impl Tool for Wait {
    type Arguments = Waiting;
    type Output = String;
    const NAME: &'static str = "wait";
    const DESCRIPTION: &'static str = "Waits.";
    const HINTS: Hints = Hints::READ;
    const TIMEOUT: Duration = Duration::from_secs(60 * 60);

    async fn call(&self, waiting: Waiting, context: Context<'_>) -> Result<String, ToolError> {
        context.progress(1, None, "waiting").await;
        if waiting.seconds > 0 {
            tokio::time::sleep(Duration::from_secs(waiting.seconds.into())).await;
        }
        Ok("42".to_owned())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let served = match std::env::args().nth(1).as_deref() {
        None => return Serve::new().tool(Wait).main().await,
        Some(SESSIONS_IN_MEMORY) => with_sessions_in_memory().await,
        Some(other) => Err(format!("{other:?} is no flag").into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// As [`Serve`] does it, but for the sessions.
async fn with_sessions_in_memory() -> Result<(), Box<dyn Error>> {
    let terminated = signals::terminated();
    let (config, _) = Serve::new().tool(Wait).load()?;
    logging::start(true)?;
    let (listener, _) = listen::bind(config.bind, "--bind").await?;
    let store = Arc::new(SqliteStore::open(&config.storage.path).await?);
    let sink = StoreSink(Arc::clone(&store) as Arc<dyn oauth::Store>);
    let audit = Arc::new(AuditQueue::new(config.limits.audit_queue, Arc::new(sink)));
    let documents = ClientDocuments::new(None)?;
    let surroundings = Surroundings {
        env: Arc::new(Machine),
        random: Arc::new(Machine),
        clerk: Arc::new(HttpTransport::new()),
        key_sets: Arc::new(documents.of_key_sets()),
        documents: Arc::new(documents),
        store: Arc::clone(&store) as Arc<dyn oauth::Store>,
        tool_state: Arc::clone(&store) as Arc<dyn ToolStateStore>,
        sessions: Arc::new(MemorySessions::new()) as Arc<dyn SessionStore>,
        started_sessions: Arc::clone(&store) as Arc<dyn StartedSessionStore>,
        audit: Arc::clone(&audit) as Arc<dyn Audit>,
        keys: keys(&config)?,
        version: env!("CARGO_PKG_VERSION"),
        emulated: Vec::new(),
    };
    let server = Server::new(&config, surroundings)?;
    say(&format!(
        "serving {}",
        config.public_url.join(server::MCP_PATH)
    ));
    let stopped = async {
        terminated.await;
    };
    server.serve(listener, stopped).await;
    audit.shut_down(AUDIT_GRACE).await;
    store.close().await;
    Ok(())
}

fn keys(config: &Config) -> Result<ServerKeys, Box<dyn Error>> {
    Ok(match &config.keys {
        Keys::Given(keys) => keys.clone(),
        Keys::KeptBeside(file) => ServerKeys::parse(&server::kept_key(file, &Machine)?)?,
    })
}

/// To standard error, where the benchmark reads it.
fn say(message: &str) {
    let _ = std::io::stderr().write_all(format!("clerk-mcp-bench-server: {message}\n").as_bytes());
}
