//! `/consents`: what a person allowed, and taking it back. Who they are is asked of Clerk each time, in
//! this browser; the page and its forms work for ten minutes then, as often as they are sent.

use std::{net::IpAddr, sync::Arc};

use axum::{body::Body, extract::State};
use http::{HeaderValue, Request, Response, StatusCode, header};
use oauth::{
    Allowed, Forget, Forgotten, Parameters, PlainToken, ScopeSet, StepFault, StoreError, TokenKind,
    Visitor,
};
use pages::{
    ALLOWED_PATH, AllowedPage, AllowedView, EVERY_ENTRY, RememberedView, SignInFailedPage,
    TakenBack,
};
use url::form_urlencoded;

use super::{
    address_of, answer,
    answer::{
        collect, error_page, refused_form, step_fault, store_fault, to_public_name, too_many,
    },
    authorize::{MAX_FORM_BYTES, follow},
    views,
};
use crate::app::{App, AuthorizationApp};

/// What `done` of the page's address says.
const SIGNED_OUT: &str = "signed-out";
const FORGOTTEN: &str = "forgotten";
const NOTHING: &str = "nothing";

type Shared = State<Arc<AuthorizationApp>>;

/// `GET /consents`: the page, after a sign-in for it.
pub(super) async fn show(State(app): Shared, request: Request<Body>) -> Response<Body> {
    if let Some(redirect) = to_public_name(&app, request.uri(), request.headers()) {
        return redirect;
    }
    let query = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
    let only = |name| query.get(name).ok().flatten();
    if let Some(error) = only("error") {
        return not_signed_in(&app, error);
    }
    let browser = app.cookies.browser(request.headers());
    let address = address_of(&app, &request);
    if let (Some(handle), Some(browser)) = (only("handle"), &browser) {
        match app.oauth.visitor(handle, browser, app.now()).await {
            Ok(visitor) => {
                let done = done(only("done"), only("client"));
                return page(&app, &visitor, done).await;
            }
            // Whoever comes too late, or in another browser, signs in for a page of their own.
            Err(StepFault::Authorization(_)) => {}
            Err(fault) => return step_fault(&app, &fault),
        }
    }
    begin(&app, address, browser).await
}

/// Sends the person to Clerk, from where they come back to the page.
async fn begin(
    app: &AuthorizationApp,
    address: IpAddr,
    browser: Option<PlainToken>,
) -> Response<Body> {
    if let Err(limited) = app.limits.authorization(address, app.now()) {
        return too_many(app, limited);
    }
    let browser = browser
        .unwrap_or_else(|| PlainToken::generate(TokenKind::BrowserSecret, app.random.as_ref()));
    let begun = app
        .oauth
        .begin_visit(ALLOWED_PATH, &browser, app.now(), app.random.as_ref())
        .await;
    let mut response = match begun {
        Ok(next) => follow(app, next).await,
        Err(error) => return store_fault(app, &error),
    };
    if let Some(cookie) = app.cookies.set_browser(&browser) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `POST /consents`: forgets, and signs out where that is wished.
pub(super) async fn forget(State(app): Shared, request: Request<Body>) -> Response<Body> {
    if let Some(refusal) = refused_form(&app, request.uri(), request.headers()) {
        return refusal;
    }
    let Some(browser) = app.cookies.browser(request.headers()) else {
        return too_late(&app);
    };
    let form = match collect(request.into_body(), MAX_FORM_BYTES).await {
        Ok(form) => Parameters::parse(&form),
        Err(status) => return answer::status(status),
    };
    let only = |name| form.get(name).ok().flatten().unwrap_or_default().to_owned();
    let (handle, entry, wish) = (only("handle"), only("entry"), only("do"));
    if entry.is_empty() || !["forget", "sign-out"].contains(&wish.as_str()) {
        let hint = "go back and use one of the page's buttons";
        return error_page(
            &app,
            StatusCode::BAD_REQUEST,
            "the form does not say what to forget",
            Some(hint),
        );
    }
    let wish = Forget {
        entry: Some(entry).filter(|entry| entry != EVERY_ENTRY),
        sign_out: wish == "sign-out",
    };
    let forgotten = app.oauth.forget(&handle, &browser, &wish, app.now()).await;
    match forgotten {
        Ok(forgotten) => {
            for grant in &forgotten.ended {
                tracing::info!(%grant, "a grant was revoked by its person");
                app.ends.end(grant);
            }
            match &forgotten.fault {
                Some(error) => store_fault(&app, error),
                None => to_page(&handle, &wish, &forgotten),
            }
        }
        Err(StepFault::Authorization(_)) => too_late(&app),
        Err(fault) => step_fault(&app, &fault),
    }
}

/// Back to the page, which says what was done.
fn to_page(handle: &str, wish: &Forget, forgotten: &Forgotten) -> Response<Body> {
    let done = match forgotten {
        Forgotten { ended, .. } if !ended.is_empty() => SIGNED_OUT,
        Forgotten { consents, .. } if *consents > 0 => FORGOTTEN,
        _ => NOTHING,
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("handle", handle)
        .append_pair("done", done);
    if wish.entry.is_some() {
        let name = views::client_name(forgotten.client_name.as_deref());
        query.append_pair("client", name);
    }
    answer::see_other(&format!("{ALLOWED_PATH}?{}", query.finish()))
}

/// What the page says was done. Only who knows the visit's handle, in its browser, comes this far: the
/// words of the address are this server's own.
fn done<'a>(done: Option<&str>, client_name: Option<&'a str>) -> Option<TakenBack<'a>> {
    match done? {
        SIGNED_OUT => Some(TakenBack::SignedOut { client_name }),
        FORGOTTEN => Some(TakenBack::Forgotten { client_name }),
        NOTHING => Some(TakenBack::Nothing),
        _ => None,
    }
}

fn too_late(app: &App) -> Response<Body> {
    let hint = format!(
        "open {} again: you sign in anew for it",
        app.url(ALLOWED_PATH)
    );
    error_page(
        app,
        StatusCode::BAD_REQUEST,
        "this page is too old, or was opened in another browser, and nothing was changed",
        Some(&hint),
    )
}

/// Back from Clerk without a person. What the query says is a stranger's word: it chooses one of our
/// sentences and is not shown.
fn not_signed_in(app: &App, error: &str) -> Response<Body> {
    let (status, reason) = match error {
        "access_denied" => (StatusCode::FORBIDDEN, pages::SignInFailure::Declined),
        _ => (
            StatusCode::BAD_GATEWAY,
            pages::SignInFailure::ClerkUnreachable,
        ),
    };
    let page = SignInFailedPage {
        server_name: &app.name,
        reason,
        retry: Some(ALLOWED_PATH),
    };
    let mut response = answer::page(status, page.render());
    if status == StatusCode::BAD_GATEWAY {
        let soon = HeaderValue::from_static("10");
        response.headers_mut().insert(header::RETRY_AFTER, soon);
    }
    response
}

async fn page(app: &App, visitor: &Visitor, done: Option<TakenBack<'_>>) -> Response<Body> {
    let Visitor { handle, person } = visitor;
    let allowed: Result<Vec<Allowed>, StoreError> =
        app.oauth.allowed(&person.user_id, app.now()).await;
    let allowed = match allowed {
        Ok(allowed) => allowed,
        Err(error) => return store_fault(app, &error),
    };
    let page = AllowedPage {
        server_name: &app.name,
        action: ALLOWED_PATH,
        handle: handle.as_str(),
        done,
        person: person.display_name.as_deref().unwrap_or(&person.user_id),
        entries: allowed.iter().map(view).collect(),
    };
    answer::page(StatusCode::OK, page.render())
}

fn view(allowed: &Allowed) -> AllowedView<'_> {
    AllowedView {
        entry: &allowed.entry,
        client_name: views::client_name(allowed.client_name.as_deref()),
        identity: allowed.identity.as_ref().map(views::identity),
        remembered: allowed.remembered.as_ref().map(|consent| RememberedView {
            redirect_host: &consent.redirect_host,
            scopes: views::scopes(&consent.scopes, &ScopeSet::default()),
            at: consent.at.0,
        }),
        signed_in_at: allowed.signed_in_at.map(|at| at.0),
    }
}
