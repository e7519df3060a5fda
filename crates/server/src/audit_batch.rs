//! Audit rows, written in batches behind a bounded queue: a call's answer never waits for a disk.
//!
//! A row is written at the latest [`PATIENCE`] after it came, when the sink keeps up. What an orderly
//! shutdown finds in the queue is written. A kill loses what is not written yet: normally the rows of
//! the last [`PATIENCE`] and of one write, and never more than the queue's capacity and one batch.
//! A row that finds no room in the queue, or that the sink refuses to take, goes to the log as an
//! error, whole, and is counted: none is lost in silence.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clerk::BoxFuture;
use mcp::audit::{Audit, AuditRow, TracingAudit};
use oauth::{AuditRecord, Store, Timestamp};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};

/// The most rows of one write: what they take until they are written, a few kilobytes each, is never
/// more than a megabyte.
pub const BATCH: usize = 256;
/// How long a row waits for others to be written with.
pub const PATIENCE: Duration = Duration::from_millis(100);
/// How long a write may take.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait before each further attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// Where batches go.
pub trait AuditSink: Send + Sync {
    /// Writes these rows, all or none: after an error the same rows are given again.
    fn write<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), AuditSinkError>>;
}

/// Why rows could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuditSinkError(pub String);

/// Takes rows without waiting, and writes them in the background.
#[derive(Debug)]
pub struct AuditQueue {
    sender: mpsc::Sender<AuditRow>,
    logged: Arc<AtomicU64>,
    closing: Arc<Notify>,
    hurry: watch::Sender<bool>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl AuditQueue {
    /// Starts a queue of at most `capacity` waiting rows. Needs a tokio runtime.
    #[must_use]
    pub fn new(capacity: usize, sink: Arc<dyn AuditSink>) -> Self {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let (hurry, hurried) = watch::channel(false);
        let logged = Arc::new(AtomicU64::new(0));
        let closing = Arc::new(Notify::new());
        let worker = Worker {
            receiver,
            sink,
            logged: Arc::clone(&logged),
            closing: Arc::clone(&closing),
            hurried,
        };
        Self {
            sender,
            logged,
            closing,
            hurry,
            worker: Mutex::new(Some(tokio::spawn(worker.run()))),
        }
    }

    /// How many rows went to the log because the queue was full or the sink failed.
    #[must_use]
    pub fn logged(&self) -> u64 {
        self.logged.load(Ordering::Relaxed)
    }

    /// Writes what waits, for at most `grace`; what remains goes to the log. Rows recorded from now
    /// on go to the log too.
    pub async fn shut_down(&self, grace: Duration) {
        let worker = self
            .worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut worker) = worker else { return };
        self.closing.notify_one();
        if tokio::time::timeout(grace, &mut worker).await.is_err() {
            self.hurry.send_replace(true);
            // Only the log is left to write to, which waits for nobody.
            let _ = worker.await;
        }
    }
}

impl Audit for AuditQueue {
    fn record(&self, row: AuditRow) {
        if let Err(error) = self.sender.try_send(row) {
            let row = error.into_inner();
            log(&row, "the audit queue is full or closed", &self.logged);
        }
    }
}

struct Worker {
    receiver: mpsc::Receiver<AuditRow>,
    sink: Arc<dyn AuditSink>,
    logged: Arc<AtomicU64>,
    closing: Arc<Notify>,
    hurried: watch::Receiver<bool>,
}

impl Worker {
    async fn run(mut self) {
        let mut rows = Vec::with_capacity(BATCH);
        let mut closed = false;
        loop {
            let received = tokio::select! {
                received = self.receiver.recv_many(&mut rows, BATCH) => received,
                () = self.closing.notified(), if !closed => {
                    // What is in the queue can still be received.
                    self.receiver.close();
                    closed = true;
                    continue;
                }
            };
            if received == 0 {
                return;
            }
            if rows.len() < BATCH && !closed {
                // Nobody listens meanwhile: a row that comes wakes no thread.
                tokio::select! {
                    () = tokio::time::sleep(PATIENCE) => {}
                    () = self.closing.notified() => {
                        self.receiver.close();
                        closed = true;
                    }
                }
                while rows.len() < BATCH
                    && let Ok(row) = self.receiver.try_recv()
                {
                    rows.push(row);
                }
            }
            self.write(&rows).await;
            rows.clear();
        }
    }

    /// Gives the rows to the sink, several times if need be, and at last to the log.
    async fn write(&mut self, rows: &[AuditRow]) {
        let sink = Arc::clone(&self.sink);
        let attempts = async {
            let mut pauses = PAUSES.iter();
            loop {
                let written = tokio::time::timeout(WRITE_LIMIT, sink.write(rows)).await;
                let error = match written {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(error)) => error.0,
                    // Whether it was written is not known, and writing it again could double it.
                    Err(_) => return Err("the write took too long".to_owned()),
                };
                match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(error),
                }
            }
        };
        let written = tokio::select! {
            biased;
            // The queue's end drops the sender: then nobody hurries.
            Ok(_) = self.hurried.wait_for(|hurried| *hurried) => Err("the server shuts down".to_owned()),
            written = attempts => written,
        };
        if let Err(reason) = written {
            for row in rows {
                log(row, &reason, &self.logged);
            }
        }
    }
}

/// Keeps a row that could not be written, in the log.
fn log(row: &AuditRow, reason: &str, logged: &AtomicU64) {
    logged.fetch_add(1, Ordering::Relaxed);
    let row = serde_json::to_string(row).unwrap_or_default();
    tracing::error!(target: "audit", reason, row, "an audit row could not be written");
}

/// Rows as JSON lines at the end of a file.
#[derive(Debug)]
pub struct JsonLinesFile(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    file: File,
    /// Whether the last write may have left half a line behind.
    torn: bool,
}

impl JsonLinesFile {
    /// Opens the file, for appending; a new one is readable by its owner alone.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lines = Lines {
            file: options.open(path)?,
            torn: false,
        };
        Ok(Self(Arc::new(Mutex::new(lines))))
    }
}

impl Lines {
    fn append(&mut self, text: &str) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
        }
        self.torn = true;
        self.file.write_all(text.as_bytes())?;
        self.torn = false;
        Ok(())
    }
}

impl AuditSink for JsonLinesFile {
    fn write<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), AuditSinkError>> {
        let mut text = String::new();
        for row in rows {
            text.push_str(&serde_json::to_string(row).unwrap_or_default());
            text.push('\n');
        }
        let lines = Arc::clone(&self.0);
        Box::pin(async move {
            let append = move || {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.append(&text)
            };
            match tokio::task::spawn_blocking(append).await {
                Ok(written) => written.map_err(|error| AuditSinkError(error.to_string())),
                Err(error) => Err(AuditSinkError(error.to_string())),
            }
        })
    }
}

/// Rows in the store.
pub struct StoreSink(pub Arc<dyn Store>);

impl std::fmt::Debug for StoreSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreSink")
    }
}

impl AuditSink for StoreSink {
    fn write<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), AuditSinkError>> {
        let records: Vec<AuditRecord> = rows
            .iter()
            .map(|row| AuditRecord {
                at: Timestamp(row.at),
                record: serde_json::to_value(row).unwrap_or_default(),
            })
            .collect();
        Box::pin(async move {
            let written = self.0.append_audit(&records).await;
            written.map_err(|error| AuditSinkError(error.to_string()))
        })
    }
}

/// Rows in the log.
impl AuditSink for TracingAudit {
    fn write<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), AuditSinkError>> {
        for row in rows {
            self.record(row.clone());
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::AtomicUsize;

    use serde_json::{Value, json};

    use super::*;

    fn row(at: u64) -> AuditRow {
        AuditRow {
            at,
            duration_ms: 1,
            user_id: None,
            organization_id: None,
            client_id: None,
            client: None,
            tool: "getUser".to_owned(),
            arguments: json!({}),
            outcome: "ok".to_owned(),
            clerk_trace_id: None,
        }
    }

    /// Keeps the batches; each write takes `delay`, and the first `failures` fail.
    #[derive(Default)]
    struct Recording {
        batches: Mutex<Vec<Vec<u64>>>,
        delay: Duration,
        failures: AtomicUsize,
    }

    impl Recording {
        fn rows(&self) -> Vec<u64> {
            self.batches.lock().unwrap().concat()
        }
    }

    impl AuditSink for Recording {
        fn write<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), AuditSinkError>> {
            Box::pin(async move {
                tokio::time::sleep(self.delay).await;
                let fails = |left: usize| left.checked_sub(1);
                let failures = &self.failures;
                if failures
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails)
                    .is_ok()
                {
                    return Err(AuditSinkError("no room on the disk".to_owned()));
                }
                let batch = rows.iter().map(|row| row.at).collect();
                self.batches.lock().unwrap().push(batch);
                Ok(())
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn writes_batches_in_order_and_soon() {
        let sink = Arc::new(Recording::default());
        let queue = AuditQueue::new(10_000, sink.clone());
        (0..2_100).for_each(|at| queue.record(row(at)));
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(sink.rows(), (0..2_100).collect::<Vec<u64>>());
        assert!(
            sink.batches
                .lock()
                .unwrap()
                .iter()
                .all(|rows| rows.len() <= BATCH)
        );
        assert_eq!(sink.batches.lock().unwrap().len(), 9);
        assert_eq!(queue.logged(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_sink_holds_nobody_up_and_loses_nothing() {
        let sink = Arc::new(Recording {
            delay: Duration::from_secs(5),
            ..Recording::default()
        });
        let queue = AuditQueue::new(10, sink.clone());
        let before = tokio::time::Instant::now();
        (0..25).for_each(|at| queue.record(row(at)));
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(queue.logged(), 15);
        queue.shut_down(Duration::from_secs(60)).await;
        assert_eq!(sink.rows(), (0..10).collect::<Vec<u64>>());
        queue.record(row(99));
        assert_eq!(queue.logged(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_sink_is_asked_again_before_rows_go_to_the_log() {
        let sink = Arc::new(Recording {
            failures: AtomicUsize::new(2),
            ..Recording::default()
        });
        let queue = AuditQueue::new(10, sink.clone());
        queue.record(row(1));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!((sink.rows(), queue.logged()), (vec![1], 0));

        sink.failures.store(3, Ordering::SeqCst);
        queue.record(row(2));
        tokio::time::sleep(Duration::from_secs(5)).await;
        queue.record(row(3));
        queue.shut_down(Duration::from_secs(5)).await;
        assert_eq!((sink.rows(), queue.logged()), (vec![1, 3], 1));
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_ends_in_time_with_a_sink_that_hangs() {
        let sink = Arc::new(Recording {
            delay: Duration::from_secs(3600),
            ..Recording::default()
        });
        let queue = AuditQueue::new(1000, sink);
        (0..600).for_each(|at| queue.record(row(at)));
        let before = tokio::time::Instant::now();
        queue.shut_down(Duration::from_secs(2)).await;
        assert_eq!(before.elapsed(), Duration::from_secs(2));
        assert_eq!(queue.logged(), 600);
    }

    #[tokio::test]
    async fn a_file_gets_one_line_each_for_its_owner_alone() {
        let path = std::env::temp_dir().join(format!("clerk-mcp-audit-{}", std::process::id()));
        let queue = AuditQueue::new(10, Arc::new(JsonLinesFile::open(&path).unwrap()));
        (1..=3).for_each(|at| queue.record(row(at)));
        queue.shut_down(Duration::from_secs(60)).await;
        let text = std::fs::read_to_string(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::remove_file(&path).unwrap();
        let at = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["at"].clone());
        assert_eq!(at.collect::<Vec<_>>(), [json!(1), json!(2), json!(3)]);
    }
}
