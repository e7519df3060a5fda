//! Faults of the database, and what they mean to callers.

use std::path::Path;

use oauth::StoreError;

/// SQLite's primary result codes that people can do something about (sqlite.org/rescode.html).
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;

/// Why a query or a transition failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database said no.
    Database(sqlx::Error),
    /// A row holds something that this version does not understand.
    Unreadable {
        /// What it is, for example `clients.client`.
        what: &'static str,
    },
}

pub(super) type Outcome<T> = Result<T, Failure>;

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// Whether SQLite and the transaction around are sound: a row could not be read, or was refused.
    pub(super) fn is_of_one_transition(&self) -> bool {
        match self {
            Self::Unreadable { .. } => true,
            Self::Database(error) => is_decoding(error) || primary_code(error) == Some(CONSTRAINT),
        }
    }

    /// What callers of the store on `file` are told. SQLite's messages name tables and columns,
    /// never values.
    pub(super) fn into_store_error(self, file: &Path) -> StoreError {
        let file = file.display();
        match self {
            Self::Unreadable { what } => StoreError::Corrupt {
                message: format!("`{what}` in {file}"),
            },
            Self::Database(error) if is_decoding(&error) => StoreError::Corrupt {
                message: format!("a row in {file}: {error}"),
            },
            Self::Database(error) => {
                let message = format!("{file}: {}", describe(&error));
                match primary_code(&error) {
                    Some(CORRUPT | NOTADB) => StoreError::Corrupt { message },
                    _ => StoreError::Unavailable { message },
                }
            }
        }
    }
}

/// SQLite's message and, where there is something to do about it, a hint.
pub(super) fn describe(error: &sqlx::Error) -> String {
    let message = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    };
    match primary_code(error).and_then(hint) {
        Some(hint) => format!("{message}\nhint: {hint}"),
        None => message,
    }
}

/// Whether somebody else holds the lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED))
}

fn is_decoding(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
    )
}

/// SQLite's result code without its extension; `None` when the error is not SQLite's.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn hint(code: i32) -> Option<&'static str> {
    Some(match code {
        BUSY | LOCKED => {
            "another process holds the file locked; is a backup or a shell open on it?"
        }
        READONLY => "let the server's user write the file and its directory",
        FULL => "free space on the file's disk; nothing that was answered is lost",
        IOERR => "look at the disk's health and free space, and at the quota of the server's user",
        CANTOPEN => {
            "let the server's user read and write the file and its directory, and look at its limit of open files"
        }
        CORRUPT => "stop the server, keep a copy of the file with its `-wal`, and restore a backup",
        NOTADB => {
            "name the server's own file; if that is it, keep a copy of it with its `-wal`, and restore a \
             backup"
        }
        _ => return None,
    })
}
