//! Who calls the API: whoever the bearer token says.

use bytes::Bytes;
use clerk::{NotASessionToken, SessionOrganization, SessionTokenError};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Map, Value, json};

use crate::{app::DemoApp, reply};

/// Somebody who calls the API.
pub(crate) struct Caller {
    user_id: String,
    operator: Option<String>,
    /// The session's active organization; tokens of JWT templates say nothing of it.
    pub(crate) organization: Option<SessionOrganization>,
    /// The claim `plan`, which a JWT template may add, or the instance's own session tokens.
    pub(crate) plan: Option<String>,
    /// What they came with, for the demonstration at `/api/hello` alone.
    pub(crate) token: String,
}

impl Caller {
    /// The person that the call is made as.
    pub(crate) fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Who really acts, when the person is impersonated: the actor's `sub`.
    pub(crate) fn operator(&self) -> Option<&str> {
        self.operator.as_deref()
    }

    /// What an answer says of an impersonation: who acts as whom. Nothing otherwise.
    pub(crate) fn acting(&self) -> Option<Value> {
        let operator = self.operator()?;
        Some(json!({ "operator": operator, "as": self.user_id }))
    }
}

/// The `sub` of the claim `act`. An actor that says nothing of itself is one all the same.
pub(crate) fn operator(actor: Option<&Value>) -> Option<&str> {
    let subject = actor?.get("sub").and_then(Value::as_str);
    Some(subject.unwrap_or("somebody"))
}

/// Verifies the bearer token: a session's own, or one of a JWT template. Cookies do not count here: a
/// form of another site would bring them too.
pub(crate) async fn caller(app: &DemoApp, headers: &HeaderMap) -> Result<Caller, Response<Bytes>> {
    let Some(token) = token(headers) else {
        let message = "send a session token of Clerk's in `Authorization: Bearer …`";
        return Err(unauthorized("missing_token", message, "Bearer"));
    };
    let refused = |error: SessionTokenError| match error {
        SessionTokenError::Keys(_) => unavailable(),
        error => {
            let challenge = "Bearer error=\"invalid_token\"";
            unauthorized(error.code(), &error.message(), challenge)
        }
    };
    let plan = |claims: &Map<String, Value>| {
        let plan = claims.get("plan").and_then(Value::as_str);
        plan.map(str::to_owned)
    };
    let token = token.to_owned();
    match app.client.verify_session_token(&token, &app.policy).await {
        Ok(claims) => Ok(Caller {
            operator: operator(claims.actor.as_ref()).map(str::to_owned),
            plan: plan(&claims.raw),
            user_id: claims.user_id,
            organization: claims.organization,
            token,
        }),
        Err(SessionTokenError::NotASessionToken(NotASessionToken::TemplateToken)) => {
            let verified = app.client.verify_template_token(&token, &app.policy).await;
            let claims = verified.map_err(refused)?;
            Ok(Caller {
                operator: operator(claims.actor.as_ref()).map(str::to_owned),
                plan: plan(&claims.raw),
                user_id: claims.user_id,
                organization: None,
                token,
            })
        }
        Err(error) => Err(refused(error)),
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn unauthorized(code: &str, message: &str, challenge: &'static str) -> Response<Bytes> {
    let mut response = reply::error(StatusCode::UNAUTHORIZED, code, message);
    let challenge = HeaderValue::from_static(challenge);
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// Clerk could not be asked.
pub(crate) fn unavailable() -> Response<Bytes> {
    let message = "Clerk does not answer";
    let mut response = reply::error(
        StatusCode::SERVICE_UNAVAILABLE,
        "clerk_unavailable",
        message,
    );
    let seconds = HeaderValue::from_static("5");
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}
