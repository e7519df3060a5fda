//! What everybody shares: the time of day, the faults of the machine, and what the judge writes down.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::owners_api::OwnersApi;
use crate::plan::{SignIn, Tool};
use crate::proxy::Proxy;

pub(crate) struct World {
    pub(crate) proxy: Proxy,
    pub(crate) api: OwnersApi,
    /// The local Clerk.
    pub(crate) clerk: String,
    pub(crate) sign_in: SignIn,
    pub(crate) machine: Machine,
    /// Operations that are done.
    pub(crate) done: AtomicU64,
    violations: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    answered: Mutex<Vec<AnsweredCall>>,
    calls: AtomicU64,
    /// Who asked for an order, by its number.
    orders: Mutex<BTreeMap<u64, String>>,
    /// The newest session of each person.
    sessions: Mutex<BTreeMap<String, String>>,
}

/// A tool call that the server answered, so that its audit row must be there.
#[derive(Clone)]
pub(crate) struct AnsweredCall {
    pub(crate) tool: Tool,
    /// The number that the call has among its arguments, and no other call.
    pub(crate) number: u64,
    /// The server's life in which it was answered.
    pub(crate) life: usize,
    /// When it was sent, and when its answer was there, by the clock that is never moved.
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
}

impl World {
    pub(crate) fn new(
        proxy: Proxy,
        api: OwnersApi,
        clerk: String,
        sign_in: SignIn,
        machine: Machine,
    ) -> Self {
        Self {
            proxy,
            api,
            clerk,
            sign_in,
            machine,
            done: AtomicU64::new(0),
            violations: Mutex::default(),
            counts: Mutex::default(),
            answered: Mutex::default(),
            calls: AtomicU64::new(1),
            orders: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    /// Whether Clerk issues the clients' tokens.
    pub(crate) fn is_at_clerk(&self) -> bool {
        self.sign_in == SignIn::ClerkTokens
    }

    /// Something that must never happen has happened.
    pub(crate) fn violation(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap().clone()
    }

    /// A number that no other call has.
    pub(crate) fn call_number(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// This person asks for the order of this number.
    pub(crate) fn orders(&self, number: u64, person: &str) {
        let mut orders = self.orders.lock().unwrap();
        orders.insert(number, person.to_owned());
    }

    /// Who asked for an order.
    pub(crate) fn orderer(&self, number: u64) -> Option<String> {
        self.orders.lock().unwrap().get(&number).cloned()
    }

    /// This person has begun this session.
    pub(crate) fn begins_session(&self, person: &str, session: &str) {
        let mut sessions = self.sessions.lock().unwrap();
        sessions.insert(person.to_owned(), session.to_owned());
    }

    /// The session of somebody else; the number chooses.
    pub(crate) fn session_of_another(&self, person: &str, number: u32) -> Option<String> {
        let sessions = self.sessions.lock().unwrap();
        let others = sessions.iter().filter(|(owner, _)| *owner != person);
        let others: Vec<&String> = others.map(|(_, session)| session).collect();
        let chosen = usize::try_from(number).unwrap_or(0) % others.len().max(1);
        others.get(chosen).map(|session| (*session).clone())
    }

    pub(crate) fn answered(&self, tool: Tool, number: u64, life: usize, asked: Instant) {
        self.answered.lock().unwrap().push(AnsweredCall {
            tool,
            number,
            life,
            asked,
            answered: Instant::now(),
        });
    }

    pub(crate) fn answered_calls(&self) -> Vec<AnsweredCall> {
        self.answered.lock().unwrap().clone()
    }
}

/// The machine as server and Clerk see it through machine.c.
pub(crate) struct Machine {
    faults: File,
    begun: Instant,
    /// The time of day at that moment, since 1970.
    begun_unix: Duration,
    /// How far their clock is ahead of ours. Held while it moves, so that whoever reads the time
    /// sees it before or after both.
    ahead: RwLock<Duration>,
}

impl Machine {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let faults = File::create(path)?;
        faults.write_all_at(&[0; 16], 0)?;
        let begun_unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Self {
            faults,
            begun: Instant::now(),
            begun_unix: begun_unix.map_err(io::Error::other)?,
            ahead: RwLock::default(),
        })
    }

    /// Their time of day, counted from the beginning. It never goes back.
    pub(crate) fn now(&self) -> Duration {
        *self.ahead.read().unwrap() + self.begun.elapsed()
    }

    /// A time of day of theirs, in seconds since 1970, as [`Self::now`] counts.
    pub(crate) fn at_unix(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds).saturating_sub(self.begun_unix)
    }

    pub(crate) fn move_clock(&self, by: Duration) -> io::Result<()> {
        let mut ahead = self.ahead.write().unwrap();
        *ahead += by;
        let milliseconds = i64::try_from(ahead.as_millis()).map_err(io::Error::other)?;
        self.faults.write_all_at(&milliseconds.to_ne_bytes(), 0)
    }

    pub(crate) fn fill_disk(&self, is_full: bool) -> io::Result<()> {
        let is_full = i64::from(is_full);
        self.faults.write_all_at(&is_full.to_ne_bytes(), 8)
    }
}
