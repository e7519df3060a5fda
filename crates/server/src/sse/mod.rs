//! HTTP+SSE, the transport of revision 2024-11-05: `GET /sse` opens a stream, `POST /messages` takes the
//! client's messages, and every answer comes through the stream. Deprecated, and still what some clients
//! speak. A session lives as long as its stream.

mod host;
mod message;
mod session;
mod sessions;
mod stream;

pub(crate) use self::{
    message::{Asked, Incoming, MOST_IN_BATCH, Malformed},
    session::{NotTaken, SseSession, Underway, response},
    sessions::SseSessions,
    stream::open,
};

/// Where streams are opened.
pub const SSE_PATH: &str = "/sse";
/// Where messages are sent to.
pub(crate) const MESSAGES_PATH: &str = "/messages";
/// The parameter of [`MESSAGES_PATH`] that names the session.
pub(crate) const SESSION_PARAMETER: &str = "session_id";

/// The session that a query names.
pub(crate) fn session_of(query: Option<&str>) -> Option<String> {
    let mut named = url::form_urlencoded::parse(query?.as_bytes())
        .filter(|(name, _)| name == SESSION_PARAMETER);
    let (_, id) = named.next()?;
    named.next().is_none().then(|| id.into_owned())
}
