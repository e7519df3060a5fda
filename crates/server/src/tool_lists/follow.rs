//! The one task that makes lists anew, and asks Clerk about people whom nobody else asks about.

use std::{sync::Arc, time::Duration};

use clerk::{BoxFuture, Env};
use mcp::Caller;
use store::sessions::ListDigest;
use tokio::time::Instant;

use super::{Reading, ToolLists, watch::Due};
use crate::people::{Person, PersonError};

/// How long Clerk is left alone that could not say who somebody is (429, 5xx, nobody there), unless it
/// names a longer time itself.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest of such times: who names a longer one is asked then all the same.
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);
/// How long Clerk has to say who somebody is. Whoever is to be told of what is known waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait at most before looking again whose turn it is: the clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What following people takes.
pub(crate) trait ListsTools: Send + Sync {
    /// The list of somebody who comes as `caller`; `None` when they cannot be served.
    fn list_of(&self, caller: Caller, person: &Person) -> Option<ListDigest>;
    /// Clerk says something else of this person than before: what was made of that is over.
    fn forget<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, ()>;
    /// What is known of a person, without asking Clerk.
    fn known<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Option<Arc<Person>>>;
    /// Asks Clerk about a person, who is then [seen](ToolLists::seen).
    ///
    /// # Errors
    /// [`PersonError`].
    fn ask<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Result<(), PersonError>>;
}

/// Follows the people who listen, until it is dropped. For their streams alone Clerk is asked about at
/// most `people_per_second` of them; `None`: about nobody.
pub(crate) async fn follow(
    lists: Arc<ToolLists>,
    tools: Arc<dyn ListsTools>,
    env: Arc<dyn Env>,
    people_per_second: Option<u32>,
) {
    let pace = people_per_second.map(|people| Duration::from_secs(1) / people.max(1));
    let mut may_ask_at = Instant::now();
    loop {
        while let Some(due) = lists.next_due() {
            tell(tools.as_ref(), &lists, due).await;
        }
        let Some(pace) = pace else {
            lists.work().await;
            continue;
        };
        let wait = match lists.next_reading(env.now()) {
            Reading::Nobody => {
                lists.work().await;
                continue;
            }
            Reading::In(rest) => rest.min(LOOK_EVERY),
            Reading::Of(user_id) => {
                let rest = may_ask_at.saturating_duration_since(Instant::now());
                if rest.is_zero() {
                    let asked = tokio::time::timeout(PATIENCE, tools.ask(&user_id)).await;
                    let too_late = PersonError::Unavailable { retry_after: None };
                    let asked = asked.unwrap_or(Err(too_late));
                    lists.asked(&user_id, env.now());
                    may_ask_at = Instant::now() + after(pace, asked);
                    continue;
                }
                rest
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = lists.work() => {}
        }
    }
}

/// How long not to ask after this answer.
fn after(pace: Duration, asked: Result<(), PersonError>) -> Duration {
    match asked {
        Ok(()) | Err(PersonError::Deleted) => pace,
        Err(PersonError::Unavailable { retry_after }) => {
            let pause = retry_after.unwrap_or(PAUSE).clamp(PAUSE, LONGEST_PAUSE);
            pause.max(pace)
        }
    }
}

/// Makes the lists of somebody, and has their clients told.
async fn tell(tools: &dyn ListsTools, lists: &ToolLists, due: Due) {
    let known = match due.person {
        Some(person) => Some(person),
        None => tools.known(&due.user_id).await,
    };
    // Else their turn comes.
    let Some(person) = known else {
        return;
    };
    lists.believe(&due.user_id, &person);
    if due.has_changed {
        tools.forget(&due.user_id).await;
    }
    // Many streams of a person have the same list.
    let mut made: Vec<(Caller, Option<ListDigest>)> = Vec::new();
    for listener in due.listeners {
        let Some(caller) = listener.caller() else {
            continue;
        };
        let list = match made.iter().find(|(known, _)| *known == caller) {
            Some((_, list)) => *list,
            None => {
                let list = tools.list_of(caller.clone(), &person);
                made.push((caller, list));
                list
            }
        };
        let Some(list) = list else { continue };
        if let Err(error) = listener.list_is(list).await {
            tracing::warn!(%error, "a client could not be told of its tools yet");
            lists.look_again(&due.user_id, false);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use super::*;
    use crate::{
        access::PersonFacts,
        people::Standing,
        tool_lists::{Listener, NotTold},
    };

    const START: u64 = 1_800_000_000_000;

    /// The runtime's clock, which stands still while anybody works.
    struct Paused(Instant);

    impl Env for Paused {
        fn now(&self) -> u64 {
            START + u64::try_from(self.0.elapsed().as_millis()).unwrap()
        }

        fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
            Box::pin(tokio::time::sleep(time))
        }

        fn random(&self) -> u64 {
            0
        }
    }

    /// A Clerk by which everybody has the role of the moment, and the list that belongs to it.
    struct Clerk {
        lists: Arc<ToolLists>,
        env: Arc<Paused>,
        asked: Mutex<Vec<(u64, String)>>,
        answer: Mutex<Result<u8, PersonError>>,
        forgotten: Mutex<Vec<String>>,
    }

    impl Clerk {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                lists: Arc::default(),
                env: Arc::new(Paused(Instant::now())),
                asked: Mutex::default(),
                answer: Mutex::new(Ok(1)),
                forgotten: Mutex::default(),
            })
        }

        fn follow(self: &Arc<Self>, people_per_second: Option<u32>) {
            let (lists, env) = (Arc::clone(&self.lists), Arc::clone(&self.env));
            let tools = Arc::clone(self) as Arc<dyn ListsTools>;
            tokio::spawn(follow(lists, tools, env, people_per_second));
        }

        fn watch(&self, user_id: &str) -> (crate::tool_lists::Watching, Arc<Client>) {
            let client = Arc::new(Client::default());
            let listener = Arc::clone(&client) as Arc<dyn Listener>;
            (self.lists.watch(user_id, listener, self.env.now()), client)
        }

        fn answers(&self, answer: Result<u8, PersonError>) {
            *self.answer.lock().unwrap() = answer;
        }

        /// Who was asked about since, with the seconds from the start.
        fn asked(&self) -> Vec<(u64, String)> {
            std::mem::take(&mut self.asked.lock().unwrap())
        }
    }

    fn person(role: u8) -> Person {
        Person {
            facts: PersonFacts {
                roles: vec![role.to_string()],
                ..PersonFacts::default()
            },
            name: None,
            email: None,
            standing: Standing::Good,
        }
    }

    impl ListsTools for Clerk {
        fn list_of(&self, _: Caller, person: &Person) -> Option<ListDigest> {
            Some(ListDigest([person.facts.roles[0].parse().unwrap(); 32]))
        }

        fn forget<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, ()> {
            self.forgotten.lock().unwrap().push(user_id.to_owned());
            Box::pin(std::future::ready(()))
        }

        fn known<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<Arc<Person>>> {
            Box::pin(std::future::ready(Some(Arc::new(person(1)))))
        }

        fn ask<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Result<(), PersonError>> {
            let now = self.env.now();
            let asked = ((now - START) / 1000, user_id.to_owned());
            self.asked.lock().unwrap().push(asked);
            let answer = self.answer.lock().unwrap().clone();
            let answer = answer.map(|role| {
                self.lists.seen(user_id, &Arc::new(person(role)), now);
            });
            Box::pin(std::future::ready(answer))
        }
    }

    /// A client that notes which lists it had.
    #[derive(Default)]
    struct Client(Mutex<Vec<u8>>);

    impl Listener for Client {
        fn caller(&self) -> Option<Caller> {
            Some(Caller::default())
        }

        fn list_is(&self, now: ListDigest) -> BoxFuture<'_, Result<(), NotTold>> {
            self.0.lock().unwrap().push(now.0[0]);
            Box::pin(std::future::ready(Ok(())))
        }
    }

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn clerk_is_asked_at_the_pace_and_left_alone_when_it_cannot_say() {
        let clerk = Clerk::new();
        clerk.follow(Some(2));
        let names: Vec<String> = (0..200).map(|number| format!("user_{number:03}")).collect();
        let _streams: Vec<_> = names.iter().map(|name| clerk.watch(name)).collect();
        pass(59).await;
        assert_eq!(clerk.asked(), [], "each was asked about when they came");
        // Two in a second and no more, though all have waited for a minute.
        pass(61).await;
        let asked = clerk.asked();
        assert!((115..=121).contains(&asked.len()), "{}", asked.len());
        let people: std::collections::BTreeSet<_> = asked.iter().map(|(_, name)| name).collect();
        assert_eq!(people.len(), asked.len(), "nobody twice");
        for (retry_after, pause) in [(None, 30), (Some(Duration::from_secs(90)), 90)] {
            clerk.answers(Err(PersonError::Unavailable { retry_after }));
            pass(pause).await;
            let asked = clerk.asked();
            let failed = asked.last().unwrap().0;
            clerk.answers(Ok(1));
            pass(pause + 5).await;
            let next = clerk.asked()[0].0;
            assert!(next >= failed + pause, "{failed} {next}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lists_are_made_for_who_listens_when_what_clerk_says_changes() {
        let clerk = Clerk::new();
        clerk.follow(Some(1));
        let (_ava, ava) = clerk.watch("ava");
        let (_other, other) = clerk.watch("ava");
        let (noah, gone) = clerk.watch("noah");
        pass(1).await;
        drop(noah);
        pass(120).await;
        clerk.answers(Ok(2));
        pass(65).await;
        for client in [&ava, &other] {
            assert_eq!(*client.0.lock().unwrap(), [1, 2]);
        }
        assert_eq!(*gone.0.lock().unwrap(), [1]);
        assert_eq!(*clerk.forgotten.lock().unwrap(), ["ava"]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_pace_nobody_is_asked_about_and_what_others_ask_counts() {
        let clerk = Clerk::new();
        clerk.follow(None);
        let (_ava, ava) = clerk.watch("ava");
        pass(3600).await;
        assert_eq!(clerk.asked(), []);
        let now = clerk.env.now();
        clerk.lists.seen("ava", &Arc::new(person(3)), now);
        pass(1).await;
        assert_eq!(ava.0.lock().unwrap().last(), Some(&3));
    }

    #[test]
    fn however_long_clerk_wants_to_be_left_alone_it_is_asked_again() {
        let pause = |seconds: Option<u64>| {
            let retry_after = seconds.map(Duration::from_secs);
            let answer = Err(PersonError::Unavailable { retry_after });
            after(Duration::from_secs(1), answer).as_secs()
        };
        assert_eq!(pause(None), 30);
        assert_eq!(pause(Some(5)), 30);
        assert_eq!(pause(Some(90)), 90);
        assert_eq!(pause(Some(u64::MAX)), 600);
    }
}
