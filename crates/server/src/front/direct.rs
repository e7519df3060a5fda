//! Which requests are answered without rmcp: calls that stand for themselves (2026-07-28), and calls in
//! a session that wait for nothing. Headers are held to what rmcp holds them to; where one is not plainly
//! right, rmcp has the request, and finds fault with it.

use http::{HeaderMap, header};
use mcp::rmcp_adapter::DirectCall;

/// The revision whose requests stand for themselves.
const STANDALONE: &str = "2026-07-28";
/// Revisions with sessions.
const WITH_SESSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// Whether the headers are those of a call that stands for itself.
pub(super) fn stands_alone(headers: &HeaderMap, call: &DirectCall) -> bool {
    let version = call.declared().map(|declared| declared.version.as_str());
    version == Some(STANDALONE)
        && only(headers, "mcp-protocol-version") == Some(STANDALONE)
        && only(headers, "mcp-method") == Some("tools/call")
        && only(headers, "mcp-name") == Some(call.tool())
        && headers
            .keys()
            .all(|name| !name.as_str().starts_with("mcp-param-"))
        && takes_both(headers)
}

/// Whether the headers are those of a call in a session.
pub(super) fn is_of_session(headers: &HeaderMap, call: &DirectCall) -> bool {
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

/// Whether both types of an answer are accepted; weights are for rmcp to weigh.
fn takes_both(headers: &HeaderMap) -> bool {
    only(headers, header::ACCEPT.as_str()).is_some_and(|accept| {
        accept.contains("application/json")
            && accept.contains("text/event-stream")
            && !accept.contains(';')
    })
}
