//! Streams of events.

use std::time::Instant;

use serde_json::Value;

use super::actors::Tokens;
use super::http::{Incoming, Request};
use super::mcp::{VERSION, at_mcp};
use super::patience::PATIENCE;
use super::server::Server;

/// The events of a stream, one by one.
pub(crate) struct Events {
    incoming: Incoming,
    text: String,
}

/// An event's id and its message; null for one that only names a place.
pub(crate) type Event = (String, Value);

impl Events {
    pub(crate) fn of(incoming: Incoming) -> Self {
        assert_eq!(incoming.status, 200);
        assert_eq!(incoming.header("content-type"), "text/event-stream");
        let text = String::new();
        Self { incoming, text }
    }

    /// Opens a session's stream that belongs to no request; with the place where it begins.
    pub(crate) fn standalone(server: &Server, token: &str, session: &str) -> (Self, String) {
        let get = at_mcp(server, "GET", token)
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", VERSION);
        let mut events = Self::of(get.open());
        // Before the place comes how soon to try again.
        loop {
            let (place, nothing) = events.next().unwrap();
            assert_eq!(nothing, Value::Null, "{place}");
            if place.starts_with("c.") {
                return (events, place);
            }
        }
    }

    /// Resumes the stream of this event.
    pub(crate) fn after(server: &Server, tokens: &Tokens, session: &str, id: &str) -> Self {
        Self::of(resume(server, tokens, session, id).open())
    }

    /// The next one with an id; `None` at the stream's end.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Event> {
        let begun = Instant::now();
        loop {
            // Comments keep a stream alive in which nothing comes.
            assert!(begun.elapsed() < PATIENCE, "nothing comes");
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim().to_owned())
                };
                let (id, data) = (field("id:"), field("data:"));
                self.text = rest.to_owned();
                if let Some(id) = id {
                    let data = data.unwrap_or_default();
                    return Some((id, serde_json::from_str(&data).unwrap_or_default()));
                }
            }
            self.text += &String::from_utf8(self.incoming.piece()?).unwrap();
        }
    }

    /// The next message, with or without an id; `None` at the stream's end.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Option<Value> {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "nothing comes");
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                let data = data.map(str::to_owned);
                self.text = rest.to_owned();
                if let Some(data) = data.filter(|data| !data.trim().is_empty()) {
                    return Some(serde_json::from_str(&data).unwrap());
                }
            }
            self.text += &String::from_utf8(self.incoming.piece()?).unwrap();
        }
    }

    pub(crate) fn rest(mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

pub(crate) fn resume(server: &Server, tokens: &Tokens, session: &str, id: &str) -> Request {
    at_mcp(server, "GET", &tokens.access)
        .header("mcp-session-id", session)
        .header("mcp-protocol-version", VERSION)
        .header("last-event-id", id)
}
