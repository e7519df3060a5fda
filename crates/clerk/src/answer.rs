//! From an HTTP answer to a [`Response`] or an [`Error`].

use bytes::Bytes;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use serde_json::Value;

use crate::api_url::ApiUrl;
use crate::error::{ApiError, ClerkErrorDetail, Error};
use crate::hint::{self, Situation};
use crate::redact::{may_hold_secret, without_key};
use crate::response::Response;
use crate::secret_key::SecretKey;

/// How many characters of a body that is no JSON a message shows.
const PREVIEW: usize = 80;

/// The request that was answered, as far as messages speak of it.
pub(crate) struct Context<'a> {
    pub(crate) operation: &'static str,
    pub(crate) path: &'a str,
    pub(crate) only_reads: bool,
    pub(crate) key: &'a SecretKey,
    pub(crate) api_url: &'a ApiUrl,
}

/// Reads an answer.
///
/// # Errors
/// [`Error::Api`] when the status is not 2xx, [`Error::InvalidJson`] when it is and the body is
/// neither empty nor JSON.
pub(crate) fn read(
    context: &Context<'_>,
    answer: &http::Response<Bytes>,
) -> Result<Response, Error> {
    let status = answer.status();
    let header_trace = trace_id_of_headers(context, answer.headers());
    if status.is_success() {
        let body = success_body(context, answer.body());
        return match body {
            Some(body) => {
                let trace_id = trace_id_of_body(&body).or(header_trace);
                Ok(Response {
                    status: status.as_u16(),
                    body,
                    trace_id,
                })
            }
            None => Err(Error::InvalidJson {
                operation: context.operation,
                status: status.as_u16(),
                trace_id: header_trace,
                preview: preview(context.key, answer.body()),
                may_have_run: !context.only_reads,
            }),
        };
    }
    let body = error_body(context, answer.body());
    let errors = details(&body);
    let retry_after = retry_after(answer.headers());
    let hint = hint::for_status(&Situation {
        status: status.as_u16(),
        errors: &errors,
        retry_after,
        only_reads: context.only_reads,
        path: context.path,
        key: context.key,
        api_url: context.api_url,
    });
    Err(Error::Api(Box::new(ApiError {
        operation: context.operation,
        status: status.as_u16(),
        errors,
        trace_id: trace_id_of_body(&body).or(header_trace),
        retry_after,
        hint,
    })))
}

/// The JSON of a 2xx answer; `Null` for an empty one, `None` for anything else.
fn success_body(context: &Context<'_>, body: &[u8]) -> Option<Value> {
    if body.trim_ascii().is_empty() {
        return Some(Value::Null);
    }
    let text = std::str::from_utf8(body).ok()?;
    if text.contains(context.key.expose()) {
        return serde_json::from_str(&without_key(text.to_owned(), context.key)).ok();
    }
    serde_json::from_str(text).ok()
}

/// The JSON of an error; `Null` for anything else.
fn error_body(context: &Context<'_>, body: &[u8]) -> Value {
    let text = without_key(String::from_utf8_lossy(body).into_owned(), context.key);
    serde_json::from_str(&text).unwrap_or_default()
}

fn details(body: &Value) -> Vec<ClerkErrorDetail> {
    let list = body
        .get("errors")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter()
        .filter(|error| error.is_object())
        .map(detail)
        .collect()
}

fn detail(error: &Value) -> ClerkErrorDetail {
    let text = |name: &str| one_line(error.get(name).and_then(Value::as_str).unwrap_or_default());
    let code = text("code");
    ClerkErrorDetail {
        code: if code.is_empty() {
            "unknown_error".to_owned()
        } else {
            code
        },
        message: text("message"),
        long_message: text("long_message"),
        meta: error.get("meta").filter(|meta| !meta.is_null()).cloned(),
    }
}

fn trace_id_of_body(body: &Value) -> Option<String> {
    body.get("clerk_trace_id")?
        .as_str()
        .map(one_line)
        .filter(|id| !id.is_empty())
}

fn trace_id_of_headers(context: &Context<'_>, headers: &HeaderMap) -> Option<String> {
    ["x-clerk-trace-id", "cf-ray"]
        .iter()
        .find_map(|name| {
            headers
                .get(*name)?
                .to_str()
                .ok()
                .filter(|id| !id.is_empty())
        })
        .map(|id| without_key(id.to_owned(), context.key))
}

/// Texts from outside end in terminals and logs: without line breaks and other control characters
/// they can neither pose as a hint of ours nor move a cursor.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Seconds. The other form of `Retry-After`, a date, is not used by Clerk and not read.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The first characters, escaped; `None` when the body might hold a secret.
fn preview(key: &SecretKey, body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    if text.contains(key.expose()) || may_hold_secret(&text) {
        return None;
    }
    let mut shown = String::new();
    for character in text.trim_start().chars() {
        let escaped: String = character.escape_debug().collect();
        if shown.chars().count() + escaped.chars().count() > PREVIEW {
            break;
        }
        shown.push_str(&escaped);
    }
    Some(shown)
}
