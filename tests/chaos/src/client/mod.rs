//! One person's client: what it does, and what the judge says to the answers.

mod at_clerk;
pub(crate) mod banned;
mod calls;
mod dead;
mod old_transport;
mod refresh;
mod sessions;
mod sign_in;
mod streams;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

pub(crate) use self::calls::name;
use self::sessions::Session;
use crate::events::Events;
use crate::http::post;
use crate::model::{ClerkGrant, Dead, Grant, Token};
use crate::plan::{Loss, Operation, Tool};
use crate::proxy::Outcome;
use crate::token_endpoint::{Asking, REDIRECT_URI};
use crate::world::World;

/// How long an honest client tries before it gives up: longer than any fault lasts.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(150);

pub(crate) struct Client<'a> {
    world: &'a World,
    person: String,
    address: String,
    id: String,
    /// What it has of the server's own tokens, or else of Clerk's.
    grant: Option<Grant>,
    at_clerk: Option<ClerkGrant>,
    session: Option<Session>,
    /// An open stream of that session, and its place.
    listening: Option<(String, String, Events)>,
    /// Since when Clerk lets the person in no more.
    banned: Option<Duration>,
    dead: Vec<Dead>,
    /// What was in the way last, for whoever asks why a client gave up.
    obstacle: String,
}

/// The client could not finish what it was at.
#[derive(Debug)]
pub(crate) struct GaveUp;

type Done<T = ()> = Result<T, GaveUp>;

/// Tries, until patience ends.
struct Tries(Instant);

impl Tries {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn again(&self) -> Done {
        if self.0.elapsed() > PATIENCE {
            return Err(GaveUp);
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

fn new_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let [_, high, middle, low] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    format!("10.{high}.{middle}.{low}")
}

impl<'a> Client<'a> {
    /// A public client that registers itself.
    pub(crate) fn register(world: &'a World, person: String) -> Result<Self, String> {
        let address = new_address();
        let document = json!({
            "client_name": format!("Client of {person}"),
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let sent = match world.is_at_clerk() {
            true => at_clerk::register(world, document),
            false => {
                let request = post(&format!("{}/register", world.proxy.url))
                    .header("x-forwarded-for", &address)
                    .json(&document);
                world.proxy.send(request, Loss::Nothing)
            }
        };
        let id = match sent {
            Outcome::Answer(response) => response.json()["client_id"].as_str().map(str::to_owned),
            Outcome::Lost(_) => None,
        };
        Ok(Self {
            world,
            person,
            address,
            id: id.ok_or("no client could be registered")?,
            grant: None,
            at_clerk: None,
            session: None,
            listening: None,
            banned: None,
            dead: Vec::new(),
            obstacle: String::new(),
        })
    }

    pub(crate) fn run(&mut self, operation: Operation) {
        let done = match operation {
            Operation::GetBanned => self.get_banned(false),
            Operation::GetDeleted => self.get_banned(true),
            _ if self.banned.is_some() => {
                self.banned
                    .into_iter()
                    .for_each(|at| self.use_the_banned(at));
                Ok(())
            }
            Operation::Decline { reads_question } => self.decline(reads_question),
            Operation::Listen => self.listen(),
            Operation::CallOverSse(tool) => self.call_over_sse(tool),
            Operation::SignIn(loss) => self.sign_in(loss),
            Operation::LoseTheCode => self.lose_the_code(),
            Operation::RedeemAgain => self.redeem_again(),
            Operation::RedeemAtOnce => self.redeem_at_once(),
            Operation::Call(tool, loss) => self.call(tool, loss, false),
            Operation::CallInSession(tool, loss) => self.call(tool, loss, true),
            Operation::Refresh(loss) => self.refresh(loss),
            Operation::RefreshAtOnce => self.refresh_at_once(),
            Operation::RefreshWithPrevious => self.refresh_with_previous(),
            Operation::Replay => self.replay(),
            Operation::Revoke(loss) => self.revoke(loss),
            Operation::UseTheDead(number) => self.use_the_dead(number),
            Operation::UseEarlier(number) => self.use_an_earlier_token(number),
            Operation::UseForeign(kind) => self.use_foreign(kind),
            Operation::TakeSession(number) => self.take_a_session(number),
        };
        if done.is_err() {
            self.world.count("operations that were given up");
        }
        self.world.done.fetch_add(1, Ordering::Relaxed);
    }

    /// When everything works again: the client goes on as if nothing had been, and what is dead has
    /// stayed so.
    pub(crate) fn finish(&mut self) {
        self.listening = None;
        if self.banned.is_some() {
            self.finish_banned();
            self.use_all_the_dead();
            return;
        }
        let went_on = self.refresh(Loss::Nothing);
        let went_on = went_on.and_then(|()| self.call(Tool::Add, Loss::Nothing, true));
        let went_on = went_on.and_then(|()| self.call(Tool::GetOrder, Loss::Nothing, false));
        if went_on.is_err() {
            let (person, obstacle) = (&self.person, &self.obstacle);
            self.world.violation(format!(
                "{person} cannot go on after the faults: {obstacle}"
            ));
        }
        self.use_all_the_dead();
    }

    /// At Clerk the grant ends, or its person is banned, while the server believes what it has heard.
    pub(crate) fn be_ended(&mut self, is_by_ban: bool) {
        let done = match is_by_ban {
            _ if self.banned.is_some() => Ok(()),
            true => self.get_banned(false),
            false => self.revoke(Loss::Nothing),
        };
        if done.is_err() {
            self.violation("what the client has cannot be ended at Clerk");
        }
    }

    /// Now that the server believes nothing of before: what was ended is over.
    pub(crate) fn finish_ended(&mut self) {
        if self.banned.is_some() {
            self.finish_banned();
        }
        self.use_all_the_dead();
    }

    /// Keeps the youngest hundred only.
    pub(crate) fn forget_the_oldest_dead(&mut self) {
        let over = self.dead.len().saturating_sub(100);
        self.dead.drain(..over);
    }

    fn use_all_the_dead(&mut self) {
        let now = self.now();
        for dead in self.dead.clone() {
            if now >= dead.from && self.must_be_refused(&dead.token).is_err() {
                self.world
                    .violation(format!("nobody says that a {:?} is over", dead.token.kind));
            }
        }
    }

    fn now(&self) -> Duration {
        self.world.machine.now()
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            world: self.world,
            client_id: &self.id,
            address: &self.address,
        }
    }

    fn violation(&self, what: &str) {
        let person = &self.person;
        let at = self.now();
        self.world
            .violation(format!("{person} at {at:.1?}: {what}"));
    }

    /// The access token that is used.
    fn access(&self) -> Option<Token> {
        let own = self.grant.as_ref().map(|grant| &grant.access);
        let clerks = self.at_clerk.as_ref().map(|grant| &grant.access);
        own.or(clerks)?.last().cloned()
    }

    fn ensure_grant(&mut self) -> Done {
        match self.access() {
            Some(_) => Ok(()),
            None => self.sign_in(Loss::Nothing),
        }
    }

    fn sign_in(&mut self, loss: Loss) -> Done {
        match self.world.is_at_clerk() {
            true => self.sign_in_at_clerk(),
            false => self.sign_in_here(loss),
        }
    }

    fn refresh(&mut self, loss: Loss) -> Done {
        match self.world.is_at_clerk() {
            true => self.refresh_at_clerk(),
            false => self.refresh_here(loss),
        }
    }

    fn revoke(&mut self, loss: Loss) -> Done {
        match self.world.is_at_clerk() {
            true => self.revoke_at_clerk(),
            false => self.revoke_here(loss),
        }
    }

    /// The grant has ended, at whosever wish: nothing of it may work again.
    fn bury(&mut self) {
        self.dead
            .extend(self.grant.take().into_iter().flat_map(Grant::ended));
    }

    /// The client forgets its grant.
    fn leave(&mut self) {
        self.dead
            .extend(self.grant.take().into_iter().flat_map(Grant::left));
        self.dead
            .extend(self.at_clerk.take().into_iter().flat_map(ClerkGrant::left));
    }
}
