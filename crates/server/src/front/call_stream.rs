//! The answer to a call of 2026-07-28 whose client wants to hear of its progress: an event stream from the
//! first report on, or one message if there is none. The call runs within the stream, without a task of
//! its own; when the client is gone, it ends.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use clerk::BoxFuture;
use futures_util::future::poll_fn;
use http::Response;
use http_body::Frame;
use mcp::{
    Asking, Decision, Host, Question,
    rmcp_adapter::{DirectCall, Served},
};
use rmcp::model::NumberOrString;
use serde_json::json;
use tokio::sync::mpsc;
use toolkit::Progress;

use super::{
    answers::{event, event_stream},
    direct,
};
use crate::keep_alive::KeepAlive;

/// Reports that wait for the client to read them; the call waits when there are more.
const QUEUE: usize = 16;

/// Answers a call; `token` is what its client knows its progress by. `None` when the answer would have
/// been a question: nothing was done then.
pub(super) async fn answer(
    served: Arc<Served>,
    call: DirectCall,
    token: NumberOrString,
    client: Option<String>,
) -> Option<Response<Body>> {
    let (reports, reported) = mpsc::channel(QUEUE);
    let id = call.id().clone();
    let host = Reporting {
        client,
        token,
        reports,
    };
    let mut running = Running {
        id,
        reported,
        call: Some(Box::pin(async move {
            call.answer(served.service(), &host).await
        })),
        answer: None,
    };
    let first = match poll_fn(|context| running.poll_next(context)).await? {
        Message::Answer(answer) => return answer.map(direct::json),
        Message::Report(report) => report,
    };
    Some(event_stream(Body::new(CallStream {
        first: Some(first),
        running,
        keep_alive: KeepAlive::new(),
    })))
}

/// A client that is told of progress, and asked nothing.
struct Reporting {
    client: Option<String>,
    token: NumberOrString,
    reports: mpsc::Sender<Bytes>,
}

impl Progress for Reporting {
    fn report(&self, done: u64, total: Option<u64>, message: String) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut params = json!({
                "progressToken": self.token, "progress": done, "message": message,
            });
            if let Some(total) = total {
                params["total"] = total.into();
            }
            let report = json!({
                "jsonrpc": "2.0", "method": "notifications/progress", "params": params,
            });
            // A client that is gone needs none; the call ends with its stream.
            let _ = self
                .reports
                .send(event(report.to_string().as_bytes()))
                .await;
        })
    }
}

impl Host for Reporting {
    fn client(&self) -> Option<String> {
        self.client.clone()
    }

    fn asking(&self) -> Asking {
        Asking::Never
    }

    fn ask(&self, _: Question) -> BoxFuture<'_, Decision> {
        Box::pin(std::future::ready(Decision::Unanswered))
    }
}

enum Message {
    /// An event.
    Report(Bytes),
    /// What [`DirectCall::answer`] gave.
    Answer(Option<Vec<u8>>),
}

/// A call that is under way, until its answer was taken.
struct Running {
    id: NumberOrString,
    reported: mpsc::Receiver<Bytes>,
    call: Option<BoxFuture<'static, Option<Vec<u8>>>>,
    /// Known, and to be sent after what was reported before it.
    answer: Option<Option<Vec<u8>>>,
}

impl Running {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Poll::Ready(Some(report)) = self.reported.poll_recv(context) {
                return Poll::Ready(Some(Message::Report(report)));
            }
            if let Some(answer) = self.answer.take() {
                return Poll::Ready(Some(Message::Answer(answer)));
            }
            let Some(call) = &mut self.call else {
                return Poll::Ready(None);
            };
            // What it reports while it is polled wakes this stream, as anything later does.
            let Poll::Ready(answer) = call.as_mut().poll(context) else {
                return Poll::Pending;
            };
            self.call = None;
            self.answer = Some(answer);
        }
    }

    /// The last event. Nothing that never asks asks all the same; if it did, its client would hear that
    /// there is no answer.
    fn last(&self, answer: Option<Vec<u8>>) -> Bytes {
        let answer = answer.unwrap_or_else(|| {
            let error = json!({"code": -32603, "message": "the call had no answer"});
            let message = json!({"jsonrpc": "2.0", "id": self.id, "error": error});
            message.to_string().into_bytes()
        });
        event(&answer)
    }
}

struct CallStream {
    first: Option<Bytes>,
    running: Running,
    keep_alive: KeepAlive,
}

type Frames = Option<Result<Frame<Bytes>, axum::Error>>;

impl http_body::Body for CallStream {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Frames> {
        let frame = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        if let Some(first) = self.first.take() {
            return frame(first);
        }
        if let Poll::Ready(message) = self.running.poll_next(context) {
            self.keep_alive.sent();
            return match message {
                None => Poll::Ready(None),
                Some(Message::Report(report)) => frame(report),
                Some(Message::Answer(answer)) => frame(self.running.last(answer)),
            };
        }
        self.keep_alive
            .poll_comment(context)
            .map(|comment| Some(Ok(Frame::data(comment))))
    }
}
