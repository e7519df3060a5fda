//! Who is signed in at a browser: by the session token in Clerk's cookie, which a handshake brings and
//! keeps fresh, as Clerk's SDKs do it in development.
//!
//! A browser without a good token goes to Clerk's `/v1/client/handshake`. It comes back with a nonce, for
//! which the Backend API gives the cookies to set; those say either who is signed in or that nobody is.

use bytes::Bytes;
use clerk::{Error, SessionClaims, SessionTokenError};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use pages::DemoRefusal;
use serde_json::Value;

use crate::{app::DemoApp, reply};

/// What a browser comes back from a handshake with.
const NONCE: &str = "__clerk_handshake_nonce";
/// The development browser: in an address it says that something has changed at Clerk.
const DEV_BROWSER: &str = "__clerk_db_jwt";
/// Since when somebody is signed in; `0` for nobody.
const CLIENT_UAT: &str = "__client_uat";
/// The session token.
const SESSION: &str = "__session";
/// In an address: a handshake was just made. Cookies that are not there now are not kept at all.
const CHECKED: &str = "clerk_checked";

/// Seconds that a token must still be good for: it may be sent on, and be looked at there.
const LEAST_SECONDS: u64 = 20;

/// Who uses a browser.
pub(crate) enum Visitor {
    /// Somebody, with their session token.
    SignedIn(Box<SessionClaims>, String),
    /// Nobody.
    SignedOut,
}

/// Who uses the browser, or the answer that finds it out.
pub(crate) async fn visitor(
    app: &DemoApp,
    request: &Request<Bytes>,
) -> Result<Visitor, Response<Bytes>> {
    let address = Address::of(request);
    if let Some(nonce) = address.value(NONCE) {
        return Err(finish_handshake(app, &address, nonce).await);
    }
    if address.value(DEV_BROWSER).is_some() {
        return Err(begin_handshake(app, &address));
    }
    let cookies = request.headers();
    if let Some(token) = cookie(cookies, SESSION).filter(|token| !token.is_empty()) {
        match app.client.verify_session_token(token, &app.sessions).await {
            Ok(claims) if is_fresh(app, &claims) => {
                return Ok(Visitor::SignedIn(Box::new(claims), token.to_owned()));
            }
            Err(SessionTokenError::Keys(_)) => return Err(unreachable()),
            // Old, or made for another application of this host: Clerk knows better.
            Ok(_) | Err(_) => {}
        }
    }
    let known = cookie(cookies, DEV_BROWSER).is_some();
    if known && cookie(cookies, CLIENT_UAT) == Some("0") {
        return Ok(Visitor::SignedOut);
    }
    if address.was_checked() {
        let refusal = reply::refusal(StatusCode::BAD_REQUEST, DemoRefusal::NoCookies);
        return Err(refusal);
    }
    Err(begin_handshake(app, &address))
}

fn is_fresh(app: &DemoApp, claims: &SessionClaims) -> bool {
    let now = app.client.env().now() / 1_000;
    claims.expires_at >= now + LEAST_SECONDS
}

/// Sends the browser to Clerk, and from there back to where it is.
fn begin_handshake(app: &DemoApp, address: &Address) -> Response<Bytes> {
    let back = format!("{}{}", app.url, address.with(&[(CHECKED, "1")]));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("redirect_url", &back);
    query.append_pair("format", "nonce");
    if let Some(browser) = address.value(DEV_BROWSER) {
        query.append_pair(DEV_BROWSER, browser);
    }
    let query = query.finish();
    reply::redirect(&format!("{}/v1/client/handshake?{query}", app.clerk_url))
}

/// Sets the cookies that Clerk gives for a nonce (`GetHandshakePayload`). One that it does not know was
/// used before or is too old: the browser begins anew.
async fn finish_handshake(app: &DemoApp, address: &Address, nonce: &str) -> Response<Bytes> {
    let path = "/clients/handshake_payload";
    let asked = clerk::Request::new("GetHandshakePayload", Method::GET, path).query("nonce", nonce);
    let payload = match app.client.send(&asked).await {
        Ok(answer) => answer.body,
        Err(Error::Api(error)) if (400..500).contains(&error.status) && error.status != 429 => {
            return reply::redirect(&address.with(&[]));
        }
        Err(_) => return unreachable(),
    };
    let mut response = reply::redirect(&address.with(&[(CHECKED, "1")]));
    let directives = payload.get("directives").and_then(Value::as_array);
    for directive in directives.into_iter().flatten().filter_map(Value::as_str) {
        if let Ok(value) = HeaderValue::from_str(directive) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}

fn unreachable() -> Response<Bytes> {
    reply::refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        DemoRefusal::ClerkUnreachable,
    )
}

/// The first cookie of a name.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The path and the parameters that a browser asks for.
pub(crate) struct Address {
    path: String,
    pairs: Vec<(String, String)>,
}

impl Address {
    pub(crate) fn of(request: &Request<Bytes>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self {
            path: request.uri().path().to_owned(),
            pairs: pairs.into_owned().collect(),
        }
    }

    /// The value of a parameter, if it is there once and is not empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut found = self.pairs.iter().filter(|(key, _)| key == name);
        let (_, value) = found.next()?;
        (found.next().is_none() && !value.is_empty()).then_some(value)
    }

    pub(crate) fn was_checked(&self) -> bool {
        self.value(CHECKED).is_some()
    }

    /// The address without what Clerk adds to it, and with this in place.
    pub(crate) fn with(&self, added: &[(&str, &str)]) -> String {
        let own =
            |(name, _): &&(String, String)| ![NONCE, DEV_BROWSER, CHECKED].contains(&name.as_str());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs.iter().filter(own));
        query.extend_pairs(added);
        match query.finish() {
            query if query.is_empty() => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }
}

/// Where to sign in, and then come back to an address of the application.
pub(crate) fn sign_in_url(app: &DemoApp, back: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("redirect_url", &format!("{}{back}", app.url))
        .finish();
    format!("{}/sign-in?{query}", app.clerk_url)
}
