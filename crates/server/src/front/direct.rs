//! Requests that are answered without rmcp: calls that stand for themselves (2026-07-28), with what they
//! report of their progress, and calls in a session that wait for nothing. Headers are held to what rmcp
//! holds them to; where one is not plainly right, rmcp has the request, and finds fault with it.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, header};
use mcp::rmcp_adapter::{AnswerOnly, DirectCall};

use super::{Principal, call_stream, sessions::Used};

/// The revision whose requests stand for themselves.
const STANDALONE: &str = "2026-07-28";
/// Revisions with sessions.
const WITH_SESSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// The answer to a call that needs nothing of what rmcp alone can do.
pub(super) async fn answer(
    headers: &HeaderMap,
    body: &[u8],
    principal: &Principal,
    session: Option<Used>,
) -> Option<Response<Body>> {
    let served = principal.served.as_ref()?;
    let service = served.service();
    let call = DirectCall::parse(body)?;
    let client = match session {
        None if is_of_itself(headers, &call) && service.never_asks(call.tool()) => {
            let client = call.declared()?.client.clone();
            if let Some(token) = call.progress_token().cloned() {
                return call_stream::answer(Arc::clone(served), call, token, client).await;
            }
            client
        }
        Some(Used {
            client: Some(client),
            ..
        }) if is_of_session(headers, &call)
            && service.is_immediate(call.tool())
            && call.progress_token().is_none() =>
        {
            Some(client.as_ref().to_owned())
        }
        _ => return None,
    };
    let host = AnswerOnly { client };
    // Boxed, for what a request to Clerk needs is several kilobytes.
    let answer = Box::pin(call.answer(service, &host)).await?;
    Some(json(answer))
}

/// An answer that is one message.
pub(super) fn json(message: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(message));
    let media_type = HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// Whether the headers are those of a request that stands for itself, whose body says that it is of
/// this revision, method and (for a call) tool.
pub(super) fn stands_alone(
    headers: &HeaderMap,
    version: &str,
    method: &str,
    name: Option<&str>,
) -> bool {
    version == STANDALONE
        && only(headers, "mcp-protocol-version") == Some(STANDALONE)
        && only(headers, "mcp-method") == Some(method)
        && name.is_none_or(|name| only(headers, "mcp-name") == Some(name))
        && headers
            .keys()
            .all(|name| !name.as_str().starts_with("mcp-param-"))
        && takes_both(headers)
}

/// Whether a call stands for itself.
fn is_of_itself(headers: &HeaderMap, call: &DirectCall) -> bool {
    call.declared().is_some_and(|declared| {
        stands_alone(headers, &declared.version, "tools/call", Some(call.tool()))
    })
}

/// Whether the headers are those of a call in a session.
fn is_of_session(headers: &HeaderMap, call: &DirectCall) -> bool {
    let version = only(headers, "mcp-protocol-version");
    call.declared().is_none()
        && version.is_some_and(|version| WITH_SESSIONS.contains(&version))
        && takes_both(headers)
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether both types of an answer are accepted.
fn takes_both(headers: &HeaderMap) -> bool {
    only(headers, header::ACCEPT.as_str()).is_some_and(|accept| {
        takes(accept, "application/json") && takes(accept, "text/event-stream")
    })
}

/// Whether this type is among those, with any weight; what weighs nothing, or oddly, is for rmcp to weigh.
fn takes(accept: &str, media_type: &str) -> bool {
    accept.split(',').any(|part| {
        let mut part = part.split(';').map(str::trim);
        let named = part
            .next()
            .is_some_and(|named| named.eq_ignore_ascii_case(media_type));
        let is_weight = |parameter: &str| {
            let weight = parameter
                .strip_prefix("q=")
                .or(parameter.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
        };
        named && part.all(is_weight)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_taken_with_any_weight_but_none() {
        for accept in [
            "application/json, text/event-stream",
            "Text/Event-Stream;q=0.5 , application/json; q=1",
        ] {
            assert!(takes(accept, "text/event-stream"), "{accept}");
            assert!(takes(accept, "application/json"), "{accept}");
        }
        for accept in [
            "",
            "application/json",
            "text/event-streams",
            "text/event-stream;q=0",
            "text/event-stream;q=0.000",
            "text/event-stream;q=much",
            "text/event-stream;profile=x",
        ] {
            assert!(!takes(accept, "text/event-stream"), "{accept}");
        }
    }
}
