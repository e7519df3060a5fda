//! What `impersonate` has started, as files of the user's own.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use mcp::impersonation::{Journal, JournalError, Started};

use crate::{
    environment::{self, HOME, LOCALAPPDATA, XDG_STATE_HOME},
    failure::Failure,
};

/// A folder with one file for each impersonation, so that programs side by side do not meet.
#[derive(Debug)]
pub(crate) struct FileJournal(PathBuf);

impl FileJournal {
    /// In the folder for state that is the user's own.
    ///
    /// # Errors
    /// When the environment names none.
    pub(crate) fn of_user() -> Result<Self, Failure> {
        let absolute = |name| {
            let path = environment::read(name)?.map(PathBuf::from);
            Ok::<_, Failure>(path.filter(|path| path.is_absolute()))
        };
        let state = match absolute(XDG_STATE_HOME)? {
            Some(state) => Some(state),
            None if cfg!(windows) => absolute(LOCALAPPDATA)?,
            None => absolute(HOME)?.map(|home| home.join(".local/state")),
        };
        let state = state.ok_or_else(|| {
            Failure::usage(format!(
                "there is no folder to keep on record what is started\n\
                 hint: set {XDG_STATE_HOME} to a folder of your own"
            ))
        })?;
        Ok(Self(state.join("clerk-mcp").join("impersonations")))
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
