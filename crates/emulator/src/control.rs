//! The control API under `/_emulator/`, which Clerk does not have: the clock, faults, the request
//! log, the rate limit, the inbox, signing in without a page, and starting over. A web page must not steer the emulator of whoever looks
//! at it, so requests with an `Origin` are refused, and so are those to a name that DNS could have
//! pointed here (DNS rebinding).

use crate::emulator::{Inner, MAX_BODY_BYTES};
use crate::faults::Rule;
use crate::pages;
use crate::rate_limit::{Limit, RateLimiter};
use crate::reply;
use crate::router;
use crate::web;
use bytes::Bytes;
use http::header::{HOST, ORIGIN};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where the control API is.
pub(crate) const PREFIX: &str = "/_emulator/";

const MAX_RULES: usize = 100;

/// Why a request to the control API was refused.
struct Refusal(StatusCode, String);

/// Answers a request whose path starts with [`PREFIX`]. `real_now` is the time of the machine.
pub(crate) fn answer(
    inner: &mut Inner,
    request: &Request<Bytes>,
    real_now: u64,
) -> Response<Bytes> {
    if wants_inbox_page(request) && check_caller(request).is_ok() {
        return reply::html(StatusCode::OK, pages::inbox::page(&inner.state.browser));
    }
    match route(inner, request, real_now) {
        Ok(body) => reply::json(StatusCode::OK, &body),
        Err(Refusal(status, error)) => reply::json(status, &json!({ "error": error })),
    }
}

/// A person opens the inbox in a browser.
fn wants_inbox_page(request: &Request<Bytes>) -> bool {
    *request.method() == Method::GET
        && request.uri().path().strip_prefix(PREFIX) == Some("inbox")
        && web::wants_html(request.headers())
}

/// Refuses what a web page of somebody else could have sent.
fn check_caller(request: &Request<Bytes>) -> Result<(), Refusal> {
    if request.headers().contains_key(ORIGIN) {
        let text = "requests of web pages are refused\nhint: call the control API without an Origin header";
        return Err(Refusal(StatusCode::FORBIDDEN, text.to_owned()));
    }
    if !request.headers().get_all(HOST).iter().all(is_local) {
        let text = "requests to a host name other than localhost are refused\nhint: call the control API by IP address or as localhost";
        return Err(Refusal(StatusCode::FORBIDDEN, text.to_owned()));
    }
    Ok(())
}

fn route(inner: &mut Inner, request: &Request<Bytes>, real_now: u64) -> Result<Value, Refusal> {
    check_caller(request)?;
    if request.body().len() > MAX_BODY_BYTES {
        let text = format!("the body is larger than {MAX_BODY_BYTES} bytes");
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let resource = request
        .uri()
        .path()
        .strip_prefix(PREFIX)
        .unwrap_or_default();
    match (request.method().as_str(), resource) {
        ("POST", "reset") => reset(inner, real_now),
        ("GET", "clock") => Ok(clock(inner, real_now)),
        ("POST", "clock") => set_clock(inner, read(request)?, real_now),
        ("GET", "faults") => Ok(faults(inner)),
        ("POST", "faults") => add_fault(inner, read(request)?),
        ("DELETE", "faults") => {
            inner.faults.clear();
            Ok(faults(inner))
        }
        ("GET", "requests") => Ok(inner.log.view()),
        ("DELETE", "requests") => {
            inner.log.clear();
            Ok(inner.log.view())
        }
        ("GET", "rate_limit") => Ok(rate_limit(inner)),
        ("POST", "rate_limit") => set_rate_limit(inner, read(request)?),
        ("DELETE", "rate_limit") => {
            inner.limiter = None;
            Ok(rate_limit(inner))
        }
        ("GET", "inbox") => Ok(inner.state.browser.inbox_view()),
        ("DELETE", "inbox") => {
            inner.state.browser.empty_inbox();
            inner.revision += 1;
            Ok(inner.state.browser.inbox_view())
        }
        ("GET", "auto_sign_in") => Ok(auto_sign_in(inner)),
        ("POST", "auto_sign_in") => set_auto_sign_in(inner, &read(request)?),
        ("DELETE", "auto_sign_in") => {
            inner.state.browser.auto_sign_in = None;
            inner.revision += 1;
            Ok(auto_sign_in(inner))
        }
        (
            _,
            "reset" | "clock" | "faults" | "requests" | "rate_limit" | "inbox" | "auto_sign_in",
        ) => {
            let text = format!("{} is not a method of {resource}", request.method());
            Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, text))
        }
        _ => {
            let text = "there is no such control\nhint: reset, clock, faults, requests, rate_limit, inbox and auto_sign_in are there";
            Err(Refusal(StatusCode::NOT_FOUND, text.to_owned()))
        }
    }
}

/// Is it `localhost` or an IP address, with or without a port? No web page can be served from
/// another machine under these names and reach this one.
fn is_local(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bare_ipv6 = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost")
        || host.parse::<SocketAddr>().is_ok()
        || host.parse::<Ipv4Addr>().is_ok()
        || bare_ipv6.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn read<T: DeserializeOwned>(request: &Request<Bytes>) -> Result<T, Refusal> {
    serde_json::from_slice(request.body()).map_err(|error| bad_request(&error.to_string()))
}

fn bad_request(problem: &str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, problem.to_owned())
}

/// Back to the seed: state, clock, faults and log. The rate limit stays.
fn reset(inner: &mut Inner, real_now: u64) -> Result<Value, Refusal> {
    let state = inner
        .seed
        .build(real_now)
        .map_err(|error| bad_request(&error.to_string()))?;
    inner.state = state;
    for ensured in &inner.ensured {
        ensured.apply(&mut inner.state, &mut *inner.random, real_now);
    }
    for ensured in &inner.ensured_mcp_servers {
        ensured.apply(&mut inner.state);
    }
    inner.faults.clear();
    inner.log.clear();
    inner.revision += 1;
    Ok(json!({ "reset": true }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    advance_ms: Option<i64>,
    set_ms: Option<u64>,
}

fn clock(inner: &Inner, real_now: u64) -> Value {
    let offset = inner.state.clock_offset;
    json!({ "now_ms": real_now.saturating_add_signed(offset), "offset_ms": offset })
}

fn set_clock(inner: &mut Inner, change: ClockChange, real_now: u64) -> Result<Value, Refusal> {
    let offset = inner.state.clock_offset;
    inner.state.clock_offset = match (change.advance_ms, change.set_ms) {
        (Some(advance), None) => offset.saturating_add(advance),
        (None, Some(time)) => {
            let difference = i128::from(time) - i128::from(real_now);
            i64::try_from(difference).map_err(|_| bad_request("`set_ms` is too far away"))?
        }
        _ => return Err(bad_request("give `advance_ms` or `set_ms`")),
    };
    inner.revision += 1;
    Ok(clock(inner, real_now))
}

fn faults(inner: &Inner) -> Value {
    json!({ "data": inner.faults, "total_count": inner.faults.len() })
}

fn add_fault(inner: &mut Inner, rule: Rule) -> Result<Value, Refusal> {
    if let Some(problem) = rule.problem() {
        return Err(bad_request(problem));
    }
    if let Some(problem) = rule.operation.as_deref().and_then(unknown_operation) {
        return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, problem));
    }
    if inner.faults.len() == MAX_RULES {
        return Err(bad_request(
            "there are 100 rules already\nhint: DELETE /_emulator/faults",
        ));
    }
    inner.faults.push(rule);
    Ok(faults(inner))
}

/// What to say about an operation that the emulator does not have.
fn unknown_operation(name: &str) -> Option<String> {
    if router::operations().any(|known| known == name) {
        return None;
    }
    let hint = match router::nearest_operation(name) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => {
            let known: Vec<&str> = router::operations().collect();
            format!("these are there: {}", known.join(", "))
        }
    };
    Some(format!("there is no operation {name:?}\nhint: {hint}"))
}

/// Whose sign-in and consent are taken for granted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AutoSignIn {
    user_id: String,
}

fn auto_sign_in(inner: &Inner) -> Value {
    json!({ "user_id": inner.state.browser.auto_sign_in })
}

fn set_auto_sign_in(inner: &mut Inner, given: &AutoSignIn) -> Result<Value, Refusal> {
    let user = inner.state.user(&given.user_id).ok_or_else(|| {
        let text = format!(
            "there is no user {:?}\nhint: GET /v1/users lists their ids",
            given.user_id
        );
        Refusal(StatusCode::UNPROCESSABLE_ENTITY, text)
    })?;
    inner.state.browser.auto_sign_in = Some(user.id.clone());
    inner.revision += 1;
    Ok(auto_sign_in(inner))
}

fn rate_limit(inner: &Inner) -> Value {
    json!({ "rate_limit": inner.limiter.as_ref().map(|limiter| limiter.limit()) })
}

fn set_rate_limit(inner: &mut Inner, limit: Limit) -> Result<Value, Refusal> {
    if limit.requests == 0 || limit.per_ms == 0 {
        return Err(bad_request(
            "`requests` and `per_ms` are at least 1\nhint: DELETE /_emulator/rate_limit turns the limit off",
        ));
    }
    inner.limiter = Some(RateLimiter::new(limit));
    Ok(rate_limit(inner))
}
