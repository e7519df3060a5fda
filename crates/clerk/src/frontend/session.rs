use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::client::{Answer, Call, FrontendClient};
use super::error::FrontendError;
use crate::encode::encode_segment;
use crate::id::check_segment;
use crate::oauth::Secret;

/// A session that a ticket started, as the one client that may use it.
///
/// Dropping it ends nothing: [`TicketSession::end`] does, or `revokeSession` of the Backend API, or
/// the time that its ticket allowed.
pub struct TicketSession {
    frontend: FrontendClient,
    id: String,
    user_id: String,
    actor: Option<Value>,
    /// Clerk may give a new one with any answer.
    client_token: Mutex<Secret>,
}

impl TicketSession {
    /// Its id, `sess_…`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who is signed in.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Who acts as that person, as the actor token said: `{"sub": "user_…"}` and perhaps more.
    pub fn actor(&self) -> Option<&Value> {
        self.actor.as_ref()
    }

    /// A new session token (`createSessionToken`), good for a minute, or one of a JWT template
    /// (`createSessionTokenWithTemplate`), good for as long as the template says.
    ///
    /// # Errors
    /// [`FrontendError::Refused`] once the session has ended, or for an unknown template.
    pub async fn token(&self, template: Option<&str>) -> Result<Secret, FrontendError> {
        let (operation, path) = match template {
            None => ("createSessionToken", "/tokens".to_owned()),
            Some(name) => {
                let operation = "createSessionTokenWithTemplate";
                check_segment(name).map_err(|error| FrontendError::Template {
                    problem: error.to_string(),
                })?;
                (operation, format!("/tokens/{}", encode_segment(name)))
            }
        };
        let body = self.send(operation, &path).await?;
        let jwt = body.get("jwt").and_then(Value::as_str);
        jwt.filter(|jwt| !jwt.is_empty())
            .map(Secret::new)
            .ok_or_else(|| FrontendError::Protocol {
                operation,
                problem: "it has no `jwt`".to_owned(),
            })
    }

    /// Says that the session is in use (`touchSession`): an impersonation ends after ten minutes
    /// without.
    ///
    /// # Errors
    /// [`FrontendError::Refused`] once the session has ended.
    pub async fn touch(&self) -> Result<(), FrontendError> {
        self.send("touchSession", "/touch").await.map(drop)
    }

    /// Ends the session (`endSession`). Tokens that it has given stay good until they expire, for
    /// whoever does not ask Clerk.
    ///
    /// # Errors
    /// [`FrontendError::Refused`] once the session has ended.
    pub async fn end(&self) -> Result<(), FrontendError> {
        self.send("endSession", "/end").await.map(drop)
    }

    async fn send(&self, operation: &'static str, path: &str) -> Result<Value, FrontendError> {
        let client_token = self.kept().clone();
        let path = format!("/client/sessions/{}{path}", encode_segment(&self.id));
        let call = Call {
            operation,
            path: &path,
            form: &[],
            client_token: Some(&client_token),
        };
        let answer = self.frontend.send(&call).await?;
        if let Some(token) = answer.client_token {
            *self.kept() = token;
        }
        Ok(answer.body)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Secret> {
        self.client_token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session that a sign-in has come to.
pub(super) fn of_sign_in(
    frontend: &FrontendClient,
    operation: &'static str,
    answer: Answer,
) -> Result<TicketSession, FrontendError> {
    let protocol = |problem: &str| FrontendError::Protocol {
        operation,
        problem: problem.to_owned(),
    };
    let text = |value: &Value, pointer: &str| {
        let text = value.pointer(pointer).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let body = &answer.body;
    let status = text(body, "/response/status").ok_or_else(|| protocol("it has no `status`"))?;
    if status != "complete" {
        return Err(FrontendError::NotSignedIn { status });
    }
    let id = text(body, "/response/created_session_id")
        .filter(|id| check_segment(id).is_ok())
        .ok_or_else(|| protocol("it names no session"))?;
    let sessions = body.pointer("/client/sessions").and_then(Value::as_array);
    let session = sessions
        .into_iter()
        .flatten()
        .find(|session| session.get("id").and_then(Value::as_str) == Some(&id))
        .ok_or_else(|| protocol("its client lacks the session"))?;
    let user_id = text(session, "/user/id").ok_or_else(|| protocol("its session has no user"))?;
    let actor = session.get("actor").filter(|actor| !actor.is_null());
    Ok(TicketSession {
        frontend: frontend.clone(),
        user_id,
        actor: actor.cloned(),
        client_token: Mutex::new(
            answer
                .client_token
                .ok_or_else(|| protocol("it has no client token"))?,
        ),
        id,
    })
}

impl fmt::Debug for TicketSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketSession")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}
