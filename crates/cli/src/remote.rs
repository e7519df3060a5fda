//! The remote MCP server on this machine: its socket, database, keys and audit log.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clerk::{Env, Transport};
use mcp::audit::Audit;
use oauth::ServerKeys;
use server::{
    Server, Surroundings,
    app::EmulatedPerson,
    audit_batch::{AuditQueue, AuditSink, JsonLinesFile, StoreSink},
    client_documents::ClientDocuments,
    config::{Config, Keys},
};
use store::{SqliteStore, tool_state::ToolStateStore};
use tokio::net::TcpListener;

use crate::{emulate, failure::Failure, machine::Machine};

/// How long what waits to be audited may take to be written at the end.
const AUDIT_GRACE: Duration = Duration::from_secs(10);

/// What differs between a server beside Clerk and one beside the emulator.
pub(crate) struct Surrounded {
    pub(crate) env: Arc<dyn Env>,
    pub(crate) clerk: Arc<dyn Transport>,
    pub(crate) people: Vec<EmulatedPerson>,
}

/// A server that listens, and serves once it is told to.
pub(crate) struct Remote {
    server: Server,
    listener: TcpListener,
    address: SocketAddr,
    store: Arc<SqliteStore>,
    audit: Arc<AuditQueue>,
}

impl Remote {
    /// Opens the socket and the database.
    pub(crate) async fn start(config: &Config, around: Surrounded) -> Result<Self, Failure> {
        let (listener, address) = emulate::listen(config.bind, "--bind").await?;
        Self::on(listener, address, config, around).await
    }

    /// Opens the database, for a socket that is open already.
    pub(crate) async fn on(
        listener: TcpListener,
        address: SocketAddr,
        config: &Config,
        around: Surrounded,
    ) -> Result<Self, Failure> {
        let store = SqliteStore::open(&config.storage.path)
            .await
            .map_err(Failure::failed)?;
        let store = Arc::new(store);
        let sink = audit_sink(config, &store)?;
        let audit = Arc::new(AuditQueue::new(config.limits.audit_queue, sink));
        let documents = ClientDocuments::new(config.cimd_test.as_ref()).map_err(Failure::usage)?;
        let surroundings = Surroundings {
            env: around.env,
            random: Arc::new(Machine),
            clerk: around.clerk,
            key_sets: Arc::new(documents.of_key_sets()),
            documents: Arc::new(documents),
            store: Arc::clone(&store) as Arc<dyn oauth::Store>,
            tool_state: Arc::clone(&store) as Arc<dyn ToolStateStore>,
            audit: Arc::clone(&audit) as Arc<dyn Audit>,
            keys: keys(config)?,
            version: env!("CARGO_PKG_VERSION"),
            emulated: around.people,
        };
        let server = Server::new(config, surroundings).map_err(Failure::usage)?;
        Ok(Self {
            server,
            listener,
            address,
            store,
            audit,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stopped` is done; then open calls are finished, and audit rows written.
    pub(crate) async fn serve(self, stopped: impl Future<Output = ()>) -> Result<(), Failure> {
        self.server.serve(self.listener, stopped).await;
        self.audit.shut_down(AUDIT_GRACE).await;
        self.store.close().await;
        Ok(())
    }
}

/// The file of the configuration, else the database.
fn audit_sink(config: &Config, store: &Arc<SqliteStore>) -> Result<Arc<dyn AuditSink>, Failure> {
    let Some(file) = &config.audit.file else {
        return Ok(Arc::new(StoreSink(
            Arc::clone(store) as Arc<dyn oauth::Store>
        )));
    };
    let lines = JsonLinesFile::open(file).map_err(|error| {
        Failure::usage(format!(
            "{}: the audit log cannot be opened: {error}\nhint: name another file as audit.file",
            file.display()
        ))
    })?;
    Ok(Arc::new(lines))
}

fn keys(config: &Config) -> Result<ServerKeys, Failure> {
    match &config.keys {
        Keys::Given(keys) => Ok(keys.clone()),
        Keys::KeptBeside(file) => {
            let cannot = |error: &dyn std::fmt::Display| {
                Failure::failed(format!(
                    "{}: the server's key cannot be kept there: {error}\n\
                     hint: set COOKIE_ENCRYPTION_KEY (openssl rand -base64 32)",
                    file.display()
                ))
            };
            let key = server::kept_key(file, &Machine).map_err(|error| cannot(&error))?;
            ServerKeys::parse(&key).map_err(|error| cannot(&error))
        }
    }
}
