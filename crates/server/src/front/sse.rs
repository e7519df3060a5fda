//! The transport of 2024-11-05 behind the same checks as the MCP endpoint.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use mcp::{
    Caller,
    rmcp_adapter::{Served, dispatch},
};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use store::sessions::ListDigest;
use tokio_util::sync::CancellationToken;

use super::{
    Authenticate, Front, Principal, TOOLS_LIST, Underway,
    answers::{Answer, FULL_RETRY_AFTER, Refusal, plain},
    batch::{self, Batch},
    peek::{self, Peek},
};
use crate::{
    sse::{self, Asked, Incoming, Malformed, NotTaken, SseSession},
    tool_lists::Listener,
};

/// When a client whose requests are too many may send another, seconds.
const BUSY_RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

impl<A: Authenticate, H: ServerHandler + Clone + Sync> Front<A, H> {
    /// `GET /sse`
    pub(super) async fn open_stream(&self, parts: Parts) -> Answer {
        let principal = self.authenticator.authenticate(&parts).await?;
        let sessions = self.sse_sessions()?;
        if parts.method != Method::GET {
            return Err(not_allowed("GET"));
        }
        let counted = self.begin(&parts.method, &principal)?;
        let Some(opened) = sessions.open(&principal.key) else {
            let mut full = plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "there are too many sessions",
            );
            full.headers_mut()
                .insert(header::RETRY_AFTER, FULL_RETRY_AFTER);
            return Err(full.into());
        };
        let user_id = principal
            .caller()
            .and_then(|caller| caller.user_id.as_deref());
        let watching = user_id.map(|user_id| {
            let listener = Arc::clone(&opened.session) as Arc<dyn Listener>;
            let now = self.config.env.now();
            self.config.tool_lists.watch(user_id, listener, now)
        });
        Ok(sse::open(
            Arc::clone(sessions),
            opened,
            principal.ended,
            &self.config.stop,
            (counted, watching),
        ))
    }

    /// `POST /messages`
    pub(super) async fn take_message(&self, parts: Parts, body: Body) -> Answer {
        let principal = self.authenticator.authenticate(&parts).await?;
        let sessions = self.sse_sessions()?;
        if parts.method != Method::POST {
            return Err(not_allowed("POST"));
        }
        let id = sse::session_of(parts.uri.query());
        let session = id.and_then(|id| sessions.find(&id, &principal.key));
        let session =
            session.ok_or_else(|| plain(StatusCode::NOT_FOUND, "there is no such session"))?;
        if let Some(caller) = principal.caller()
            && session.comes_as(caller)
        {
            self.look_again(caller, true);
        }
        // Counted until it is read; each request in it is counted on its own.
        let reading = self.begin(&parts.method, &principal)?;
        let body = self.whole_body(body).await?;
        if !super::is_json(&parts.headers) {
            let message = "messages are application/json";
            return Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into());
        }
        let Ok(message) = serde_json::from_slice::<Value>(&body) else {
            return Err(peek::fault(&body).into());
        };
        let check =
            |text: &[u8]| self.check_message(parts.uri.path(), &Peek::at(text), text, &principal);
        drop(reading);
        match message {
            Value::Array(batch) => {
                let batch = batch::bounded(batch)?;
                for message in &batch {
                    check(message.to_string().as_bytes())?;
                }
                self.take_batch(batch, &session, &principal)?;
            }
            message => {
                check(&body)?;
                match Incoming::read(message) {
                    Ok(Incoming::Request(request)) => {
                        let taken = self.take_on(&session, &principal, request)?;
                        self.answer_later(taken);
                    }
                    Ok(other) => hear(&session, other),
                    Err(Malformed(id)) => {
                        let message = "this is no JSON-RPC message";
                        return Err(peek::refused(-32600, message, &id).into());
                    }
                }
            }
        }
        Ok(plain(StatusCode::ACCEPTED, "Accepted"))
    }

    /// Takes a batch. Its requests are taken on all together or none of them is: a client that is refused
    /// sends all of them again. Of what is no message, the client hears in its stream.
    fn take_batch(
        &self,
        batch: Batch,
        session: &Arc<SseSession>,
        principal: &Principal,
    ) -> Result<(), Refusal> {
        let (mut requests, mut others, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for message in batch {
            match Incoming::read(message) {
                Ok(Incoming::Request(request)) => {
                    requests.push(self.take_on(session, principal, request)?);
                }
                Ok(other) => others.push(other),
                Err(malformed) => faults.push(batch::answer_to(malformed)),
            }
        }
        for message in others {
            hear(session, message);
        }
        for taken in requests {
            self.answer_later(taken);
        }
        if !faults.is_empty() {
            let session = Arc::clone(session);
            tokio::spawn(async move {
                for fault in faults {
                    session.send(&fault).await;
                }
            });
        }
        Ok(())
    }

    /// Has a person's lists made anew.
    fn look_again(&self, caller: &Caller, at_once: bool) {
        if let Some(user_id) = &caller.user_id {
            self.config.tool_lists.look_again(user_id, at_once);
        }
    }

    fn sse_sessions(&self) -> Result<&Arc<sse::SseSessions>, Refusal> {
        let off = || plain(StatusCode::NOT_FOUND, "this transport is switched off");
        Ok(self.sse.as_ref().ok_or_else(off)?)
    }

    /// Takes a request on, which nothing has been done for yet.
    fn take_on(
        &self,
        session: &Arc<SseSession>,
        principal: &Principal,
        asked: Asked,
    ) -> Result<Taken, Refusal> {
        let Some(served) = principal.served.clone() else {
            return Err(plain(StatusCode::NOT_FOUND, "nothing is served here").into());
        };
        let counted = self.begin(&Method::POST, principal)?;
        match session.take_on(asked.id.clone()) {
            Ok((underway, cancelled)) => Ok(Taken {
                asked,
                session: Arc::clone(session),
                served,
                cancelled,
                held: (underway, counted),
            }),
            Err(NotTaken::SameId) => {
                let id = serde_json::to_value(&asked.id).unwrap_or_default();
                Err(peek::repeated_id(&id).into())
            }
            Err(NotTaken::TooMany) => {
                let message = "too many requests are under way in this session";
                let mut busy = plain(StatusCode::TOO_MANY_REQUESTS, message);
                busy.headers_mut()
                    .insert(header::RETRY_AFTER, BUSY_RETRY_AFTER);
                Err(busy.into())
            }
        }
    }

    /// Answers a request in its session's stream.
    fn answer_later(&self, taken: Taken) {
        let Taken {
            asked,
            session,
            served,
            cancelled,
            held,
        } = taken;
        if asked.method == TOOLS_LIST {
            let caller = served.service().caller();
            session.listed(caller, ListDigest(served.tools_digest()));
            // What is answered may follow from facts that are as old as they are kept.
            self.look_again(caller, false);
        }
        let info = self.handler_info();
        tokio::spawn(async move {
            let id = asked.id.clone();
            let answering = answer(&served, &session, asked, info);
            // One that is cancelled gets no answer (MCP specification, "Cancellation").
            let answer = tokio::select! {
                biased;
                () = cancelled.cancelled() => None,
                answer = answering => Some(answer),
            };
            if let Some(answer) = answer {
                session.respond(&id, answer).await;
            }
            drop(held);
        });
    }
}

/// A request that is taken on: it counts until it is dropped.
struct Taken {
    asked: Asked,
    session: Arc<SseSession>,
    served: Arc<Served>,
    cancelled: CancellationToken,
    held: (sse::Underway, Underway),
}

/// What wants no answer.
fn hear(session: &SseSession, message: Incoming) {
    match message {
        Incoming::Notification { method, params } => {
            if method == "notifications/cancelled"
                && let Ok(id) = serde_json::from_value(params["requestId"].clone())
            {
                session.cancel(&id);
            }
        }
        Incoming::Response { id, result } => session.answered(&id, result),
        Incoming::Request(_) => {}
    }
}

async fn answer(
    served: &Served,
    session: &SseSession,
    asked: Asked,
    info: rmcp::model::ServerConfig,
) -> Result<Value, ErrorData> {
    if asked.method == "initialize" {
        let (peer, result) = dispatch::initialize(asked.params, info)?;
        return match session.peer.set(peer) {
            Ok(()) => Ok(result),
            Err(_) => Err(ErrorData::invalid_request(
                "the session is initialized",
                None,
            )),
        };
    }
    let Some(peer) = session.peer.get() else {
        if asked.method == "ping" {
            return Ok(json!({}));
        }
        return Err(ErrorData::invalid_request(
            "the session is not initialized\nhint: send initialize first",
            None,
        ));
    };
    let host = session.host(peer, &asked.params);
    dispatch::answer(served, &asked.method, asked.params, &host).await
}

fn not_allowed(method: &'static str) -> Refusal {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(method));
    response.into()
}
