//! Calling tools.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Client, Done, Tries};
use crate::http::{Request, Response, post};
use crate::plan::{Loss, Tool};
use crate::proxy::{Outcome, life};

pub(super) const SESSION_VERSION: &str = "2025-11-25";

impl Client<'_> {
    pub(super) fn at_mcp(&self, access: &str, version: &str, message: &Value) -> Request {
        self.at_mcp_from(&self.address, access, version, message)
    }

    fn at_mcp_from(&self, address: &str, access: &str, version: &str, message: &Value) -> Request {
        post(&format!("{}/mcp", self.world.proxy.url))
            .bearer(access)
            .header("x-forwarded-for", address)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", version)
            .json(message)
    }

    /// A call without a session, as revision 2026-07-28 has it.
    pub(super) fn message(&self, access: &str, tool: Tool, number: u64) -> Request {
        self.message_from(&self.address, access, tool, number)
    }

    /// The same from this address.
    pub(super) fn message_from(
        &self,
        address: &str,
        access: &str,
        tool: Tool,
        number: u64,
    ) -> Request {
        let mut call = call_message(tool, number);
        call["params"]["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "chaos", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        self.at_mcp_from(address, access, "2026-07-28", &call)
            .header("mcp-method", "tools/call")
            .header("mcp-name", name(tool))
    }

    /// Calls a tool until there is an answer; refreshes, or signs in, where it has to.
    pub(super) fn call(&mut self, tool: Tool, mut loss: Loss, in_session: bool) -> Done {
        let tries = Tries::new();
        loop {
            self.ensure_grant()?;
            let Some(access) = self.access() else {
                return Ok(());
            };
            let number = self.numbered(tool);
            let session = match in_session {
                true => self.session(&access.value)?,
                false => None,
            };
            let is_in_session = session.is_some();
            let request = match &session {
                Some(session) => self
                    .at_mcp(&access.value, SESSION_VERSION, &call_message(tool, number))
                    .header("mcp-session-id", session),
                None => self.message(&access.value, tool, number),
            };
            let (sent, asked) = (self.now(), Instant::now());
            let outcome = self.world.proxy.send(request, loss);
            loss = Loss::Nothing;
            let (response, is_heard) = match outcome {
                Outcome::Answer(response) => (response, true),
                Outcome::Lost(Some(response)) => (response, false),
                Outcome::Lost(None) => {
                    "no answer of /mcp".clone_into(&mut self.obstacle);
                    tries.again()?;
                    continue;
                }
            };
            self.obstacle = format!("/mcp: {}", response.brief());
            match response.status {
                200 => {
                    if access.is_over(sent) {
                        self.violation("an expired access token was taken");
                    }
                    if is_in_session {
                        self.session_used(sent, life(&response));
                    }
                    self.judge_result(tool, number, asked, &response);
                    if is_heard {
                        return Ok(());
                    }
                }
                401 => {
                    if access.lives(self.now()) {
                        self.violation("an access token that lives was refused");
                    }
                    if is_heard {
                        self.refresh(Loss::Nothing)?;
                    }
                }
                404 if is_in_session => self.session_is_gone(life(&response)),
                429 | 503 => {}
                _ => self.violation(&format!("/mcp was answered with {}", response.brief())),
            }
            tries.again()?;
        }
    }

    /// A number for a call of this tool by this person.
    pub(super) fn numbered(&self, tool: Tool) -> u64 {
        let number = self.world.call_number();
        if tool == Tool::GetOrder {
            self.world.orders(number, &self.person);
        }
        number
    }

    pub(super) fn judge_result(
        &self,
        tool: Tool,
        number: u64,
        asked: Instant,
        response: &Response,
    ) {
        let Some(answer) = response.rpc() else {
            self.violation(&format!("200 and no answer: {}", response.brief()));
            return;
        };
        self.judge_answer(tool, number, asked, life(response), &answer);
    }

    /// An answer of this life of the server.
    pub(super) fn judge_answer(
        &self,
        tool: Tool,
        number: u64,
        asked: Instant,
        life: usize,
        answer: &Value,
    ) {
        let result = &answer["result"];
        if answer.get("error").is_some() {
            // A message that no tool was called for has no row.
            self.violation(&format!("a call got a protocol error: {answer}"));
            return;
        }
        self.world.answered(tool, number, life, asked);
        let failed = result["isError"] == true;
        self.world.count(match (tool, failed) {
            (Tool::Add, _) => "calls of add answered",
            (Tool::ListMemberships, false) => "calls to Clerk answered",
            (Tool::ListMemberships, true) => "calls to Clerk answered with an error",
            (Tool::GetOrder, false) => "calls to the owner's API answered",
            (Tool::GetOrder, true) => "calls to the owner's API answered with an error",
        });
        if tool == Tool::Add && result["structuredContent"]["sum"] != json!(number + 1) {
            self.violation(&format!("{number} + 1 is not {result}"));
        }
    }
}

pub(crate) fn name(tool: Tool) -> &'static str {
    match tool {
        Tool::Add => "add",
        Tool::ListMemberships => "getUserOrganizationMembershipList",
        Tool::GetOrder => "getOrder",
    }
}

pub(super) fn call_message(tool: Tool, number: u64) -> Value {
    let arguments = match tool {
        Tool::Add => json!({ "a": number, "b": 1 }),
        Tool::ListMemberships => json!({ "offset": number }),
        Tool::GetOrder => json!({ "order": number }),
    };
    json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": name(tool), "arguments": arguments },
    })
}
