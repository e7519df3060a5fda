//! Opening the file: created if need be, checked, brought to this version's schema.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};

use super::error::{describe, is_busy};

/// How long a statement waits for another process' lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read. SQLite's readers are bound by the processor, not by waiting.
const READERS: u32 = 4;
/// Pages that a connection keeps in memory, KiB (`PRAGMA cache_size`, negative). The system's file cache
/// has them all; these save the way there, and SQLite's own 2000 for each connection would be ten
/// megabytes for what is a few indexed rows at a time.
const WRITER_CACHE: &str = "-1024";
const READER_CACHE: &str = "-512";
/// How long a reader waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The log of writes (`-wal`) shrinks to this after it has grown larger.
const WAL_LIMIT: &str = "67108864";
/// `PRAGMA application_id` of our files, as the first migration sets it.
const APPLICATION_ID: i64 = 0x636d_6370;
/// Two processes that open the file first at the same moment meet in the change to WAL, for which
/// SQLite does not wait by itself.
const OPENING_TRIES: u32 = 50;
const OPENING_PAUSE: Duration = Duration::from_millis(100);

/// Every change of the schema, the one to version 1 first. The file's version (`PRAGMA
/// user_version`) says how many of them it has. What was released is never edited.
const MIGRATIONS: [&str; 8] = [
    include_str!("../../migrations/0001_oauth_state.sql"),
    include_str!("../../migrations/0002_tool_state.sql"),
    include_str!("../../migrations/0003_used_assertions.sql"),
    include_str!("../../migrations/0004_sessions.sql"),
    include_str!("../../migrations/0005_instance.sql"),
    include_str!("../../migrations/0006_started_sessions.sql"),
    include_str!("../../migrations/0007_tool_lists.sql"),
    include_str!("../../migrations/0008_consents_by_age.sql"),
];

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
        known: usize,
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
    let reader = options(file)
        .pragma("query_only", "on")
        .pragma("cache_size", READER_CACHE);
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A connection to a file does not break while it lies idle.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(reader)
        .await
        .map_err(|error| database(file, &error))?;
    Ok(Opened { writer, readers })
}

/// Connects to a file that is there, and changes nothing in it; `None` when it lacks migrations.
///
/// # Errors
/// [`OpenError`] when it is no file of ours, or a newer version's.
pub(super) async fn look_into(file: &Path) -> Result<Option<SqliteConnection>, OpenError> {
    let options = options(file).read_only(true);
    let connected = options.connect().await;
    let mut connection = connected.map_err(|error| database(file, &error))?;
    let missing = missing_migrations(&mut connection, file).await?;
    Ok(missing.is_empty().then_some(connection))
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
    let failed = |error: sqlx::Error| database(file, &error);
    let options = options(file)
        // Each commit waits until its part of the log is on the disk.
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", WAL_LIMIT)
        .pragma("cache_size", WRITER_CACHE);
    let mut connection = options.connect().await.map_err(failed)?;
    // Before anything is written: the file may not be ours.
    missing_migrations(&mut connection, file).await?;
    let mut tries = 1;
    loop {
        let changed = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut connection);
        match changed.await {
            Ok(_) => return Ok(connection),
            Err(error) if is_busy(&error) && tries < OPENING_TRIES => {
                tries += 1;
                tokio::time::sleep(OPENING_PAUSE).await;
            }
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Brings the schema up to date, all of it or nothing. Of several processes one does it.
async fn migrate(connection: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| database(file, &error);
    let begun = connection.begin_with("BEGIN IMMEDIATE").await;
    let mut transaction = begun.map_err(failed)?;
    for migration in missing_migrations(&mut transaction, file).await? {
        let done = sqlx::raw_sql(*migration).execute(&mut *transaction).await;
        done.map_err(failed)?;
    }
    // Written even when it says so already: a file that cannot be written is found out here.
    let version = format!("PRAGMA user_version = {}", MIGRATIONS.len());
    let marked = sqlx::raw_sql(AssertSqlSafe(version)).execute(&mut *transaction);
    marked.await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// What the file's schema lacks.
async fn missing_migrations(
    connection: &mut SqliteConnection,
    file: &Path,
) -> Result<&'static [&'static str], OpenError> {
    let (application, version, tables): (i64, i64, i64) = sqlx::query_as(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
         FROM pragma_application_id, pragma_user_version",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| database(file, &error))?;
    let is_new = application == 0 && version == 0 && tables == 0;
    if application != APPLICATION_ID && !is_new {
        return Err(OpenError::Foreign {
            file: file.to_owned(),
        });
    }
    let applied = usize::try_from(version).unwrap_or(usize::MAX);
    MIGRATIONS.get(applied..).ok_or_else(|| OpenError::Newer {
        file: file.to_owned(),
        found: version,
        known: MIGRATIONS.len(),
    })
}

pub(super) fn database(file: &Path, error: &sqlx::Error) -> OpenError {
    OpenError::Database {
        file: file.to_owned(),
        message: describe(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Durability rests on these, and no other test can cut the power.
    #[tokio::test]
    async fn commits_wait_for_the_disk_and_readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let file: Arc<Path> = folder.path().join("store.db").into();
        let mut opened = open(&file).await.unwrap();
        let pragmas = "SELECT journal_mode, synchronous, foreign_keys, timeout
             FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys, pragma_busy_timeout";
        let found: (String, i64, i64, i64) = sqlx::query_as(pragmas)
            .fetch_one(&mut opened.writer)
            .await
            .unwrap();
        assert_eq!(found, ("wal".to_owned(), 2, 1, 5000));
        let written = sqlx::query("DELETE FROM grants")
            .execute(&opened.readers)
            .await;
        let refused = written.unwrap_err().to_string();
        assert!(refused.contains("readonly"), "{refused}");
    }
}
