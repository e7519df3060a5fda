//! Values that tools keep for whoever calls.

use std::{fmt, sync::Arc};

use clerk::Env;
use mcp::Caller;
use oauth::{StoreError, Timestamp};
use serde_json::{Map, Value};
use store::tool_state::{Changes, Owner, ToolStateStore, ValueFault};

/// The values of tools, each kept for one person and one client: nobody's are anybody else's, and the
/// same person's through another client are others.
#[derive(Clone)]
pub struct ToolState {
    store: Arc<dyn ToolStateStore>,
    env: Arc<dyn Env>,
}

impl fmt::Debug for ToolState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolState").finish_non_exhaustive()
    }
}

/// Why values are not read or not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// Whoever calls is no person that came through a client.
    NoOwner,
    /// They cannot be kept.
    Refused(ValueFault),
    /// The store cannot be reached; the log says why.
    Unavailable,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOwner => f.write_str("there is no person and client to keep values for"),
            Self::Refused(fault) => fault.fmt(f),
            Self::Unavailable => f.write_str("kept values cannot be reached"),
        }
    }
}

impl std::error::Error for StateError {}

impl ToolState {
    /// The values in this store.
    #[must_use]
    pub fn new(store: Arc<dyn ToolStateStore>, env: Arc<dyn Env>) -> Self {
        Self { store, env }
    }

    /// What is kept for the caller under these names, as far as there is anything.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn get(
        &self,
        caller: &Caller,
        names: &[String],
    ) -> Result<Map<String, Value>, StateError> {
        let owner = owner(caller)?;
        let values = self.store.values(&owner, names, self.now()).await;
        values.map_err(unavailable)
    }

    /// Keeps these values for the caller; null removes. All of them or none, and other names stay as
    /// they are.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn set(&self, caller: &Caller, values: Map<String, Value>) -> Result<(), StateError> {
        if values.is_empty() {
            return Ok(());
        }
        let owner = owner(caller)?;
        let changes = Changes::new(values).map_err(StateError::Refused)?;
        let changed = self.store.change_values(&owner, &changes, self.now()).await;
        changed.map_err(unavailable)?.map_err(StateError::Refused)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.env.now())
    }
}

fn owner(caller: &Caller) -> Result<Owner, StateError> {
    match (&caller.user_id, &caller.client_id) {
        (Some(user_id), Some(client_id)) => Ok(Owner {
            user_id: user_id.clone(),
            client_id: client_id.clone(),
        }),
        _ => Err(StateError::NoOwner),
    }
}

fn unavailable(error: StoreError) -> StateError {
    tracing::error!(%error, "kept values cannot be reached");
    StateError::Unavailable
}
