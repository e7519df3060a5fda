//! The client's side of one call.

use std::time::Duration;

use clerk::BoxFuture;
use mcp::{
    Asking, Decision, Host, Question,
    rmcp_adapter::dispatch::{self, Peer},
};
use serde_json::{Value, json};
use toolkit::Progress;

use super::SseSession;

/// How long a person has to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(300);

/// The client of a session, as one of its calls sees it.
pub(crate) struct SseHost<'a> {
    pub(super) session: &'a SseSession,
    pub(super) peer: &'a Peer,
    pub(super) progress_token: Option<Value>,
}

impl Progress for SseHost<'_> {
    fn report(&self, done: u64, total: Option<u64>, message: String) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(token) = &self.progress_token else {
                return;
            };
            let mut params = json!({
                "progressToken": token, "progress": done, "message": message,
            });
            if let Some(total) = total {
                params["total"] = total.into();
            }
            let notification = json!({
                "jsonrpc": "2.0", "method": "notifications/progress", "params": params,
            });
            self.session.send(&notification).await;
        })
    }
}

impl Host for SseHost<'_> {
    fn client(&self) -> Option<String> {
        Some(self.peer.client.clone())
    }

    fn asking(&self) -> Asking {
        match self.peer.can_be_asked {
            true => Asking::Now,
            false => Asking::Never,
        }
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, Decision> {
        Box::pin(async move {
            let asking = self
                .session
                .ask("elicitation/create", dispatch::elicitation(question));
            let answered = tokio::time::timeout(ASK_TIMEOUT, asking).await;
            dispatch::decision(answered.ok().flatten().as_ref())
        })
    }
}
