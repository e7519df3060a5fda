//! Who calls the API: whoever the bearer token says.

use bytes::Bytes;
use clerk::{
    NotASessionToken, SessionOrganization, SessionTokenError,
    access_token::{AccessTokenError, TokenForm},
};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Map, Value, json};

use crate::{app::DemoApp, reply};

const INVALID: &str = "Bearer error=\"invalid_token\"";

/// Somebody who calls the API.
pub(crate) struct Caller {
    user_id: String,
    operator: Option<String>,
    /// The session's active organization, or the one that was picked for an OAuth client; tokens of JWT
    /// templates say nothing of it.
    pub(crate) organization: Option<Organization>,
    /// The claim `plan`, which a JWT template may add, or the instance's own session tokens.
    pub(crate) plan: Option<String>,
    /// What they came with, for the demonstration at `/api/hello` alone.
    pub(crate) token: String,
}

/// The organization that somebody calls in. Tokens of OAuth clients have the id alone.
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) slug: Option<String>,
    pub(crate) role: Option<String>,
}

impl From<SessionOrganization> for Organization {
    fn from(organization: SessionOrganization) -> Self {
        Self {
            id: organization.id,
            slug: organization.slug,
            role: organization.role,
        }
    }
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

/// Verifies the bearer token: a session's own, one of a JWT template, or the access token that Clerk gave
/// the MCP server for somebody. Cookies do not count here: a form of another site would bring them too.
pub(crate) async fn caller(app: &DemoApp, headers: &HeaderMap) -> Result<Caller, Response<Bytes>> {
    let Some(token) = token(headers) else {
        let message = "send a session token of Clerk's in `Authorization: Bearer …`";
        return Err(unauthorized("missing_token", message, "Bearer"));
    };
    let token = token.to_owned();
    match TokenForm::of(&token) {
        Ok(TokenForm::OauthJwt | TokenForm::OauthOpaque) => of_oauth(app, token).await,
        _ => of_session(app, token).await,
    }
}

async fn of_session(app: &DemoApp, token: String) -> Result<Caller, Response<Bytes>> {
    let refused = |error: SessionTokenError| match error {
        SessionTokenError::Keys(_) => unavailable(),
        error => unauthorized(error.code(), &error.message(), INVALID),
    };
    let plan = |claims: &Map<String, Value>| {
        let plan = claims.get("plan").and_then(Value::as_str);
        plan.map(str::to_owned)
    };
    let verified = app.client.verify_session_token(&token, &app.sessions).await;
    match verified {
        Ok(claims) => Ok(Caller {
            operator: operator(claims.actor.as_ref()).map(str::to_owned),
            plan: plan(&claims.raw),
            user_id: claims.user_id,
            organization: claims.organization.map(Organization::from),
            token,
        }),
        Err(SessionTokenError::NotASessionToken(NotASessionToken::TemplateToken)) => {
            let verified = app
                .client
                .verify_template_token(&token, &app.sessions)
                .await;
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

/// Of somebody as whom another acts there is no such token: Clerk's say so, and are refused.
async fn of_oauth(app: &DemoApp, token: String) -> Result<Caller, Response<Bytes>> {
    let verifying = app.client.verify_access_token(&token, &app.access_tokens);
    let claims = verifying.await.map_err(|error| match error {
        AccessTokenError::Unavailable(_) => unavailable(),
        error => unauthorized("invalid_access_token", &error.message(), INVALID),
    })?;
    let organization = claims.organization_id.map(|id| Organization {
        id,
        slug: None,
        role: None,
    });
    Ok(Caller {
        user_id: claims.subject,
        operator: None,
        organization,
        plan: None,
        token,
    })
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
