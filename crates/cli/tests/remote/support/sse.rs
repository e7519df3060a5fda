//! The client's side of HTTP+SSE.

use serde_json::{Value, json};

use super::actors::Tokens;
use super::http::{Incoming, Response, get, post};
use super::server::Server;

/// An open stream, and where its messages go.
pub(crate) struct Stream {
    pub(crate) incoming: Incoming,
    pub(crate) text: String,
    pub(crate) messages: String,
}

impl Stream {
    #[track_caller]
    pub(crate) fn open(server: &Server, tokens: &Tokens) -> Self {
        let incoming = get(&format!("{}/sse", server.url))
            .bearer(&tokens.access)
            .header("accept", "text/event-stream")
            .open();
        assert_eq!(incoming.status, 200);
        assert_eq!(incoming.header("content-type"), "text/event-stream");
        let mut stream = Self {
            incoming,
            text: String::new(),
            messages: String::new(),
        };
        let (event, data) = stream.event().unwrap();
        assert_eq!(event, "endpoint");
        stream.messages = format!("{}{data}", server.url);
        stream
    }

    /// The next event; `None` at the stream's end.
    pub(crate) fn event(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| {
                    let mut lines = block.lines();
                    let found = lines.find_map(|line| line.strip_prefix(name));
                    found.unwrap_or_default().trim().to_owned()
                };
                let event = (line("event:"), line("data:"));
                self.text = rest.to_owned();
                if event.1.is_empty() {
                    continue;
                }
                return Some(event);
            }
            self.text
                .push_str(&String::from_utf8(self.incoming.piece()?).unwrap());
        }
    }

    #[track_caller]
    pub(crate) fn message(&mut self) -> Value {
        let (event, data) = self.event().unwrap();
        assert_eq!(event, "message");
        serde_json::from_str(&data).unwrap()
    }

    pub(crate) fn send(&self, tokens: &Tokens, message: &Value) -> Response {
        post(&self.messages)
            .bearer(&tokens.access)
            .json(message)
            .send()
    }

    #[track_caller]
    pub(crate) fn exchange(&mut self, tokens: &Tokens, message: &Value) -> Value {
        let taken = self.send(tokens, message);
        assert_eq!(taken.status, 202, "{}", taken.brief());
        self.message()
    }

    /// An open stream whose handshake is done.
    #[track_caller]
    pub(crate) fn ready(server: &Server, tokens: &Tokens) -> Self {
        let mut stream = Self::open(server, tokens);
        let answer = stream.exchange(tokens, &initialize("2024-11-05"));
        assert_eq!(
            answer["result"]["protocolVersion"], "2024-11-05",
            "{answer}"
        );
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(stream.send(tokens, &initialized).status, 202);
        stream
    }
}

pub(crate) fn initialize(version: &str) -> Value {
    json!({
        "jsonrpc": "2.0", "id": "i", "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "old client", "version": "1" },
        },
    })
}
