//! HTTP+SSE, the transport of revision 2024-11-05: whoever loses the stream begins anew.

use std::time::Instant;

use serde_json::{Value, json};

use super::calls::call_message;
use super::{Client, Done, Tries};
use crate::events::{Events, Opened};
use crate::http::{post, request};
use crate::plan::{Loss, Tool};
use crate::proxy::{Outcome, life};

impl Client<'_> {
    /// Opens a stream, shakes hands, calls a tool, and reads the answer out of the stream.
    pub(super) fn call_over_sse(&mut self, tool: Tool) -> Done {
        let tries = Tries::new();
        loop {
            self.ensure_grant()?;
            let Some(access) = self.access() else {
                return Ok(());
            };
            let get = request("GET", &format!("{}/sse", self.world.proxy.url))
                .bearer(&access.value)
                .header("x-forwarded-for", &self.address)
                .header("accept", "text/event-stream");
            let sent = self.now();
            match self.world.proxy.open(get) {
                Opened::Stream(mut stream) => {
                    if access.is_over(sent) {
                        self.violation("an expired access token opened /sse");
                    }
                    if self.converse(&mut stream, &access.value, tool) {
                        self.world.count("calls over HTTP+SSE");
                        return Ok(());
                    }
                }
                Opened::Answer(response) if response.status == 401 => {
                    if access.lives(self.now()) {
                        self.violation("an access token that lives was refused at /sse");
                    }
                    self.refresh(Loss::Nothing)?;
                }
                Opened::Answer(response) => {
                    self.obstacle = format!("/sse: {}", response.brief());
                    if !matches!(response.status, 429 | 503) {
                        self.violation(&format!("/sse was answered with {}", response.brief()));
                    }
                }
                Opened::Nothing => "no stream at /sse".clone_into(&mut self.obstacle),
            }
            tries.again()?;
        }
    }

    /// Whether the call was answered; a kill ends the stream before.
    fn converse(&mut self, stream: &mut Events, access: &str, tool: Tool) -> bool {
        let Some(endpoint) = stream.next().filter(|event| event.name == "endpoint") else {
            return false;
        };
        let messages = format!("{}{}", self.world.proxy.url, endpoint.data);
        let number = self.numbered(tool);
        let initialize = json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2024-11-05",
                "capabilities": {},
                "clientInfo": { "name": "chaos", "version": "1" },
            },
        });
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let asked = Instant::now();
        for message in [initialize, initialized, call_message(tool, number)] {
            if !self.taken(stream, &messages, access, &message) {
                return false;
            }
            let Some(id) = message.get("id") else {
                continue;
            };
            let Some(answer) = stream.next().map(|event| event.message()) else {
                return false;
            };
            if answer["id"] != *id {
                self.violation(&format!("a stranger's answer over HTTP+SSE: {answer}"));
            } else if message["method"] == "tools/call" {
                self.judge_answer(tool, number, asked, life(&stream.head), &answer);
            }
        }
        true
    }

    /// Whether the server has taken a message.
    fn taken(&self, stream: &Events, messages: &str, access: &str, message: &Value) -> bool {
        let request = post(messages)
            .bearer(access)
            .header("x-forwarded-for", &self.address)
            .json(message);
        let Outcome::Answer(response) = self.world.proxy.send(request, Loss::Nothing) else {
            return false;
        };
        match response.status {
            202 => return true,
            // The clock may have moved since the stream was opened.
            401 | 429 | 503 => {}
            404 if life(&response) != life(&stream.head) => {}
            _ => self.violation(&format!("/messages was answered with {}", response.brief())),
        }
        false
    }
}
