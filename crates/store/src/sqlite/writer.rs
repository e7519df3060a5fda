//! The one connection that writes.
//!
//! Transitions wait in a queue and run one after the other. Those that are waiting at the same moment
//! share a transaction and so one wait for the disk: each is still atomic, for it runs inside a
//! savepoint of its own, and none is answered before the commit that holds it is on the disk. A
//! caller that gives up waiting stops nothing half way.

use std::path::Path;
use std::sync::Arc;

use oauth::{BoxFuture, StoreError};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::error::{Failure, Outcome};

/// How many transitions share a commit at most: the first of them waits for the last.
const GROUP: usize = 64;
/// How many transitions wait before callers wait to get into the queue.
const QUEUE: usize = 1024;

/// The queue's end that callers hold.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<Path>,
    queue: mpsc::Sender<Message>,
}

enum Message {
    Write(Box<dyn Transition>),
    Close(oneshot::Sender<()>),
}

/// A write that waits for its turn, and then for its commit.
trait Transition: Send {
    /// Runs it. What it returns is kept until the commit; whether it worked is told.
    fn run<'a>(&'a mut self, connection: &'a mut SqliteConnection) -> BoxFuture<'a, Ran>;
    /// Tells the caller: what it returned or, if the commit failed, why.
    fn answer(self: Box<Self>, failed: Option<&StoreError>);
}

/// What became of a transition inside the group's transaction.
enum Ran {
    /// It is part of the group.
    Kept,
    /// What went wrong is its own affair: it alone is undone.
    Undo,
    /// The database failed, and may have rolled back everything already.
    Abandon(StoreError),
}

impl Writer {
    /// Takes over a connection. Needs a tokio runtime, whose task it becomes.
    pub(super) fn start(connection: SqliteConnection, file: Arc<Path>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(work(connection, waiting, file.clone()));
        Self { file, queue }
    }

    /// Runs one transition, atomically and durably. `transition` gets the connection inside
    /// `BEGIN IMMEDIATE`, and must not begin or end a transaction of its own.
    pub(super) async fn write<T, F>(&self, transition: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut SqliteConnection) -> BoxFuture<'a, Outcome<T>> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let waiting = Waiting {
            transition: Some(transition),
            result: None,
            caller,
            file: self.file.clone(),
        };
        let message = Message::Write(Box::new(waiting));
        self.queue.send(message).await.map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    /// Whether writes are taken.
    pub(super) fn is_open(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Finishes what is waiting, and closes the connection.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error means that it has ended without an answer: it is closed.
            let _ = closed.await;
        }
    }

    pub(super) fn closed(&self) -> StoreError {
        StoreError::Unavailable {
            message: format!("{}: the store has been closed", self.file.display()),
        }
    }
}

async fn work(
    mut connection: SqliteConnection,
    mut waiting: mpsc::Receiver<Message>,
    file: Arc<Path>,
) {
    let mut closing = None;
    while let Some(message) = waiting.recv().await {
        let mut group = Vec::new();
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Write(transition) => group.push(transition),
                Message::Close(done) => {
                    // What is in the queue already is still served.
                    waiting.close();
                    closing = Some(done);
                }
            }
            next = (group.len() < GROUP)
                .then(|| waiting.try_recv().ok())
                .flatten();
        }
        if !group.is_empty() {
            let committed = commit_group(&mut connection, &mut group, &file).await;
            for transition in group {
                transition.answer(committed.as_ref().err());
            }
        }
    }
    // Nothing is left to write; a failure to close cleanly is mended by the next opening.
    let _ = connection.close().await;
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// Runs a group in one transaction. On an error nothing of it is kept.
async fn commit_group(
    connection: &mut SqliteConnection,
    group: &mut [Box<dyn Transition>],
    file: &Path,
) -> Result<(), StoreError> {
    let result = run_group(connection, group, file).await;
    if result.is_err() {
        // It fails when SQLite has rolled back by itself, which is just as well.
        let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
    }
    result
}

async fn run_group(
    connection: &mut SqliteConnection,
    group: &mut [Box<dyn Transition>],
    file: &Path,
) -> Result<(), StoreError> {
    execute(connection, "BEGIN IMMEDIATE", file).await?;
    for transition in group {
        execute(connection, "SAVEPOINT transition", file).await?;
        match transition.run(connection).await {
            Ran::Kept => {}
            Ran::Undo => execute(connection, "ROLLBACK TO transition", file).await?,
            Ran::Abandon(error) => return Err(error),
        }
        execute(connection, "RELEASE transition", file).await?;
    }
    execute(connection, "COMMIT", file).await
}

async fn execute(
    connection: &mut SqliteConnection,
    statement: &'static str,
    file: &Path,
) -> Result<(), StoreError> {
    let done = sqlx::query(statement).execute(connection).await;
    done.map(drop)
        .map_err(|error| Failure::from(error).into_store_error(file))
}

struct Waiting<T, F> {
    transition: Option<F>,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
    file: Arc<Path>,
}

impl<T, F> Transition for Waiting<T, F>
where
    T: Send + 'static,
    F: for<'a> FnOnce(&'a mut SqliteConnection) -> BoxFuture<'a, Outcome<T>> + Send + 'static,
{
    fn run<'a>(&'a mut self, connection: &'a mut SqliteConnection) -> BoxFuture<'a, Ran> {
        Box::pin(async move {
            let Some(transition) = self.transition.take() else {
                return Ran::Kept;
            };
            match transition(connection).await {
                Ok(value) => {
                    self.result = Some(Ok(value));
                    Ran::Kept
                }
                Err(failure) if failure.is_of_one_transition() => {
                    self.result = Some(Err(failure.into_store_error(&self.file)));
                    Ran::Undo
                }
                Err(failure) => Ran::Abandon(failure.into_store_error(&self.file)),
            }
        })
    }

    fn answer(self: Box<Self>, failed: Option<&StoreError>) {
        let answer = match failed {
            None => self.result,
            Some(error) => Some(Err(error.clone())),
        };
        if let Some(answer) = answer {
            // Nobody listens any more when the caller has given up.
            let _ = self.caller.send(answer);
        }
    }
}
