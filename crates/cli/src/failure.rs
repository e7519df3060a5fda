use std::fmt;

use server::process::StartError;

/// Why a command ends without having done its work: a sentence for a person, and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

/// Something was wrong with the command line, the environment or a file: nothing was tried.
pub(crate) const USAGE: u8 = 2;
/// It was tried and failed.
pub(crate) const FAILED: u8 = 1;

impl Failure {
    /// The command cannot be carried out as given.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: USAGE,
        }
    }

    /// The command was carried out and failed.
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            code: FAILED,
        }
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self {
            code: error.exit_code(),
            message: error.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
