//! The only place that writes to standard output and standard error.

use std::{
    fmt,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
};

use crate::failure::Failure;

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

    /// Whether a person types, or would, on standard input.
    pub(crate) fn has_typist(self) -> bool {
        self.stdin_is_terminal
    }

    /// A result. A reader that has gone away (`| head`) is no error; a full disk is.
    pub(crate) fn result(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(
                format!("the result cannot be written to standard output: {error}"),
            )),
            _ => Ok(()),
        }
    }

    /// A failure.
    pub(crate) fn error(self, message: &str) {
        say(format_args!("clerk-mcp: {message}\n"));
    }

    /// Something to know that stops nothing.
    pub(crate) fn warn(self, message: &str) {
        say(format_args!("clerk-mcp: warning: {message}\n"));
    }

    /// A word to the person beside the results.
    pub(crate) fn note(self, message: &str) {
        say(format_args!("{message}\n"));
    }

    /// How far long work is: one line that is written over on a terminal, and nothing elsewhere.
    pub(crate) fn progress(self, message: &str) {
        if self.stderr_is_terminal {
            say(format_args!("\r\x1b[2K{message}"));
        }
    }

    /// Clears the progress line.
    pub(crate) fn progress_done(self) {
        if self.stderr_is_terminal {
            say(format_args!("\r\x1b[2K"));
        }
    }

    /// Asks a yes-or-no question; anything but yes is no. Blocks until a line is there: call it
    /// where nothing else has to go on.
    pub(crate) fn ask(self, question: &str) -> bool {
        say(format_args!("{question}\n[y/N] "));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}

/// Nobody is left to be told that standard error cannot be written.
fn say(text: fmt::Arguments<'_>) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_fmt(text).and_then(|()| stderr.flush());
}
