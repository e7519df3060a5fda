//! The one task that makes lists anew, and asks Clerk about people whom nobody else asks about.

use std::{sync::Arc, time::Duration};

use clerk::{BoxFuture, Env};
use mcp::Caller;
use store::sessions::ListDigest;

use super::{Reading, ToolLists, watch::Due};
use crate::{
    clerk_pace::{ClerkPace, Turn},
    people::{Person, PersonError},
};

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

/// Follows the people who listen, until it is dropped. For their streams alone Clerk is asked at this pace.
pub(crate) async fn follow(
    lists: Arc<ToolLists>,
    tools: Arc<dyn ListsTools>,
    env: Arc<dyn Env>,
    pace: Arc<ClerkPace>,
) {
    loop {
        while let Some(due) = lists.next_due() {
            tell(tools.as_ref(), &lists, due).await;
        }
        match lists.next_reading(env.now()) {
            Reading::In(rest) if pace.asks() => tokio::select! {
                () = tokio::time::sleep(rest.min(LOOK_EVERY)) => {}
                () = lists.work() => {}
            },
            Reading::Of(_) if pace.asks() => tokio::select! {
                turn = pace.turn() => ask(turn, &lists, tools.as_ref(), env.as_ref()).await,
                () = lists.work() => {}
            },
            _ => lists.work().await,
        }
    }
}

/// Asks about the person whose turn it is by now, if it is anybody's.
async fn ask(turn: Turn<'_>, lists: &ToolLists, tools: &dyn ListsTools, env: &dyn Env) {
    if let Reading::Of(user_id) = lists.next_reading(env.now()) {
        // Whatever came of it is no news: whoever is heard of is seen.
        let _ = turn.ask(tools.ask(&user_id)).await;
        lists.asked(&user_id, env.now());
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

    use tokio::time::Instant;

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
            let pace = Arc::new(ClerkPace::new(people_per_second));
            tokio::spawn(follow(lists, tools, env, pace));
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
}
