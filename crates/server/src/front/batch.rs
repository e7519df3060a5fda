//! JSON-RPC batches, which revision 2025-03-26 has and rmcp does not.

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use mcp::rmcp_adapter::{AnswerOnly, Served, dispatch};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};

use super::{
    Authenticate, Front, Principal, SESSION_ID, TOOLS_LIST,
    answers::{Answer, Refusal, plain},
    peek::{self, Peek},
    sessions::Used,
};
use crate::sse::{Asked, Incoming, MOST_IN_BATCH, Malformed, response};

/// The messages of a batch.
pub(super) type Batch = Vec<Value>;

/// Reads a batch; `None` when the body is none. An empty one is none that may be sent (JSON-RPC 2.0,
/// section 6), and so is one of too many messages.
pub(super) fn read(body: &[u8]) -> Option<Result<Batch, Refusal>> {
    if !peek::is_array(body) {
        return None;
    }
    let batch: Batch = serde_json::from_slice(body).ok()?;
    Some(bounded(batch))
}

/// A batch that may be sent: neither empty nor too long.
pub(super) fn bounded(batch: Batch) -> Result<Batch, Refusal> {
    if (1..=MOST_IN_BATCH).contains(&batch.len()) {
        return Ok(batch);
    }
    let message = format!(
        "a batch has 1 to {MOST_IN_BATCH} messages, and this one has {}",
        batch.len()
    );
    Err(peek::refused(-32600, &message, &Value::Null).into())
}

/// The answer to what is no message, in a batch with others.
pub(super) fn answer_to(Malformed(id): Malformed) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": { "code": -32600, "message": "this is no JSON-RPC message" },
    })
}

impl<A: Authenticate, H: ServerHandler + Clone + Sync> Front<A, H> {
    /// Answers a batch: its requests side by side, by one JSON array. Without requests there is none.
    pub(super) async fn answer_batch(
        &self,
        parts: Parts,
        batch: Batch,
        principal: &Principal,
        session: &Used,
    ) -> Answer {
        let (Some(client), Some(served)) = (&session.client, &principal.served) else {
            let message = "the session is not initialized";
            return Err(plain(StatusCode::BAD_REQUEST, message).into());
        };
        for message in &batch {
            let text = message.to_string();
            let text = text.as_bytes();
            self.check_message(parts.uri.path(), &Peek::at(text), text, principal)?;
        }
        // Each request counts as if it had come alone.
        let mut counted = Vec::new();
        let mut requests = Vec::new();
        let mut answers = Vec::new();
        let mut lists_tools = false;
        for message in batch {
            match Incoming::read(message.clone()) {
                Ok(Incoming::Request(asked)) => {
                    counted.push(self.begin(&parts.method, principal)?);
                    lists_tools |= asked.method == TOOLS_LIST;
                    requests.push(one(served, client.as_ref(), asked));
                }
                Ok(_) => self.pass_on(&parts, &message, principal).await,
                Err(malformed) => answers.push(answer_to(malformed)),
            }
        }
        if lists_tools && let Some(id) = parts.headers.get(SESSION_ID) {
            let id = id.to_str().unwrap_or_default();
            self.sessions.listed(id, principal).await;
        }
        answers.extend(join_all(requests).await);
        if answers.is_empty() {
            return Ok(plain(StatusCode::ACCEPTED, ""));
        }
        let mut response = Response::new(Body::from(Value::Array(answers).to_string()));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(response)
    }

    /// A notification, or an answer to a request of rmcp's, is rmcp's to take.
    async fn pass_on(&self, parts: &Parts, message: &Value, principal: &Principal) {
        let mut single = parts.clone();
        single.headers.remove(header::AUTHORIZATION);
        single.headers.remove(header::CONTENT_LENGTH);
        super::accept_both(&mut single.headers);
        principal.enter(&mut single.extensions);
        let request = Request::from_parts(single, Full::new(Bytes::from(message.to_string())));
        // No request, and so none with the id of another.
        let _ = self.handle_by_rmcp(request, principal).await;
    }
}

async fn one(served: &Served, client: &str, asked: Asked) -> Value {
    let Asked { id, method, params } = asked;
    // The handshake is never part of a batch (revision 2025-03-26, "Lifecycle").
    let answer = if method == "initialize" {
        Err(ErrorData::invalid_request("initialize comes alone", None))
    } else {
        let host = AnswerOnly {
            client: Some(client.to_owned()),
        };
        Box::pin(dispatch::answer(served, &method, params, &host)).await
    };
    response(&id, answer)
}
