//! `/auth/mcp`: lends the session of whoever is signed in here to the MCP server, as
//! docs/guides/sign-in-through-your-app.md has it.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use pages::DemoRefusal;

use crate::{
    app::DemoApp,
    browser::{Address, Visitor, sign_in_url, visitor},
    reply,
};

pub(crate) const PATH: &str = "/auth/mcp";

/// Sends the session token to the configured server's callback, and to no other address: whoever gets
/// it is the person for a minute.
pub(crate) async fn sign_in(app: &DemoApp, request: &Request<Bytes>) -> Response<Bytes> {
    let address = Address::of(request);
    let callback = app.callback();
    let (Some(state), Some(asked)) = (address.value("state"), address.value("callback_url")) else {
        return reply::refusal(StatusCode::BAD_REQUEST, DemoRefusal::NotOurServer);
    };
    if asked != callback {
        return reply::refusal(StatusCode::BAD_REQUEST, DemoRefusal::NotOurServer);
    }
    match visitor(app, request).await {
        Err(response) => response,
        Ok(Visitor::SignedOut) => reply::redirect(&sign_in_url(app, &address.with(&[]))),
        Ok(Visitor::SignedIn(_, token)) => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("state", state)
                .append_pair("clerk_token", &token)
                .finish();
            reply::redirect(&format!("{callback}?{query}"))
        }
    }
}
