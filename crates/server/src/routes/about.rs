//! What the server says of itself: metadata, health, home.

use std::sync::Arc;

use axum::{body::Body, extract::State};
use http::{HeaderValue, Request, Response, StatusCode, header};
use pages::{EmulatedPerson, HomePage, NotFoundPage};
use serde_json::Value;

use super::{answer, answer::to_public_name};
use crate::{
    MCP_PATH,
    app::{App, AuthorizationApp},
};

type Shared = State<Arc<App>>;

/// Where the metadata of the protected resource is; with its path behind it, in the path form.
pub(super) const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// `/.well-known/oauth-authorization-server` (RFC 8414)
pub(super) async fn authorization_server(
    State(app): State<Arc<AuthorizationApp>>,
) -> Response<Body> {
    document(&app.oauth.metadata())
}

/// `/.well-known/oauth-protected-resource` and its path forms (RFC 9728)
pub(super) async fn protected_resource(
    State(app): Shared,
    request: Request<Body>,
) -> Response<Body> {
    let path = request.uri().path().trim_end_matches('/');
    let of = path.strip_prefix(PROTECTED_RESOURCE).unwrap_or_default();
    match app.resource.metadata(of) {
        Some(metadata) => document(&metadata),
        None => not_found(State(app), request).await,
    }
}

/// `/healthz`: the process answers.
pub(super) async fn health() -> Response<Body> {
    text(StatusCode::OK, "ok\n")
}

/// `/readyz`: it can do its work, and is not about to end.
pub(super) async fn readiness(State(app): Shared) -> Response<Body> {
    if app.stop.is_cancelled() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    match app.readiness.of(app.oauth.store(), &app.env).await {
        true => text(StatusCode::OK, "ready\n"),
        false => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database cannot be read and written\n",
        ),
    }
}

/// `/`: what this is and how to connect.
pub(super) async fn home(State(app): Shared, request: Request<Body>) -> Response<Body> {
    if let Some(redirect) = to_public_name(&app, request.uri(), request.headers()) {
        return redirect;
    }
    let mcp_url = app.url(MCP_PATH);
    let people = app.emulated.iter().map(|person| EmulatedPerson {
        name: &person.name,
        email: &person.email,
        role: &person.role,
        without_session: person.without_session,
    });
    let page = HomePage {
        server_name: &app.name,
        mcp_url: &mcp_url,
        version: app.version,
        sign_in_mode: app.sign_in_mode,
        emulated: Some(people.collect::<Vec<_>>()).filter(|people| !people.is_empty()),
    };
    answer::page(StatusCode::OK, page.render())
}

/// Everything else.
pub(super) async fn not_found(State(app): Shared, request: Request<Body>) -> Response<Body> {
    if !app.allowed.host(request.uri(), request.headers()) {
        return answer::other_name(&app, request.uri(), request.headers());
    }
    let page = NotFoundPage {
        server_name: &app.name,
        path: request.uri().path(),
        home: "/",
    };
    answer::page(StatusCode::NOT_FOUND, page.render())
}

fn document(document: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(document.to_string()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let cache = HeaderValue::from_static("public, max-age=300");
    headers.insert(header::CACHE_CONTROL, cache);
    answer::open_to_all(response)
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = answer::status(status).map(|_| Body::from(text));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
