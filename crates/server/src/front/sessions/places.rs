//! Places in streams: what the id of an event says. It names the stream of a request by itself, the
//! request included, so that whoever comes back after the process was killed can be told what became of
//! that request, though nothing of it was written down.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rmcp::{
    ErrorData,
    model::{ClientJsonRpcMessage, ClientRequest, RequestId, ServerJsonRpcMessage},
};
use serde_json::json;

use super::streams::key;

/// The stream of a session that belongs to no request. Streams of requests have UUIDs.
pub(super) const COMMON: &str = "c";
/// The number of a final answer: it comes after everything else in its stream.
const LAST: u64 = u64::MAX;
/// The longest id of a request that is named, bytes of JSON: event ids travel in a header.
const LONGEST_REQUEST: usize = 512;

/// The place of an event: its stream, and its number there. A client sees it as
/// `<stream>.<number>`, and in the stream of a request with `.<process>.<session>.<r|w>.<request>`
/// behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream: String,
    pub(super) number: u64,
    pub(super) asked: Option<Arc<Asked>>,
}

/// A request, as the events in its stream name it.
///
/// A client could write such an id itself. It would be told of the request that it names, in its own
/// session, and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The process that was asked.
    pub(super) process: u64,
    /// In which session, as [`mark`] has it.
    session: u64,
    /// What was asked.
    pub(super) request: RequestId,
    /// Whether it may change something.
    pub(super) changes: bool,
}

impl Place {
    /// Where nothing was sent yet but the stream itself, and whatever is not kept.
    pub(super) fn begin(stream: String, asked: Option<Arc<Asked>>) -> Self {
        Self {
            stream,
            number: 0,
            asked,
        }
    }

    /// Where the final answer is.
    pub(super) fn last(stream: String, asked: Option<Arc<Asked>>) -> Self {
        let begin = Self::begin(stream, asked);
        begin.at(LAST)
    }

    /// Another place in the same stream.
    pub(super) fn at(&self, number: u64) -> Self {
        Self {
            number,
            ..self.clone()
        }
    }

    /// Reads the id of an event.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let mut parts = id.splitn(3, '.');
        let (stream, number) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        let asked = parts.next().and_then(Asked::parse).map(Arc::new);
        Some(Self {
            stream,
            number,
            asked,
        })
    }

    /// Whether nothing comes after it.
    pub(super) fn is_last(&self) -> bool {
        self.number == LAST
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stream, self.number)?;
        match self.asked.as_ref().and_then(|asked| asked.text()) {
            Some(asked) => write!(f, ".{asked}"),
            None => Ok(()),
        }
    }
}

impl Asked {
    /// Of a request to `process` in a session.
    pub(super) fn of(process: u64, session: &str, message: &ClientJsonRpcMessage) -> Option<Self> {
        let ClientJsonRpcMessage::Request(request) = message else {
            return None;
        };
        Some(Self {
            process,
            session: mark(session),
            request: request.id.clone(),
            changes: may_change(&request.request),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let process = u64::from_str_radix(parts.next()?, 16).ok()?;
        let session = u64::from_str_radix(parts.next()?, 16).ok()?;
        let changes = match parts.next()? {
            "r" => false,
            "w" => true,
            _ => return None,
        };
        let request = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let request = serde_json::from_slice(&request).ok()?;
        Some(Self {
            process,
            session,
            request,
            changes,
        })
    }

    /// `None` for a request whose id is too long to be named.
    fn text(&self) -> Option<String> {
        let request = serde_json::to_vec(&self.request).ok()?;
        if request.len() > LONGEST_REQUEST {
            return None;
        }
        let kind = if self.changes { 'w' } else { 'r' };
        let request = URL_SAFE_NO_PAD.encode(request);
        Some(format!(
            "{:x}.{:x}.{kind}.{request}",
            self.process, self.session
        ))
    }

    /// Whether it was asked in this session.
    pub(super) fn is_of(&self, session: &str) -> bool {
        self.session == mark(session)
    }

    /// What a client is told that comes for an answer which is nowhere any more. `process` is this one.
    pub(super) fn lost_answer(&self, process: u64) -> ServerJsonRpcMessage {
        let (code, what) = if self.process == process {
            let what = "the answer was sent before, or its request cancelled, and it is not kept";
            ("answer_not_kept", what)
        } else {
            let what = "the server was restarted, and the answer is lost";
            ("server_restarted", what)
        };
        let hint = if self.changes {
            "the call may have taken effect: look, before you call again"
        } else {
            "send the request again: it changes nothing"
        };
        let data = json!({
            "code": code,
            "hint": hint,
            "may_have_taken_effect": self.changes,
        });
        let error = ErrorData::internal_error(format!("{what}\nhint: {hint}"), Some(data));
        ServerJsonRpcMessage::error(error, Some(self.request.clone()))
    }
}

/// Tells a session from another one, without its id.
fn mark(session: &str) -> u64 {
    let hash = key(session);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(first)
}

/// Whether a request may change something: only the call of a tool does, unless it says that it reads.
fn may_change(request: &ClientRequest) -> bool {
    let ClientRequest::CallToolRequest(call) = request else {
        return false;
    };
    let parts = call.extensions.get::<http::request::Parts>();
    let served = parts.and_then(|parts| parts.extensions.get::<Arc<mcp::rmcp_adapter::Served>>());
    served.is_none_or(|served| !served.service().only_reads(&call.params.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_names_its_place_and_its_request() {
        for request in [
            RequestId::Number(-7),
            RequestId::String("a.b\n\u{7f} ü".into()),
        ] {
            let asked = Asked {
                process: 0xfe,
                session: 1,
                request,
                changes: true,
            };
            let begin = Place::begin("s".to_owned(), Some(Arc::new(asked)));
            for place in [
                begin.at(3),
                Place::last("s".to_owned(), begin.asked.clone()),
            ] {
                let id = place.to_string();
                assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
                assert_eq!(Place::parse(&id), Some(place));
            }
        }
        let common = Place::begin(COMMON.to_owned(), None).at(5);
        assert_eq!(common.to_string(), "c.5");
        assert_eq!(Place::parse("c.5"), Some(common));
    }

    #[test]
    fn what_is_no_place_names_none() {
        for id in ["", "c", "c.", "c.x", "c.-1", ".."] {
            assert_eq!(Place::parse(id), None, "{id}");
        }
        for id in [
            "s.1.",
            "s.1.g.2.r.NQ",
            "s.1.1.2.x.NQ",
            "s.1.1.2.r.*",
            "s.1.1.2.r.e30",
        ] {
            assert_eq!(Place::parse(id).unwrap().asked, None, "{id}");
        }
    }

    #[test]
    fn a_request_of_an_endless_id_is_not_named() {
        let asked = Asked {
            process: 1,
            session: 2,
            request: RequestId::String("x".repeat(LONGEST_REQUEST).into()),
            changes: false,
        };
        let place = Place::begin("s".to_owned(), Some(Arc::new(asked)));
        assert_eq!(place.to_string(), "s.0");
    }
}
