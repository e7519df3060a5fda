//! Where Clerk is the authorization server: clients register, sign in, refresh and revoke there, and the
//! server under test only sees what they got.

use std::time::Duration;

use serde_json::{Value, json};

use super::calls::{SESSION_VERSION, call_message};
use super::{Client, Done, Tries};
use crate::browser::{Browser, session_token};
use crate::configuration::ANOTHER;
use crate::http::post;
use crate::jwt;
use crate::model::{ClerkGrant, Dead, Kind, Token};
use crate::plan::{Foreign, Loss, Tool};
use crate::proxy::Outcome;
use crate::token_endpoint::{CHALLENGE, REDIRECT_URI, VERIFIER};
use crate::world::World;

/// Registers a client at Clerk.
pub(super) fn register(world: &World, mut document: Value) -> Outcome {
    document["scope"] = json!("openid profile email");
    let request = post(&format!("{}/oauth/register", world.clerk)).json(&document);
    request.send().map_or(Outcome::Lost(None), Outcome::Answer)
}

impl Client<'_> {
    /// For tokens for the server under test, or for another resource.
    pub(super) fn authorize_url_at_clerk(&self, resource: Option<&str>) -> String {
        let own = format!("{}/mcp", self.world.proxy.url);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", &*self.id),
                ("redirect_uri", REDIRECT_URI),
                ("state", "the-clients-state"),
                ("scope", "openid profile"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
                ("resource", resource.unwrap_or(&own)),
            ])
            .finish();
        format!("{}/oauth/authorize?{query}", self.world.clerk)
    }

    pub(super) fn sign_in_at_clerk(&mut self) -> Done {
        self.leave();
        self.at_clerk = Some(self.tokens_of_clerk(None)?);
        Ok(())
    }

    /// Signs in for this resource until there are tokens.
    fn tokens_of_clerk(&mut self, resource: Option<&str>) -> Done<ClerkGrant> {
        let url = self.authorize_url_at_clerk(resource);
        let tries = Tries::new();
        loop {
            let sent = self.now();
            let browser = Browser::new(self.world, &self.address);
            match browser.sign_in_at_clerk(&url, &self.person) {
                Ok(code) => {
                    let fields = [
                        ("grant_type", "authorization_code"),
                        ("code", &*code),
                        ("redirect_uri", REDIRECT_URI),
                        ("code_verifier", VERIFIER),
                    ];
                    match self.at_token_endpoint(&fields, sent) {
                        Ok(given) => {
                            self.world.count("sign-ins");
                            return Ok(given);
                        }
                        Err(error) => self.obstacle = format!("Clerk gave no tokens: {error}"),
                    }
                }
                Err(interrupted) => self.obstacle = interrupted.0,
            }
            self.world.count("sign-ins that were interrupted");
            tries.again()?;
        }
    }

    /// Refreshes until Clerk has answered. The token before counts on.
    pub(super) fn refresh_at_clerk(&mut self) -> Done {
        self.ensure_grant()?;
        let tries = Tries::new();
        loop {
            let Some(refresh) = self.at_clerk.as_ref().map(|grant| grant.refresh.clone()) else {
                return Ok(());
            };
            let sent = self.now();
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", &*refresh),
            ];
            match self.at_token_endpoint(&fields, sent) {
                Ok(given) => {
                    if let Some(grant) = &mut self.at_clerk {
                        grant.access.extend(given.access);
                        grant.refresh = given.refresh;
                        grant.id_token = given.id_token;
                    }
                    self.world.count("refreshes");
                    return Ok(());
                }
                // Its refresh tokens never expire, and a lost answer can be asked for again.
                Err(error) if error.contains("invalid_grant") => {
                    self.violation("the local Clerk has logged an honest client out");
                    return self.sign_in(Loss::Nothing);
                }
                Err(error) => self.obstacle = format!("Clerk gave no tokens: {error}"),
            }
            tries.again()?;
        }
    }

    /// Revokes at Clerk. Of what is signed nobody hears.
    pub(super) fn revoke_at_clerk(&mut self) -> Done {
        self.ensure_grant()?;
        let tries = Tries::new();
        let Some(refresh) = self.at_clerk.as_ref().map(|grant| grant.refresh.clone()) else {
            return Ok(());
        };
        let url = format!("{}/oauth/token/revoke", self.world.clerk);
        loop {
            let fields = [("client_id", &*self.id), ("token", &*refresh)];
            let answer = post(&url).form(&fields).send();
            if answer.is_ok_and(|answer| answer.status == 200) {
                break;
            }
            "no answer to a revocation at Clerk".clone_into(&mut self.obstacle);
            tries.again().inspect_err(|_| self.leave())?;
        }
        let now = self.now();
        let grant = self.at_clerk.take();
        self.dead
            .extend(grant.into_iter().flat_map(|grant| grant.revoked(now)));
        self.world.count("grants revoked");
        Ok(())
    }

    /// Goes back to an earlier access token of the same sign-in: it counts, and is the same principal.
    pub(super) fn use_an_earlier_token(&mut self, number: u32) -> Done {
        self.ensure_grant()?;
        let now = self.now();
        if let Some(grant) = &mut self.at_clerk {
            let living = |token: &&mut Token| token.lives(now);
            let count = grant.access.iter_mut().filter(living).count();
            let chosen = usize::try_from(number).unwrap_or(0) % count.max(1);
            let positions = 0..grant.access.len();
            let mut living = positions.filter(|at| grant.access[*at].lives(now));
            if let Some(position) = living.nth(chosen) {
                let last = grant.access.len() - 1;
                grant.access.swap(position, last);
                self.world.count("earlier tokens used");
            }
        }
        self.call(Tool::Add, Loss::Nothing, true)
    }

    /// Tries a token that is not for the server under test.
    pub(super) fn use_foreign(&mut self, kind: Foreign) -> Done {
        self.ensure_grant()?;
        let held = |of: fn(&ClerkGrant) -> &String| self.at_clerk.as_ref().map(of).cloned();
        let value = match kind {
            Foreign::IdToken => held(|grant| &grant.id_token),
            Foreign::RefreshToken => held(|grant| &grant.refresh),
            Foreign::SessionToken => {
                let tries = Tries::new();
                loop {
                    match session_token(self.world, &self.person) {
                        Ok(token) => break Some(token),
                        Err(interrupted) => self.obstacle = interrupted.0,
                    }
                    tries.again()?;
                }
            }
            Foreign::ForAnother => {
                let given = self.tokens_of_clerk(Some(ANOTHER))?;
                given.access.first().map(|token| token.value.clone())
            }
            Foreign::Forged => self.access().map(|token| forged(&token.value)),
        };
        let Some(value) = value else {
            return Ok(());
        };
        let token = Token {
            kind: Kind::Foreign(kind),
            value,
            earliest: Duration::ZERO,
            latest: Duration::ZERO,
        };
        self.must_be_refused(&token)?;
        self.world.count("tokens for somebody else refused");
        let from = Duration::ZERO;
        self.dead.push(Dead { token, from });
        Ok(())
    }

    /// Calls in the session of somebody else, which does not exist for this person.
    pub(super) fn take_a_session(&mut self, number: u32) -> Done {
        self.ensure_grant()?;
        let tries = Tries::new();
        loop {
            let other = self.world.session_of_another(&self.person, number);
            let (Some(access), Some(session)) = (self.access(), other) else {
                return Ok(());
            };
            let call = call_message(Tool::Add, self.world.call_number());
            let request = self
                .at_mcp(&access.value, SESSION_VERSION, &call)
                .header("mcp-session-id", &session);
            match self.world.proxy.send(request, Loss::Nothing) {
                Outcome::Answer(response) if response.status == 404 => {
                    self.world.count("sessions of others that were not there");
                    return Ok(());
                }
                Outcome::Answer(response) if response.status == 401 => {
                    if access.lives(self.now()) {
                        self.violation("an access token that lives was refused");
                    }
                    self.refresh(Loss::Nothing)?;
                }
                Outcome::Answer(response) if matches!(response.status, 429 | 503) => {
                    self.obstacle = format!("/mcp: {}", response.brief());
                }
                Outcome::Answer(response) => {
                    let what = response.brief();
                    self.violation(&format!("a session of somebody else answered {what}"));
                    return Ok(());
                }
                Outcome::Lost(_) => "no answer of /mcp".clone_into(&mut self.obstacle),
            }
            tries.again()?;
        }
    }

    /// What Clerk gives for this; that was `asked` for from then on. The error says why nothing.
    fn at_token_endpoint(
        &self,
        fields: &[(&str, &str)],
        asked: Duration,
    ) -> Result<ClerkGrant, String> {
        let mut fields = fields.to_vec();
        fields.push(("client_id", &self.id));
        let request = post(&format!("{}/oauth/token", self.world.clerk)).form(&fields);
        let response = request.send().map_err(|error| error.to_string())?;
        if response.status != 200 {
            return Err(response.brief());
        }
        // What is cut off in the middle has none of them.
        let answer = response.json();
        let text = |name: &str| {
            let text = answer[name].as_str().map(str::to_owned);
            text.ok_or_else(|| format!("an answer without {name}"))
        };
        Ok(ClerkGrant {
            access: vec![self.issued(text("access_token")?, asked)],
            refresh: text("refresh_token")?,
            id_token: text("id_token")?,
        })
    }

    /// An access token that was asked for then, and has just come.
    fn issued(&self, value: String, asked: Duration) -> Token {
        let claims = jwt::claims(&value);
        let time = |name: &str| Some(self.world.machine.at_unix(claims[name].as_u64()?));
        let kind = match (time("nbf"), time("exp")) {
            (Some(from), Some(until)) => Kind::Signed { from, until },
            _ => Kind::Opaque,
        };
        self.world.count(match kind {
            Kind::Signed { .. } => "signed tokens issued",
            _ => "opaque tokens issued",
        });
        Token {
            kind,
            value,
            earliest: asked,
            latest: self.now(),
        }
    }
}

/// The same with other last characters.
fn forged(token: &str) -> String {
    let (kept, end) = token.split_at(token.len().saturating_sub(8));
    let other = |character| if character == 'a' { 'b' } else { 'a' };
    kept.chars().chain(end.chars().map(other)).collect()
}
