//! A database is one server's at a time: two would believe of tokens and sessions what the other has
//! ended meanwhile.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::start_error::StartError;

/// How long a start waits for the server before it to end, as after a restart without a pause.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks whether that has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Held while a server has the database. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DatabaseLock {
    _file: File,
}

impl DatabaseLock {
    /// Takes the database, once the server before has let go of it.
    ///
    /// # Errors
    /// When another one keeps it, and when no file can be written beside the database.
    pub(super) async fn take(database: &Path) -> Result<Self, StartError> {
        let path = beside(database);
        let cannot = |error: io::Error| {
            StartError::failed(format!(
                "{}: the database cannot be locked: {error}\n\
                 hint: let the server's user write there, or name another file with --database",
                path.display()
            ))
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(cannot)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
                Err(TryLockError::WouldBlock) if waited >= PATIENCE => {
                    return Err(StartError::failed(format!(
                        "{}: another server is running on this database\n\
                         hint: stop that one, or name another file with --database",
                        database.display()
                    )));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }

    /// Whether a server has this database. Nothing is made.
    pub(super) fn is_taken(database: &Path) -> bool {
        let file = OpenOptions::new().write(true).open(beside(database));
        let looked = file.map(|file| file.try_lock());
        matches!(looked, Ok(Err(TryLockError::WouldBlock)))
    }
}

/// `clerk-mcp.db.lock` beside the file itself, by whatever way that is named.
fn beside(database: &Path) -> PathBuf {
    let mut path = OsString::from(itself(database));
    path.push(".lock");
    path.into()
}

fn itself(database: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(database) {
        return path;
    }
    // It is not made yet; its folder is.
    let folder = database.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
    match (folder, database.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => database.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The clock is tokio's, which goes on when nothing else is to be done.
    #[tokio::test(start_paused = true)]
    async fn who_comes_second_waits_for_a_while_and_then_is_refused() {
        let folder = std::env::temp_dir().join(format!("clerk-mcp-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let database = folder.join("a.db");
        let first = DatabaseLock::take(&database).await.unwrap();
        assert!(DatabaseLock::is_taken(&database));
        let begun = tokio::time::Instant::now();
        let refused = DatabaseLock::take(&database).await.unwrap_err();
        assert!(refused.to_string().contains("another server"), "{refused}");
        assert!(begun.elapsed() >= PATIENCE);
        let second = tokio::spawn({
            let database = database.clone();
            async move { DatabaseLock::take(&database).await }
        });
        tokio::time::sleep(PATIENCE / 2).await;
        drop(first);
        let second = second.await.unwrap().unwrap();
        drop(second);
        assert!(!DatabaseLock::is_taken(&database));
        fs::remove_dir_all(&folder).unwrap();
    }
}
