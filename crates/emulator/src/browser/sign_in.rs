//! The sign-in page: pick a person, go on as somebody who is signed in, or give an e-mail address.

use super::clients;
use super::email_code;
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::pages;
use crate::reply;
use crate::web;
use bytes::Bytes;
use http::{Response, StatusCode};

/// How many people the page lists; whoever is not among them signs in by e-mail.
const LISTED: usize = 50;

/// `GET /sign-in?redirect_url=...`.
pub(crate) fn page(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let back = web::way_back(call, call.query.text("redirect_url"));
    if let Some(ticket) = call.query.text("__clerk_ticket") {
        let body = pages::sign_in::ticket(ticket, &back);
        return Ok(reply::html(StatusCode::OK, body));
    }
    Ok(render(call, &back, None))
}

/// `POST /sign-in` with `user_id`, `session_id`, `email_address` or `ticket`, and `redirect_url`.
pub(crate) fn submit(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    web::check_origin(call)?;
    let form = std::mem::take(&mut call.form);
    let back = web::way_back(call, form.text("redirect_url"));
    let outcome = if let Some(id) = form.text("user_id") {
        let known = call.state.user(id).map(|user| user.id.clone());
        let known = known.ok_or_else(|| error::user_not_found(id));
        known.and_then(|id| clients::sign_in(call, &id, reply::see_other(&back)))
    } else if let Some(id) = form.text("session_id") {
        clients::switch(call, id, reply::see_other(&back))
    } else if let Some(address) = form.text("email_address") {
        email_code::start(call, address, &back)
    } else if let Some(text) = form.text("ticket") {
        clients::sign_in_with_ticket(call, text, reply::see_other(&back))
    } else {
        Err(error::param_missing("user_id"))
    };
    match outcome {
        Err(problem) if web::wants_html(call.headers) => Ok(render(call, &back, Some(&problem))),
        other => other,
    }
}

/// `POST /sign-out`, perhaps with `session_id` and `redirect_url`.
pub(crate) fn sign_out(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    web::check_origin(call)?;
    let form = std::mem::take(&mut call.form);
    let back = web::way_back(call, form.text("redirect_url"));
    let response = reply::see_other(&back);
    Ok(clients::sign_out(call, form.text("session_id"), response))
}

fn render(call: &Call<'_>, back: &str, problem: Option<&ApiError>) -> Response<Bytes> {
    let status = problem.map_or(StatusCode::OK, |problem| problem.status);
    let people = call.state.users();
    let view = pages::sign_in::View {
        back,
        problem: problem.map(|problem| &*problem.long_message),
        signed_in: clients::everybody(call),
        people: people.iter().take(LISTED).collect(),
        hidden: people.len().saturating_sub(LISTED),
        now: call.now,
    };
    reply::html(status, pages::sign_in::page(&view))
}
