//! Every address of the server but the MCP endpoint's own work.

mod about;
mod answer;
mod authorize;
mod callback;
mod consents;
mod cookies;
mod token;
mod views;

use std::{net::IpAddr, pin::Pin, sync::Arc};

use axum::{
    Router,
    body::Body,
    routing::{MethodRouter, any, get, post},
};
use http::{Request, Response, header};
use rmcp::ServerHandler;

pub use self::cookies::Cookies;
use crate::{
    MCP_PATH,
    app::{App, AuthorizationApp},
    client_address,
    front::{Authenticate, Endpoint, Front},
    listen::PeerAddress,
    sse::{MESSAGES_PATH, SSE_PATH},
};

/// Where people come back from Clerk, or from the owner's application.
const CALLBACK_PATH: &str = "/callback";
const TOKEN_PATH: &str = "/token";
const REVOCATION_PATH: &str = "/revoke";
const REGISTRATION_PATH: &str = "/register";

/// The whole server. Where people sign in through it, it is an authorization server of its own.
///
/// Where Clerk is the authorization server, its metadata is not served from here either, as clients
/// of 2025-03-26 would look for it: a client must refuse metadata whose issuer is not the address it
/// was found at (RFC 8414 section 3.3), and RFC 9728 tells every later client where to look.
pub(crate) fn router<A, H>(app: Arc<App>, front: Arc<Front<A, H>>) -> Router
where
    A: Authenticate,
    H: ServerHandler + Clone + Sync,
{
    let own = app.sign_in.clone().map(|sign_in| {
        let app = Arc::clone(&app);
        authorization_server(Arc::new(AuthorizationApp { app, sign_in }))
    });
    let protected_resource = about::PROTECTED_RESOURCE;
    Router::new()
        .route(protected_resource, open(get(about::protected_resource)))
        .route(
            &format!("{protected_resource}{}", MCP_PATH),
            open(get(about::protected_resource)),
        )
        .route(
            &format!("{protected_resource}{SSE_PATH}"),
            open(get(about::protected_resource)),
        )
        .route("/healthz", get(about::health))
        .route("/readyz", get(about::readiness))
        .route("/", get(about::home))
        .fallback(about::not_found)
        .with_state(app)
        .merge(own.unwrap_or_default())
        .route(MCP_PATH, any(endpoint(&front, Endpoint::Mcp)))
        .route(SSE_PATH, any(endpoint(&front, Endpoint::Sse)))
        .route(MESSAGES_PATH, any(endpoint(&front, Endpoint::Messages)))
}

/// The authorization server's routes.
fn authorization_server(app: Arc<AuthorizationApp>) -> Router {
    Router::new()
        .route("/authorize", get(authorize::authorize))
        .route(
            authorize::CONSENT_PATH,
            get(authorize::show_consent).post(authorize::decide),
        )
        .route(
            CALLBACK_PATH,
            get(callback::callback).post(callback::posted_callback),
        )
        .route(
            pages::ALLOWED_PATH,
            get(consents::show).post(consents::forget),
        )
        .route(TOKEN_PATH, open(post(token::token)))
        .route(REVOCATION_PATH, open(post(token::revoke)))
        .route(REGISTRATION_PATH, open(post(token::register)))
        .route(
            "/.well-known/oauth-authorization-server",
            open(get(about::authorization_server)),
        )
        .with_state(app)
}

/// Whether a request to this path is carried out to its end though its client hangs up. Otherwise a
/// closed connection would stop it at any point: a `state` would be used up and nobody signed in, a
/// grant revoked and its streams go on, a guess not counted. Each of these is bounded in time by itself.
pub(crate) fn goes_to_its_end(path: &str) -> bool {
    matches!(
        path,
        TOKEN_PATH
            | REVOCATION_PATH
            | REGISTRATION_PATH
            | CALLBACK_PATH
            | authorize::CONSENT_PATH
            | pages::ALLOWED_PATH
    )
}

/// A route that pages of every origin may call.
fn open<S: Clone + Send + Sync + 'static>(route: MethodRouter<S>) -> MethodRouter<S> {
    route.options(answer::preflight)
}

/// The handler of an endpoint of MCP.
fn endpoint<A, H>(
    front: &Arc<Front<A, H>>,
    endpoint: Endpoint,
) -> impl Fn(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Clone + use<A, H>
where
    A: Authenticate,
    H: ServerHandler + Clone + Sync,
{
    let front = Arc::clone(front);
    move |request: Request<Body>| {
        let front = Arc::clone(&front);
        Box::pin(async move { mcp(&front, endpoint, request).await })
    }
}

/// The MCP endpoint. Somebody who opens its address in a browser is told what it is.
async fn mcp<A, H>(
    front: &Front<A, H>,
    endpoint: Endpoint,
    request: Request<Body>,
) -> Response<Body>
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
    if is_browser && endpoint != Endpoint::Messages {
        return answer::see_other("/");
    }
    front.handle(endpoint, request).await
}

/// Whose request it is, as far as an address tells.
fn address_of(app: &App, request: &Request<Body>) -> IpAddr {
    let peer = request.extensions().get::<PeerAddress>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
    client_address::client_address(peer, request.headers(), &app.trusted_proxies)
}
