//! What every route answers with: pages, redirects, and what to say when something is wrong.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use oauth::{AuthorizationFault, StepFault};
use pages::{DonePage, ErrorPage, LinkExpiredPage, LinkProblem, Outcome};
use serde_json::json;

use crate::{app::App, front::BODY_TIMEOUT, rate_limit::Limited};

/// A page.
pub(super) fn page(status: StatusCode, html: String) -> Response<Body> {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    for (name, value) in pages::headers() {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// 303: the browser goes there with a GET, whatever it came with. Nobody keeps the answer.
pub(super) fn see_other(location: &str) -> Response<Body> {
    let Ok(location) = HeaderValue::from_str(location) else {
        // Locations are serialized URLs; one that is no header value was never one.
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = status(StatusCode::SEE_OTHER);
    response.headers_mut().insert(header::LOCATION, location);
    let no_referrer = HeaderValue::from_static("no-referrer");
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, no_referrer);
    response
}

/// An answer without a body that nobody keeps.
pub(super) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

/// Lets pages of every origin read it: what it says is public, or needs a secret to be had at all.
pub(super) fn open_to_all(mut response: Response<Body>) -> Response<Body> {
    let any = HeaderValue::from_static("*");
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    let exposed = HeaderValue::from_static("WWW-Authenticate, Retry-After");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    response
}

/// The answer to a browser's question before a request that is open to all.
pub(super) async fn preflight() -> Response<Body> {
    let mut response = open_to_all(status(StatusCode::NO_CONTENT));
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let allowed = HeaderValue::from_static("Authorization, Content-Type, MCP-Protocol-Version");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    let day = HeaderValue::from_static("86400");
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, day);
    response
}

/// Back to the client. An app with a scheme of its own may not open by itself: then the page that
/// stays says what to do.
pub(super) fn to_client(app: &App, location: &str, outcome: Outcome) -> Response<Body> {
    let scheme = location.split(':').next().unwrap_or_default();
    if matches!(scheme, "http" | "https") {
        return see_other(location);
    }
    let done = DonePage {
        server_name: &app.name,
        client_name: "the app",
        outcome,
        redirect_url: location,
        redirect_kind: pages::RedirectKind::PrivateUse { scheme },
    };
    let mut response = page(StatusCode::OK, done.render());
    if let Ok(refresh) = HeaderValue::from_str(&format!("0; url={location}")) {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    response
}

/// On another loopback name a cookie would be out of reach for the rest of the way.
pub(super) fn to_public_name(app: &App, uri: &Uri, headers: &HeaderMap) -> Option<Response<Body>> {
    if app.allowed.is_public_host(uri, headers) {
        return None;
    }
    if !app.allowed.leads_on(uri, headers) {
        return Some(other_name(app, uri, headers));
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some(see_other(&app.url(path)))
}

/// A request for a name that is not this server's.
pub(super) fn other_name(app: &App, uri: &Uri, headers: &HeaderMap) -> Response<Body> {
    let other = app.allowed.other_name(uri, headers, app.now().0);
    error_page(app, StatusCode::FORBIDDEN, &other.to_string(), None)
}

/// What to say to a form that did not come by our name, or not from a page of ours.
pub(super) fn refused_form(app: &App, uri: &Uri, headers: &HeaderMap) -> Option<Response<Body>> {
    if !app.allowed.host(uri, headers) {
        return Some(other_name(app, uri, headers));
    }
    (!app.allowed.is_own_form(headers)).then(|| foreign_form(app))
}

/// A step of somebody's that is refused.
pub(super) fn step_fault(app: &App, fault: &StepFault) -> Response<Body> {
    let problem = match fault {
        StepFault::Authorization(AuthorizationFault::OtherBrowser) => LinkProblem::OtherBrowser,
        StepFault::Authorization(AuthorizationFault::AlreadyUsed) => LinkProblem::AlreadyUsed,
        StepFault::Authorization(AuthorizationFault::Expired | AuthorizationFault::Unknown) => {
            LinkProblem::Expired
        }
        StepFault::Store(error) => return store_fault(app, error),
        fault => {
            let text = fault.to_string();
            return error_page(app, fault.status(), &text, None);
        }
    };
    link_problem(app, problem)
}

/// A link that cannot be used, or not any more.
pub(super) fn link_problem(app: &App, problem: LinkProblem) -> Response<Body> {
    let expired = LinkExpiredPage {
        server_name: &app.name,
        problem,
    };
    page(StatusCode::BAD_REQUEST, expired.render())
}

/// The store failed; the log has why.
pub(super) fn store_fault(app: &App, error: &oauth::StoreError) -> Response<Body> {
    tracing::error!(%error, "the store failed");
    let mut response = error_page(
        app,
        StatusCode::SERVICE_UNAVAILABLE,
        "the server cannot reach its database",
        Some("try again in a minute"),
    );
    let soon = HeaderValue::from_static("10");
    response.headers_mut().insert(header::RETRY_AFTER, soon);
    response
}

/// An address asks for too much.
pub(super) fn too_many(app: &App, limited: Limited) -> Response<Body> {
    let retry_after = limited.retry_after();
    let hint = format!(
        "try again in {} seconds",
        retry_after.to_str().unwrap_or("a few")
    );
    let message = "there were too many requests from your address";
    let mut response = error_page(app, StatusCode::TOO_MANY_REQUESTS, message, Some(&hint));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, retry_after);
    response
}

/// A form that a page of another site sent.
fn foreign_form(app: &App) -> Response<Body> {
    error_page(
        app,
        StatusCode::FORBIDDEN,
        "this form was sent by a page of another site",
        Some("go back to your client and connect again"),
    )
}

/// A page that says what is wrong, in our errors' form, and what to do: `more`, or else their hint.
pub(super) fn error_page(
    app: &App,
    status: StatusCode,
    text: &str,
    more: Option<&str>,
) -> Response<Body> {
    let (message, hint) = split_hint(text);
    let error = ErrorPage {
        server_name: &app.name,
        status: status.as_u16(),
        message,
        hint: more.or(hint),
    };
    page(status, error.render())
}

/// Our errors say what is wrong, then on a line of its own what to do.
pub(super) fn split_hint(text: &str) -> (&str, Option<&str>) {
    match text.split_once("\nhint: ") {
        Some((message, hint)) => (message, Some(hint)),
        None => (text, None),
    }
}

/// An error for a program, as OAuth writes it (RFC 6749 section 5.2).
pub(super) fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response<Body> {
    let body = json!({ "error": error, "error_description": description });
    let mut response = self::status(status).map(|_| Body::from(body.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// A body that did not arrive ([`collect`]), or not in time, for a program.
pub(super) fn no_body(status: StatusCode, most: usize) -> Response<Body> {
    let description = match status {
        StatusCode::PAYLOAD_TOO_LARGE => format!("the body is larger than {} KiB", most / 1024),
        _ => "the body did not arrive in time".to_owned(),
    };
    oauth_error(status, "invalid_request", &description)
}

/// A body of at most so many bytes, that arrives within a while.
pub(super) async fn collect(body: Body, most: usize) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, most)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
