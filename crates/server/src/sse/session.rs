//! A session: what goes out, what its client was asked, and which of its calls are under way.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clerk::BoxFuture;
use mcp::{Caller, rmcp_adapter::dispatch::Peer};
use rmcp::{ErrorData, model::NumberOrString};
use serde_json::{Value, json};
use store::sessions::ListDigest;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tokio_util::sync::CancellationToken;

use super::{host::SseHost, message::MOST_IN_BATCH};
use crate::{
    front::PrincipalKey,
    tool_lists::{Heard, Listener, NEWS, NotTold},
};

/// Messages that wait for the client to read them.
pub(super) const OUTBOX: usize = 64;
/// How long a client may leave its stream unread before the session is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// The most requests of one session that are answered at the same time: a whole batch, which would else
/// never be taken.
const MOST_CALLS: usize = MOST_IN_BATCH;

/// One client's session.
#[derive(Debug)]
pub(crate) struct SseSession {
    /// Whose it is.
    pub principal: PrincipalKey,
    /// What the client said of itself, once it did.
    pub peer: OnceLock<Peer>,
    /// Cancelled when the stream is gone: calls end with it.
    pub gone: CancellationToken,
    outbox: mpsc::Sender<Bytes>,
    calls: Mutex<HashMap<NumberOrString, CancellationToken>>,
    asked: Mutex<HashMap<String, oneshot::Sender<Option<Value>>>>,
    questions: AtomicU64,
    heard: Mutex<Heard>,
}

/// Why a request is not taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// There are as many under way as there may be.
    TooMany,
    /// Another one of this id is under way.
    SameId,
}

/// A request that is under way: dropped, it is not any more.
#[derive(Debug)]
pub(crate) struct Underway {
    session: Arc<SseSession>,
    id: NumberOrString,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.session.calls().remove(&self.id);
    }
}

impl SseSession {
    pub(super) fn new(principal: PrincipalKey) -> (Self, mpsc::Receiver<Bytes>) {
        let (outbox, receiver) = mpsc::channel(OUTBOX);
        let session = Self {
            principal,
            peer: OnceLock::new(),
            gone: CancellationToken::new(),
            outbox,
            calls: Mutex::default(),
            asked: Mutex::default(),
            questions: AtomicU64::new(0),
            heard: Mutex::default(),
        };
        (session, receiver)
    }

    /// Takes a request on; the token is cancelled when its client does not want the answer any more.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(crate) fn take_on(
        self: &Arc<Self>,
        id: NumberOrString,
    ) -> Result<(Underway, CancellationToken), NotTaken> {
        let mut calls = self.calls();
        if calls.len() >= MOST_CALLS {
            return Err(NotTaken::TooMany);
        }
        if calls.contains_key(&id) {
            return Err(NotTaken::SameId);
        }
        let cancelled = self.gone.child_token();
        calls.insert(id.clone(), cancelled.clone());
        drop(calls);
        let session = Arc::clone(self);
        Ok((Underway { session, id }, cancelled))
    }

    /// The client's side of a request with these parameters.
    pub(crate) fn host<'a>(&'a self, peer: &'a Peer, params: &Value) -> SseHost<'a> {
        let token = params
            .get("_meta")
            .and_then(|meta| meta.get("progressToken"));
        SseHost {
            session: self,
            peer,
            progress_token: token.cloned(),
        }
    }

    /// Whether requests are under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.calls().is_empty()
    }

    /// The client does not want the answer to this request any more.
    pub(crate) fn cancel(&self, id: &NumberOrString) {
        if let Some(cancelled) = self.calls().get(id) {
            cancelled.cancel();
        }
    }

    /// Sends a message. A client that reads nothing for long loses the session.
    pub(crate) async fn send(&self, message: &Value) {
        let sent = tokio::time::timeout(READ_TIMEOUT, self.outbox.send(event(message))).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.gone.cancel();
        }
    }

    /// Sends the answer to a request.
    pub(crate) async fn respond(&self, id: &NumberOrString, answer: Result<Value, ErrorData>) {
        self.send(&response(id, answer)).await;
    }

    /// Asks the client something; its result, or `None` when it gave none.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Option<Value> {
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        let id = format!("server-{number}");
        let (sender, receiver) = oneshot::channel();
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.asked().insert(id.clone(), sender);
        let _asked = Asked { session: self, id };
        self.send(&message).await;
        tokio::select! {
            answered = receiver => answered.ok().flatten(),
            () = self.gone.cancelled() => None,
        }
    }

    /// The client's answer to what it was asked. One that nobody waits for means nothing.
    pub(crate) fn answered(&self, id: &Value, result: Option<Value>) {
        let waiting = id.as_str().and_then(|id| self.asked().remove(id));
        if let Some(waiting) = waiting {
            // Whoever asked may have given up.
            let _ = waiting.send(result);
        }
    }

    /// Its client comes with these rights; whether its list of tools may be another one now.
    pub(crate) fn comes_as(&self, caller: &Caller) -> bool {
        self.heard().comes_as(caller)
    }

    /// Its client is answered this list of tools.
    pub(crate) fn listed(&self, caller: &Caller, list: ListDigest) {
        self.heard().listed(caller, list);
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<NumberOrString, CancellationToken>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Option<Value>>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that is open: whoever asked may give up at any time.
struct Asked<'a> {
    session: &'a SseSession,
    id: String,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.session.asked().remove(&self.id);
    }
}

impl Listener for SseSession {
    fn caller(&self) -> Option<Caller> {
        self.heard().caller()
    }

    fn list_is(&self, now: ListDigest) -> BoxFuture<'_, Result<(), NotTold>> {
        let mut heard = self.heard();
        let mut told = Ok(());
        if heard.is_news(now, false) {
            // Whoever brings news does not wait for one client.
            match self.outbox.try_send(event(&NEWS)) {
                Ok(()) => heard.told(now),
                Err(TrySendError::Full(_)) => told = Err(NotTold::Unread),
                Err(TrySendError::Closed(_)) => {}
            }
        }
        Box::pin(std::future::ready(told))
    }
}

fn event(message: &impl fmt::Display) -> Bytes {
    Bytes::from(format!("event: message\ndata: {message}\n\n"))
}

/// The message that answers a request.
pub(crate) fn response(id: &NumberOrString, answer: Result<Value, ErrorData>) -> Value {
    match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
    }
}
