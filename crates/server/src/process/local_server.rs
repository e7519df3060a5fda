//! The remote MCP server on this machine: its socket, database, keys and audit log.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use clerk::{Env, HttpTransport, Transport};
use mcp::audit::Audit;
use store::{
    SqliteStore, sessions::SessionStore, started_sessions::StartedSessionStore,
    tool_state::ToolStateStore,
};
use tokio::net::TcpListener;

use super::{
    database_lock::DatabaseLock,
    machine::Machine,
    needs::{AuditLog, Log, Process, Socket, State, belongs_to},
    start_error::StartError,
};
use crate::{
    Server, Surroundings,
    app::EmulatedPerson,
    audit_batch::{AuditQueue, AuditSink, StoreSink},
    config::Config,
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
    lock: DatabaseLock,
}

impl LocalServer {
    /// Starts the log, and opens the database and the socket. A server that is about to let go of the
    /// database is waited for.
    ///
    /// # Errors
    /// [`StartError`] when one of them, the audit log or the key cannot be used, when another server is
    /// running on the database, and when that belongs to another Clerk instance.
    pub async fn start(config: &Config, around: Neighbours) -> Result<Self, StartError> {
        let state = State::take(config).await?;
        let Process {
            log: Log,
            socket: Socket(listener, address),
        } = Process::take(config).await?;
        let server = Self::with(state, listener, address, config, around)?;
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
        Self::with(
            State::take(config).await?,
            listener,
            address,
            config,
            around,
        )
    }

    fn with(
        state: State,
        listener: TcpListener,
        address: SocketAddr,
        config: &Config,
        around: Neighbours,
    ) -> Result<Self, StartError> {
        let State {
            lock,
            store,
            audit: AuditLog(file),
            documents,
            keys,
        } = state;
        let sink: Arc<dyn AuditSink> = match file {
            Some(file) => Arc::new(file),
            None => Arc::new(StoreSink(Arc::clone(&store) as Arc<dyn oauth::Store>)),
        };
        let audit = Arc::new(AuditQueue::new(config.limits.audit_queue, sink));
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
            keys,
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
            lock,
        })
    }

    async fn claim_database(&self, config: &Config) -> Result<(), StartError> {
        let claimed = self.store.claim(config.clerk.frontend_api.as_str()).await;
        let owner = claimed.map_err(StartError::failed)?;
        belongs_to(config, &owner)
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
        drop(self.lock);
    }
}

/// What keeps a server with this configuration from starting on this machine, and what is in order. Nothing
/// is made and nothing stays changed.
pub(crate) async fn check(config: &Config) -> Vec<Result<Option<String>, StartError>> {
    let mut checked = State::check(config).await;
    checked.extend(Process::check(config).await);
    checked
}
