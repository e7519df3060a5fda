//! JSON-RPC in lines (MCP specification, "stdio"): one message a line, in both directions.
//!
//! rmcp's own line transport passes over what it cannot parse. A client that sent it would wait for
//! an answer forever, so that this one answers: with `-32700` what is no JSON or too long, with
//! `-32600` what is no request. What may itself be an answer is never answered.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rmcp::{
    RoleServer,
    model::{ClientNotification, ErrorCode, ErrorData, JsonRpcMessage, RequestId},
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::{Mutex, Notify},
};

/// The longest line that is read, in bytes. The largest arguments that Clerk takes are far below.
pub(crate) const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// How long calls may still take once the client has closed its end: Clerk's longest answer, tried
/// twice.
const LAST_ANSWERS: Duration = Duration::from_secs(60);

/// What the sender of a line that is no message is told.
type Complaint = TxJsonRpcMessage<RoleServer>;

/// Messages over a reader and a writer.
pub(crate) struct LineTransport<R, W> {
    reader: BufReader<R>,
    line: Line,
    writer: Arc<Mutex<Option<W>>>,
    open: Arc<OpenRequests>,
}

/// What has been read of the present line. It outlives a read that is cancelled half way.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    /// The line is too long: the rest of it is passed over.
    is_oversized: bool,
}

impl<R: AsyncRead + Unpin, W> LineTransport<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, reader),
            line: Line::default(),
            writer: Arc::new(Mutex::new(Some(writer))),
            open: Arc::default(),
        }
    }

    /// The next whole line; `None` at the end. A last line needs no line feed.
    async fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let available = self.reader.fill_buf().await?;
            let end = available.iter().position(|byte| *byte == b'\n');
            let (taken, is_end) = match end {
                Some(index) => (index, true),
                None => (available.len(), available.is_empty()),
            };
            self.line.append(available.get(..taken).unwrap_or_default());
            // Nothing may be awaited between the copy and this: a cancelled read loses no byte.
            self.reader.consume(taken + usize::from(end.is_some()));
            if is_end {
                let line = std::mem::take(&mut self.line);
                let is_eof = end.is_none();
                return Ok((!is_eof || !line.is_blank()).then_some(line));
            }
        }
    }
}

impl Line {
    fn append(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > MAX_LINE_BYTES {
            self.is_oversized = true;
            self.bytes = Vec::new();
        }
        if !self.is_oversized {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn is_blank(&self) -> bool {
        !self.is_oversized && self.bytes.trim_ascii().is_empty()
    }

    /// The message, or what its sender is told.
    fn parse(&self) -> Result<RxJsonRpcMessage<RoleServer>, Option<Box<Complaint>>> {
        if self.is_oversized {
            let message = format!("the line is longer than {MAX_LINE_BYTES} bytes");
            return Err(Some(error(ErrorCode::PARSE_ERROR, message, None)));
        }
        serde_json::from_slice(&self.bytes).map_err(|_| complaint(&self.bytes))
    }
}

/// What is still to be answered, in either direction. When the client closes its end, the server
/// goes on until its calls are answered and its bad lines complained about.
#[derive(Default)]
struct OpenRequests {
    ids: std::sync::Mutex<Ids>,
    /// Complaints that are not written yet.
    complaints: AtomicUsize,
    changed: Notify,
}

#[derive(Default)]
struct Ids {
    /// Of the client's requests.
    theirs: HashSet<RequestId>,
    /// Of our requests to the client: once it has closed its end, they will not be answered.
    ours: HashSet<RequestId>,
}

impl OpenRequests {
    fn received(&self, message: &RxJsonRpcMessage<RoleServer>) {
        let mut ids = self.ids();
        match message {
            JsonRpcMessage::Request(request) => {
                ids.theirs.insert(request.id.clone());
            }
            JsonRpcMessage::Response(response) => {
                ids.ours.remove(&response.id);
            }
            JsonRpcMessage::Error(error) => {
                if let Some(id) = &error.id {
                    ids.ours.remove(id);
                }
            }
            JsonRpcMessage::Notification(notification) => {
                let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                else {
                    return;
                };
                if let Some(id) = &cancelled.params.request_id {
                    ids.theirs.remove(id);
                }
            }
        }
    }

    fn sent(&self, message: &TxJsonRpcMessage<RoleServer>) {
        let mut ids = self.ids();
        match message {
            JsonRpcMessage::Request(request) => {
                ids.ours.insert(request.id.clone());
            }
            JsonRpcMessage::Response(response) => {
                ids.theirs.remove(&response.id);
            }
            JsonRpcMessage::Error(error) => {
                if let Some(id) = &error.id {
                    ids.theirs.remove(id);
                }
            }
            JsonRpcMessage::Notification(_) => return,
        }
        drop(ids);
        self.changed.notify_one();
    }

    /// Waits until all is answered that still can be, but not for ever.
    async fn answered(&self) {
        let all = async {
            while self.is_waiting() {
                self.changed.notified().await;
            }
        };
        if tokio::time::timeout(LAST_ANSWERS, all).await.is_err() {
            tracing::warn!("ended with answers outstanding: they took too long");
        }
    }

    fn complaint_written(&self) {
        self.complaints.fetch_sub(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    fn is_waiting(&self) -> bool {
        if self.complaints.load(Ordering::Relaxed) > 0 {
            return true;
        }
        let ids = self.ids();
        !ids.theirs.is_empty() && ids.ours.is_empty()
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, Ids> {
        self.ids
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What the sender of a line that is no message is told; nothing when it may be an answer or a
/// notification, which have none.
fn complaint(line: &[u8]) -> Option<Box<Complaint>> {
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(fault) => {
            return Some(error(
                ErrorCode::PARSE_ERROR,
                format!("no JSON: {fault}"),
                None,
            ));
        }
    };
    let Value::Object(message) = &value else {
        let kind = if value.is_array() {
            "batches are not supported"
        } else {
            "no object"
        };
        return Some(error(
            ErrorCode::INVALID_REQUEST,
            format!("no request: {kind}"),
            None,
        ));
    };
    if message.contains_key("result") || message.contains_key("error") {
        return None;
    }
    let id = message.get("id");
    let is_notification = id.is_none() && message.get("method").is_some_and(Value::is_string);
    if is_notification {
        return None;
    }
    let reason = if message.get("jsonrpc") != Some(&Value::from("2.0")) {
        "`jsonrpc` must be \"2.0\""
    } else if !message.get("method").is_some_and(Value::is_string) {
        "`method` must be text"
    } else if !id.is_some_and(|id| id.is_string() || id.is_i64()) {
        "`id` must be text or a whole number"
    } else {
        "`params` must be an object"
    };
    let id = id.and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
    Some(error(
        ErrorCode::INVALID_REQUEST,
        format!("no request: {reason}"),
        id,
    ))
}

fn error(code: ErrorCode, message: String, id: Option<RequestId>) -> Box<Complaint> {
    Box::new(Complaint::error(ErrorData::new(code, message, None), id))
}

async fn write<W: AsyncWrite + Unpin>(
    writer: &Mutex<Option<W>>,
    message: &TxJsonRpcMessage<RoleServer>,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut writer = writer.lock().await;
    let writer = writer.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    writer.write_all(&line).await?;
    writer.flush().await
}

impl<R, W> Transport<RoleServer> for LineTransport<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let writer = self.writer.clone();
        let open = self.open.clone();
        async move {
            let written = write(&writer, &message).await;
            open.sent(&message);
            written
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let line = match self.next_line().await {
                Ok(Some(line)) => line,
                Ok(None) => {
                    self.open.answered().await;
                    return None;
                }
                Err(fault) => {
                    tracing::error!(%fault, "standard input cannot be read");
                    self.open.answered().await;
                    return None;
                }
            };
            if line.is_blank() {
                continue;
            }
            match line.parse() {
                Ok(message) => {
                    self.open.received(&message);
                    return Some(message);
                }
                Err(Some(complaint)) => {
                    // In a task of its own: this function may be cancelled, a half-written line
                    // may not.
                    let writer = self.writer.clone();
                    let open = self.open.clone();
                    open.complaints.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(async move {
                        if let Err(fault) = write(&writer, &complaint).await {
                            tracing::warn!(%fault, "a bad line could not be answered");
                        }
                        open.complaint_written();
                    });
                }
                Err(None) => tracing::debug!("passed over a message that cannot be answered"),
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.writer.lock().await.take();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Value {
        serde_json::to_value(complaint(line.as_bytes())).unwrap()
    }

    #[test]
    fn what_is_no_message_is_answered_with_its_id() {
        for (line, code, id) in [
            ("{", -32700, Value::Null),
            ("7", -32600, Value::Null),
            ("[]", -32600, Value::Null),
            (r#"{"id":1,"method":"ping"}"#, -32600, Value::from(1)),
            (
                r#"{"jsonrpc":"2.0","id":"a","method":7}"#,
                -32600,
                Value::from("a"),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
                -32600,
                Value::Null,
            ),
        ] {
            let told = told(line);
            assert_eq!(told["error"]["code"], code, "{line}");
            assert_eq!(told.get("id").cloned().unwrap_or_default(), id, "{line}");
        }
    }

    #[test]
    fn what_may_be_an_answer_is_not_answered() {
        for line in [
            r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"no JSON"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
            r#"{"method":"notifications/strange"}"#,
        ] {
            assert_eq!(told(line), Value::Null, "{line}");
        }
    }

    #[tokio::test]
    async fn lines_arrive_whole_whatever_the_chunks() {
        use tokio::io::AsyncWriteExt as _;

        let (mut client, server) = tokio::io::duplex(7);
        let written = tokio::spawn(async move {
            let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
            let lines = format!("{note}\r\n\n{}\n{note}", "x".repeat(MAX_LINE_BYTES + 1));
            client.write_all(lines.as_bytes()).await.unwrap();
        });
        let mut transport = LineTransport::new(server, tokio::io::sink());
        let mut received = 0;
        while transport.receive().await.is_some() {
            received += 1;
        }
        written.await.unwrap();
        assert_eq!(received, 2, "the oversized line in between is passed over");
    }
}
