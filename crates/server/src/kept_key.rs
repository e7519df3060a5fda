//! A key that the server made itself, for whoever has given none.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use oauth::Random;

/// The key in this file; where there is none, a new one that is there from now on.
///
/// The file is whole or not there at all, whatever happens meanwhile, and processes that start at the same
/// time get the same key: it is written under another name, and gets this one only if nothing has it.
///
/// # Errors
/// When the file cannot be read or written, or is empty.
pub fn kept_key(file: &Path, random: &dyn Random) -> io::Result<String> {
    if let Some(key) = read(file)? {
        return Ok(key);
    }
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    // No other process writes to a file of this name: a process id is not enough, for containers that
    // share a folder may each have the same.
    let mut name = [0; 8];
    random.fill(&mut name);
    let name = u64::from_be_bytes(name);
    let temporary = file.with_extension(format!("key.{name:016x}.tmp"));
    let placed = place(file, &temporary, &BASE64.encode(bytes));
    drop(fs::remove_file(&temporary));
    placed?;
    read(file)?.ok_or_else(|| ErrorKind::NotFound.into())
}

fn read(file: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(key) if key.trim().is_empty() => Err(io::Error::new(
            ErrorKind::InvalidData,
            "it is empty; remove it, and a key is made",
        )),
        Ok(key) => Ok(Some(key.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the key to the disk, and then gives it its name, unless another process was first.
fn place(file: &Path, temporary: &Path, key: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(temporary)?;
    written.write_all(key.as_bytes())?;
    written.sync_all()?;
    match fs::hard_link(temporary, file) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        // A file system without such links: there the last of those that start at once wins.
        Err(_) => fs::rename(temporary, file)?,
    }
    #[cfg(unix)]
    if let Some(folder) = file.parent() {
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{
        path::PathBuf,
        sync::{
            Barrier,
            atomic::{AtomicU64, Ordering},
        },
    };

    use super::*;

    /// Never the same twice.
    #[derive(Default)]
    struct Counter(AtomicU64);

    impl Random for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            for part in bytes.chunks_mut(8) {
                let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                part.copy_from_slice(&number[..part.len()]);
            }
        }
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn those_that_start_at_once_have_the_same_key_and_leave_nothing_else() {
        let random = Counter::default();
        for _ in 0..20 {
            let folder = folder();
            let file = folder.path().join("clerk-mcp.db.key");
            let barrier = Barrier::new(8);
            let keys: Vec<String> = std::thread::scope(|scope| {
                let start = || {
                    barrier.wait();
                    kept_key(&file, &random).unwrap()
                };
                let started: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
                started.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
            assert_eq!(BASE64.decode(&keys[0]).unwrap().len(), 32);
            assert_eq!(names(folder.path()), std::slice::from_ref(&file));
            assert_eq!(kept_key(&file, &random).unwrap(), keys[0]);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = fs::metadata(&file).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
        }
    }

    #[test]
    fn an_empty_file_is_no_key_and_is_said_to_be() {
        let folder = folder();
        let file = folder.path().join("clerk-mcp.db.key");
        fs::write(&file, "\n").unwrap();
        let error = kept_key(&file, &Counter::default()).unwrap_err();
        assert!(error.to_string().contains("remove it"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "\n");
    }
}
