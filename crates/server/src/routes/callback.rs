//! `/callback`: the way back from Clerk, or from the owner's application.

use std::sync::Arc;

use axum::{body::Body, extract::State};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use oauth::{Authorization, Callback, Next, PlainToken, SignInFailure, StepFault, UpstreamRequest};
use pages::{LinkProblem, Outcome, SignInFailedPage};

use super::{
    answer,
    answer::{collect, link_problem, step_fault, to_client},
    authorize::follow,
};
use crate::{
    app::{App, AuthorizationApp},
    people::{PersonError, Standing},
    sign_in::{self, SignInFault, without_token},
};

/// The most bytes of a form that comes back.
const MAX_FORM_BYTES: usize = 16 * 1024;

/// `GET /callback`
pub(super) async fn callback(
    State(app): State<Arc<AuthorizationApp>>,
    request: Request<Body>,
) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let response = come_back(&app, query, request.headers()).await;
    match without_token(query) {
        Some(query) if !response.status().is_redirection() => moved_on(&response, &query),
        _ => response,
    }
}

/// `POST /callback`: as a form, where the application and this server are of one site. From another
/// site the browser sends no cookie with a form.
pub(super) async fn posted_callback(
    State(app): State<Arc<AuthorizationApp>>,
    request: Request<Body>,
) -> Response<Body> {
    if !app.sign_in.takes_forms() {
        let mut refused = answer::status(StatusCode::METHOD_NOT_ALLOWED);
        // RFC 9110 section 15.5.6
        let allowed = HeaderValue::from_static("GET,HEAD");
        refused.headers_mut().insert(header::ALLOW, allowed);
        return refused;
    }
    let headers = request.headers().clone();
    let form = match collect(request.into_body(), MAX_FORM_BYTES).await {
        Ok(form) => form,
        Err(status) => return answer::status(status),
    };
    come_back(&app, &String::from_utf8_lossy(&form), &headers).await
}

/// A page at an address that holds a token: the browser shows it at one without. What the callback did
/// is done; asked again without the token, it says the same.
fn moved_on(response: &Response<Body>, query: &str) -> Response<Body> {
    let mut moved = answer::see_other(&format!("/callback?{query}"));
    for cookie in response.headers().get_all(header::SET_COOKIE) {
        moved
            .headers_mut()
            .append(header::SET_COOKIE, cookie.clone());
    }
    moved
}

async fn come_back(
    app: &AuthorizationApp,
    parameters: &str,
    headers: &HeaderMap,
) -> Response<Body> {
    let callback = match app.sign_in.read_callback(parameters) {
        Ok(callback) => callback,
        Err(fault) => return mismatch(app, &fault),
    };
    let Some(browser) = app.cookies.browser(headers) else {
        return link_problem(app, LinkProblem::OtherBrowser);
    };
    let taken = app
        .oauth
        .take_callback(callback.state(), &browser, app.now())
        .await;
    let (authorization, upstream) = match taken {
        Ok(Callback::Redeem {
            authorization,
            upstream,
        }) => (authorization, upstream),
        Ok(Callback::Repeated { location }) => {
            return to_client(app, &location, Outcome::Approved);
        }
        Err(fault) => return callback_fault(app, &fault),
    };
    let came = Came {
        authorization,
        upstream,
        browser,
    };
    came.back(app, callback).await
}

/// A browser that came back from Clerk, once.
struct Came {
    authorization: Box<Authorization>,
    upstream: UpstreamRequest,
    browser: PlainToken,
}

impl Came {
    async fn back(self, app: &AuthorizationApp, callback: sign_in::Callback) -> Response<Body> {
        let mut completed = match app.sign_in.complete(callback, &self.upstream).await {
            Ok(completed) => completed,
            Err(fault) => {
                tracing::warn!(%fault, "a sign-in failed");
                return self.stop(app, &fault).await;
            }
        };
        match app.people.now(&completed.person.user_id).await {
            Ok(person) if person.standing == Standing::Good => {
                let name = person.name.as_ref().or(person.email.as_ref());
                let shown = completed.person.display_name.take();
                completed.person.display_name = shown.or_else(|| name.cloned());
            }
            Ok(_) | Err(PersonError::Deleted) => return self.decline(app).await,
            Err(PersonError::Unavailable { .. }) => {
                return self.fail(app, SignInFailure::TemporarilyUnavailable).await;
            }
        }
        let finished = app
            .oauth
            .finish(
                &self.authorization,
                completed.person,
                completed.upstream,
                &self.browser,
                app.now(),
                app.random.as_ref(),
            )
            .await;
        match finished {
            Ok(next) => follow(app, next).await,
            Err(fault) => step_fault(app, &fault),
        }
    }

    async fn stop(&self, app: &AuthorizationApp, fault: &SignInFault) -> Response<Body> {
        if fault.is_declined() {
            self.decline(app).await
        } else if fault.is_unavailable() {
            self.fail(app, SignInFailure::TemporarilyUnavailable).await
        } else {
            self.fail(app, SignInFailure::ServerError).await
        }
    }

    async fn decline(&self, app: &AuthorizationApp) -> Response<Body> {
        let declined = app
            .oauth
            .decline(&self.authorization, &self.browser, app.now());
        match declined.await {
            Ok(location) => follow(app, Next::Denied { location }).await,
            Err(fault) => step_fault(app, &fault),
        }
    }

    async fn fail(&self, app: &AuthorizationApp, failure: SignInFailure) -> Response<Body> {
        let failed = app
            .oauth
            .fail(&self.authorization, failure, &self.browser, app.now());
        match failed.await {
            Ok(location) => follow(app, Next::Denied { location }).await,
            Err(fault) => step_fault(app, &fault),
        }
    }
}

/// Before the browser has left for Clerk, so that there is nothing to come back from.
pub(super) fn sign_in_fault(app: &App, fault: &SignInFault) -> Response<Body> {
    tracing::error!(%fault, "nobody can sign in");
    let page = SignInFailedPage {
        server_name: &app.name,
        reason: pages::SignInFailure::ClerkUnreachable,
        retry: None,
    };
    answer::page(StatusCode::BAD_GATEWAY, page.render())
}

fn callback_fault(app: &App, fault: &StepFault) -> Response<Body> {
    match fault {
        StepFault::State => mismatch(app, fault),
        // A page that is loaded again while the first request goes on: the browser asks once more.
        StepFault::InProgress => {
            let mut response = step_fault(app, fault);
            let in_a_second = HeaderValue::from_static("1");
            response.headers_mut().insert(header::REFRESH, in_a_second);
            response
        }
        fault => step_fault(app, fault),
    }
}

/// What came back belongs to no sign-in of this browser's. The details are the operator's.
fn mismatch(app: &App, fault: &dyn std::error::Error) -> Response<Body> {
    tracing::info!(%fault, "a callback was refused");
    let page = SignInFailedPage {
        server_name: &app.name,
        reason: pages::SignInFailure::SessionMismatch,
        retry: None,
    };
    answer::page(StatusCode::BAD_REQUEST, page.render())
}
