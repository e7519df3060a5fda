//! Refreshing, replaying and revoking.

use std::time::Duration;

use super::{Client, Done, GaveUp, Tries};
use crate::model::{Kind, Token};
use crate::plan::Loss;
use crate::token_endpoint::TokenAnswer;

impl Client<'_> {
    /// Refreshes as an honest client does: again and again with the same token until it is answered.
    pub(super) fn refresh_here(&mut self, mut loss: Loss) -> Done {
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
    pub(super) fn refreshed(
        &mut self,
        token: &Token,
        sent: Duration,
        answer: TokenAnswer,
    ) -> Done<bool> {
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

    pub(super) fn refresh_at_once(&mut self) -> Done {
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

    pub(super) fn refresh_with_previous(&mut self) -> Done {
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

    pub(super) fn replay(&mut self) -> Done {
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

    pub(super) fn revoke_here(&mut self, mut loss: Loss) -> Done {
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
}
