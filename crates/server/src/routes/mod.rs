//! Every address of the server but the MCP endpoint's own work.

mod about;
mod answer;
mod authorize;
mod callback;
mod consents;
mod cookies;
mod token;

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    routing::{any, get, post},
};
use http::{Request, Response, StatusCode, header};
use rmcp::ServerHandler;

pub use self::cookies::Cookies;
use crate::{
    MCP_PATH,
    app::App,
    client_address,
    front::{Authenticate, Front},
    listen::PeerAddress,
};

/// The whole server.
pub(crate) fn router<A, H>(app: Arc<App>, front: Arc<Front<A, H>>) -> Router
where
    A: Authenticate,
    H: ServerHandler + Clone + Sync,
{
    let open = |route: axum::routing::MethodRouter<Arc<App>>| route.options(answer::preflight);
    let protected_resource = "/.well-known/oauth-protected-resource";
    Router::new()
        .route("/authorize", get(authorize::authorize))
        .route(
            authorize::CONSENT_PATH,
            get(authorize::show_consent).post(authorize::decide),
        )
        .route(
            "/callback",
            get(callback::callback).post(callback::posted_callback),
        )
        .route(
            pages::ALLOWED_PATH,
            get(consents::show).post(consents::forget),
        )
        .route("/token", open(post(token::token)))
        .route("/revoke", open(post(token::revoke)))
        .route("/register", open(post(token::register)))
        .route(
            "/.well-known/oauth-authorization-server",
            open(get(about::authorization_server)),
        )
        .route(protected_resource, open(get(about::protected_resource)))
        .route(
            &format!("{protected_resource}{}", MCP_PATH),
            open(get(about::protected_resource)),
        )
        .route("/healthz", get(about::health))
        .route("/readyz", get(about::readiness))
        .route("/", get(about::home))
        .fallback(about::not_found)
        .with_state(app)
        .route(
            MCP_PATH,
            any(move |request: Request<Body>| {
                let front = Arc::clone(&front);
                async move { mcp(&front, request).await }
            }),
        )
}

/// The MCP endpoint. Somebody who opens its address in a browser is told what it is.
async fn mcp<A, H>(front: &Front<A, H>, request: Request<Body>) -> Response<Body>
where
    A: Authenticate,
    H: ServerHandler + Clone + Sync,
{
    let headers = request.headers();
    let is_browser = request.method() == http::Method::GET
        && !headers.contains_key(header::AUTHORIZATION)
        && headers.get(header::ACCEPT).is_some_and(|accept| {
            let accept = accept.to_str().unwrap_or_default();
            accept.contains("text/html") && !accept.contains("text/event-stream")
        });
    if is_browser {
        return answer::see_other("/");
    }
    front.handle(request).await
}

/// Whose request it is, as far as an address tells.
fn address_of(app: &App, request: &Request<Body>) -> IpAddr {
    let peer = request.extensions().get::<PeerAddress>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
    client_address::client_address(peer, request.headers(), &app.trusted_proxies)
}

/// A request's body of at most so many bytes.
async fn body(request: Request<Body>, most: usize) -> Result<bytes::Bytes, StatusCode> {
    authorize::collect(request.into_body(), most).await
}
