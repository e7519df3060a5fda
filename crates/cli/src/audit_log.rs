use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::{Mutex, PoisonError},
};

use mcp::audit::{Audit, AuditRow};

use crate::failure::Failure;

/// Audit rows as JSON lines at the end of a file.
pub(crate) struct AuditLog(Mutex<File>);

impl AuditLog {
    /// Opens the file, for appending; a new one is readable by its owner alone.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            Failure::usage(format!(
                "--audit-log {}: cannot be opened: {error}\nhint: name a file in a folder that is \
                 there and that you may write to",
                path.display()
            ))
        })?;
        Ok(Self(Mutex::new(file)))
    }
}

impl Audit for AuditLog {
    fn record(&self, row: AuditRow) {
        let mut line = serde_json::to_string(&row).unwrap_or_default();
        line.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One write a row, so that rows of several processes do not mix.
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }
}
