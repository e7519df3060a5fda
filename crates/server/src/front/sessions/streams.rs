//! What is sent in the streams of sessions. A message that stands in a stream is committed before it is
//! sent, so that a client which names the last event it has seen gets what came after it, from this
//! process or from the next. The final answer to a request is kept in memory alone, and only until it
//! was taken: who comes for it later, or after a crash, gets an error that says so.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use clerk::Env;
use futures_util::{Stream, stream};
use oauth::{PlainToken, StoreError, Timestamp, TokenHash};
use rmcp::{
    model::{ClientJsonRpcMessage, RequestId, ServerJsonRpcMessage},
    transport::streamable_http_server::session::{
        EventStore, EventStoreError, EventStream, ServerSseMessage, SessionId,
    },
};
use store::sessions::{ListDigest, SessionStore, StoredEvent};
use tokio::sync::{Notify, mpsc};

use super::places::{Asked, COMMON, Place};
use crate::tool_lists::NEWS;

/// What rmcp appends to a session's id to name that stream.
const RMCP_COMMON: &str = ":common";
/// The most final answers that wait for a client to come back, of all sessions; older ones go.
const MOST_ANSWERS: usize = 256;
/// How many messages wait for a client that is slow to read.
const QUEUE: usize = 16;

/// The hash under which a session is kept.
pub(super) fn key(id: &str) -> TokenHash {
    PlainToken::presented(id).hash()
}

/// The streams of all sessions.
pub(super) struct Streams {
    store: Arc<dyn SessionStore>,
    env: Arc<dyn Env>,
    /// What tells this process from the ones before it.
    process: u64,
    open: Mutex<OpenStreams>,
}

#[derive(Default)]
struct OpenStreams {
    /// Streams of requests, by name, from the request until its answer was taken.
    requests: HashMap<String, RequestStream>,
    /// Those whose answer is known, the oldest first; some may have been taken.
    answered: VecDeque<String>,
}

/// Another request of the session that has this id is not answered yet: rmcp would take the answer to
/// either for that to the one that came last, and leave the other without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct RepeatedId;

struct RequestStream {
    session: SessionId,
    asked: Arc<Asked>,
    answer: Option<Arc<ServerJsonRpcMessage>>,
    /// Clients that came back to it: the answer is theirs.
    followers: usize,
    changed: Arc<Notify>,
}

impl Streams {
    pub(super) fn new(store: Arc<dyn SessionStore>, env: Arc<dyn Env>) -> Self {
        Self {
            store,
            process: env.random(),
            env,
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, OpenStreams> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request of the session begins, if `message` is one; `first` is the event that opened its
    /// stream, and names the request from now on. It is forgotten unless it [was pushed](Begun::pushed).
    ///
    /// # Errors
    /// [`RepeatedId`].
    pub(super) fn begin(
        self: &Arc<Self>,
        session: &SessionId,
        message: &ClientJsonRpcMessage,
        first: &mut ServerSseMessage,
    ) -> Result<Begun, RepeatedId> {
        let mut begun = Begun {
            streams: Arc::clone(self),
            stream: None,
        };
        let place = first.event_id.as_deref().and_then(Place::parse);
        let (Some(place), Some(asked)) = (place, Asked::of(self.process, session, message)) else {
            return Ok(begun);
        };
        let asked = Arc::new(asked);
        let stream = RequestStream {
            session: Arc::clone(session),
            asked: Arc::clone(&asked),
            answer: None,
            followers: 0,
            changed: Arc::default(),
        };
        {
            let mut open = self.open();
            let is_same = |known: &RequestStream| {
                known.answer.is_none()
                    && known.session == *session
                    && known.asked.request == asked.request
            };
            if open.requests.values().any(is_same) {
                return Err(RepeatedId);
            }
            open.requests.insert(place.stream.clone(), stream);
            begun.stream = Some(place.stream.clone());
        }
        first.event_id = Some(Place::begin(place.stream, Some(asked)).to_string());
        Ok(begun)
    }

    /// The client does not wait for the answer to this request any more.
    pub(super) fn cancelled(&self, session: &SessionId, request: &RequestId) {
        self.forget(|stream| stream.session == *session && stream.asked.request == *request);
    }

    /// The session is over.
    pub(super) fn end_session(&self, session: &SessionId) {
        self.forget(|stream| stream.session == *session);
    }

    fn forget(&self, which: impl Fn(&RequestStream) -> bool) {
        self.open().requests.retain(|_, stream| {
            let goes = which(stream);
            if goes {
                stream.changed.notify_waiters();
            }
            !goes
        });
    }

    /// What rmcp sends in the stream that `first` opened.
    pub(super) fn deliver(
        self: &Arc<Self>,
        first: ServerSseMessage,
        messages: mpsc::Receiver<ServerSseMessage>,
    ) -> Delivery {
        let place = first.event_id.as_deref().and_then(Place::parse);
        Delivery {
            streams: Arc::clone(self),
            stream: place.map(|place| place.stream),
            first: Some(first),
            messages,
        }
    }

    /// Where the stream that belongs to no request is now, as an event's id.
    pub(super) async fn common_place(&self, session: &str) -> Result<String, StoreError> {
        let number = self.last(session, COMMON).await?;
        Ok(common(number).to_string())
    }

    async fn last(&self, session: &str, stream: &str) -> Result<u64, StoreError> {
        let events = self.store.events_after(key(session), stream, 0).await?;
        Ok(events.last().map_or(0, |event| event.number))
    }

    /// Whether nothing comes after this event: the stream is over.
    pub(super) fn is_over(last_event_id: &str) -> bool {
        Place::parse(last_event_id).is_some_and(|place| place.is_last())
    }

    /// What a client that names this event wants to go on with.
    pub(super) fn resumed(last_event_id: &str) -> Resumed {
        match Place::parse(last_event_id) {
            Some(place) if place.stream == COMMON => Resumed::Common(place.number),
            Some(place) => Resumed::Request(place),
            None => Resumed::Unknown,
        }
    }

    /// What was sent after `after` in the stream that belongs to no request, and then `live`; with the
    /// number of the last event that was sent.
    pub(super) async fn common_after<S>(
        &self,
        session: &str,
        after: u64,
        live: S,
    ) -> Result<
        (
            u64,
            impl Stream<Item = ServerSseMessage> + Send + Sync + use<S>,
        ),
        StoreError,
    >
    where
        S: Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    {
        use futures_util::StreamExt as _;
        let missed = self.store.events_after(key(session), COMMON, after).await?;
        let last = missed.last().map_or(after, |event| event.number);
        let missed: Vec<_> = missed
            .into_iter()
            .filter_map(|event| message(&common(event.number), &event))
            .collect();
        // The live stream began before the look at what was missed: some may be in both.
        let live = live.filter(move |message| {
            let place = message.event_id.as_deref().and_then(Place::parse);
            std::future::ready(place.is_none_or(|place| place.number > last))
        });
        Ok((last, stream::iter(missed).chain(live)))
    }

    /// What was sent after `place` in the stream of a request of this session; then what is sent now,
    /// until the answer, or an error that says why there is none.
    pub(super) fn request_after(
        self: Arc<Self>,
        session: SessionId,
        place: Place,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync {
        let (sender, mut messages) = mpsc::channel(QUEUE);
        let following = Following::new(&self, &session, &place.stream);
        tokio::spawn(async move {
            let gone = sender.clone();
            tokio::select! {
                () = gone.closed() => {}
                () = self.follow(&session, place, &sender) => {}
            }
        });
        let mut has_answer = false;
        stream::poll_fn(move |context| {
            let next = messages.poll_recv(context);
            match &next {
                Poll::Ready(Some(next)) => {
                    has_answer |= next.message.as_deref().is_some_and(is_final);
                }
                // Not before the connection has asked for more: it may have been lost with the answer on its way.
                Poll::Ready(None) if has_answer => following.has_read(),
                Poll::Ready(None) | Poll::Pending => {}
            }
            next
        })
    }

    async fn follow(
        &self,
        session: &SessionId,
        mut place: Place,
        sender: &mpsc::Sender<ServerSseMessage>,
    ) {
        let stream = place.stream.clone();
        loop {
            let changed = self.changed(session, &stream);
            // Before the look at what was kept, so that nothing comes between unnoticed.
            let waiting = changed.as_ref().map(|changed| changed.notified());
            let missed = self.store.events_after(key(session), &stream, place.number);
            let missed = match missed.await {
                Ok(missed) => missed,
                Err(error) => {
                    tracing::error!(%error, "a stream could not be resumed");
                    return;
                }
            };
            for event in missed {
                place = place.at(event.number);
                if let Some(message) = message(&place, &event)
                    && sender.send(message).await.is_err()
                {
                    return;
                }
            }
            match self.answer(session, &stream) {
                Answer::Known(answer) => {
                    let _ = sender.send(answered(&place, answer)).await;
                    return;
                }
                Answer::Never => {
                    let asked = place.asked.as_ref().filter(|asked| asked.is_of(session));
                    if let Some(asked) = asked.filter(|_| !place.is_last()) {
                        let lost = Arc::new(asked.lost_answer(self.process));
                        let _ = sender.send(answered(&place, lost)).await;
                    }
                    return;
                }
                Answer::Later => {}
            }
            if let Some(waiting) = waiting {
                waiting.await;
            }
        }
    }

    /// One who came back has the answer. With another one there, it stays: a client that comes back twice
    /// has lost the first connection, maybe unknown to us.
    fn taken(&self, session: &SessionId, stream: &str) {
        let mut open = self.open();
        let is_last = |known: &RequestStream| {
            known.session == *session && known.answer.is_some() && known.followers <= 1
        };
        if open.requests.get(stream).is_some_and(is_last) {
            open.requests.remove(stream);
        }
    }

    /// The connection that brought the request has read all that there is. It may be one that its client
    /// has lost, unknown to us: with somebody there who came back, the answer stays.
    fn read_to_the_end(&self, stream: &str) {
        let mut open = self.open();
        let goes = |known: &RequestStream| known.followers == 0 || known.answer.is_none();
        if open.requests.get(stream).is_some_and(goes)
            && let Some(over) = open.requests.remove(stream)
        {
            over.changed.notify_waiters();
        }
    }

    fn changed(&self, session: &SessionId, stream: &str) -> Option<Arc<Notify>> {
        let open = self.open();
        let stream = open.requests.get(stream)?;
        (stream.session == *session).then(|| Arc::clone(&stream.changed))
    }

    fn answer(&self, session: &SessionId, stream: &str) -> Answer {
        let open = self.open();
        let found = open.requests.get(stream);
        match found.filter(|found| found.session == *session) {
            None => Answer::Never,
            Some(found) => match &found.answer {
                None => Answer::Later,
                Some(answer) => Answer::Known(Arc::clone(answer)),
            },
        }
    }

    /// Keeps the answer to the request of this stream until it was taken.
    fn keep_answer(&self, stream: &str, answer: &Arc<ServerJsonRpcMessage>) {
        let mut open = self.open();
        let Some(request) = open.requests.get_mut(stream) else {
            return;
        };
        request.answer = Some(Arc::clone(answer));
        request.changed.notify_waiters();
        let open = &mut *open;
        open.answered.push_back(stream.to_owned());
        if open.answered.len() > MOST_ANSWERS {
            open.answered
                .retain(|stream| open.requests.contains_key(stream));
        }
        if open.answered.len() > MOST_ANSWERS
            && let Some(oldest) = open.answered.pop_front()
        {
            open.requests.remove(&oldest);
        }
    }

    async fn commit(
        &self,
        session: &str,
        stream: &str,
        message: &ServerJsonRpcMessage,
    ) -> Result<u64, EventStoreError> {
        let text = serde_json::to_string(message)?;
        let now = Timestamp(self.env.now());
        let kept = self.store.keep_event(key(session), stream, &text, now);
        // A session that is not kept has no place that could be found again.
        Ok(kept.await?.unwrap_or_default())
    }
}

impl Streams {
    /// Commits the message that a session's list of tools is this one now, and gives back its place.
    pub(super) async fn commit_news(
        &self,
        session: &str,
        list: ListDigest,
    ) -> Result<String, StoreError> {
        let now = Timestamp(self.env.now());
        let kept = self
            .store
            .keep_tools_news(key(session), COMMON, NEWS, list, now);
        Ok(common(kept.await?.unwrap_or_default()).to_string())
    }

    /// The last of those messages, if one was kept after the event `after`.
    pub(super) async fn told_after(
        &self,
        session: &str,
        after: u64,
    ) -> Result<Option<ServerSseMessage>, StoreError> {
        let events = self.store.events_after(key(session), COMMON, after).await?;
        let told = events.iter().rfind(|event| event.message == NEWS);
        Ok(told.and_then(|event| message(&common(event.number), event)))
    }
}

enum Answer {
    Known(Arc<ServerJsonRpcMessage>),
    Later,
    Never,
}

/// What a client resumes.
pub(super) enum Resumed {
    /// The stream that belongs to no request, after this number.
    Common(u64),
    /// The stream of a request, after this place.
    Request(Place),
    /// Nothing that this server has sent.
    Unknown,
}

fn common(number: u64) -> Place {
    Place::begin(COMMON.to_owned(), None).at(number)
}

/// An event as it was sent at this place.
fn message(place: &Place, event: &StoredEvent) -> Option<ServerSseMessage> {
    match serde_json::from_str(&event.message) {
        Ok(message) => Some(ServerSseMessage::new(place.to_string(), message)),
        Err(error) => {
            tracing::error!(%error, "an event of a session cannot be read");
            None
        }
    }
}

/// A final answer comes after everything else in its stream.
fn answered(place: &Place, answer: Arc<ServerJsonRpcMessage>) -> ServerSseMessage {
    let place = Place::last(place.stream.clone(), place.asked.clone());
    let mut message = ServerSseMessage::default();
    message.event_id = Some(place.to_string());
    message.message = Some(answer);
    message
}

#[async_trait::async_trait]
impl EventStore for Streams {
    async fn store_event(
        &self,
        stream_id: &str,
        event: &ServerSseMessage,
    ) -> Result<String, EventStoreError> {
        if let Some(session) = stream_id.strip_suffix(RMCP_COMMON) {
            let number = match &event.message {
                None => 0,
                // The answer to a request that nobody waits for.
                Some(message) if is_final(message) => self.last(session, COMMON).await?,
                Some(message) => self.commit(session, COMMON, message).await?,
            };
            return Ok(common(number).to_string());
        }
        let known = {
            let open = self.open();
            let request = open.requests.get(stream_id);
            request.map(|request| (Arc::clone(&request.session), Arc::clone(&request.asked)))
        };
        let (session, asked) = known.unzip();
        let begin = Place::begin(stream_id.to_owned(), asked);
        let place = match (&event.message, session) {
            (Some(message), _) if is_final(message) => {
                self.keep_answer(stream_id, message);
                Place::last(begin.stream, begin.asked)
            }
            (Some(message), Some(session)) => {
                let number = self.commit(&session, stream_id, message).await?;
                if let Some(changed) = self.changed(&session, stream_id) {
                    changed.notify_waiters();
                }
                begin.at(number)
            }
            // Where the stream begins, and whatever is of no session.
            (None, _) | (Some(_), None) => begin,
        };
        Ok(place.to_string())
    }

    /// An event is resumed within its session ([`Streams::resumed`]), never by its id alone.
    async fn replay_events_after(&self, _: &str) -> Result<EventStream, EventStoreError> {
        Ok(Box::pin(stream::empty()))
    }
}

/// Whether a message is the last of its request's stream.
fn is_final(message: &ServerJsonRpcMessage) -> bool {
    matches!(
        message,
        ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)
    )
}

/// A client that came back to the stream of a request, as long as it is there.
struct Following {
    streams: Arc<Streams>,
    session: SessionId,
    stream: String,
}

impl Following {
    fn new(streams: &Arc<Streams>, session: &SessionId, stream: &str) -> Self {
        if let Some(known) = streams.open().requests.get_mut(stream) {
            known.followers += 1;
        }
        Self {
            streams: Arc::clone(streams),
            session: Arc::clone(session),
            stream: stream.to_owned(),
        }
    }

    /// It has read the answer.
    fn has_read(&self) {
        self.streams.taken(&self.session, &self.stream);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(known) = self.streams.open().requests.get_mut(&self.stream) {
            known.followers = known.followers.saturating_sub(1);
        }
    }
}

/// A request that is known, and not on its way yet. Its client may hang up before it is: then nobody
/// will ever answer it, and its id is free again.
pub(super) struct Begun {
    streams: Arc<Streams>,
    stream: Option<String>,
}

impl Begun {
    /// rmcp has it: it stays until its answer was taken, and its client may come back for that.
    pub(super) fn pushed(mut self) {
        self.stream = None;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream
            && let Some(over) = self.streams.open().requests.remove(stream)
        {
            over.changed.notify_waiters();
        }
    }
}

/// The stream of one request, as the client that sent it reads it.
pub(super) struct Delivery {
    streams: Arc<Streams>,
    stream: Option<String>,
    first: Option<ServerSseMessage>,
    messages: mpsc::Receiver<ServerSseMessage>,
}

impl Stream for Delivery {
    type Item = ServerSseMessage;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<ServerSseMessage>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let next = self.messages.poll_recv(context);
        if let Poll::Ready(None) = &next
            && let Some(stream) = self.stream.take()
        {
            // The answer was taken, or there will be none.
            self.streams.read_to_the_end(&stream);
        }
        next
    }
}
