//! A person whom the owner bans or deletes at Clerk in the middle of it all.

use std::time::Duration;

use super::{Client, Done, Tries};
use crate::browser::Browser;
use crate::http::request;
use crate::model::Token;
use crate::plan::{Loss, Tool};
use crate::proxy::Outcome;
use crate::token_endpoint::TokenAnswer;

/// How long the server may believe what it has read of a person, and what follows from it: 30 s each.
pub(crate) const BELIEVED: Duration = Duration::from_secs(60);

impl Client<'_> {
    /// The owner has Clerk ban or delete this client's person, while they are signed in.
    pub(super) fn get_banned(&mut self, is_deleted: bool) -> Done {
        self.ensure_grant()?;
        let user = format!("{}/v1/users/{}", self.world.clerk, self.person);
        let (method, url) = match is_deleted {
            true => ("DELETE", user),
            false => ("POST", format!("{user}/ban")),
        };
        let tries = Tries::new();
        loop {
            let answer = request(method, &url).bearer("sk_test_emulate").send();
            // What was deleted by a request whose answer was lost is not there any more.
            if answer.is_ok_and(|answer| answer.status == 200 || is_deleted && answer.status == 404)
            {
                break;
            }
            tries.again()?;
        }
        self.banned = Some(self.now());
        self.world.count(match is_deleted {
            true => "people deleted at Clerk",
            false => "people banned at Clerk",
        });
        Ok(())
    }

    /// Nothing of a person who was banned then works: a refresh at once, an access token once nobody
    /// believes any more what Clerk said before.
    pub(super) fn use_the_banned(&mut self, banned: Duration) {
        if let Some(access) = self.access() {
            let (sent, number) = (self.now(), self.world.call_number());
            let call = self.message(&access.value, Tool::Add, number);
            if let Outcome::Answer(response) = self.world.proxy.send(call, Loss::Nothing)
                && response.status == 200
                && sent >= banned + BELIEVED
            {
                self.violation("an access token of somebody who was banned was taken");
            }
        }
        let Some(refresh) = self.grant.as_ref().map(|grant| &grant.refresh) else {
            return;
        };
        match self.asking().refresh(&refresh.value, Loss::Nothing) {
            TokenAnswer::Tokens { .. } => {
                self.violation("a refresh token of somebody who was banned was taken");
            }
            TokenAnswer::Refused => self.world.count("refreshes of banned people refused"),
            TokenAnswer::Later | TokenAnswer::Lost(_) => {}
        }
    }

    /// At the end, when everything works and nobody believes anything of before: they are out.
    pub(super) fn finish_banned(&mut self) {
        let browser = Browser::new(self.world, &self.address);
        let signed_in = match self.world.is_at_clerk() {
            true => browser.sign_in_at_clerk(&self.authorize_url_at_clerk(None), &self.person),
            false => browser.sign_in(&self.authorize_url(), &self.person, Loss::Nothing),
        };
        if signed_in.is_ok() {
            self.violation("somebody who was banned has signed in");
        }
        if let Some(grant) = self.grant.take() {
            let held = grant.access.iter().chain([&grant.refresh]);
            held.for_each(|token| self.is_over_with_the_ban(token));
            self.dead.extend(grant.ended());
        }
        if let Some(grant) = self.at_clerk.take() {
            // Their facts are a minute old by now, whatever their tokens say.
            let held = grant.access.iter();
            held.for_each(|token| self.is_over_with_the_ban(token));
        }
    }

    fn is_over_with_the_ban(&self, token: &Token) {
        if self.must_be_refused(token).is_err() {
            let (kind, obstacle) = (token.kind, &self.obstacle);
            self.violation(&format!(
                "nobody says that a {kind:?} of somebody banned is over: {obstacle}"
            ));
        }
    }
}
