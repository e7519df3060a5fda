use serde::{Deserialize, Serialize};

/// An impersonation, as far as it must be known to end it. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its own id, `imp_…`, which is in the actor of its sessions too.
    pub id: String,
    /// Where the Backend API is that knows of it.
    pub api_url: String,
    /// Who acts.
    pub operator: String,
    /// As whom.
    pub user_id: String,
    /// The actor token, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_token_id: Option<String>,
    /// The session, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// When it began, Unix milliseconds.
    pub started_at: u64,
    /// When Clerk has ended it at the latest, Unix milliseconds.
    pub ends_at: u64,
}

/// Why a journal cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalError(pub String);

impl std::fmt::Display for JournalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JournalError {}

/// Where impersonations are kept while they last, so that they can be ended after a crash too.
pub trait Journal: Send + Sync {
    /// Keeps one, in place of what was kept under its id.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be kept; nothing is started then.
    fn write(&self, started: &Started) -> Result<(), JournalError>;

    /// Forgets one. That it is not there is no error.
    ///
    /// # Errors
    /// [`JournalError`] when it is still there.
    fn remove(&self, id: &str) -> Result<(), JournalError>;

    /// All that are kept.
    ///
    /// # Errors
    /// [`JournalError`] when they cannot be read.
    fn read(&self) -> Result<Vec<Started>, JournalError>;
}
