//! `/authorize` (OAuth 2.1, section 4.1.1) and the consent page.

use std::sync::Arc;

use axum::{body::Body, extract::State};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use oauth::{
    Answer, AuthorizationFault, AuthorizeFault, Next, Parameters, PlainToken, RedirectKind,
    ShownFault, StepFault, TokenKind,
};
use pages::{
    AuthorizeErrorPage, ClientIdentity, ClientView, ConsentPage, DonePage, ErrorPage,
    LinkExpiredPage, LinkProblem, Outcome, PersonView, RedirectView, ScopeView,
};

use super::{address_of, answer};
use crate::{
    app::{App, AuthorizationApp},
    front::BODY_TIMEOUT,
    rate_limit::Limited,
};

/// Where the consent form is posted, and where it is shown.
pub(super) const CONSENT_PATH: &str = "/authorize/consent";
/// The most bytes of a form: a handle and a few scopes.
pub(super) const MAX_FORM_BYTES: usize = 16 * 1024;

type Shared = State<Arc<AuthorizationApp>>;

/// `GET /authorize`
pub(super) async fn authorize(State(app): Shared, request: Request<Body>) -> Response<Body> {
    if let Some(redirect) = to_public_name(&app, request.uri(), request.headers()) {
        return redirect;
    }
    let address = address_of(&app, &request);
    if let Err(limited) = app.limits.authorization(address, app.now()) {
        return too_many(&app, limited);
    }
    let query = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
    let valid = app
        .oauth
        .validate_authorize(&query, app.documents.as_ref(), app.now())
        .await;
    let valid = match valid {
        Ok(valid) => valid,
        Err(AuthorizeFault::Redirect { location }) => return answer::see_other(&location),
        Err(AuthorizeFault::Show(fault)) => return authorize_fault(&app, &fault),
        Err(AuthorizeFault::Store(error)) => return store_fault(&app, &error),
    };
    let headers = request.headers();
    let known = app.cookies.browser(headers);
    let browser = known
        .unwrap_or_else(|| PlainToken::generate(TokenKind::BrowserSecret, app.random.as_ref()));
    let person = app
        .cookies
        .person(headers)
        .and_then(|cookie| app.oauth.open_person_cookie(cookie, app.now()));
    let begun = app
        .oauth
        .begin(
            valid,
            &browser,
            person.as_deref(),
            app.now(),
            app.random.as_ref(),
        )
        .await;
    let mut response = match begun {
        Ok(next) => follow(&app, next).await,
        Err(error) => return store_fault(&app, &error),
    };
    if let Some(cookie) = app.cookies.set_browser(&browser) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `GET /authorize/consent`: the page, as often as the browser likes.
pub(super) async fn show_consent(State(app): Shared, request: Request<Body>) -> Response<Body> {
    if let Some(redirect) = to_public_name(&app, request.uri(), request.headers()) {
        return redirect;
    }
    let query = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
    let handle = query.get("handle").ok().flatten().unwrap_or_default();
    let Some(browser) = app.cookies.browser(request.headers()) else {
        return link_problem(&app, LinkProblem::OtherBrowser);
    };
    match app
        .oauth
        .authorization_for_page(handle, &browser, app.now())
        .await
    {
        Ok(authorization) => consent_page(&app, &authorization),
        Err(fault) => step_fault(&app, &fault),
    }
}

/// `POST /authorize/consent`: the decision.
pub(super) async fn decide(State(app): Shared, request: Request<Body>) -> Response<Body> {
    let headers = request.headers();
    let is_own = app.allowed.host(request.uri(), headers) && app.allowed.is_own_form(headers);
    if !is_own {
        return answer::page(StatusCode::FORBIDDEN, foreign_form(&app));
    }
    let Some(browser) = app.cookies.browser(request.headers()) else {
        return link_problem(&app, LinkProblem::OtherBrowser);
    };
    let form = match super::body(request, MAX_FORM_BYTES).await {
        Ok(form) => Parameters::parse(&form),
        Err(status) => return answer::status(status),
    };
    let only = |name| form.get(name).ok().flatten().unwrap_or_default();
    let decision = match only("decision") {
        "approve" => Answer::Approve {
            scopes: form.all("scope").map(str::to_owned).collect(),
            remember: only("remember") == "yes",
        },
        "deny" => Answer::Deny,
        _ => return answer::page(StatusCode::BAD_REQUEST, no_decision(&app)),
    };
    let decided = app
        .oauth
        .decide(
            only("handle"),
            &browser,
            decision,
            app.now(),
            app.random.as_ref(),
        )
        .await;
    match decided {
        Ok(next) => follow(&app, next).await,
        Err(fault) => step_fault(&app, &fault),
    }
}

/// Sends the browser where the authorization goes on.
pub(super) async fn follow(app: &AuthorizationApp, next: Next) -> Response<Body> {
    match next {
        Next::Consent(authorization) => {
            let handle = authorization.id.as_str();
            answer::see_other(&format!("{CONSENT_PATH}?handle={handle}"))
        }
        Next::SignIn {
            authorization,
            upstream,
        } => {
            let client_name = app.oauth.consent_page(&authorization).client_name;
            let url = app
                .sign_in
                .authorization_url(&upstream, client_name.as_deref());
            match url.await {
                Ok(url) => answer::see_other(&url),
                Err(fault) => super::callback::sign_in_fault(app, &fault),
            }
        }
        Next::Finished { location, user_id } => {
            let mut response = to_client(app, &location, Outcome::Approved);
            let cookie = user_id.and_then(|user_id| {
                let random = app.random.as_ref();
                let sealed = app.oauth.person_cookie(&user_id, app.now(), random);
                app.cookies.set_person(&sealed)
            });
            if let Some(cookie) = cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Next::Denied { location } => to_client(app, &location, Outcome::Denied),
        Next::Visiting { location } => answer::see_other(&location),
    }
}

/// Back to the client. An app with a scheme of its own may not open by itself: then the page that
/// stays says what to do.
pub(super) fn to_client(app: &App, location: &str, outcome: Outcome) -> Response<Body> {
    let scheme = location.split(':').next().unwrap_or_default();
    if matches!(scheme, "http" | "https") {
        return answer::see_other(location);
    }
    let page = DonePage {
        server_name: &app.name,
        client_name: "the app",
        outcome,
        redirect_url: location,
        redirect_kind: pages::RedirectKind::PrivateUse { scheme },
    };
    let mut response = answer::page(StatusCode::OK, page.render());
    if let Ok(refresh) = http::HeaderValue::from_str(&format!("0; url={location}")) {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    response
}

/// On another loopback name a cookie would be out of reach for the rest of the way.
pub(super) fn to_public_name(app: &App, uri: &Uri, headers: &HeaderMap) -> Option<Response<Body>> {
    if app.allowed.is_public_host(uri, headers) {
        return None;
    }
    if !app.allowed.host(uri, headers) {
        return Some(answer::status(StatusCode::FORBIDDEN));
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some(answer::see_other(&app.url(path)))
}

fn consent_page(app: &App, authorization: &oauth::Authorization) -> Response<Body> {
    let view = app.oauth.consent_page(authorization);
    let page = ConsentPage {
        server_name: &app.name,
        resource_name: "",
        action: CONSENT_PATH,
        handle: view.handle.as_str(),
        client: ClientView {
            name: view
                .client_name
                .as_deref()
                .unwrap_or("A client without a name"),
            identity: match &view.identity {
                oauth::ClientIdentity::Configured => ClientIdentity::Configured,
                oauth::ClientIdentity::Domain(host) => ClientIdentity::VerifiedDomain(host),
                oauth::ClientIdentity::SelfRegistered => ClientIdentity::Registered,
            },
            client_uri: view.client_uri.as_deref(),
            policy_uri: view.policy_uri.as_deref(),
            tos_uri: view.tos_uri.as_deref(),
        },
        redirect: RedirectView {
            host: &view.redirect_host,
            kind: match &view.redirect_kind {
                RedirectKind::Https => pages::RedirectKind::Https,
                RedirectKind::Loopback => pages::RedirectKind::Loopback,
                RedirectKind::PrivateUse => pages::RedirectKind::PrivateUse {
                    scheme: view.redirect_host.trim_end_matches(':'),
                },
            },
        },
        scopes: view
            .scopes
            .iter()
            .map(|scope| ScopeView {
                value: &scope.value,
                title: &scope.title,
                description: &scope.description,
                is_new: false,
                ticked: true,
                required: false,
            })
            .collect(),
        person: view.person.as_deref().map(|person| PersonView {
            name: person,
            email: "",
            switch_url: None,
        }),
        remembered_note: view.can_remember,
    };
    answer::page(StatusCode::OK, page.render())
}

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

pub(super) fn link_problem(app: &App, problem: LinkProblem) -> Response<Body> {
    let page = LinkExpiredPage {
        server_name: &app.name,
        problem,
    };
    answer::page(StatusCode::BAD_REQUEST, page.render())
}

fn authorize_fault(app: &App, fault: &ShownFault) -> Response<Body> {
    let text = fault.to_string();
    let (message, hint) = split_hint(&text);
    // OAuth has codes for these, though nobody but the person is told.
    let code = match fault {
        ShownFault::NoClient | ShownFault::UnknownClient | ShownFault::Document(_) => {
            "invalid_client"
        }
        _ => "invalid_request",
    };
    let page = AuthorizeErrorPage {
        server_name: &app.name,
        error_code: code,
        message,
        hint,
        client_name: None,
    };
    answer::page(StatusCode::BAD_REQUEST, page.render())
}

pub(super) fn store_fault(app: &App, error: &oauth::StoreError) -> Response<Body> {
    tracing::error!(%error, "the store failed");
    let mut response = error_page(
        app,
        StatusCode::SERVICE_UNAVAILABLE,
        "the server cannot reach its database",
        Some("try again in a minute"),
    );
    let soon = http::HeaderValue::from_static("10");
    response.headers_mut().insert(header::RETRY_AFTER, soon);
    response
}

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

pub(super) fn foreign_form(app: &App) -> String {
    ErrorPage {
        server_name: &app.name,
        status: 403,
        message: "this form was sent by a page of another site",
        hint: Some("go back to your client and connect again"),
        trace_id: None,
    }
    .render()
}

fn no_decision(app: &App) -> String {
    ErrorPage {
        server_name: &app.name,
        status: 400,
        message: "the form says neither approve nor deny",
        hint: Some("go back and choose one of the two"),
        trace_id: None,
    }
    .render()
}

pub(super) fn error_page(
    app: &App,
    status: StatusCode,
    text: &str,
    more: Option<&str>,
) -> Response<Body> {
    let (message, hint) = split_hint(text);
    let page = ErrorPage {
        server_name: &app.name,
        status: status.as_u16(),
        message,
        hint: more.or(hint),
        trace_id: None,
    };
    answer::page(status, page.render())
}

/// Our errors say what is wrong, then on a line of its own what to do.
fn split_hint(text: &str) -> (&str, Option<&str>) {
    match text.split_once("\nhint: ") {
        Some((message, hint)) => (message, Some(hint)),
        None => (text, None),
    }
}

/// A body of at most so many bytes, that arrives within a while.
pub(super) async fn collect(body: Body, most: usize) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, most)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
