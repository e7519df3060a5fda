//! Streams of sessions: what stood in one is there again after a lost connection and after a kill, each
//! message once, and no request stays without an answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::calls::SESSION_VERSION;
use super::{Client, Done, Tries};
use crate::events::{Event, Events, Opened};
use crate::http::request;
use crate::plan::Loss;
use crate::proxy::{Outcome, life};

/// What a request's stream has brought so far.
struct Exchange {
    session: String,
    /// The JSON-RPC id of the call.
    call: String,
    /// The life that was asked.
    life: usize,
    /// The last event that the client has seen.
    last: String,
    /// Every message, by the id of its event.
    seen: BTreeMap<String, Value>,
    question: Option<Value>,
}

/// How an exchange went on.
enum Next {
    Question,
    /// The answer to the call.
    Answer(Value, usize),
    /// The stream has ended; there may be more.
    Ended,
}

impl Client<'_> {
    /// Calls a tool that asks first, loses the connection before or after the question was read,
    /// comes back, declines, and waits for the answer, through as many kills as there are.
    pub(super) fn decline(&mut self, reads_question: bool) -> Done {
        let tries = Tries::new();
        let (mut exchange, mut stream) = loop {
            let Some((access, session)) = self.access_and_session()? else {
                tries.again()?;
                continue;
            };
            let number = self.world.call_number();
            let call = format!("decline {number}");
            let message = json!({
                "jsonrpc": "2.0", "id": call, "method": "tools/call",
                "params": { "name": "cancelOrder", "arguments": { "order": number } },
            });
            let request = self.at_mcp(&access, SESSION_VERSION, &message);
            let sent = self.now();
            let opened = self
                .world
                .proxy
                .open(request.header("mcp-session-id", &session));
            if let Opened::Stream(mut stream) = opened {
                let life = life(&stream.head);
                self.session_used(sent, life);
                if let Some(begin) = stream.next() {
                    let exchange = Exchange {
                        session,
                        call,
                        life,
                        last: begin.id,
                        seen: BTreeMap::new(),
                        question: None,
                    };
                    break (exchange, stream);
                }
            } else {
                self.not_opened(opened)?;
            }
            tries.again()?;
        };
        if reads_question && let Next::Answer(answer, life) = self.read(&mut exchange, &mut stream)
        {
            self.judge_decline(&exchange, &answer, life);
            return Ok(());
        }
        drop(stream);
        let mut has_declined = false;
        loop {
            let Some(mut stream) = self.resume(&exchange, &tries)? else {
                return Ok(());
            };
            loop {
                if exchange.question.is_some() && !has_declined {
                    has_declined = self.answer_question(&exchange)?;
                    if !has_declined {
                        break;
                    }
                }
                match self.read(&mut exchange, &mut stream) {
                    Next::Question => {}
                    Next::Answer(answer, life) => {
                        self.judge_decline(&exchange, &answer, life);
                        return Ok(());
                    }
                    Next::Ended => break,
                }
            }
            tries.again()?;
        }
    }

    /// Keeps a stream open for what the server says of itself, and comes back to its place if it has
    /// ended meanwhile.
    pub(super) fn listen(&mut self) -> Done {
        let tries = Tries::new();
        loop {
            let Some((access, session)) = self.access_and_session()? else {
                tries.again()?;
                continue;
            };
            let mut get = self
                .get_stream(&access, &session)
                .header("accept", "text/event-stream");
            let before = self.listening.take();
            let before = before.filter(|(of, _, _)| *of == session);
            if let Some((_, place, _)) = &before {
                get = get.header("last-event-id", place);
            }
            let sent = self.now();
            let mut opened = self.world.proxy.open(get);
            if let Opened::Stream(stream) = &mut opened {
                self.session_used(sent, life(&stream.head));
                // A place that is resumed is known; a new stream names it.
                let place = match before {
                    Some((_, place, _)) => Some(place),
                    // rmcp's own first event says when to come back, and has no place.
                    None => stream.next().and_then(|first| match first.id.as_str() {
                        "0" => stream.next().map(|event| event.id),
                        _ => Some(first.id),
                    }),
                };
                if let (Some(place), Opened::Stream(stream)) = (place, opened) {
                    if !place.starts_with("c.") {
                        self.violation(&format!("a stream of the session begins at {place:?}"));
                    }
                    self.world.count("streams opened to listen");
                    self.listening = Some((session, place, stream));
                    return Ok(());
                }
            } else {
                self.not_opened(opened)?;
            }
            tries.again()?;
        }
    }

    fn access_and_session(&mut self) -> Done<Option<(String, String)>> {
        self.ensure_grant()?;
        let Some(access) = self.access().map(|access| access.value) else {
            return Ok(None);
        };
        let session = self.session(&access)?;
        Ok(session.map(|session| (access, session)))
    }

    fn get_stream(&self, access: &str, session: &str) -> crate::http::Request {
        request("GET", &format!("{}/mcp", self.world.proxy.url))
            .bearer(access)
            .header("x-forwarded-for", &self.address)
            .header("mcp-protocol-version", SESSION_VERSION)
            .header("mcp-session-id", session)
    }

    /// What stands in the way of a stream.
    fn not_opened(&mut self, opened: Opened) -> Done {
        let Opened::Answer(response) = opened else {
            "no stream at /mcp".clone_into(&mut self.obstacle);
            return Ok(());
        };
        self.obstacle = format!("/mcp: {}", response.brief());
        match response.status {
            401 => self.refresh(Loss::Nothing)?,
            404 => self.session_is_gone(life(&response)),
            429 | 503 => {}
            _ => self.violation(&format!("/mcp was answered with {}", response.brief())),
        }
        Ok(())
    }

    /// Opens the stream after the last event that was seen; `None` when its session is gone.
    fn resume(&mut self, exchange: &Exchange, tries: &Tries) -> Done<Option<Events>> {
        loop {
            self.ensure_grant()?;
            let Some(access) = self.access().map(|access| access.value) else {
                return Ok(None);
            };
            if !self.is_in(&exchange.session) {
                return Ok(None);
            }
            let get = self
                .get_stream(&access, &exchange.session)
                .header("accept", "text/event-stream")
                .header("last-event-id", &exchange.last);
            let sent = self.now();
            match self.world.proxy.open(get) {
                Opened::Stream(stream) => {
                    self.session_used(sent, life(&stream.head));
                    self.world.count("streams resumed");
                    return Ok(Some(stream));
                }
                opened => self.not_opened(opened)?,
            }
            tries.again()?;
        }
    }

    fn is_in(&self, session: &str) -> bool {
        let own = self.session.as_ref();
        own.is_some_and(|own| own.id == session)
    }

    /// The next of a request's stream, which must not say anything twice.
    fn read(&self, exchange: &mut Exchange, stream: &mut Events) -> Next {
        let Some(Event { id, data, .. }) = stream.next() else {
            return Next::Ended;
        };
        let message: Value = serde_json::from_str(&data).unwrap_or_default();
        if exchange.seen.contains_key(&id) || id == exchange.last {
            self.violation(&format!("the event {id} came again after it was seen"));
        }
        exchange.seen.insert(id.clone(), message.clone());
        exchange.last = id;
        if message["method"] == "elicitation/create" {
            if exchange.question.replace(message).is_some() {
                self.violation("a call asked twice");
            }
            return Next::Question;
        }
        if message["id"] != exchange.call.as_str() {
            self.violation(&format!("a stranger's message in a stream: {message}"));
        }
        Next::Answer(message, life(&stream.head))
    }

    /// Whether the server has taken the answer to its question.
    fn answer_question(&mut self, exchange: &Exchange) -> Done<bool> {
        let Some(access) = self.access().map(|access| access.value) else {
            return Ok(false);
        };
        let id = exchange.question.as_ref().map(|question| &question["id"]);
        let decline = json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "decline" } });
        let request = self.at_mcp(&access, SESSION_VERSION, &decline);
        let request = request.header("mcp-session-id", &exchange.session);
        match self.world.proxy.send(request, Loss::Nothing) {
            Outcome::Answer(response) if response.status == 202 => Ok(true),
            Outcome::Answer(response) => {
                self.not_opened(Opened::Answer(response))?;
                Ok(false)
            }
            Outcome::Lost(_) => Ok(false),
        }
    }

    /// Either the call was refused by its person, or it went down with a life that is over.
    fn judge_decline(&self, exchange: &Exchange, answer: &Value, life: usize) {
        let lost = &answer["error"]["data"];
        if answer["result"]["isError"] == true {
            self.world.count("calls that were declined in a stream");
            if life != exchange.life {
                self.violation("a call was answered that another life was asked for");
            }
        } else if lost["code"] == "server_restarted" && lost["may_have_taken_effect"] == true {
            self.world
                .count("calls whose client was told that a kill took them");
            if life == exchange.life {
                self.violation("a call is said to be lost with a life that goes on");
            }
        } else {
            self.violation(&format!(
                "a call that was declined was answered with {answer}"
            ));
        }
    }
}
