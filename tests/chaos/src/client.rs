//! One person's client: what it does, and what the judge says to the answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::{Browser, Interrupted};
use crate::http::{Request, Response, post};
use crate::model::{CODE_REMEMBERED, Dead, Grant, Kind, Token};
use crate::plan::{Loss, Operation, Tool};
use crate::proxy::{Outcome, life};
use crate::token_endpoint::{Asking, CHALLENGE, REDIRECT_URI, TokenAnswer};
use crate::world::World;

/// How long an honest client tries before it gives up: longer than any fault lasts.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(150);
const SESSION_VERSION: &str = "2025-11-25";

pub(crate) struct Client<'a> {
    world: &'a World,
    person: String,
    address: String,
    id: String,
    grant: Option<Grant>,
    session: Option<String>,
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
        let request = post(&format!("{}/register", world.proxy.url))
            .header("x-forwarded-for", &address)
            .json(&document);
        let id = match world.proxy.send(request, Loss::Nothing) {
            Outcome::Answer(response) => response.json()["client_id"].as_str().map(str::to_owned),
            Outcome::Lost(_) => None,
        };
        Ok(Self {
            world,
            person,
            address,
            id: id.ok_or("no client could be registered")?,
            grant: None,
            session: None,
            dead: Vec::new(),
            obstacle: String::new(),
        })
    }

    pub(crate) fn run(&mut self, operation: Operation) {
        let done = match operation {
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
        };
        if done.is_err() {
            self.world.count("operations that were given up");
        }
        self.world.done.fetch_add(1, Ordering::Relaxed);
    }

    /// When everything works again: the client goes on as if nothing had been, and what is dead has
    /// stayed so.
    pub(crate) fn finish(&mut self) {
        let went_on = self.refresh(Loss::Nothing);
        let went_on = went_on.and_then(|()| self.call(Tool::Add, Loss::Nothing, true));
        if went_on.is_err() {
            let (person, obstacle) = (&self.person, &self.obstacle);
            self.world.violation(format!(
                "{person} cannot go on after the faults: {obstacle}"
            ));
        }
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

    /// The grant has ended, at whosever wish: nothing of it may work again.
    fn bury(&mut self) {
        self.dead
            .extend(self.grant.take().into_iter().flat_map(Grant::ended));
    }

    /// The client forgets its grant.
    fn leave(&mut self) {
        self.dead
            .extend(self.grant.take().into_iter().flat_map(Grant::left));
    }

    fn authorize_url(&self) -> String {
        let resource = format!("{}/mcp", self.world.proxy.url);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", &self.id),
                ("redirect_uri", REDIRECT_URI),
                ("state", "the-clients-state"),
                ("scope", "tools:read tools:write"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
                ("resource", &resource),
            ])
            .finish();
        format!("{}/authorize?{query}", self.world.proxy.url)
    }

    /// A code that nobody has redeemed.
    fn code(&mut self) -> Done<Token> {
        let url = self.authorize_url();
        let tries = Tries::new();
        loop {
            let earliest = self.now();
            let browser = Browser::new(self.world, &self.address);
            match browser.sign_in(&url, &self.person, Loss::Nothing) {
                Ok(value) => {
                    self.world.count("sign-ins");
                    return Ok(Token {
                        kind: Kind::Code,
                        value,
                        earliest,
                        latest: self.now(),
                    });
                }
                Err(Interrupted(why)) => self.obstacle = why,
            }
            self.world.count("sign-ins that were interrupted");
            tries.again()?;
        }
    }

    fn grant_of(&self, code: Token, earliest: Duration, access: String, refresh: String) -> Grant {
        let latest = self.now();
        let token = |kind, value| Token {
            kind,
            value,
            earliest,
            latest,
        };
        Grant {
            begun: code.earliest,
            code,
            access: vec![token(Kind::Access, access)],
            refresh: token(Kind::Refresh, refresh),
            presented: None,
            successor: None,
            previous: None,
            replaced: Vec::new(),
        }
    }

    fn sign_in(&mut self, loss: Loss) -> Done {
        self.leave();
        let mut loss = loss;
        let tries = Tries::new();
        loop {
            let code = self.code()?;
            if self.redeem(code, loss)? {
                return Ok(());
            }
            // The answer with the tokens was lost, or the code was too old: sign in once more.
            loss = Loss::Nothing;
            tries.again()?;
        }
    }

    /// Redeems a code; whether it gave tokens.
    fn redeem(&mut self, code: Token, mut loss: Loss) -> Done<bool> {
        let tries = Tries::new();
        let earliest = self.now();
        // What the judge knows of an answer that was lost.
        let mut lost: Option<Grant> = None;
        let mut may_be_redeemed = false;
        loop {
            let answer = self.asking().redeem(&code.value, loss);
            loss = Loss::Nothing;
            match answer {
                TokenAnswer::Tokens { access, refresh } => {
                    if lost.is_some() {
                        self.violation("a code was redeemed twice");
                    }
                    self.grant = Some(self.grant_of(code, earliest, access, refresh));
                    self.world.count("codes redeemed");
                    return Ok(true);
                }
                TokenAnswer::Refused => {
                    if !may_be_redeemed && code.lives(self.now()) {
                        self.violation("a fresh code was refused");
                    }
                    if let Some(grant) = lost {
                        self.world.count("code answers that were lost");
                        let is_known = self.now() < code.latest + CODE_REMEMBERED;
                        self.grant = Some(grant);
                        // The repetition was a replay, and has ended what the lost answer gave.
                        match is_known {
                            true => self.bury(),
                            false => self.leave(),
                        }
                    }
                    return Ok(false);
                }
                TokenAnswer::Lost(known) => {
                    may_be_redeemed = true;
                    if let Some(TokenAnswer::Tokens { access, refresh }) = known.as_deref() {
                        let (access, refresh) = (access.clone(), refresh.clone());
                        lost = Some(self.grant_of(code.clone(), earliest, access, refresh));
                    }
                    "no answer of /token".clone_into(&mut self.obstacle);
                }
                TokenAnswer::Later => {
                    may_be_redeemed = true;
                    "/token says later".clone_into(&mut self.obstacle);
                }
            }
            tries.again()?;
        }
    }

    fn ensure_grant(&mut self) -> Done {
        match self.grant {
            Some(_) => Ok(()),
            None => self.sign_in(Loss::Nothing),
        }
    }

    fn lose_the_code(&mut self) -> Done {
        self.leave();
        let url = self.authorize_url();
        let browser = Browser::new(self.world, &self.address);
        let lost = browser.sign_in(&url, &self.person, Loss::Answer);
        if lost.is_ok() {
            self.violation("the answer was not lost: the test is wrong");
        }
        self.world.count("codes that were lost");
        self.sign_in(Loss::Nothing)
    }

    fn redeem_again(&mut self) -> Done {
        self.sign_in(Loss::Nothing)?;
        let Some(code) = self.grant.as_ref().map(|grant| grant.code.clone()) else {
            return Ok(());
        };
        self.must_be_refused(&code)?;
        match self.now() < code.latest + CODE_REMEMBERED {
            true => self.bury(),
            false => self.leave(),
        }
        Ok(())
    }

    fn redeem_at_once(&mut self) -> Done {
        self.leave();
        let code = self.code()?;
        let earliest = self.now();
        let asking = self.asking();
        let redeem = || match asking.redeem(&code.value, Loss::Nothing) {
            TokenAnswer::Lost(Some(known)) => *known,
            answer => answer,
        };
        let answers = std::thread::scope(|scope| {
            let other = scope.spawn(redeem);
            [redeem(), other.join().unwrap_or(TokenAnswer::Later)]
        });
        self.world.count("codes redeemed at the same moment");
        match answers {
            [TokenAnswer::Tokens { .. }, TokenAnswer::Tokens { .. }] => {
                self.violation("a code was redeemed twice at the same moment");
            }
            [TokenAnswer::Tokens { access, refresh }, other]
            | [other, TokenAnswer::Tokens { access, refresh }] => {
                self.grant = Some(self.grant_of(code, earliest, access, refresh));
                match other {
                    TokenAnswer::Refused => self.bury(),
                    _ => self.leave(),
                }
            }
            _ => {}
        }
        self.sign_in(Loss::Nothing)
    }

    /// Refreshes as an honest client does: again and again with the same token until it is answered.
    fn refresh(&mut self, mut loss: Loss) -> Done {
        self.ensure_grant()?;
        let tries = Tries::new();
        loop {
            let sent = self.now();
            let Some(grant) = &mut self.grant else {
                return Ok(());
            };
            grant.presented.get_or_insert(sent);
            let token = grant.refresh.clone();
            let answer = self.asking().refresh(&token.value, loss);
            loss = Loss::Nothing;
            if self.refreshed(&token, sent, answer)? {
                return Ok(());
            }
            tries.again()?;
        }
    }

    /// Judges an answer to the current refresh token; whether the refresh is finished.
    fn refreshed(&mut self, token: &Token, sent: Duration, answer: TokenAnswer) -> Done<bool> {
        let received = self.now();
        let Some(mut grant) = self.grant.take() else {
            return Ok(true);
        };
        match answer {
            TokenAnswer::Tokens { access, refresh } => {
                if token.is_over(sent) {
                    self.violation("an expired refresh token was taken");
                }
                if grant
                    .successor
                    .as_ref()
                    .is_some_and(|known| *known != refresh)
                {
                    self.violation("a repeated refresh got another successor");
                }
                if grant.successor.is_some() {
                    self.world
                        .count("refreshes whose answer was lost, and repeated");
                }
                let earliest = grant.presented.unwrap_or(sent);
                let new = |kind, value| Token {
                    kind,
                    value,
                    earliest,
                    latest: received,
                };
                // A repetition makes an access token of its own.
                grant.rotate(new(Kind::Access, access), new(Kind::Refresh, refresh));
                self.grant = Some(grant);
                self.world.count("refreshes");
                Ok(true)
            }
            TokenAnswer::Refused => {
                if grant.refreshes(token, received) {
                    self.violation("an honest client was logged out");
                } else {
                    self.world.count("sign-ins that ended by their age");
                }
                self.grant = Some(grant);
                self.leave();
                self.sign_in(Loss::Nothing)?;
                Ok(true)
            }
            TokenAnswer::Lost(known) => {
                if let Some(TokenAnswer::Tokens { refresh, .. }) = known.as_deref() {
                    grant.successor = Some(refresh.clone());
                }
                self.grant = Some(grant);
                "no answer to a refresh".clone_into(&mut self.obstacle);
                Ok(false)
            }
            TokenAnswer::Later => {
                self.grant = Some(grant);
                "a refresh is to be made later".clone_into(&mut self.obstacle);
                Ok(false)
            }
        }
    }

    fn refresh_at_once(&mut self) -> Done {
        self.ensure_grant()?;
        let sent = self.now();
        let Some(grant) = &mut self.grant else {
            return Ok(());
        };
        grant.presented.get_or_insert(sent);
        let token = grant.refresh.clone();
        let asking = self.asking();
        let refresh = || asking.refresh(&token.value, Loss::Nothing);
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(refresh);
            (refresh(), other.join().unwrap_or(TokenAnswer::Later))
        });
        self.world.count("refreshes at the same moment");
        let successor = |answer: &TokenAnswer| match answer {
            TokenAnswer::Tokens { refresh, .. } => Some(refresh.clone()),
            _ => None,
        };
        match (successor(&one), successor(&other)) {
            (Some(a), Some(b)) if a != b => {
                self.violation("two refreshes at once got two successors");
            }
            _ => {}
        }
        // One that gave tokens is taken; without one, a refusal or nothing.
        let (first, second) = match successor(&other) {
            Some(_) => (other, one),
            None => (one, other),
        };
        let was_refused = second == TokenAnswer::Refused;
        if was_refused
            && self
                .grant
                .as_ref()
                .is_some_and(|grant| grant.refreshes(&token, self.now()))
        {
            self.violation("one of two refreshes at once was refused");
        }
        match self.refreshed(&token, sent, first)? {
            true => Ok(()),
            false => self.refresh(Loss::Nothing),
        }
    }

    fn refresh_with_previous(&mut self) -> Done {
        self.refresh(Loss::Nothing)?;
        let tries = Tries::new();
        loop {
            let sent = self.now();
            let Some(grant) = &self.grant else {
                return Ok(());
            };
            let Some(previous) = grant.previous.clone() else {
                return Ok(());
            };
            let current = grant.refresh.value.clone();
            let lives = |now| grant.refreshes(&previous, now);
            match self.asking().refresh(&previous.value, Loss::Nothing) {
                TokenAnswer::Tokens { refresh, .. } => {
                    if refresh != current {
                        self.violation("the token before got another successor");
                    }
                    if previous.is_over(sent) {
                        self.violation("an expired refresh token was taken");
                    }
                    self.world.count("refreshes with the token before");
                    return Ok(());
                }
                TokenAnswer::Refused => {
                    if lives(self.now()) {
                        self.violation(
                            "the token before was refused, though its successor is unused",
                        );
                    }
                    return Ok(());
                }
                TokenAnswer::Lost(_) | TokenAnswer::Later => {}
            }
            tries.again()?;
        }
    }

    fn replay(&mut self) -> Done {
        self.ensure_grant()?;
        let replaced = loop {
            match self
                .grant
                .as_ref()
                .map(|grant| grant.replaced.last().cloned())
            {
                Some(Some(token)) => break token,
                _ => self.refresh(Loss::Nothing)?,
            }
        };
        self.must_be_refused(&replaced)?;
        self.world.count("refresh tokens replayed");
        // One that is over by its age may be forgotten, and then ends nothing.
        match replaced.lives(self.now()) {
            true => self.bury(),
            false => self.leave(),
        }
        Ok(())
    }

    fn revoke(&mut self, mut loss: Loss) -> Done {
        self.ensure_grant()?;
        let tries = Tries::new();
        let Some(token) = self.grant.as_ref().map(|grant| grant.refresh.value.clone()) else {
            return Ok(());
        };
        let mut is_revoked = false;
        loop {
            let (is_known, is_heard) = self.asking().revoke(&token, loss);
            loss = Loss::Nothing;
            is_revoked |= is_known;
            if is_heard {
                break;
            }
            if tries.again().is_err() {
                match is_revoked {
                    true => self.bury(),
                    false => self.leave(),
                }
                return Err(GaveUp);
            }
        }
        self.world.count("grants revoked");
        let access = self
            .grant
            .as_ref()
            .and_then(|grant| grant.access.last().cloned());
        self.bury();
        // At once, though the server may have known it a moment ago.
        access.map_or(Ok(()), |access| self.must_be_refused(&access))
    }

    fn use_the_dead(&mut self, number: u32) -> Done {
        let now = self.now();
        let dead: Vec<&Dead> = self.dead.iter().filter(|dead| now >= dead.from).collect();
        if dead.is_empty() {
            return self.call(Tool::Add, Loss::Nothing, false);
        }
        let chosen = usize::try_from(number).unwrap_or(0) % dead.len();
        let token = dead[chosen].token.clone();
        self.must_be_refused(&token)
    }

    /// Uses a token that must not be taken, from an address of its own: guesses are limited by it.
    fn must_be_refused(&mut self, token: &Token) -> Done {
        let address = new_address();
        let tries = Tries::new();
        loop {
            let asking = Asking {
                address: &address,
                ..self.asking()
            };
            let answer = match token.kind {
                Kind::Code => asking.redeem(&token.value, Loss::Nothing),
                Kind::Refresh => asking.refresh(&token.value, Loss::Nothing),
                Kind::Access => {
                    let call = self.message(&token.value, Tool::Add, 0);
                    match self.world.proxy.send(call, Loss::Nothing) {
                        Outcome::Answer(response) if response.status == 401 => TokenAnswer::Refused,
                        Outcome::Answer(response) if response.status == 200 => {
                            TokenAnswer::Tokens {
                                access: String::new(),
                                refresh: String::new(),
                            }
                        }
                        _ => TokenAnswer::Later,
                    }
                }
            };
            match answer {
                TokenAnswer::Refused => {
                    self.world.count("dead tokens refused");
                    return Ok(());
                }
                TokenAnswer::Tokens { .. } => {
                    self.violation(&format!("a {:?} that is over was taken", token.kind));
                    return Ok(());
                }
                TokenAnswer::Lost(_) | TokenAnswer::Later => tries.again()?,
            }
        }
    }

    fn at_mcp(&self, access: &str, version: &str, message: &Value) -> Request {
        post(&format!("{}/mcp", self.world.proxy.url))
            .bearer(access)
            .header("x-forwarded-for", &self.address)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", version)
            .json(message)
    }

    /// A call without a session, as revision 2026-07-28 has it.
    fn message(&self, access: &str, tool: Tool, number: u64) -> Request {
        let mut call = call_message(tool, number);
        call["params"]["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "chaos", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        self.at_mcp(access, "2026-07-28", &call)
            .header("mcp-method", "tools/call")
            .header("mcp-name", name(tool))
    }

    /// Begins a session if there is none; `None` when it could not.
    fn session(&mut self, access: &str) -> Option<String> {
        if self.session.is_none() {
            let initialize = json!({
                "jsonrpc": "2.0", "id": 1, "method": "initialize",
                "params": {
                    "protocolVersion": SESSION_VERSION,
                    "capabilities": {},
                    "clientInfo": { "name": "chaos", "version": "1" },
                },
            });
            let request = self.at_mcp(access, SESSION_VERSION, &initialize);
            let Outcome::Answer(response) = self.world.proxy.send(request, Loss::Nothing) else {
                return None;
            };
            let id = response.header("mcp-session-id");
            if response.status != 200 || id.is_empty() {
                return None;
            }
            let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            let request = self.at_mcp(access, SESSION_VERSION, &initialized);
            let sent = request.header("mcp-session-id", id);
            let _ = self.world.proxy.send(sent, Loss::Nothing);
            self.session = Some(id.to_owned());
            self.world.count("sessions begun");
        }
        self.session.clone()
    }

    /// Calls a tool until there is an answer; refreshes, or signs in, where it has to.
    fn call(&mut self, tool: Tool, mut loss: Loss, in_session: bool) -> Done {
        let tries = Tries::new();
        loop {
            self.ensure_grant()?;
            let Some(access) = self
                .grant
                .as_ref()
                .and_then(|grant| grant.access.last().cloned())
            else {
                return Ok(());
            };
            let number = self.world.call_number();
            let session = match in_session {
                true => self.session(&access.value),
                false => None,
            };
            let is_in_session = session.is_some();
            let request = match &session {
                Some(session) => self
                    .at_mcp(&access.value, SESSION_VERSION, &call_message(tool, number))
                    .header("mcp-session-id", session),
                None => self.message(&access.value, tool, number),
            };
            let (sent, asked) = (self.now(), Instant::now());
            let outcome = self.world.proxy.send(request, loss);
            loss = Loss::Nothing;
            let (response, is_heard) = match outcome {
                Outcome::Answer(response) => (response, true),
                Outcome::Lost(Some(response)) => (response, false),
                Outcome::Lost(None) => {
                    "no answer of /mcp".clone_into(&mut self.obstacle);
                    tries.again()?;
                    continue;
                }
            };
            self.obstacle = format!("/mcp: {}", response.brief());
            match response.status {
                200 => {
                    if access.is_over(sent) {
                        self.violation("an expired access token was taken");
                    }
                    self.judge_result(tool, number, asked, &response);
                    if is_heard {
                        return Ok(());
                    }
                }
                401 => {
                    if access.lives(self.now()) {
                        self.violation("an access token that lives was refused");
                    }
                    if is_heard {
                        self.refresh(Loss::Nothing)?;
                        continue;
                    }
                }
                404 if is_in_session => {
                    self.session = None;
                    self.world.count("sessions that were gone");
                }
                429 | 503 => {}
                _ => self.violation(&format!("/mcp was answered with {}", response.brief())),
            }
            tries.again()?;
        }
    }

    fn judge_result(&self, tool: Tool, number: u64, asked: Instant, response: &Response) {
        let Some(answer) = response.rpc() else {
            self.violation(&format!("200 and no answer: {}", response.brief()));
            return;
        };
        let result = &answer["result"];
        if answer.get("error").is_some() {
            // A message that no tool was called for has no row.
            self.violation(&format!("a call got a protocol error: {answer}"));
            return;
        }
        self.world.answered(tool, number, life(response), asked);
        let failed = result["isError"] == true;
        self.world.count(match (tool, failed) {
            (Tool::Add, _) => "calls of add answered",
            (Tool::ListMemberships, false) => "calls to Clerk answered",
            (Tool::ListMemberships, true) => "calls to Clerk answered with an error",
            (Tool::GetOrder, false) => "calls to the owner's API answered",
            (Tool::GetOrder, true) => "calls to the owner's API answered with an error",
        });
        if tool == Tool::Add && result["structuredContent"]["sum"] != json!(number + 1) {
            self.violation(&format!("{number} + 1 is not {result}"));
        }
    }
}

pub(crate) fn name(tool: Tool) -> &'static str {
    match tool {
        Tool::Add => "add",
        Tool::ListMemberships => "getUserOrganizationMembershipList",
        Tool::GetOrder => "getOrder",
    }
}

fn call_message(tool: Tool, number: u64) -> Value {
    let arguments = match tool {
        Tool::Add => json!({ "a": number, "b": 1 }),
        Tool::ListMemberships => json!({ "offset": number }),
        Tool::GetOrder => json!({ "order": number }),
    };
    json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": name(tool), "arguments": arguments },
    })
}
