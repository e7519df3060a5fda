//! The remote MCP server on this machine: its socket, database, keys and audit log.

use std::{fmt, fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use clerk::{Env, HttpTransport, Transport};
use mcp::audit::Audit;
use oauth::ServerKeys;
use store::{
    SqliteStore, sessions::SessionStore, started_sessions::StartedSessionStore,
    tool_state::ToolStateStore,
};
use tokio::net::TcpListener;

use super::{machine::Machine, start_error::StartError};
use crate::{
    Server, Surroundings,
    app::EmulatedPerson,
    audit_batch::{AuditQueue, AuditSink, JsonLinesFile, StoreSink},
    client_documents::ClientDocuments,
    config::{Config, Keys},
    listen,
};

/// How long what waits to be audited may take to be written at the end.
const AUDIT_GRACE: Duration = Duration::from_secs(10);

/// What differs between a server beside Clerk and one beside the emulator.
pub struct Neighbours {
    /// The clock that both live by.
    pub env: Arc<dyn Env>,
    /// The way to Clerk.
    pub clerk: Arc<dyn Transport>,
    /// Whom one can sign in as, when Clerk is emulated.
    pub people: Vec<EmulatedPerson>,
}

impl Neighbours {
    /// Clerk over HTTP, and this machine's clock.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self {
            env: Arc::new(Machine),
            clerk: Arc::new(HttpTransport::new()),
            people: Vec::new(),
        }
    }
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Neighbours")
            .field("people", &self.people)
            .finish_non_exhaustive()
    }
}

/// A server that listens, and serves once it is told to.
#[derive(Debug)]
pub struct LocalServer {
    server: Server,
    listener: TcpListener,
    address: SocketAddr,
    store: Arc<SqliteStore>,
    audit: Arc<AuditQueue>,
}

impl LocalServer {
    /// Opens the socket and the database.
    ///
    /// # Errors
    /// [`StartError`] when one of them, the audit log or the key cannot be used, and when the database
    /// belongs to another Clerk instance.
    pub async fn start(config: &Config, around: Neighbours) -> Result<Self, StartError> {
        let (listener, address) = listen::bind(config.bind, "--bind").await?;
        let server = Self::on(listener, address, config, around).await?;
        server.claim_database(config).await?;
        Ok(server)
    }

    /// Opens the database, for a socket that is open already.
    ///
    /// # Errors
    /// As [`LocalServer::start`].
    pub async fn on(
        listener: TcpListener,
        address: SocketAddr,
        config: &Config,
        around: Neighbours,
    ) -> Result<Self, StartError> {
        let store = SqliteStore::open(&config.storage.path)
            .await
            .map_err(StartError::failed)?;
        let store = Arc::new(store);
        let sink = audit_sink(config, &store)?;
        let audit = Arc::new(AuditQueue::new(config.limits.audit_queue, sink));
        let documents =
            ClientDocuments::new(config.cimd_test.as_ref()).map_err(StartError::usage)?;
        let surroundings = Surroundings {
            env: around.env,
            random: Arc::new(Machine),
            clerk: around.clerk,
            key_sets: Arc::new(documents.of_key_sets()),
            documents: Arc::new(documents),
            store: Arc::clone(&store) as Arc<dyn oauth::Store>,
            tool_state: Arc::clone(&store) as Arc<dyn ToolStateStore>,
            sessions: Arc::clone(&store) as Arc<dyn SessionStore>,
            started_sessions: Arc::clone(&store) as Arc<dyn StartedSessionStore>,
            audit: Arc::clone(&audit) as Arc<dyn Audit>,
            keys: keys(config)?,
            version: env!("CARGO_PKG_VERSION"),
            emulated: around.people,
        };
        let server = Server::new(config, surroundings).map_err(StartError::usage)?;
        Ok(Self {
            server,
            listener,
            address,
            store,
            audit,
        })
    }

    async fn claim_database(&self, config: &Config) -> Result<(), StartError> {
        let claimed = self.store.claim(config.clerk.frontend_api.as_str()).await;
        let owner = claimed.map_err(StartError::failed)?;
        match of_another_instance(config, &owner) {
            Some(fault) => Err(StartError::usage(fault)),
            None => Ok(()),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stopped` is done; then open calls are finished, and audit rows written.
    pub async fn serve(self, stopped: impl Future<Output = ()>) {
        self.server.serve(self.listener, stopped).await;
        self.audit.shut_down(AUDIT_GRACE).await;
        self.store.close().await;
    }
}

/// What keeps a server from starting with the database and the key that are there, or from making them,
/// with a hint. Nothing stays changed.
pub async fn storage_fault(config: &Config) -> Option<String> {
    let file = &config.storage.path;
    if file.exists() {
        if let Err(error) = fs::OpenOptions::new().append(true).open(file) {
            return Some(format!(
                "{} cannot be written: {error}\nhint: let the server's user write it, or name another file \
                 with --database",
                file.display()
            ));
        }
        match store::instance_of(file).await {
            Ok(Some(owner)) => {
                if let Some(fault) = of_another_instance(config, &owner) {
                    return Some(fault);
                }
            }
            Ok(None) => {}
            Err(error) => return Some(error.to_string()),
        }
    }
    // SQLite keeps files beside the database, and so is the key.
    let beside = file.with_extension(format!("check-{}", std::process::id()));
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside);
    if let Err(error) = made.and_then(|_| fs::remove_file(&beside)) {
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        return Some(format!(
            "nothing can be written in {}: {error}\nhint: make the folder, owned by the server's user, or \
             name another file with --database",
            folder.unwrap_or(Path::new(".")).display()
        ));
    }
    match &config.keys {
        Keys::KeptBeside(key) if key.exists() => keys(config).err().map(|error| error.to_string()),
        _ => None,
    }
}

/// What is wrong when the database belongs to the Clerk instance whose Frontend API is `owner`, and the
/// configuration is about another. Everybody in it would be taken for deleted, and what is kept for them
/// removed.
#[must_use]
fn of_another_instance(config: &Config, owner: &str) -> Option<String> {
    let ours = config.clerk.frontend_api.as_str();
    let file = config.storage.path.display();
    (owner != ours).then(|| {
        format!(
            "{file} belongs to the Clerk instance at {owner}, and the configuration names the one at \
             {ours}\n\
             hint: check CLERK_PUBLISHABLE_KEY, or name another file with --database; if it is the same \
             instance under a new domain: sqlite3 {file} \"UPDATE instance SET frontend_api = '{ours}'\""
        )
    })
}

/// The file of the configuration, else the database.
fn audit_sink(config: &Config, store: &Arc<SqliteStore>) -> Result<Arc<dyn AuditSink>, StartError> {
    let Some(file) = &config.audit.file else {
        return Ok(Arc::new(StoreSink(
            Arc::clone(store) as Arc<dyn oauth::Store>
        )));
    };
    let lines = JsonLinesFile::open(file).map_err(|error| {
        StartError::usage(format!(
            "{}: the audit log cannot be opened: {error}\nhint: name another file as audit.file",
            file.display()
        ))
    })?;
    Ok(Arc::new(lines))
}

fn keys(config: &Config) -> Result<ServerKeys, StartError> {
    match &config.keys {
        Keys::Given(keys) => Ok(keys.clone()),
        Keys::KeptBeside(file) => {
            let cannot = |error: &dyn std::fmt::Display| {
                StartError::failed(format!(
                    "{}: the server's key cannot be kept there: {error}\n\
                     hint: set COOKIE_ENCRYPTION_KEY (openssl rand -base64 32)",
                    file.display()
                ))
            };
            let key = crate::kept_key(file, &Machine).map_err(|error| cannot(&error))?;
            ServerKeys::parse(&key).map_err(|error| cannot(&error))
        }
    }
}
