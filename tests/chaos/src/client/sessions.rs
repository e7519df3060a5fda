//! Sessions of revision 2025-11-25, which no kill may take.

use std::time::Duration;

use serde_json::json;

use super::calls::SESSION_VERSION;
use super::{Client, Done};
use crate::plan::Loss;
use crate::proxy::{Outcome, life};

/// How long a session lives unused: the default.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// So much too early may one end after a kill: its use is noted once a minute.
const NOTED: Duration = Duration::from_secs(60);

/// A session, as its client knows it.
pub(super) struct Session {
    pub(super) id: String,
    /// When it was asked for.
    begun: Duration,
    /// When it was last used with an answer.
    used: Duration,
    /// The server's life that gave that answer.
    life: usize,
}

impl Session {
    fn is_unused(&self, now: Duration) -> bool {
        now >= self.used + IDLE
    }

    /// Whether a server in this life may say that there is no such session. There are two good
    /// reasons: nobody used it for long, or for long before a kill as far as was noted.
    fn may_be_gone(&self, now: Duration, life: usize) -> bool {
        if life == self.life {
            return self.is_unused(now);
        }
        // What the store surely knows is when it began.
        now >= self.begun + IDLE - NOTED
    }
}

impl Client<'_> {
    /// The session's id. Begins one if there is none; `None` when it could not.
    pub(super) fn session(&mut self, access: &str) -> Done<Option<String>> {
        if self.session.is_none() {
            let initialize = json!({
                "jsonrpc": "2.0", "id": 1, "method": "initialize",
                "params": {
                    "protocolVersion": SESSION_VERSION,
                    "capabilities": { "elicitation": { "form": {} } },
                    "clientInfo": { "name": "chaos", "version": "1" },
                },
            });
            let begun = self.now();
            let request = self.at_mcp(access, SESSION_VERSION, &initialize);
            let Outcome::Answer(response) = self.world.proxy.send(request, Loss::Nothing) else {
                return Ok(None);
            };
            let id = response.header("mcp-session-id");
            if response.status == 401 {
                self.refresh(Loss::Nothing)?;
            }
            if response.status != 200 || id.is_empty() {
                return Ok(None);
            }
            self.session = Some(Session {
                id: id.to_owned(),
                begun,
                used: begun,
                life: life(&response),
            });
            let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            let request = self.at_mcp(access, SESSION_VERSION, &initialized);
            let sent = request.header("mcp-session-id", id);
            let _ = self.world.proxy.send(sent, Loss::Nothing);
            self.world.begins_session(&self.person, id);
            self.world.count("sessions begun");
        }
        Ok(self.session.as_ref().map(|session| session.id.clone()))
    }

    /// The session was used by a request that was sent then, and answered by this life.
    pub(super) fn session_used(&mut self, sent: Duration, life: usize) {
        if let Some(session) = &mut self.session {
            session.used = sent;
            session.life = life;
        }
    }

    /// The server, in this life, says that there is no such session.
    pub(super) fn session_is_gone(&mut self, life: usize) {
        let now = self.now();
        let Some(session) = self.session.take() else {
            return;
        };
        if session.may_be_gone(now, life) {
            self.world.count(match session.is_unused(now) {
                true => "sessions that ended unused",
                false => "sessions that ended with a kill, as documented",
            });
        } else {
            let (begun, used, was_killed) = (session.begun, session.used, life != session.life);
            self.violation(&format!(
                "a session of {begun:.1?}, used at {used:.1?}, is gone; by a kill: {was_killed}"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_may_be_gone_for_two_reasons_only() {
        const MINUTE: Duration = Duration::from_secs(60);
        let kept = Session {
            id: String::new(),
            begun: MINUTE * 10,
            used: MINUTE * 20,
            life: 1,
        };
        assert!(!kept.may_be_gone(MINUTE * 49, 1));
        assert!(kept.may_be_gone(MINUTE * 50, 1), "unused for 30 minutes");
        assert!(!kept.may_be_gone(MINUTE * 38, 2), "a kill takes none");
        assert!(kept.may_be_gone(MINUTE * 39, 2), "its use was not noted");
    }
}
