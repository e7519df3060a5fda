//! Who listens, by person; and what Clerk last said of each.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::Listener;
use crate::{clerk_pace::ASKED_EVERY, people::Person};

/// The people whose clients listen for changes of their tool lists.
#[derive(Default)]
pub struct ToolLists {
    state: Mutex<State>,
    /// Told when somebody's lists are to be made anew, and when the first listens.
    work: Notify,
}

#[derive(Default)]
struct State {
    people: HashMap<Arc<str>, Watched>,
    /// All of them, by when Clerk was last asked about them: who is next.
    by_age: BTreeSet<(u64, Arc<str>)>,
    /// Whose lists are to be made anew.
    due: VecDeque<Arc<str>>,
    /// Counts those who ever listened.
    listened: u64,
}

struct Watched {
    /// As Clerk last said; `None` until it has since somebody listens.
    person: Option<Arc<Person>>,
    /// When, Unix milliseconds.
    asked_at: u64,
    /// Whether lists are made anew even if Clerk says what it said before.
    looks_again: bool,
    /// Whether `due` has them.
    is_due: bool,
    /// Whether what was made of what Clerk said before is to be forgotten.
    has_changed: bool,
    /// The newest last.
    listeners: Vec<(u64, Arc<dyn Listener>)>,
}

/// Somebody whose lists are to be made anew.
pub(super) struct Due {
    pub(super) user_id: Arc<str>,
    /// As Clerk last said, if it has since somebody listens.
    pub(super) person: Option<Arc<Person>>,
    /// Whether Clerk said something else before.
    pub(super) has_changed: bool,
    /// The newest first: of the streams of one session it is the one that is surely alive.
    pub(super) listeners: Vec<Arc<dyn Listener>>,
}

/// Whom to ask Clerk about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Nobody listens.
    Nobody,
    /// What is known of everybody is young enough for so long.
    In(Duration),
    /// This person.
    Of(Arc<str>),
}

impl fmt::Debug for ToolLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolLists").finish_non_exhaustive()
    }
}

/// As long as it is there, somebody listens.
pub(crate) struct Watching {
    lists: Arc<ToolLists>,
    user_id: Arc<str>,
    number: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut state = self.lists.state();
        let Some(watched) = state.people.get_mut(&self.user_id) else {
            return;
        };
        watched
            .listeners
            .retain(|(number, _)| *number != self.number);
        if watched.listeners.is_empty() {
            let asked_at = watched.asked_at;
            state.people.remove(&self.user_id);
            state.by_age.remove(&(asked_at, Arc::clone(&self.user_id)));
        }
    }
}

impl ToolLists {
    /// A client of this person listens from `now` on, Unix milliseconds. Its list is made at once: it may have
    /// changed before.
    pub(crate) fn watch(
        self: &Arc<Self>,
        user_id: &str,
        listener: Arc<dyn Listener>,
        now: u64,
    ) -> Watching {
        let mut guard = self.state();
        let state = &mut *guard;
        let number = state.listened;
        state.listened += 1;
        let user_id = match state.people.get_key_value(user_id) {
            Some((user_id, _)) => Arc::clone(user_id),
            None => {
                let user_id: Arc<str> = user_id.into();
                // Whoever opens a stream was asked about just before.
                state.by_age.insert((now, Arc::clone(&user_id)));
                state.people.insert(
                    Arc::clone(&user_id),
                    Watched {
                        person: None,
                        asked_at: now,
                        looks_again: false,
                        is_due: false,
                        has_changed: false,
                        listeners: Vec::new(),
                    },
                );
                user_id
            }
        };
        if let Some(watched) = state.people.get_mut(&user_id) {
            watched.listeners.push((number, listener));
        }
        state.make_due(&user_id);
        drop(guard);
        self.work.notify_one();
        Watching {
            lists: Arc::clone(self),
            user_id,
            number,
        }
    }

    /// One of this person's clients has other rights than before, or was given a list that may be a
    /// minute old: lists are made anew, at once or when Clerk was next asked.
    pub(crate) fn look_again(&self, user_id: &str, at_once: bool) {
        let mut state = self.state();
        let Some((user_id, _)) = state.people.get_key_value(user_id) else {
            return;
        };
        let user_id = Arc::clone(user_id);
        if at_once {
            state.make_due(&user_id);
            drop(state);
            self.work.notify_one();
        } else if let Some(watched) = state.people.get_mut(&user_id) {
            watched.looks_again = true;
        }
    }

    /// What Clerk said of somebody `at`, Unix milliseconds.
    pub(crate) fn seen(&self, user_id: &str, person: &Arc<Person>, at: u64) {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some((key, watched)) = state.people.get_key_value(user_id) else {
            return;
        };
        // Older than what is known: kept by whoever asks again.
        if watched.person.is_some() && at < watched.asked_at {
            return;
        }
        let user_id = Arc::clone(key);
        state.asked(&user_id, at);
        let Some(watched) = state.people.get_mut(&user_id) else {
            return;
        };
        let known = watched.person.replace(Arc::clone(person));
        let is_first = known.is_none();
        let has_changed = known.is_some_and(|known| known != *person);
        // What was made before somebody listened may be of something else, too.
        watched.has_changed |= has_changed || is_first;
        if is_first || has_changed || std::mem::take(&mut watched.looks_again) {
            state.make_due(&user_id);
            drop(guard);
            self.work.notify_one();
        }
    }

    /// What is known of somebody when they begin to listen: lists were made of it.
    pub(super) fn believe(&self, user_id: &str, person: &Arc<Person>) {
        if let Some(watched) = self.state().people.get_mut(user_id) {
            watched.person.get_or_insert_with(|| Arc::clone(person));
        }
    }

    /// Clerk was asked about somebody `at`, and did not say who they are.
    pub(super) fn asked(&self, user_id: &Arc<str>, at: u64) {
        self.state().asked(user_id, at);
    }

    /// Somebody whose lists are to be made anew.
    pub(super) fn next_due(&self) -> Option<Due> {
        let mut state = self.state();
        while let Some(user_id) = state.due.pop_front() {
            // Whoever left meanwhile needs nothing.
            if let Some(watched) = state.people.get_mut(&user_id) {
                watched.is_due = false;
                let has_changed = std::mem::take(&mut watched.has_changed);
                let listeners = watched.listeners.iter().rev();
                return Some(Due {
                    person: watched.person.clone(),
                    has_changed,
                    listeners: listeners
                        .map(|(_, listener)| Arc::clone(listener))
                        .collect(),
                    user_id,
                });
            }
        }
        None
    }

    /// Whom to ask Clerk about `now`, Unix milliseconds.
    pub(super) fn next_reading(&self, now: u64) -> Reading {
        let state = self.state();
        let (Some(oldest), Some(newest)) = (state.by_age.first(), state.by_age.last()) else {
            return Reading::Nobody;
        };
        // The clock was set back: what is later than now is of no known age.
        if newest.0 > now {
            return Reading::Of(Arc::clone(&newest.1));
        }
        let age = Duration::from_millis(now - oldest.0);
        match ASKED_EVERY.checked_sub(age) {
            Some(rest) if !rest.is_zero() => Reading::In(rest),
            _ => Reading::Of(Arc::clone(&oldest.1)),
        }
    }

    /// Waits for something to do.
    pub(super) async fn work(&self) {
        self.work.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn make_due(&mut self, user_id: &Arc<str>) {
        if let Some(watched) = self.people.get_mut(user_id)
            && !watched.is_due
        {
            watched.is_due = true;
            self.due.push_back(Arc::clone(user_id));
        }
    }

    fn asked(&mut self, user_id: &Arc<str>, at: u64) {
        if let Some(watched) = self.people.get_mut(user_id) {
            let before = std::mem::replace(&mut watched.asked_at, at);
            self.by_age.remove(&(before, Arc::clone(user_id)));
            self.by_age.insert((at, Arc::clone(user_id)));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clerk::BoxFuture;
    use mcp::Caller;
    use store::sessions::ListDigest;

    use super::*;
    use crate::{access::PersonFacts, people::Standing, tool_lists::NotTold};

    const NOW: u64 = 1_800_000_000_000;
    const MINUTE: u64 = 60_000;

    struct Nothing;

    impl Listener for Nothing {
        fn caller(&self) -> Option<Caller> {
            None
        }

        fn list_is(&self, _: ListDigest) -> BoxFuture<'_, Result<(), NotTold>> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    fn person(role: &str) -> Arc<Person> {
        Arc::new(Person {
            facts: PersonFacts {
                roles: vec![role.to_owned()],
                ..PersonFacts::default()
            },
            name: None,
            email: None,
            standing: Standing::Good,
        })
    }

    fn watch(lists: &Arc<ToolLists>, user: &str, now: u64) -> Watching {
        lists.watch(user, Arc::new(Nothing), now)
    }

    /// Everybody who is due, with whether they changed.
    fn due(lists: &ToolLists) -> Vec<(String, bool)> {
        let due = std::iter::from_fn(|| lists.next_due());
        due.map(|due| (due.user_id.to_string(), due.has_changed))
            .collect()
    }

    #[test]
    fn lists_are_made_when_somebody_listens_and_when_facts_change() {
        let lists = Arc::new(ToolLists::default());
        lists.seen("ava", &person("nobody"), NOW);
        assert_eq!(due(&lists), [], "nobody listens");
        let _streams = [watch(&lists, "ava", NOW), watch(&lists, "ava", NOW)];
        assert_eq!(due(&lists), [("ava".to_owned(), false)]);
        lists.believe("ava", &person("nobody"));
        lists.seen("ava", &person("nobody"), NOW + 1);
        lists.seen("ava", &person("nobody"), NOW + 2);
        lists.seen("noah", &person("admin"), NOW + 2);
        assert_eq!(
            due(&lists),
            [],
            "nothing has changed for anybody who listens"
        );
        lists.seen("ava", &person("admin"), NOW + 3);
        lists.seen("ava", &person("nobody"), NOW + 2);
        assert_eq!(due(&lists), [("ava".to_owned(), true)], "the later counts");
        assert_eq!(due(&lists), []);
        lists.look_again("ava", false);
        assert_eq!(due(&lists), []);
        lists.seen("ava", &person("admin"), NOW + 4);
        assert_eq!(due(&lists), [("ava".to_owned(), false)]);
        lists.look_again("ava", true);
        lists.look_again("noah", true);
        assert_eq!(due(&lists), [("ava".to_owned(), false)]);
    }

    #[test]
    fn of_whom_nothing_was_known_the_first_word_counts() {
        let lists = Arc::new(ToolLists::default());
        let _stream = watch(&lists, "ava", NOW);
        assert_eq!(due(&lists).len(), 1);
        lists.seen("ava", &person("admin"), NOW + 1);
        assert_eq!(due(&lists), [("ava".to_owned(), true)]);
        lists.seen("ava", &person("admin"), NOW + 2);
        assert_eq!(due(&lists), []);
    }

    #[test]
    fn each_person_is_asked_about_once_a_minute_the_oldest_first() {
        let lists = Arc::new(ToolLists::default());
        assert_eq!(lists.next_reading(NOW), Reading::Nobody);
        let ava = watch(&lists, "ava", NOW);
        let _noah = watch(&lists, "noah", NOW + 1);
        let of = |name: &str| Reading::Of(name.into());
        assert_eq!(
            lists.next_reading(NOW + 1),
            Reading::In(ASKED_EVERY - Duration::from_millis(1))
        );
        assert_eq!(lists.next_reading(NOW + MINUTE), of("ava"));
        lists.seen("ava", &person("admin"), NOW + MINUTE);
        assert_eq!(lists.next_reading(NOW + 2 * MINUTE), of("noah"));
        // Clerk could not say: their turn is over all the same.
        lists.asked(&"noah".into(), NOW + 2 * MINUTE);
        assert_eq!(lists.next_reading(NOW + 2 * MINUTE), of("ava"));
        drop(ava);
        assert_eq!(
            lists.next_reading(NOW + 2 * MINUTE),
            Reading::In(ASKED_EVERY)
        );
    }

    #[test]
    fn a_clock_that_was_set_back_stops_nothing() {
        let lists = Arc::new(ToolLists::default());
        let _streams = [watch(&lists, "ava", NOW), watch(&lists, "noah", NOW)];
        let back = NOW - 1000 * MINUTE;
        let mut asked = BTreeSet::new();
        for _ in 0..2 {
            let Reading::Of(user_id) = lists.next_reading(back) else {
                panic!("nobody is asked about");
            };
            lists.asked(&user_id, back);
            asked.insert(user_id.to_string());
        }
        assert_eq!(asked.len(), 2);
        assert_eq!(lists.next_reading(back), Reading::In(ASKED_EVERY));
    }

    #[test]
    fn nothing_is_left_of_whoever_stopped_listening() {
        let lists = Arc::new(ToolLists::default());
        for _ in 0..3 {
            let streams = [watch(&lists, "ava", NOW), watch(&lists, "ava", NOW + 1)];
            lists.seen("ava", &person("admin"), NOW + 2);
            drop(streams);
        }
        assert_eq!(due(&lists), []);
        let state = lists.state();
        assert!(state.people.is_empty() && state.by_age.is_empty());
    }
}
