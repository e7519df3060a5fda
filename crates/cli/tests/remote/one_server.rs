//! A database is one server's at a time.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::serve_check::Clerk;
use crate::support::patience::PATIENCE;
use crate::support::server::Server;

/// A start is refused no sooner.
const WAITS: Duration = Duration::from_secs(5);

const CONFIG: &str = "";

/// A `serve` that has said that it serves.
struct Serving(Child);

impl Serving {
    fn start(command: &mut Command) -> Self {
        Self::try_start(command).unwrap_or_else(|said| panic!("it does not start: {said}"))
    }

    /// When it does not start: what it said.
    fn try_start(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let started = Self(child);
        let mut said = String::new();
        for line in lines.by_ref().map(Result::unwrap) {
            if line.contains("serving ") {
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(started);
            }
            said += &(line + "\n");
        }
        Err(said)
    }

    /// Starts while another one ends. That may take longer than a start waits for it.
    fn start_after(command: impl Fn() -> Command) -> Self {
        for _ in 0..5 {
            let begun = Instant::now();
            match Self::try_start(&mut command()) {
                Ok(started) => return started,
                Err(said) => assert!(
                    said.contains("another server") && begun.elapsed() >= WAITS,
                    "it does not start: {said}"
                ),
            }
        }
        panic!("the server before it does not end");
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same file by another way.
fn by_a_link(folder: &Path) -> PathBuf {
    let link = folder.join("linked");
    std::os::unix::fs::symlink(folder, &link).unwrap();
    link.join("clerk-mcp.db")
}

#[test]
fn a_second_server_does_not_start_on_the_same_database() {
    let clerk = Clerk::start();
    let first = Serving::start(&mut clerk.serve(CONFIG));
    let linked = by_a_link(&clerk.folder);
    for database in [Path::new("clerk-mcp.db"), &linked] {
        let mut second = clerk.serve(CONFIG);
        let begun = Instant::now();
        let refused = second.arg("--database").arg(database).output().unwrap();
        assert!(begun.elapsed() < PATIENCE);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        for word in ["clerk-mcp.db", "another server", "hint:", "--database"] {
            assert!(said.contains(word), "no {word:?} in: {said}");
        }
    }
    // What only looks is let.
    let (code, said) = clerk.check(CONFIG, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("a server is running on it"), "{said}");
    // Another database is another server's.
    let mut other = clerk.serve(CONFIG);
    drop(Serving::start(other.args(["--database", "other.db"])));
    // A killed one holds nothing.
    first.signal("KILL");
    drop(first);
    let (_, said) = clerk.check(CONFIG, &[]);
    assert!(!said.contains("is running"), "{said}");
    drop(Serving::start(&mut clerk.serve(CONFIG)));
}

#[test]
fn a_server_that_starts_while_the_one_before_it_ends_waits_for_it() {
    let clerk = Clerk::start();
    let config = format!("bind = \"127.0.0.1:{}\"\n", Server::free_port());
    let mut running = Serving::start(&mut clerk.serve(&config));
    for _ in 0..3 {
        running.signal("TERM");
        running = Serving::start_after(|| clerk.serve(&config));
    }
}
