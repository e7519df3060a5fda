//! Impersonations that have been started, as files: what a crash leaves behind can be ended.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use mcp::impersonation::{Journal, JournalError, Started};

/// A folder with one file for each impersonation, so that programs side by side do not meet.
#[derive(Debug)]
pub struct FileJournal(PathBuf);

impl FileJournal {
    /// In this folder, which is made when it is needed.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where a server keeps it whose database is this file: `clerk-mcp.db.impersonations`.
    #[must_use]
    pub fn beside(database: &Path) -> Self {
        Self(Self::folder_beside(database))
    }

    /// That folder.
    #[must_use]
    pub fn folder_beside(database: &Path) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(".impersonations");
        name.into()
    }

    fn file(&self, id: &str) -> Result<PathBuf, JournalError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if id.is_empty() || !id.bytes().all(is_plain) {
            return Err(JournalError(format!("{id:?} is no id of an impersonation")));
        }
        Ok(self.0.join(format!("{id}.json")))
    }

    fn failed(&self, what: &str, error: &dyn std::fmt::Display) -> JournalError {
        JournalError(format!("{}: {what}: {error}", self.0.display()))
    }
}

impl Journal for FileJournal {
    fn write(&self, started: &Started) -> Result<(), JournalError> {
        let file = self.file(&started.id)?;
        let text = serde_json::to_vec(started).map_err(|error| self.failed("no JSON", &error))?;
        create_private(&self.0)
            .and_then(|()| replace(&file, &text))
            .map_err(|error| self.failed("cannot be written", &error))
    }

    fn remove(&self, id: &str) -> Result<(), JournalError> {
        match fs::remove_file(self.file(id)?) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.failed("cannot be emptied", &error))
            }
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<Vec<Started>, JournalError> {
        let cannot = |error: std::io::Error| self.failed("cannot be read", &error);
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(cannot)?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry.map_err(cannot)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = match fs::read(&path) {
                // Another program has just ended it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                text => text.map_err(cannot)?,
            };
            match serde_json::from_slice(&text) {
                Ok(started) => all.push(started),
                // It must not stand in the way of ending the others.
                Err(error) => tracing::warn!(
                    file = %path.display(), %error, "this is no record of an impersonation"
                ),
            }
        }
        Ok(all)
    }
}

fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Replaces the file in one step: whoever reads it finds the old text or the new one.
fn replace(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut written = options.open(&temporary)?;
        written.write_all(text)?;
        written.sync_all()?;
        fs::rename(&temporary, file)
    };
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}
