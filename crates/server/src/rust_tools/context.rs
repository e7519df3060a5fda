use std::fmt;

use mcp::{Caller, OwnToolError};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use toolkit::Progress;

use super::registered::Surroundings;
use crate::{
    http_tools::{CredentialFault, CredentialHeader, CredentialKind, Told, ToolFault},
    tool_state::StateError,
};

/// Who calls a tool, and what is lent to it for this call.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub(super) caller: &'a Caller,
    pub(super) credential: &'a CredentialKind,
    pub(super) surroundings: &'a Surroundings,
    pub(super) progress: &'a dyn Progress,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("user_id", &self.caller.user_id)
            .field("client_id", &self.caller.client_id)
            .finish_non_exhaustive()
    }
}

impl<'a> Context<'a> {
    /// Who calls: user, session, organization, client, scopes.
    #[must_use]
    pub fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// Clerk's id of the person who calls.
    ///
    /// # Errors
    /// `no_person` when it is none: a machine.
    pub fn user_id(&self) -> Result<&'a str, OwnToolError> {
        let user_id = self.caller.user_id.as_deref();
        user_id.ok_or_else(|| OwnToolError::new("no_person", "this tool is for people"))
    }

    /// Whether the person granted a scope, for what a tool does only then.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.caller.scopes.iter().any(|granted| granted == scope)
    }

    /// The values that tools keep for this person and client.
    #[must_use]
    pub fn state(&self) -> State<'a> {
        State {
            caller: self.caller,
            surroundings: self.surroundings,
        }
    }

    /// The header that calls to the owner's API are made with, of the kind that
    /// [`super::Tool::credential`] names; `None` when that is none. It is kept while it is good: ask
    /// for it at each call. The MCP client's own token is never it.
    ///
    /// # Errors
    /// When there is none to be had, as the person has to sign in again.
    pub async fn credential(&self) -> Result<Option<CredentialHeader>, OwnToolError> {
        self.header(None).await
    }

    /// Another one, after the API has answered `refused` with 401.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn credential_after(
        &self,
        refused: &CredentialHeader,
    ) -> Result<Option<CredentialHeader>, OwnToolError> {
        self.header(Some(refused)).await
    }

    async fn header(
        &self,
        refused: Option<&CredentialHeader>,
    ) -> Result<Option<CredentialHeader>, OwnToolError> {
        let credentials = &self.surroundings.credentials;
        let header = credentials
            .header(self.caller, self.credential, refused)
            .await;
        header.map_err(|fault: CredentialFault| ToolFault::from(fault).told(Told::default()))
    }

    /// Tells the client how far the call is.
    pub async fn progress(&self, done: u64, total: Option<u64>, message: impl Into<String>) {
        self.progress.report(done, total, message.into()).await;
    }
}

/// The values that tools keep for one person and client: small pieces of JSON, each under a name.
/// They survive restarts. HTTP tools have the same ones, as `{state.name}`.
///
/// Each method is one atomic step; what runs at the same moment under other names is not touched, and
/// under the same name the later one wins. What depends on the value before is a [`State::update`].
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    caller: &'a Caller,
    surroundings: &'a Surroundings,
}

impl State<'_> {
    /// The value under a name; `None` when there is none.
    ///
    /// # Errors
    /// `state_unreadable` when it is of another form than `T`; `state_unavailable`.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, OwnToolError> {
        let values = self.get_many(&[name]).await?;
        let Some((name, value)) = values.into_iter().next() else {
            return Ok(None);
        };
        read(&name, value).map(Some)
    }

    /// Changes the value under a name: `change` is given what is kept there, `None` when there is nothing,
    /// and what it returns is kept; a value that serializes to null removes. No other call changes the
    /// value in between: if one did, `change` is called again, so it should do nothing but compute. Gives
    /// what is kept now.
    ///
    /// # Errors
    /// What `change` fails with; then nothing is changed. As [`State::get`] and [`State::set`] else.
    pub async fn update<T: DeserializeOwned + Serialize + Send>(
        &self,
        name: &str,
        mut change: impl FnMut(Option<T>) -> Result<T, OwnToolError> + Send,
    ) -> Result<T, OwnToolError> {
        let mut changed = None;
        let update = |kept: Option<Value>| {
            let kept = kept.map(|value| read(name, value)).transpose()?;
            let value = change(kept)?;
            let json = serde_json::to_value(&value).map_err(OwnToolError::internal)?;
            changed = Some(value);
            Ok::<_, OwnToolError>(json)
        };
        let state = &self.surroundings.state;
        let json = state.update(self.caller, name, update).await;
        let json = json.map_err(told)??;
        changed.map_or_else(|| read(name, json), Ok)
    }

    /// The values under these names, as far as there are any.
    ///
    /// # Errors
    /// `state_unavailable`.
    pub async fn get_many(&self, names: &[&str]) -> Result<Map<String, Value>, OwnToolError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let values = self.surroundings.state.get(self.caller, &names).await;
        values.map_err(told)
    }

    /// Keeps a value under a name; one that serializes to null removes.
    ///
    /// # Errors
    /// `state_refused` for a name or value that cannot be kept ([`store::tool_state`] has the limits);
    /// `state_unavailable`.
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<(), OwnToolError> {
        let value = serde_json::to_value(value).map_err(OwnToolError::internal)?;
        self.set_many(Map::from_iter([(name.to_owned(), value)]))
            .await
    }

    /// Keeps several values, all of them or none; null removes.
    ///
    /// # Errors
    /// As [`State::set`].
    pub async fn set_many(&self, values: Map<String, Value>) -> Result<(), OwnToolError> {
        let set = self.surroundings.state.set(self.caller, values).await;
        set.map_err(told)
    }

    /// Removes the value under a name, if there is one.
    ///
    /// # Errors
    /// `state_unavailable`.
    pub async fn remove(&self, name: &str) -> Result<(), OwnToolError> {
        self.set(name, &Value::Null).await
    }
}

fn read<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, OwnToolError> {
    serde_json::from_value(value).map_err(|error| {
        tracing::warn!(name, %error, "a kept value is of another form than the tool's");
        let problem = format!("what is kept as `{name}` cannot be read by this tool");
        OwnToolError::new("state_unreadable", problem).hint("tell whoever runs this server")
    })
}

fn told(error: StateError) -> OwnToolError {
    let problem = error.to_string();
    match error {
        StateError::NoOwner => OwnToolError::new("no_person", problem),
        StateError::Refused(_) => OwnToolError::new("state_refused", problem)
            .hint("keep less, or remove what is not needed"),
        StateError::Unavailable => {
            OwnToolError::new("state_unavailable", problem).hint("try again later")
        }
    }
}
