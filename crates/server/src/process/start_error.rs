use std::fmt;

/// Why a server does not start: a text for a person, whose last lines may be hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError {
    message: String,
    exit_code: u8,
}

impl StartError {
    /// Something is wrong with configuration, environment or tools: nothing was tried.
    #[must_use]
    pub fn usage(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            exit_code: 2,
        }
    }

    /// It was tried and failed.
    #[must_use]
    pub fn failed(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            exit_code: 1,
        }
    }

    /// 2 where nothing was tried, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}
