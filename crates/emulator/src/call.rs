//! One request to one operation: what a handler gets.

use crate::clock::Random;
use crate::error::{self, ApiError};
use crate::ids::{self, Id};
use crate::model::{Organization, User};
use crate::query::Query;
use crate::signing::SigningKey;
use crate::state::State;
use crate::version::Version;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value};

/// A request whose key, version and body were accepted.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) random: &'a mut dyn Random,
    pub(crate) signing: &'a SigningKey,
    /// The machine whose secret key was sent, where operations take one.
    pub(crate) machine: Option<Id>,
    /// The token of a development browser, where the Frontend API takes one.
    pub(crate) dev_browser: Option<String>,
    /// Unix time in milliseconds.
    pub(crate) now: u64,
    /// Where the emulator is reached, for links and issuers.
    pub(crate) url: &'a str,
    pub(crate) version: Version,
    pub(crate) path: Vec<(&'static str, String)>,
    pub(crate) query: Query,
    /// The parameters of a form; empty for the Backend API, whose bodies are JSON.
    pub(crate) form: Query,
    pub(crate) headers: &'a HeaderMap,
    /// The body as it came.
    pub(crate) bytes: &'a Bytes,
    pub(crate) body: Option<Value>,
}

impl Call<'_> {
    /// A parameter of the path; the router gave it, so it is there.
    pub(crate) fn param(&self, name: &str) -> String {
        let found = self.path.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    pub(crate) fn mint(&mut self, prefix: &str) -> Id {
        ids::mint(prefix, self.now, self.random)
    }

    /// A secret text of a ticket or a token: 64 hexadecimal characters.
    pub(crate) fn ticket(&mut self) -> String {
        ids::trace(self.random) + &ids::trace(self.random)
    }

    /// The body as an object; no body is an empty one.
    pub(crate) fn take_object(&mut self) -> Result<Map<String, Value>, ApiError> {
        match self.body.take() {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(_) => Err(error::request_body_invalid()),
        }
    }

    /// The body as an array of objects, of 1 to `limit` items.
    pub(crate) fn take_objects(
        &mut self,
        limit: usize,
    ) -> Result<Vec<Map<String, Value>>, ApiError> {
        let Some(Value::Array(items)) = self.body.take() else {
            return Err(error::request_body_invalid());
        };
        if items.is_empty() {
            return Err(error::request_body_invalid());
        }
        if items.len() > limit {
            return Err(error::bulk_size_exceeded(limit));
        }
        let object = |item| match item {
            Value::Object(object) => Ok(object),
            _ => Err(error::request_body_invalid()),
        };
        items.into_iter().map(object).collect()
    }

    /// The user named by `{user_id}`.
    pub(crate) fn user(&self) -> Result<&User, ApiError> {
        let id = self.param("user_id");
        self.state
            .user(&id)
            .ok_or_else(|| error::user_not_found(&id))
    }

    /// The organization named by `{organization_id}`, an id or a slug.
    pub(crate) fn organization(&self) -> Result<&Organization, ApiError> {
        self.organizations_enabled()?;
        let key = self.param("organization_id");
        self.state
            .organization_by_id_or_slug(&key)
            .ok_or_else(error::organization_not_found)
    }

    pub(crate) fn organizations_enabled(&self) -> Result<(), ApiError> {
        if self.state.instance.organizations.enabled {
            Ok(())
        } else {
            Err(error::organization_not_enabled())
        }
    }
}
