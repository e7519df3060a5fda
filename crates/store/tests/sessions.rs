//! What every store of sessions promises, tried on each of them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod each_store;
mod support;

use std::{sync::Arc, time::Duration};

use clerk_mcp_store::sessions::{
    ListDigest, MOST_EVENTS, MemorySessions, SessionBounds, SessionStore, StoredSession, ToolsTold,
};
use each_store::for_each_store;
use oauth::{PlainToken, Timestamp, TokenHash};
use support::NOW;

type Subject = each_store::Subject<dyn SessionStore>;

async fn memory() -> Subject {
    Subject::in_memory(Arc::new(MemorySessions::new()))
}

async fn sqlite() -> Subject {
    Subject::in_sqlite(|store| Arc::new(store)).await
}

for_each_store! { memory sqlite: {
    a_session_is_kept_until_it_is_ended,
    the_oldest_of_a_principal_makes_room,
    use_is_noted_and_never_goes_back,
    events_are_those_of_one_session_and_stream,
    events_of_a_session_are_bounded_and_end_with_it,
    numbers_are_never_used_twice,
    concurrent_events_each_have_a_place,
    what_a_client_knows_of_its_tools_is_kept,
    news_of_tools_are_an_event_like_others,
    what_nobody_uses_is_swept,
} }

const MINUTE: Duration = Duration::from_secs(60);
/// A sweep that finds nothing too old and nothing too many.
const NOTHING: SessionBounds = SessionBounds {
    sessions_end: Timestamp(0),
    events_end: Timestamp(0),
    most_sessions: usize::MAX,
};

fn id(name: &str) -> TokenHash {
    PlainToken::presented(name).hash()
}

fn session(name: &str, principal: &str, created_at: Timestamp) -> StoredSession {
    StoredSession {
        id: id(name),
        principal: principal.to_owned(),
        initialize: format!(r#"{{"clientInfo":{{"name":"{name} ä"}}}}"#),
        created_at,
        used_at: created_at,
        tools: ToolsTold::default(),
    }
}

impl Subject {
    async fn keep(&self, session: &StoredSession) {
        self.store.keep_session(session, 100).await.unwrap();
    }

    async fn has(&self, name: &str) -> bool {
        self.store.session(id(name)).await.unwrap().is_some()
    }

    async fn event(&self, name: &str, stream: &str, message: &str) -> Option<u64> {
        let kept = self.store.keep_event(id(name), stream, message, NOW).await;
        kept.unwrap()
    }

    async fn after(&self, name: &str, stream: &str, after: u64) -> Vec<String> {
        let events = self.store.events_after(id(name), stream, after).await;
        let events = events.unwrap();
        assert!(events.is_sorted_by(|a, b| a.number < b.number));
        events.into_iter().map(|event| event.message).collect()
    }
}

async fn a_session_is_kept_until_it_is_ended(subject: &Subject) {
    let ada = session("a", "user_1 client", NOW);
    assert!(!subject.has("a").await);
    subject.keep(&ada).await;
    subject.keep(&session("b", "user_1 client", NOW)).await;
    assert_eq!(subject.store.session(ada.id).await.unwrap(), Some(ada));
    assert!(subject.store.end_session(id("a")).await.unwrap());
    assert!(!subject.store.end_session(id("a")).await.unwrap());
    assert!(!subject.has("a").await);
    assert!(subject.has("b").await);
}

async fn the_oldest_of_a_principal_makes_room(subject: &Subject) {
    let store = &subject.store;
    for number in 0..5_u64 {
        let at = Timestamp(NOW.0 + number);
        let own = session(&format!("own {number}"), "user_1 client", at);
        store.keep_session(&own, 3).await.unwrap();
        let other = session(&format!("other {number}"), "user_2 client", at);
        store.keep_session(&other, 5).await.unwrap();
    }
    for number in 0..5 {
        assert_eq!(subject.has(&format!("own {number}")).await, number >= 2);
        assert!(subject.has(&format!("other {number}")).await);
    }
}

async fn use_is_noted_and_never_goes_back(subject: &Subject) {
    subject.keep(&session("a", "user_1 client", NOW)).await;
    let later = NOW.after(MINUTE);
    let used = [
        (id("a"), later),
        (id("unknown"), later),
        (id("a"), NOW.before(MINUTE)),
    ];
    subject.store.touch_sessions(&used).await.unwrap();
    let kept = subject.store.session(id("a")).await.unwrap().unwrap();
    assert_eq!((kept.created_at, kept.used_at), (NOW, later));
    assert!(!subject.has("unknown").await);
}

async fn events_are_those_of_one_session_and_stream(subject: &Subject) {
    subject.keep(&session("a", "user_1 client", NOW)).await;
    subject.keep(&session("b", "user_1 client", NOW)).await;
    let first = subject.event("a", "s", "1").await.unwrap();
    let second = subject.event("a", "t", "2").await.unwrap();
    subject.event("b", "s", "3").await.unwrap();
    let last = subject.event("a", "s", r#"{"ä":"\n"}"#).await.unwrap();
    assert_eq!(subject.after("a", "s", 0).await, ["1", r#"{"ä":"\n"}"#]);
    assert_eq!(subject.after("a", "s", first).await, [r#"{"ä":"\n"}"#]);
    assert_eq!(subject.after("a", "s", second).await, [r#"{"ä":"\n"}"#]);
    assert!(subject.after("a", "s", last).await.is_empty());
    assert!(subject.after("a", "s", u64::MAX).await.is_empty());
    assert_eq!(subject.after("b", "s", 0).await, ["3"]);
    assert!(subject.after("b", "t", 0).await.is_empty());
    assert!(subject.after("c", "s", 0).await.is_empty());
}

async fn events_of_a_session_are_bounded_and_end_with_it(subject: &Subject) {
    assert_eq!(subject.event("a", "s", "nobody's").await, None);
    subject.keep(&session("a", "user_1 client", NOW)).await;
    assert!(subject.after("a", "s", 0).await.is_empty());
    subject.event("a", "other", "first").await.unwrap();
    for number in 0..MOST_EVENTS {
        subject.event("a", "s", &number.to_string()).await.unwrap();
    }
    assert_eq!(subject.after("a", "s", 0).await.len(), MOST_EVENTS);
    assert!(subject.after("a", "other", 0).await.is_empty());
    subject.event("a", "s", "last").await.unwrap();
    let events = subject.after("a", "s", 0).await;
    assert_eq!(events.len(), MOST_EVENTS);
    assert_eq!((events[0].as_str(), events[255].as_str()), ("1", "last"));
    subject.store.end_session(id("a")).await.unwrap();
    subject.keep(&session("a", "user_1 client", NOW)).await;
    assert!(subject.after("a", "s", 0).await.is_empty());
}

const FIRST: ListDigest = ListDigest([1; 32]);
const SECOND: ListDigest = ListDigest([2; 32]);

impl Subject {
    async fn tools(&self, name: &str) -> ToolsTold {
        self.store.session(id(name)).await.unwrap().unwrap().tools
    }

    async fn tools_news(&self, name: &str, message: &str, list: ListDigest) -> Option<u64> {
        let kept = self
            .store
            .keep_tools_news(id(name), "s", message, list, NOW)
            .await;
        kept.unwrap()
    }
}

async fn what_a_client_knows_of_its_tools_is_kept(subject: &Subject) {
    let told = |listed, told| ToolsTold { listed, told };
    subject.keep(&session("a", "user_1 client", NOW)).await;
    let listing = StoredSession {
        tools: told(Some(FIRST), Some(SECOND)),
        ..session("b", "user_1 client", NOW)
    };
    subject.keep(&listing).await;
    assert_eq!(subject.tools("a").await, ToolsTold::default());
    let listed = subject.store.tools_listed(id("a"), FIRST);
    listed.await.unwrap();
    assert_eq!(subject.tools("a").await, told(Some(FIRST), Some(FIRST)));
    assert!(subject.tools_news("a", "news", SECOND).await.is_some());
    assert_eq!(subject.tools("a").await, told(Some(FIRST), Some(SECOND)));
    let listed = subject.store.tools_listed(id("a"), SECOND);
    listed.await.unwrap();
    assert_eq!(subject.tools("a").await, told(Some(SECOND), Some(SECOND)));
    assert_eq!(subject.tools("b").await, listing.tools);
    let unknown = subject.store.tools_listed(id("unknown"), FIRST);
    unknown.await.unwrap();
    assert!(!subject.has("unknown").await);
}

async fn news_of_tools_are_an_event_like_others(subject: &Subject) {
    assert_eq!(subject.tools_news("a", "nobody's", FIRST).await, None);
    subject.keep(&session("a", "user_1 client", NOW)).await;
    let before = subject.event("a", "s", "before").await.unwrap();
    let news = subject.tools_news("a", "news", FIRST).await.unwrap();
    assert!(news > before);
    assert_eq!(subject.after("a", "s", before).await, ["news"]);
    assert!(subject.after("a", "t", 0).await.is_empty());
}

async fn numbers_are_never_used_twice(subject: &Subject) {
    subject.keep(&session("a", "user_1 client", NOW)).await;
    let before = subject.event("a", "s", "1").await.unwrap();
    subject.store.end_session(id("a")).await.unwrap();
    subject.keep(&session("a", "user_1 client", NOW)).await;
    assert!(subject.event("a", "s", "2").await.unwrap() > before);
}

async fn concurrent_events_each_have_a_place(subject: &Subject) {
    subject.keep(&session("a", "user_1 client", NOW)).await;
    let mut keeping = tokio::task::JoinSet::new();
    for number in 0..50 {
        let store = Arc::clone(&subject.store);
        keeping.spawn(async move {
            let message = number.to_string();
            let kept = store.keep_event(id("a"), "s", &message, NOW);
            kept.await.unwrap().unwrap()
        });
    }
    let mut numbers = keeping.join_all().await;
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 50);
    assert_eq!(subject.after("a", "s", numbers[9]).await.len(), 40);
}

async fn what_nobody_uses_is_swept(subject: &Subject) {
    let store = &subject.store;
    for (name, age) in [("old", 30), ("young", 29), ("youngest", 1)] {
        let at = NOW.before(MINUTE * age);
        subject.keep(&session(name, "user_1 client", at)).await;
    }
    subject.event("young", "s", "kept").await.unwrap();
    store
        .keep_event(id("young"), "s", "old", NOW.before(MINUTE * 60))
        .await
        .unwrap();
    let nothing = store.sweep_sessions(NOTHING).await.unwrap();
    assert_eq!((nothing.sessions, nothing.events), (0, 0));
    let swept = store.sweep_sessions(SessionBounds {
        sessions_end: NOW.before(MINUTE * 30),
        events_end: NOW.before(MINUTE * 60),
        most_sessions: 2,
    });
    let swept = swept.await.unwrap();
    assert_eq!((swept.sessions, swept.events, swept.more), (1, 1, false));
    assert!(!subject.has("old").await);
    assert_eq!(subject.after("young", "s", 0).await, ["kept"]);
    let bounds = SessionBounds {
        most_sessions: 1,
        ..NOTHING
    };
    assert_eq!(store.sweep_sessions(bounds).await.unwrap().sessions, 1);
    assert!(!subject.has("young").await);
    assert!(subject.has("youngest").await);
}
