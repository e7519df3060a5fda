//! The only place that writes to standard output and standard error.
#![expect(clippy::print_stderr, reason = "this is the printer")]

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// Writes to the person, or to the program, at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    stdin_is_terminal: bool,
}

impl Printer {
    pub(crate) fn new() -> Self {
        Self {
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            stdin_is_terminal: io::stdin().is_terminal(),
        }
    }

    /// Whether results go to a person.
    pub(crate) fn is_for_people(self) -> bool {
        self.stdout_is_terminal
    }

    /// Whether a person can be asked.
    pub(crate) fn can_ask(self) -> bool {
        self.stdin_is_terminal && self.stderr_is_terminal
    }

    /// A result. A reader that has gone away (`| head`) is no error.
    pub(crate) fn result(self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    }

    /// A failure.
    pub(crate) fn error(self, message: &str) {
        eprintln!("clerk-mcp: {message}");
    }

    /// Something to know that stops nothing.
    pub(crate) fn warn(self, message: &str) {
        eprintln!("clerk-mcp: warning: {message}");
    }

    /// A word to the person beside the results.
    pub(crate) fn note(self, message: &str) {
        eprintln!("{message}");
    }

    /// How far long work is: one line that is written over on a terminal, and nothing elsewhere.
    pub(crate) fn progress(self, message: &str) {
        if self.stderr_is_terminal {
            eprint!("\r\x1b[2K{message}");
            let _ = io::stderr().flush();
        }
    }

    /// Clears the progress line.
    pub(crate) fn progress_done(self) {
        if self.stderr_is_terminal {
            eprint!("\r\x1b[2K");
            let _ = io::stderr().flush();
        }
    }

    /// Asks a yes-or-no question; anything but yes is no.
    pub(crate) fn ask(self, question: &str) -> bool {
        eprint!("{question}\n[y/N] ");
        let _ = io::stderr().flush();
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}
