//! Values that tools keep for whoever calls.

use std::{
    fmt,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use clerk::Env;
use mcp::Caller;
use oauth::{StoreError, Timestamp};
use serde_json::{Map, Value};
use store::tool_state::{Changes, Owner, ToolStateStore, ValueFault};
use tokio::sync::Mutex;

/// How often a value is changed anew that another process, or a plain [`ToolState::set`], has changed
/// meanwhile. Updates within this process wait for each other.
const UPDATE_TRIES: usize = 20;
/// Updates that wait for each other although they are of different people: one of so many.
const UPDATING: usize = 64;

/// The values of tools, each kept for one person and one client: nobody's are anybody else's, and the
/// same person's through another client are others.
#[derive(Clone)]
pub struct ToolState {
    store: Arc<dyn ToolStateStore>,
    env: Arc<dyn Env>,
    updating: Arc<[Mutex<()>]>,
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
        let updating = (0..UPDATING).map(|_| Mutex::default()).collect();
        Self {
            store,
            env,
            updating,
        }
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

    /// Changes the value under a name: `change` is given what is kept there, and what it returns is kept,
    /// null removes. No other change of that value comes between the two; if one did, `change` is called
    /// again with the newer value. Gives what is kept now, or what `change` failed with.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn update<E>(
        &self,
        caller: &Caller,
        name: &str,
        mut change: impl FnMut(Option<Value>) -> Result<Value, E> + Send,
    ) -> Result<Result<Value, E>, StateError> {
        let owner = owner(caller)?;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&owner);
        let place = usize::try_from(hash % UPDATING as u64).unwrap_or_default();
        let _one_at_a_time = match self.updating.get(place) {
            Some(updating) => Some(updating.lock().await),
            None => None,
        };
        let names = [name.to_owned()];
        for _ in 0..UPDATE_TRIES {
            let kept = self.store.values(&owner, &names, self.now()).await;
            let kept = kept.map_err(unavailable)?.remove(name);
            let value = match change(kept.clone()) {
                Ok(value) => value,
                Err(error) => return Ok(Err(error)),
            };
            let changes = Map::from_iter([(name.to_owned(), value.clone())]);
            let changes = Changes::new(changes).map_err(StateError::Refused)?;
            let changes = changes.if_still(name, kept);
            let changed = self.store.change_values(&owner, &changes, self.now()).await;
            match changed.map_err(unavailable)? {
                Ok(()) => return Ok(Ok(value)),
                Err(ValueFault::Changed { .. }) => {}
                Err(fault) => return Err(StateError::Refused(fault)),
            }
        }
        tracing::warn!(name, "a kept value is changed too often for an update");
        Err(StateError::Unavailable)
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
