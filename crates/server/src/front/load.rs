//! How much of the server one person, one client and all together have under way. What is over a bound
//! is refused at once (429, or 503 where it is nobody's own doing) and costs nothing: nothing waits in
//! line, so the server is itself again as soon as the calls under way are done.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::PrincipalKey;

/// The bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Calls under way, of everybody.
    pub calls: usize,
    /// Calls under way of one person, through whatever clients; one client has half of it at most.
    pub calls_of_person: usize,
    /// Calls that one person may begin in a second, over time; ten seconds' worth at once. `None`: as
    /// many as they like.
    pub calls_per_second: Option<u32>,
    /// Streams that are open, of everybody.
    pub streams: usize,
    /// Streams that one person has open, through whatever clients.
    pub streams_of_person: usize,
    /// Streams that one person has open through one client.
    pub streams_of_client: usize,
}

/// Seconds' worth of calls that may come at once.
const BURST_SECONDS: u64 = 10;
/// In a millisecond.
const MICROSECONDS: u64 = 1000;
/// A full bucket, in microseconds.
const FULL: u64 = BURST_SECONDS * 1_000_000;
/// How far requests that came at the same time may overtake each other, in microseconds. Only a clock that
/// goes back further was set back.
const OVERTAKING: u64 = 1_000_000;
/// How many people and clients are remembered before those are forgotten of whom nothing is under way.
const MOST_REMEMBERED: usize = 20_000;

/// What is under way.
#[derive(Debug)]
pub(super) struct Load {
    bounds: Bounds,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    calls: usize,
    streams: usize,
    people: HashMap<Box<str>, Person>,
    clients: HashMap<PrincipalKey, Client>,
}

#[derive(Debug, Default)]
struct Person {
    calls: usize,
    streams: usize,
    /// When all that they began has drained from their bucket, Unix microseconds.
    drained_at: u64,
}

#[derive(Debug, Default)]
struct Client {
    calls: usize,
    streams: usize,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overload {
    /// Everybody together.
    Server,
    /// This person, or this client of theirs.
    Own {
        /// When another may be begun.
        retry_after: Duration,
    },
}

/// Something under way; dropped, it is over.
#[derive(Debug)]
pub(crate) struct Underway {
    load: Arc<Load>,
    key: PrincipalKey,
    is_stream: bool,
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut counts = self.load.counts();
        match self.is_stream {
            true => counts.streams -= 1,
            false => counts.calls -= 1,
        }
        if let Some(person) = counts.people.get_mut(self.key.holder()) {
            match self.is_stream {
                true => person.streams -= 1,
                false => person.calls -= 1,
            }
        }
        if let Some(client) = counts.clients.get_mut(&self.key) {
            match self.is_stream {
                true => client.streams -= 1,
                false => client.calls -= 1,
            }
        }
    }
}

impl Load {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            counts: Mutex::default(),
        }
    }

    /// Begins a call at `now`, Unix milliseconds.
    ///
    /// # Errors
    /// [`Overload`].
    pub(super) fn call(
        self: &Arc<Self>,
        key: &PrincipalKey,
        now: u64,
    ) -> Result<Underway, Overload> {
        let bounds = self.bounds;
        let mut counts = self.counts();
        counts.forget(now);
        if counts.calls >= bounds.calls {
            return Err(Overload::Server);
        }
        let soon = Overload::Own {
            retry_after: Duration::from_secs(1),
        };
        let of_client = counts.clients.get(key).map_or(0, |client| client.calls);
        if of_client >= bounds.calls_of_person.div_ceil(2) {
            return Err(soon);
        }
        let person = counts.person(key);
        if person.calls >= bounds.calls_of_person {
            return Err(soon);
        }
        if let Some(rate) = bounds.calls_per_second {
            let now = now.saturating_mul(MICROSECONDS);
            // A bucket that is fuller than any can be was filled before the clock was set back.
            let known = Some(person.drained_at).filter(|at| *at <= now + FULL + OVERTAKING);
            person.drained_at = drained(known.unwrap_or(now), rate, now)?;
        }
        person.calls += 1;
        counts.calls += 1;
        counts.client(key).calls += 1;
        Ok(self.underway(key, false))
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// [`Overload`].
    pub(super) fn stream(self: &Arc<Self>, key: &PrincipalKey) -> Result<Underway, Overload> {
        let mut counts = self.counts();
        if counts.streams >= self.bounds.streams {
            return Err(Overload::Server);
        }
        let of_person = counts.person(key).streams >= self.bounds.streams_of_person;
        if of_person || counts.client(key).streams >= self.bounds.streams_of_client {
            return Err(Overload::Own {
                retry_after: Duration::from_secs(10),
            });
        }
        counts.person(key).streams += 1;
        counts.client(key).streams += 1;
        counts.streams += 1;
        Ok(self.underway(key, true))
    }

    fn underway(self: &Arc<Self>, key: &PrincipalKey, is_stream: bool) -> Underway {
        Underway {
            load: Arc::clone(self),
            key: key.clone(),
            is_stream,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Whoever holds the key.
    fn person(&mut self, key: &PrincipalKey) -> &mut Person {
        self.people.entry(key.holder().into()).or_default()
    }

    fn client(&mut self, key: &PrincipalKey) -> &mut Client {
        self.clients.entry(key.clone()).or_default()
    }

    /// Forgets whom nothing is to be remembered of, when there are many.
    fn forget(&mut self, now: u64) {
        if self.people.len() >= MOST_REMEMBERED {
            self.people.retain(|_, person| {
                let is_busy = person.calls > 0 || person.streams > 0;
                is_busy || person.drained_at / MICROSECONDS >= now
            });
        }
        if self.clients.len() >= MOST_REMEMBERED {
            self.clients
                .retain(|_, client| client.calls > 0 || client.streams > 0);
        }
    }
}

/// The bucket after another call (the generic cell rate algorithm), all in microseconds: in milliseconds
/// no rate above a thousand a second could be told from another.
fn drained(drained_at: u64, rate: u32, now: u64) -> Result<u64, Overload> {
    let each = 1_000_000_u64.div_ceil(u64::from(rate.max(1)));
    let level = drained_at.max(now) + each;
    let over = level.saturating_sub(now + FULL);
    if over > 0 {
        return Err(Overload::Own {
            retry_after: Duration::from_micros(over),
        });
    }
    Ok(level)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn load(bounds: Bounds) -> Arc<Load> {
        Arc::new(Load::new(bounds))
    }

    /// `user client`, or a machine alone.
    fn key(text: &str) -> PrincipalKey {
        match text.split_once(' ') {
            Some((user, client)) => PrincipalKey::new(Some(user), Some(client)),
            None => PrincipalKey::new(None, Some(text)),
        }
    }

    fn bounds() -> Bounds {
        Bounds {
            calls: 5,
            calls_of_person: 4,
            calls_per_second: None,
            streams: 4,
            streams_of_person: 3,
            streams_of_client: 2,
        }
    }

    #[test]
    fn a_client_a_person_and_all_have_their_share_and_get_it_back() {
        let load = load(bounds());
        let begin = |who: &str| load.call(&key(who), NOW);
        let own = Overload::Own {
            retry_after: Duration::from_secs(1),
        };
        let mut calls = vec![begin("ava one").unwrap(), begin("ava one").unwrap()];
        assert_eq!(begin("ava one").unwrap_err(), own);
        calls.extend([begin("ava two").unwrap(), begin("ava two").unwrap()]);
        assert_eq!(begin("ava three").unwrap_err(), own);
        calls.push(begin("noah one").unwrap());
        assert_eq!(begin("noah one").unwrap_err(), Overload::Server);
        calls.remove(0);
        calls.push(begin("ava one").unwrap());
        drop(calls);
        assert!(begin("noah one").is_ok());
    }

    #[test]
    fn streams_are_counted_apart_from_calls() {
        let load = load(bounds());
        let open = |who: &str| load.stream(&key(who));
        let one = (open("ava one").unwrap(), open("ava one").unwrap());
        assert!(matches!(open("ava one"), Err(Overload::Own { .. })));
        let other = open("ava two").unwrap();
        // A person has no more by having more clients.
        assert!(matches!(open("ava three"), Err(Overload::Own { .. })));
        let last = open("noah one").unwrap();
        assert_eq!(open("noah one").unwrap_err(), Overload::Server);
        assert!(load.call(&key("noah one"), NOW).is_ok());
        drop(one);
        assert!(open("noah one").is_ok());
        assert!(open("ava three").is_ok());
        drop((other, last));
    }

    #[test]
    fn machines_do_not_share() {
        let load = load(Bounds {
            calls_per_second: Some(1),
            ..bounds()
        });
        let begin = |who: &str| load.call(&key(who), NOW);
        for _ in 0..10 {
            begin("mch_1").unwrap();
        }
        assert!(matches!(begin("mch_1"), Err(Overload::Own { .. })));
        begin("mch_2").unwrap();
        let _busy = [load.stream(&key("mch_1")), load.stream(&key("mch_1"))];
        assert!(load.stream(&key("mch_2")).is_ok());
    }

    #[test]
    fn who_begins_too_many_waits_and_nobody_else_does() {
        let load = load(Bounds {
            calls_per_second: Some(10),
            ..bounds()
        });
        let begin = |who: &str, now| load.call(&key(who), now).map(drop);
        for _ in 0..100 {
            begin("ava one", NOW).unwrap();
        }
        let refused = begin("ava two", NOW).unwrap_err();
        assert_eq!(
            refused,
            Overload::Own {
                retry_after: Duration::from_millis(100)
            }
        );
        begin("noah one", NOW).unwrap();
        // One that was overtaken on its way finds the bucket as full.
        assert!(begin("ava one", NOW - 1).is_err());
        assert!(begin("ava one", NOW + 99).is_err());
        begin("ava one", NOW + 100).unwrap();
        // The clock was set back by a year: nobody is kept out for it, nor has more than a full bucket.
        let back = NOW - 365 * 24 * 60 * 60 * 1000;
        for _ in 0..100 {
            begin("ava one", back).unwrap();
        }
        assert!(begin("ava one", back).is_err());
        begin("ava one", back + 100).unwrap();
    }

    #[test]
    fn a_rate_above_a_thousand_is_what_it_says() {
        for (rate, burst) in [(600, 6_000), (1_000, 10_000), (5_000, 50_000)] {
            let load = load(Bounds {
                calls_per_second: Some(rate),
                ..bounds()
            });
            let begun = |now| {
                let begin = || load.call(&key("ava one"), now).map(drop);
                std::iter::repeat_with(begin)
                    .take_while(Result::is_ok)
                    .count()
            };
            // Each takes a whole number of microseconds.
            assert!(begun(NOW).abs_diff(burst) <= burst / 1000, "{rate}");
            let in_a_second = usize::try_from(rate).unwrap();
            assert!(begun(NOW + 1000).abs_diff(in_a_second) <= 2, "{rate}");
        }
    }

    #[test]
    fn whom_nothing_is_to_be_remembered_of_is_forgotten() {
        let load = load(Bounds {
            calls: usize::MAX,
            ..bounds()
        });
        let kept = load.call(&key("kept one"), NOW).unwrap();
        for number in 0..MOST_REMEMBERED + 10 {
            load.call(&key(&format!("user_{number} one")), NOW).unwrap();
        }
        let counts = load.counts();
        assert!(counts.people.len() < 100 && counts.clients.len() < 100);
        assert_eq!(counts.people["kept"].calls, 1);
        drop(counts);
        drop(kept);
        assert_eq!(load.counts().calls, 0);
    }
}
