//! `/authorize` (OAuth 2.1, section 4.1.1) and the consent page.

use std::sync::Arc;

use axum::{body::Body, extract::State};
use http::{HeaderMap, Request, Response, StatusCode, header};
use oauth::{
    Answer, AuthorizationFault, AuthorizeFault, Next, Parameters, PlainToken, RedirectKind,
    ShownFault, StepFault, TokenKind,
};
use pages::{
    AuthorizeErrorPage, ClientView, ClientsOnlyPage, ConsentPage, LinkProblem, Outcome,
    RedirectView,
};

use super::{
    address_of, answer,
    answer::{
        collect, error_page, link_problem, refused_form, split_hint, step_fault, store_fault,
        to_client, to_public_name, too_many,
    },
    views,
};
use crate::app::{App, AuthorizationApp};

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
    let query = request.uri().query().unwrap_or_default();
    if query.is_empty() {
        let page = ClientsOnlyPage {
            server_name: &app.name,
            home: "/",
        };
        return answer::page(StatusCode::BAD_REQUEST, page.render());
    }
    let query = Parameters::parse(query.as_bytes());
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
    let person = person(&app, headers);
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
    consent_page(&app, handle, &browser, request.headers(), Asked::First).await
}

/// `POST /authorize/consent`: the decision.
pub(super) async fn decide(State(app): Shared, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    if let Some(refusal) = refused_form(&app, &parts.uri, &headers) {
        return refusal;
    }
    let Some(browser) = app.cookies.browser(&headers) else {
        return link_problem(&app, LinkProblem::OtherBrowser);
    };
    let form = match collect(body, MAX_FORM_BYTES).await {
        Ok(form) => Parameters::parse(&form),
        Err(status) => return answer::status(status),
    };
    let handle = form.get("handle").ok().flatten().unwrap_or_default();
    let only = |name| form.get(name).ok().flatten().unwrap_or_default();
    let decision = match only("decision") {
        "approve" => Answer::Approve {
            scopes: form.all("scope").map(str::to_owned).collect(),
            remember: only("remember") == "yes",
        },
        "deny" => Answer::Deny,
        _ => {
            let text = "the form says neither approve nor deny";
            let hint = "go back and choose one of the two";
            return error_page(&app, StatusCode::BAD_REQUEST, text, Some(hint));
        }
    };
    let decided = app
        .oauth
        .decide(handle, &browser, decision, app.now(), app.random.as_ref())
        .await;
    match decided {
        Ok(next) => follow(&app, next).await,
        // Nothing is decided: whoever unticked everything can still choose.
        Err(StepFault::Authorization(AuthorizationFault::OtherScopes)) => {
            consent_page(&app, handle, &browser, &headers, Asked::Again).await
        }
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
            let client_name = authorization.client.shown_name();
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

/// Why the page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Nobody has answered yet.
    First,
    /// It was approved with nothing ticked.
    Again,
}

/// The page, with what is new to the person whom the browser's cookie names.
async fn consent_page(
    app: &App,
    handle: &str,
    browser: &PlainToken,
    headers: &HeaderMap,
    asked: Asked,
) -> Response<Body> {
    let found = app
        .oauth
        .authorization_for_page(handle, browser, app.now())
        .await;
    let authorization = match found {
        Ok(authorization) => authorization,
        Err(fault) => return step_fault(app, &fault),
    };
    let person = person(app, headers);
    let view = app
        .oauth
        .consent_page(&authorization, person.as_deref(), app.now())
        .await;
    let view = match view {
        Ok(view) => view,
        Err(error) => return store_fault(app, &error),
    };
    let page = ConsentPage {
        server_name: &app.name,
        action: CONSENT_PATH,
        handle: view.handle.as_str(),
        client: ClientView {
            name: views::client_name(view.client_name.as_deref()),
            identity: views::identity(&view.identity),
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
        scopes: views::scopes(&view.scopes, &view.new_scopes),
        person: view.person.as_deref(),
        remembered_note: view.can_remember,
        nothing_ticked: asked == Asked::Again,
    };
    let status = match asked {
        Asked::First => StatusCode::OK,
        Asked::Again => StatusCode::BAD_REQUEST,
    };
    answer::page(status, page.render())
}

/// Whom the browser's sealed cookie names: whoever signed in here last.
fn person(app: &App, headers: &HeaderMap) -> Option<String> {
    let cookie = app.cookies.person(headers)?;
    app.oauth.open_person_cookie(cookie, app.now())
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
    };
    answer::page(StatusCode::BAD_REQUEST, page.render())
}
