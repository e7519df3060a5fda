//! What a server needs of its machine to start: one list, which a start takes and a check tries. What is
//! not in it a start does not have, and so the two cannot differ.

use std::{
    fs::{self, OpenOptions},
    io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
};

use oauth::ServerKeys;
use store::SqliteStore;
use tokio::net::{TcpListener, TcpSocket};

use super::{database_lock::DatabaseLock, logging, machine::Machine, start_error::StartError};
use crate::{
    audit_batch::JsonLinesFile,
    client_documents::ClientDocuments,
    config::{Config, Keys},
    listen,
};

/// One thing that a server needs.
pub(super) trait Need: Sized {
    /// Takes it, to serve with it.
    async fn take(config: &Config) -> Result<Self, StartError>;

    /// What would keep [`Need::take`] from it; otherwise what there is to say of it. Nothing is made and
    /// nothing stays changed.
    async fn check(config: &Config) -> Result<Option<String>, StartError>;
}

macro_rules! needs {
    ($(#[$about:meta])* $name:ident { $($need:ident: $type:ty,)* }) => {
        $(#[$about])*
        pub(super) struct $name {
            $(pub(super) $need: $type,)*
        }

        impl $name {
            /// Takes them in this order.
            ///
            /// # Errors
            /// Of the first that cannot be had.
            pub(super) async fn take(config: &Config) -> Result<Self, StartError> {
                Ok(Self { $($need: <$type as Need>::take(config).await?,)* })
            }

            /// Tries every one.
            pub(super) async fn check(
                config: &Config,
            ) -> Vec<Result<Option<String>, StartError>> {
                vec![$(<$type as Need>::check(config).await,)*]
            }
        }
    };
}

needs! {
    /// What is kept on this machine, and what goes out from it.
    State {
        lock: DatabaseLock,
        store: Database,
        audit: AuditLog,
        documents: ClientDocuments,
        keys: ServerKeys,
    }
}

needs! {
    /// What a process has that is one server: after [`State`], for the server before may have them still.
    Process {
        log: Log,
        socket: Socket,
    }
}

impl Need for DatabaseLock {
    async fn take(config: &Config) -> Result<Self, StartError> {
        Self::take(&config.storage.path).await
    }

    /// Another server may be the one that this is the configuration of.
    async fn check(_: &Config) -> Result<Option<String>, StartError> {
        Ok(None)
    }
}

/// The database that is open.
pub(super) type Database = Arc<SqliteStore>;

impl Need for Database {
    async fn take(config: &Config) -> Result<Self, StartError> {
        let store = SqliteStore::open(&config.storage.path).await;
        store.map(Arc::new).map_err(StartError::failed)
    }

    async fn check(config: &Config) -> Result<Option<String>, StartError> {
        let file = &config.storage.path;
        if file.exists() {
            if let Err(error) = OpenOptions::new().append(true).open(file) {
                return Err(StartError::failed(format!(
                    "database: {} cannot be written: {error}\n\
                     hint: let the server's user write it, or name another file with --database",
                    file.display()
                )));
            }
            let owner = store::instance_of(file).await;
            let owner = owner.map_err(|error| StartError::failed(format!("database: {error}")))?;
            if let Some(owner) = owner {
                belongs_to(config, &owner)
                    .map_err(|error| StartError::usage(format!("database: {error}")))?;
            }
        }
        // SQLite keeps files beside the database, and so are lock and key.
        let beside = file.with_extension(format!("check-{}", std::process::id()));
        made_and_removed(&beside).map_err(|error| {
            let folder = file.parent();
            let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
            StartError::failed(format!(
                "database: nothing can be written in {}: {error}\n\
                 hint: make the folder, owned by the server's user, or name another file with --database",
                folder.unwrap_or(Path::new(".")).display()
            ))
        })?;
        let running = match DatabaseLock::is_taken(file) {
            true => "; a server is running on it",
            false => "",
        };
        Ok(Some(format!("database: {}{running}", file.display())))
    }
}

/// What is wrong when the database belongs to the Clerk instance whose Frontend API is `owner`, and the
/// configuration is about another. Everybody in it would be taken for deleted, and what is kept for them
/// removed.
///
/// # Errors
/// That.
pub(super) fn belongs_to(config: &Config, owner: &str) -> Result<(), StartError> {
    let ours = config.clerk.frontend_api.as_str();
    let file = config.storage.path.display();
    if owner == ours {
        return Ok(());
    }
    Err(StartError::usage(format!(
        "{file} belongs to the Clerk instance at {owner}, and the configuration names the one at \
         {ours}\n\
         hint: check CLERK_PUBLISHABLE_KEY, or name another file with --database; if it is the same \
         instance under a new domain: sqlite3 {file} \"UPDATE instance SET frontend_api = '{ours}'\""
    )))
}

/// The file that audit rows go to; `None` where they go to the database.
pub(super) struct AuditLog(pub(super) Option<JsonLinesFile>);

impl Need for AuditLog {
    async fn take(config: &Config) -> Result<Self, StartError> {
        let file = config.audit.file.as_deref();
        let open = |file| JsonLinesFile::open(file).map_err(|error| no_audit_log(file, &error));
        file.map(open).transpose().map(Self)
    }

    async fn check(config: &Config) -> Result<Option<String>, StartError> {
        let Some(file) = &config.audit.file else {
            return Ok(None);
        };
        let tried = match OpenOptions::new().append(true).open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => made_and_removed(file),
            opened => opened.map(drop),
        };
        tried.map_err(|error| no_audit_log(file, &error))?;
        Ok(Some(format!("audit log: {}", file.display())))
    }
}

fn no_audit_log(file: &Path, error: &io::Error) -> StartError {
    StartError::usage(format!(
        "{}: the audit log cannot be opened: {error}\nhint: name another file as audit.file",
        file.display()
    ))
}

/// A new file can be made where this one would be.
fn made_and_removed(file: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    made.and_then(|_| fs::remove_file(file))
}

impl Need for ClientDocuments {
    async fn take(config: &Config) -> Result<Self, StartError> {
        Self::new(config.cimd_test.as_ref()).map_err(StartError::usage)
    }

    async fn check(config: &Config) -> Result<Option<String>, StartError> {
        <Self as Need>::take(config).await.map(|_| None)
    }
}

impl Need for ServerKeys {
    async fn take(config: &Config) -> Result<Self, StartError> {
        let file = match &config.keys {
            Keys::Given(keys) => return Ok(keys.clone()),
            Keys::KeptBeside(file) => file,
        };
        let cannot = |error: &dyn std::fmt::Display| {
            StartError::failed(format!(
                "{}: the server's key cannot be kept there: {error}\n\
                 hint: set COOKIE_ENCRYPTION_KEY (openssl rand -base64 32)",
                file.display()
            ))
        };
        let key = crate::kept_key(file, &Machine).map_err(|error| cannot(&error))?;
        Self::parse(&key).map_err(|error| cannot(&error))
    }

    async fn check(config: &Config) -> Result<Option<String>, StartError> {
        match &config.keys {
            // One that is not there is made: where it would be, the database's check has written.
            Keys::KeptBeside(file) if !file.exists() => Ok(None),
            _ => <Self as Need>::take(config).await.map(|_| None),
        }
    }
}

/// Log lines on standard error.
pub(super) struct Log;

impl Need for Log {
    async fn take(_: &Config) -> Result<Self, StartError> {
        logging::start(true).map(|()| Self)
    }

    async fn check(_: &Config) -> Result<Option<String>, StartError> {
        logging::level().map(|_| None)
    }
}

/// The socket, and its address.
pub(super) struct Socket(pub(super) TcpListener, pub(super) SocketAddr);

/// The flag that names another address.
const BIND: &str = "--bind";

impl Need for Socket {
    async fn take(config: &Config) -> Result<Self, StartError> {
        let (listener, address) = listen::bind(config.bind, BIND).await?;
        Ok(Self(listener, address))
    }

    async fn check(config: &Config) -> Result<Option<String>, StartError> {
        // Nobody can connect to a socket that does not listen.
        let socket = match config.bind {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let bound = socket.and_then(|socket| {
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(config.bind)
        });
        match bound {
            // By the very server that is running.
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && DatabaseLock::is_taken(&config.storage.path) =>
            {
                Ok(None)
            }
            bound => bound
                .map(|()| None)
                .map_err(|error| listen::cannot_bind(config.bind, BIND, &error)),
        }
    }
}
