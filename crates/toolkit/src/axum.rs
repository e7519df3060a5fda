//! The signed-in person of an axum request.
//!
//! ```
//! use axum_core::extract::FromRef;
//! use clerk_mcp_toolkit::{AuthContext, axum::SessionTokens};
//!
//! #[derive(Clone)]
//! struct App {
//!     session_tokens: SessionTokens,
//! }
//!
//! impl FromRef<App> for SessionTokens {
//!     fn from_ref(app: &App) -> Self {
//!         app.session_tokens.clone()
//!     }
//! }
//!
//! /// A handler: whoever is not signed in gets 401 before it runs.
//! async fn who(session: AuthContext) -> String {
//!     session.user_id().to_owned()
//! }
//! ```

use ::axum_core::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use clerk::{Client, SessionTokenError, SessionTokenPolicy};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use serde_json::json;

use crate::auth_context::AuthContext;

/// How an application's requests are verified; a part of its state.
#[derive(Clone, Debug)]
pub struct SessionTokens {
    /// Whose keys verify the tokens.
    pub client: Client,
    /// What is accepted. Name the authorized parties: tokens may come in a cookie.
    pub policy: SessionTokenPolicy,
}

/// Why a request is nobody's.
#[derive(Debug)]
pub enum SessionRejection {
    /// It carries no session token.
    NoToken,
    /// Its token is not accepted.
    Token(SessionTokenError),
}

impl<S> FromRequestParts<S> for AuthContext
where
    S: Send + Sync,
    SessionTokens: FromRef<S>,
{
    type Rejection = SessionRejection;

    /// Verifies the token of `Authorization: Bearer …`, else that of Clerk's `__session` cookie.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let token = token(&parts.headers)
            .ok_or(SessionRejection::NoToken)?
            .to_owned();
        let SessionTokens { client, policy } = SessionTokens::from_ref(state);
        Self::from_session_token(&client, &token, &policy)
            .await
            .map_err(SessionRejection::Token)
    }
}

impl<S> OptionalFromRequestParts<S> for AuthContext
where
    S: Send + Sync,
    SessionTokens: FromRef<S>,
{
    type Rejection = SessionRejection;

    /// `None` without a token. A token that is not accepted is refused all the same.
    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(session) => Ok(Some(session)),
            Err(SessionRejection::NoToken) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        let (status, code, message) = match &self {
            Self::NoToken => (
                401,
                "no_session_token",
                "the request carries no session token\n\
                 hint: send `Authorization: Bearer` with the token of Clerk's getToken()"
                    .to_owned(),
            ),
            Self::Token(error) => (error.status(), error.code(), error.to_string()),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
        let (message, hint) = message.split_once("\nhint: ").unwrap_or((&message, ""));
        let body = json!({"error": {"code": code, "message": message, "hint": hint}}).to_string();
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        let mut response = (status, headers, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(match self {
                Self::NoToken => "Bearer",
                Self::Token(_) => "Bearer error=\"invalid_token\"",
            });
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer
        .or_else(|| cookie(headers))
        .filter(|token| !token.is_empty())
}

/// The value of `__session`, which Clerk's SDKs set.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let rows = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    rows.flat_map(|row| row.split(';'))
        .find_map(|pair| pair.trim().strip_prefix("__session="))
}
