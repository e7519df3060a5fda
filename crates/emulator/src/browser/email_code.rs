//! Signing in with an e-mail address and the code that is sent there: to the emulator's inbox.

use super::clients;
use super::state::{CodeSignIn, Message};
use crate::call::Call;
use crate::clock::MINUTE;
use crate::error::{self, ApiError};
use crate::pages;
use crate::query::Query;
use crate::reply;
use crate::web;
use bytes::Bytes;
use http::{Response, StatusCode};

/// How long a code is good, in milliseconds.
pub(super) const CODE_LIFETIME: u64 = 10 * MINUTE;
const MAX_FAILED_ATTEMPTS: u64 = 5;
/// Addresses with this in them take [`TEST_CODE`], and no message is sent: Clerk's test mode.
const TEST_ADDRESS: &str = "+clerk_test";
const TEST_CODE: &str = "424242";

/// Sends a code, and leads to the page that takes it.
pub(super) fn start(
    call: &mut Call<'_>,
    address: &str,
    back: &str,
) -> Result<Response<Bytes>, ApiError> {
    let found = call.state.user_with_email(address).cloned();
    let user_id = found.ok_or_else(error::identifier_not_found)?;
    let user = call.state.user(&user_id);
    let verified = user.is_some_and(|user| {
        let mut emails = user.emails.iter();
        emails.any(|email| email.value.eq_ignore_ascii_case(address) && email.is_verified())
    });
    if !verified {
        return Err(error::identifier_not_found());
    }
    clients::may_sign_in(call.state, &user_id, call.now)?;
    let test = address.contains(TEST_ADDRESS);
    let sign_in = CodeSignIn {
        id: call.mint("sia"),
        user_id,
        email_address: address.to_lowercase(),
        code: if test {
            TEST_CODE.to_owned()
        } else {
            digits(call)
        },
        failed_attempts: 0,
        expires_at: call.now + CODE_LIFETIME,
        created_at: call.now,
    };
    if !test {
        let message = Message {
            id: call.mint("ema"),
            to: sign_in.email_address.clone(),
            subject: format!("{} is your verification code", sign_in.code),
            body: format!(
                "Enter the code {} to sign in. It is good for 10 minutes.",
                sign_in.code
            ),
            code: sign_in.code.clone(),
            created_at: call.now,
        };
        call.state.browser.deliver(message);
    }
    let parameters = [("sign_in_id", &*sign_in.id), ("redirect_url", back)];
    let response = reply::see_other(&web::link("/sign-in/code", &parameters));
    call.state.browser.sign_ins.insert(sign_in);
    Ok(response)
}

/// `GET /sign-in/code?sign_in_id=...&redirect_url=...`.
pub(crate) fn page(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let given = std::mem::take(&mut call.query);
    let sign_in = find(call, &given)?;
    let back = web::way_back(call, given.text("redirect_url"));
    let body = pages::sign_in::code(&sign_in, &back, None);
    Ok(reply::html(StatusCode::OK, body))
}

/// `POST /sign-in/code` with `sign_in_id`, `code` and `redirect_url`.
pub(crate) fn submit(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    web::check_origin(call)?;
    let form = std::mem::take(&mut call.form);
    let back = web::way_back(call, form.text("redirect_url"));
    let mut sign_in = find(call, &form)?;
    let given = form.text("code").unwrap_or_default().trim();
    if given == sign_in.code {
        call.state.browser.sign_ins.remove(&sign_in.id);
        return clients::sign_in(call, &sign_in.user_id, reply::see_other(&back));
    }
    sign_in.failed_attempts += 1;
    call.state.browser.sign_ins.insert(sign_in.clone());
    let problem = error::code_incorrect();
    if !web::wants_html(call.headers) {
        return Err(problem);
    }
    let body = pages::sign_in::code(&sign_in, &back, Some(&problem.long_message));
    Ok(reply::html(problem.status, body))
}

/// The sign-in that a form or a link names, while it may go on.
fn find(call: &Call<'_>, given: &Query) -> Result<CodeSignIn, ApiError> {
    let id = given.text("sign_in_id").unwrap_or_default();
    let found = call.state.browser.sign_ins.get(id);
    let found = found.ok_or_else(error::sign_in_not_found)?;
    if call.now >= found.expires_at {
        return Err(error::verification_expired());
    }
    if found.failed_attempts >= MAX_FAILED_ATTEMPTS {
        return Err(error::verification_failed());
    }
    Ok(found.clone())
}

/// Six random digits.
fn digits(call: &mut Call<'_>) -> String {
    let mut bytes = [0; 8];
    call.random.fill(&mut bytes);
    format!("{:06}", u64::from_be_bytes(bytes) % 1_000_000)
}
