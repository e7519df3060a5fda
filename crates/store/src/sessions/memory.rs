//! Sessions in memory, for tests and demonstrations: they end with the process.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use oauth::{StoreResult, Timestamp, TokenHash};

use super::{
    ListDigest, MOST_EVENTS, SessionBounds, SessionStore, StoredEvent, StoredSession,
    SweptSessions, ToolsTold,
};

/// Keeps sessions until the process ends.
#[derive(Debug, Default)]
pub struct MemorySessions(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    sessions: BTreeMap<TokenHash, (StoredSession, VecDeque<Event>)>,
    events: u64,
}

#[derive(Debug)]
struct Event {
    stream: String,
    event: StoredEvent,
    at: Timestamp,
}

impl MemorySessions {
    /// Nothing kept yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing below leaves a change half done when it panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn event(
        &mut self,
        session: TokenHash,
        stream: &str,
        message: &str,
        at: Timestamp,
    ) -> Option<u64> {
        let number = self.events + 1;
        let (_, events) = self.sessions.get_mut(&session)?;
        events.push_back(Event {
            stream: stream.to_owned(),
            event: StoredEvent {
                number,
                message: message.to_owned(),
            },
            at,
        });
        if events.len() > MOST_EVENTS {
            events.pop_front();
        }
        self.events = number;
        Some(number)
    }
}

fn ready<'a, T: Send + 'a>(answer: T) -> StoreResult<'a, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

impl SessionStore for MemorySessions {
    fn keep_session<'a>(
        &'a self,
        session: &'a StoredSession,
        most_each: usize,
    ) -> StoreResult<'a, ()> {
        let mut kept = self.kept();
        let own = kept.sessions.values().map(|(session, _)| session);
        let own = own.filter(|other| other.principal == session.principal);
        let mut own: Vec<_> = own.map(|own| (own.created_at, own.id)).collect();
        own.sort_unstable();
        let over = (own.len() + 1).saturating_sub(most_each);
        for (_, id) in own.into_iter().take(over) {
            kept.sessions.remove(&id);
        }
        kept.sessions
            .insert(session.id, (session.clone(), VecDeque::new()));
        ready(())
    }

    fn session(&self, id: TokenHash) -> StoreResult<'_, Option<StoredSession>> {
        let session = self.kept().sessions.get(&id).map(|kept| kept.0.clone());
        ready(session)
    }

    fn touch_sessions<'a>(&'a self, used: &'a [(TokenHash, Timestamp)]) -> StoreResult<'a, ()> {
        let mut kept = self.kept();
        for (id, at) in used {
            if let Some((session, _)) = kept.sessions.get_mut(id) {
                session.used_at = session.used_at.max(*at);
            }
        }
        ready(())
    }

    fn end_session(&self, id: TokenHash) -> StoreResult<'_, bool> {
        let was_there = self.kept().sessions.remove(&id).is_some();
        ready(was_there)
    }

    fn keep_event<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        message: &'a str,
        now: Timestamp,
    ) -> StoreResult<'a, Option<u64>> {
        ready(self.kept().event(session, stream, message, now))
    }

    fn tools_listed(&self, session: TokenHash, list: ListDigest) -> StoreResult<'_, ()> {
        if let Some((session, _)) = self.kept().sessions.get_mut(&session) {
            session.tools = ToolsTold {
                listed: Some(list),
                told: Some(list),
            };
        }
        ready(())
    }

    fn keep_tools_news<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        message: &'a str,
        list: ListDigest,
        now: Timestamp,
    ) -> StoreResult<'a, Option<u64>> {
        let mut kept = self.kept();
        let number = kept.event(session, stream, message, now);
        if let Some((session, _)) = kept.sessions.get_mut(&session) {
            session.tools.told = Some(list);
        }
        ready(number)
    }

    fn events_after<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        after: u64,
    ) -> StoreResult<'a, Vec<StoredEvent>> {
        let kept = self.kept();
        let events = kept.sessions.get(&session).map(|(_, events)| events);
        let later = events
            .into_iter()
            .flatten()
            .filter(|event| event.stream == stream && event.event.number > after);
        ready(later.map(|event| event.event.clone()).collect())
    }

    fn sweep_sessions(&self, bounds: SessionBounds) -> StoreResult<'_, SweptSessions> {
        let mut kept = self.kept();
        let mut swept = SweptSessions::default();
        let before = kept.sessions.len();
        let sessions = &mut kept.sessions;
        sessions.retain(|_, (session, _)| session.used_at > bounds.sessions_end);
        let mut by_use: Vec<_> = sessions
            .values()
            .map(|(session, _)| (session.used_at, session.id))
            .collect();
        by_use.sort_unstable();
        let over = by_use.len().saturating_sub(bounds.most_sessions);
        for (_, id) in by_use.into_iter().take(over) {
            sessions.remove(&id);
        }
        swept.sessions = (before - sessions.len()) as u64;
        for (_, events) in sessions.values_mut() {
            let before = events.len();
            events.retain(|event| event.at > bounds.events_end);
            swept.events += (before - events.len()) as u64;
        }
        ready(swept)
    }
}
