//! `/token`, `/revoke` and `/register`: open to pages of every origin, since a secret is needed for
//! each of them to give anything.

use std::sync::Arc;

use axum::{body::Body, extract::State};
use http::{HeaderMap, Request, Response, StatusCode, header};
use oauth::{ClientAuthFault, ErrorResponse, Parameters, TokenError};

use super::{address_of, answer, answer::collect};
use crate::{
    app::{App, AuthorizationApp},
    client_keys::KeysOfClients,
    refresh::Refreshing,
};

/// The most bytes of a token or revocation request.
const MAX_FORM_BYTES: usize = 32 * 1024;
/// The most bytes of a registration; `oauth` has bounds for each of its parts.
const MAX_REGISTRATION_BYTES: usize = 64 * 1024;

type Shared = State<Arc<AuthorizationApp>>;

/// `POST /token` (OAuth 2.1, section 3.2)
pub(super) async fn token(State(app): Shared, request: Request<Body>) -> Response<Body> {
    let address = address_of(&app, &request);
    if let Err(limited) = app.limits.token_call(address, app.now()) {
        return answer::open_to_all(limited.into_http().map(Body::from));
    }
    let (form, headers) = match read_form(request).await {
        Ok(read) => read,
        Err(refusal) => return answer::open_to_all(refusal),
    };
    let refreshing = Refreshing::new(&app);
    let keys = KeysOfClients { app: &app, address };
    let answered = app
        .oauth
        .token(
            &form,
            single_authorization(&headers),
            &keys,
            &refreshing,
            app.now(),
            app.random.as_ref(),
        )
        .await;
    let response = match answered {
        Ok(response) => response.into_http(),
        Err(error) => refused(&app, &error).into_http(),
    };
    answer::open_to_all(response.map(Body::from))
}

/// `POST /revoke` (RFC 7009)
pub(super) async fn revoke(State(app): Shared, request: Request<Body>) -> Response<Body> {
    let address = address_of(&app, &request);
    if let Err(limited) = app.limits.token_call(address, app.now()) {
        return answer::open_to_all(limited.into_http().map(Body::from));
    }
    let (form, headers) = match read_form(request).await {
        Ok(read) => read,
        Err(refusal) => return answer::open_to_all(refusal),
    };
    let keys = KeysOfClients { app: &app, address };
    let revoked = app
        .oauth
        .revoke(&form, single_authorization(&headers), &keys, app.now())
        .await;
    answer::open_to_all(match revoked {
        Ok(ended) => {
            if let Some(grant) = &ended {
                tracing::info!(%grant, "a grant was revoked by its client");
                app.ends.end(grant);
            }
            answer::status(StatusCode::OK)
        }
        Err(error) => refused(&app, &error).into_http().map(Body::from),
    })
}

/// `POST /register` (RFC 7591)
pub(super) async fn register(State(app): Shared, request: Request<Body>) -> Response<Body> {
    let address = address_of(&app, &request);
    if let Err(limited) = app.limits.registration(address, app.now()) {
        return answer::open_to_all(limited.into_http().map(Body::from));
    }
    let document = match collect(request.into_body(), MAX_REGISTRATION_BYTES).await {
        Ok(document) => document,
        Err(status) => {
            let refusal = answer::no_body(status, MAX_REGISTRATION_BYTES);
            return answer::open_to_all(refusal);
        }
    };
    let registered = app
        .oauth
        .register(&document, app.now(), app.random.as_ref())
        .await;
    let response = match registered {
        Ok(registered) => registered.into_http(),
        Err(error) => error.response().into_http(),
    };
    answer::open_to_all(response.map(Body::from))
}

fn refused(app: &App, error: &TokenError) -> ErrorResponse {
    if let Some(grant) = error.revoked() {
        tracing::warn!(%grant, %error, "a grant was revoked");
        app.ends.end(grant);
    }
    let response = error.response();
    if response.status.is_client_error() {
        return response;
    }
    if let TokenError::Client(ClientAuthFault::KeysUnavailable { .. }) = error {
        // Anybody can publish a document whose keys are nowhere.
        tracing::info!(%error, "a client could not be authenticated");
    } else {
        // Clerk or the database: no fault of the client's, whose address may be many people's.
        tracing::error!(%error, "a token request could not be answered");
    }
    response
}

async fn read_form(request: Request<Body>) -> Result<(Parameters, HeaderMap), Response<Body>> {
    let (parts, body) = request.into_parts();
    let form = collect(body, MAX_FORM_BYTES)
        .await
        .map_err(|status| answer::no_body(status, MAX_FORM_BYTES))?;
    Ok((Parameters::parse(&form), parts.headers))
}

/// The value of the one `Authorization` header; two are as wrong as a broken one.
fn single_authorization(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    match values.next() {
        None => Some(value.to_str().unwrap_or("?")),
        Some(_) => Some("?"),
    }
}
