//! `/callback`: the way back from Clerk.

use std::sync::Arc;

use axum::{body::Body, extract::State};
use clerk::oauth::CallbackQuery;
use http::{Request, Response, StatusCode};
use oauth::{Authorization, Callback, Next, PlainToken, SignInFailure, StepFault, UpstreamRequest};
use pages::{LinkProblem, Outcome, SignInFailedPage};

use super::{
    answer,
    authorize::{follow, link_problem, step_fault, to_client},
};
use crate::{
    app::App,
    people::{PersonError, Standing},
    sign_in::SignInFault,
};

/// `GET /callback`
pub(super) async fn callback(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Response<Body> {
    let query = match CallbackQuery::parse(request.uri().query().unwrap_or_default()) {
        Ok(query) => query,
        Err(error) => return mismatch(&app, &error),
    };
    let Some(browser) = app.cookies.browser(request.headers()) else {
        return link_problem(&app, LinkProblem::OtherBrowser);
    };
    let taken = app
        .oauth
        .take_callback(query.state(), &browser, app.now())
        .await;
    let (authorization, upstream) = match taken {
        Ok(Callback::Redeem {
            authorization,
            upstream,
        }) => (authorization, upstream),
        Ok(Callback::Repeated { location }) => {
            return to_client(&app, &location, Outcome::Approved);
        }
        Err(fault) => return callback_fault(&app, &fault),
    };
    // The state is used up: a browser that gives up now must not stop the rest half way.
    let going_on = {
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let came = Came {
                authorization,
                upstream,
                browser,
            };
            came.back(&app, query).await
        })
    };
    match going_on.await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "the sign-in's task failed");
            answer::status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// A browser that came back from Clerk, once.
struct Came {
    authorization: Box<Authorization>,
    upstream: UpstreamRequest,
    browser: PlainToken,
}

impl Came {
    async fn back(self, app: &App, query: CallbackQuery) -> Response<Body> {
        let completed = match app.sign_in.complete(query, &self.upstream).await {
            Ok(completed) => completed,
            Err(SignInFault::Clerk(error)) if error.is_access_denied() => {
                return self.decline(app).await;
            }
            Err(fault) => {
                tracing::warn!(%fault, "a sign-in failed");
                let failure = match fault {
                    SignInFault::Clerk(error) if error.is_unavailable() => {
                        SignInFailure::TemporarilyUnavailable
                    }
                    _ => SignInFailure::ServerError,
                };
                return self.fail(app, failure).await;
            }
        };
        match app.people.now(&completed.person.user_id).await {
            Ok(person) if person.standing == Standing::Good => {}
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
                Some(completed.upstream),
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

    async fn decline(&self, app: &App) -> Response<Body> {
        let declined = app
            .oauth
            .decline(&self.authorization, &self.browser, app.now());
        match declined.await {
            Ok(location) => follow(app, Next::Denied { location }).await,
            Err(fault) => step_fault(app, &fault),
        }
    }

    async fn fail(&self, app: &App, failure: SignInFailure) -> Response<Body> {
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
        trace_id: None,
    };
    answer::page(StatusCode::BAD_GATEWAY, page.render())
}

fn callback_fault(app: &App, fault: &StepFault) -> Response<Body> {
    match fault {
        StepFault::State => mismatch(app, fault),
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
        trace_id: None,
    };
    answer::page(StatusCode::BAD_REQUEST, page.render())
}
