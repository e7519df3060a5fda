use std::sync::Arc;

use napi::{
    Env,
    bindgen_prelude::{PromiseRaw, Result},
};
use napi_derive::napi;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use toolkit::{ClerkToolkit, Quiet};

use crate::{
    cancel::Cancel,
    definitions::definition,
    failure::Failure,
    guard::{guard, guard_future},
    options,
};

/// A set of tools for one principal.
#[napi]
#[derive(Debug)]
pub struct Toolkit {
    inner: Arc<ClerkToolkit>,
}

#[napi]
impl Toolkit {
    /// Takes `{"options": {…}, "environment": {…}}`. Sends something only to verify a session token.
    ///
    /// # Errors
    /// The promise is rejected when an option or the token is wrong.
    #[napi]
    pub fn open<'env>(env: &'env Env, options: String) -> Result<PromiseRaw<'env, Self>> {
        env.spawn_future(async move {
            let toolkit = guard_future(options::toolkit(&options)).await?;
            Ok(Self {
                inner: Arc::new(toolkit),
            })
        })
    }

    /// The tools as a JSON list: name, title, category, description, schemas, annotations.
    ///
    /// # Errors
    /// None but a fault of ours.
    #[napi]
    pub fn definitions(&self) -> Result<String> {
        let text = guard(|| {
            let definitions: Vec<Value> = self.inner.tools().iter().map(definition).collect();
            Ok(Value::from(definitions).to_string())
        })?;
        Ok(text)
    }

    /// Puts what is known of the session before a system prompt.
    ///
    /// # Errors
    /// None but a fault of ours.
    #[napi]
    pub fn inject_session_claims(&self, prompt: String) -> Result<String> {
        Ok(guard(|| Ok(self.inner.inject_session_claims(&prompt)))?)
    }

    /// Calls a tool, away from the event loop. Takes the arguments and gives the result as JSON.
    ///
    /// # Errors
    /// The promise is rejected with what went wrong, and with `Cancelled` after `cancel.cancel()`.
    #[napi]
    pub fn call<'env>(
        &self,
        env: &'env Env,
        name: String,
        arguments: String,
        cancel: Option<&Cancel>,
    ) -> Result<PromiseRaw<'env, String>> {
        let toolkit = Arc::clone(&self.inner);
        let token = cancel.map(Cancel::token).unwrap_or_default();
        env.spawn_future(async move {
            let answer = guard_future(answer(&toolkit, &name, &arguments, &token)).await?;
            Ok(answer)
        })
    }
}

async fn answer(
    toolkit: &ClerkToolkit,
    name: &str,
    arguments: &str,
    token: &CancellationToken,
) -> std::result::Result<String, Failure> {
    let arguments: Value =
        serde_json::from_str(arguments).map_err(|error| Failure::unreadable_arguments(&error))?;
    let outcome = token
        .run_until_cancelled(toolkit.call(name, &arguments, &Quiet))
        .await
        .ok_or_else(Failure::cancelled)??;
    Ok(Value::Object(outcome.structured).to_string())
}
