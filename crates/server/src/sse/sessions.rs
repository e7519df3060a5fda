//! All sessions of the transport, each of which belongs to a principal.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use oauth::Random;
use tokio::sync::mpsc;

use super::session::SseSession;
use crate::front::{MOST_SESSIONS_EACH, PrincipalKey};

/// The sessions that there are.
pub(crate) struct SseSessions {
    sessions: Mutex<Kept>,
    most: usize,
    random: Arc<dyn Random>,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<Arc<str>, (u64, Arc<SseSession>)>,
    /// Counts those that were ever opened.
    opened: u64,
}

impl fmt::Debug for SseSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseSessions").finish_non_exhaustive()
    }
}

/// A session with its stream's end.
pub(crate) struct Opened {
    pub id: Arc<str>,
    pub session: Arc<SseSession>,
    pub outgoing: mpsc::Receiver<Bytes>,
}

impl SseSessions {
    /// At most so many.
    pub(crate) fn new(most: usize, random: Arc<dyn Random>) -> Self {
        Self {
            sessions: Mutex::default(),
            most,
            random,
        }
    }

    /// Opens one, of a name that nobody guesses; `None` when there is no room. A principal that has as
    /// many as it may loses its oldest.
    pub(crate) fn open(&self, principal: &PrincipalKey) -> Option<Opened> {
        let mut kept = self.kept();
        let own = || {
            kept.by_id
                .iter()
                .filter(|(_, (_, session))| session.principal == *principal)
        };
        if own().count() >= MOST_SESSIONS_EACH {
            let oldest = own().min_by_key(|(_, (number, _))| *number);
            if let Some(id) = oldest.map(|(id, _)| Arc::clone(id))
                && let Some((_, session)) = kept.by_id.remove(&id)
            {
                session.gone.cancel();
            }
        }
        if kept.by_id.len() >= self.most {
            return None;
        }
        let mut name = [0; 16];
        self.random.fill(&mut name);
        let id: Arc<str> = BASE64.encode(name).into();
        let (session, outgoing) = SseSession::new(principal.clone());
        let session = Arc::new(session);
        let number = kept.opened;
        kept.opened += 1;
        kept.by_id
            .insert(Arc::clone(&id), (number, Arc::clone(&session)));
        Some(Opened {
            id,
            session,
            outgoing,
        })
    }

    /// A session of this principal; nobody else's exists, and none that was given up: what waits for a client
    /// that does not read holds its stream for longer.
    pub(crate) fn find(&self, id: &str, principal: &PrincipalKey) -> Option<Arc<SseSession>> {
        let kept = self.kept();
        let (_, session) = kept.by_id.get(id)?;
        let exists = session.principal == *principal && !session.gone.is_cancelled();
        exists.then(|| Arc::clone(session))
    }

    /// Its stream is gone.
    pub(super) fn close(&self, id: &str) {
        if let Some((_, session)) = self.kept().by_id.remove(id) {
            session.gone.cancel();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::sse::session::OUTBOX;

    struct Zeros;

    impl Random for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_whose_client_reads_nothing_is_none_any_more_while_its_stream_hangs() {
        let sessions = SseSessions::new(10, Arc::new(Zeros));
        let owner = PrincipalKey::new(Some("ava"), Some("client"));
        let opened = sessions.open(&owner).unwrap();
        for number in 0..OUTBOX {
            opened.session.send(&json!(number)).await;
        }
        assert!(sessions.find(&opened.id, &owner).is_some());
        // It waits as long as a client may take, and gives up.
        opened.session.send(&json!("one too many")).await;
        assert!(sessions.find(&opened.id, &owner).is_none());
        drop(opened.outgoing);
    }
}
