//! Opening the file: created if need be, checked, brought to this version's schema.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlSafeStr as _, SqliteConnection, SqlitePool};

use super::error::{describe, is_busy};

/// How long a statement waits for another process' lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read. SQLite's readers are bound by the processor, not by waiting.
const READERS: u32 = 4;
/// How long a reader waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The log of writes (`-wal`) shrinks to this after it has grown larger.
const WAL_LIMIT: &str = "67108864";
/// `PRAGMA application_id` of our files, as the first migration sets it.
const APPLICATION_ID: i32 = 0x636d_6370;
/// Two processes that open the file first at the same moment meet in the change to WAL, for which
/// SQLite does not wait by itself.
const OPENING_TRIES: u32 = 50;
const OPENING_PAUSE: Duration = Duration::from_millis(100);

/// Every change of the schema, oldest first. What was released is never edited.
const MIGRATIONS: [(i64, &str, &str); 1] = [(
    1,
    "OAuth state",
    include_str!("../../migrations/0001_oauth_state.sql"),
)];

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is not there.
    #[error(
        "the directory of {} cannot be used: {source}\nhint: create it, owned by the server's user: mkdir -m 700 {}",
        file.display(),
        directory.display()
    )]
    Directory {
        /// The store's file.
        file: PathBuf,
        /// Its directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not there and cannot be created, or is no file.
    #[error(
        "{} cannot be used as the store's file: {source}\nhint: let the server's user write there, or choose another file",
        file.display()
    )]
    File {
        /// The store's file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is another program's database.
    #[error(
        "{} is a database of another program\nhint: choose another file; it has not been touched",
        file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// A newer version has written it.
    #[error(
        "{} has schema version {found}, this program knows up to {known}\nhint: use the newer version of clerk-mcp again, or restore a backup from before the upgrade",
        file.display()
    )]
    Newer {
        /// The store's file.
        file: PathBuf,
        /// Its schema's version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// SQLite cannot work with it.
    #[error("{} cannot be opened: {message}", file.display())]
    Database {
        /// The store's file.
        file: PathBuf,
        /// SQLite's message, with a hint where there is one.
        message: String,
    },
}

/// What an opened file is reached by.
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) readers: SqlitePool,
}

pub(super) async fn open(file: &Arc<Path>) -> Result<Opened, OpenError> {
    prepare(file)?;
    let mut writer = connect(file).await?;
    migrate(&mut writer, file).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A connection to a file does not break while it lies idle.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options(file).pragma("query_only", "on"))
        .await
        .map_err(|error| database(file, &error))?;
    Ok(Opened { writer, readers })
}

/// Creates the file if need be, for its owner alone: SQLite gives `-wal` and `-shm` the same mode.
fn prepare(file: &Path) -> Result<(), OpenError> {
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let listed = fs::metadata(directory).and_then(|found| match found.is_dir() {
        true => Ok(()),
        false => Err(io::ErrorKind::NotADirectory.into()),
    });
    listed.map_err(|source| OpenError::Directory {
        file: file.to_owned(),
        directory: directory.to_owned(),
        source,
    })?;
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(file)
        .map(drop)
        .map_err(|source| OpenError::File {
            file: file.to_owned(),
            source,
        })
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        // Statements carry no values, but hashes and documents are nobody's business in a log either.
        .disable_statement_logging()
}

async fn connect(file: &Path) -> Result<SqliteConnection, OpenError> {
    let options = options(file)
        .journal_mode(SqliteJournalMode::Wal)
        // Each commit waits until its part of the log is on the disk.
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", WAL_LIMIT);
    let mut tries = 1;
    loop {
        match options.connect().await {
            Ok(connection) => return Ok(connection),
            Err(error) if is_busy(&error) && tries < OPENING_TRIES => {
                tries += 1;
                tokio::time::sleep(OPENING_PAUSE).await;
            }
            Err(error) => return Err(database(file, &error)),
        }
    }
}

/// Brings the schema up to date, all of it or nothing. Of several processes one does it.
async fn migrate(connection: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| database(file, &error);
    let begun = connection.begin_with("BEGIN IMMEDIATE").await;
    let mut transaction = begun.map_err(failed)?;
    let (application, tables): (i32, i64) = sqlx::query_as(
        "SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id",
    )
    .fetch_one(&mut *transaction)
    .await
    .map_err(failed)?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        return Err(OpenError::Foreign {
            file: file.to_owned(),
        });
    }
    let migrated = migrator().run(&mut *transaction).await;
    migrated.map_err(|error| migration(file, error))?;
    transaction.commit().await.map_err(failed)
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, description, sql)| {
        Migration::new(
            version,
            Cow::Borrowed(description),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.to_vec())
}

fn migration(file: &Path, error: MigrateError) -> OpenError {
    let known = MIGRATIONS.iter().map(|(version, ..)| *version).max();
    let file = file.to_owned();
    match error {
        MigrateError::VersionMissing(found) => OpenError::Newer {
            file,
            found,
            known: known.unwrap_or_default(),
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            database(&file, &error)
        }
        other => OpenError::Database {
            file,
            message: format!(
                "its schema is not what this program made: {other}\nhint: restore a backup"
            ),
        },
    }
}

fn database(file: &Path, error: &sqlx::Error) -> OpenError {
    OpenError::Database {
        file: file.to_owned(),
        message: describe(error),
    }
}
