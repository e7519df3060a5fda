//! Signing in, and the code.

use std::time::Duration;

use super::{Client, Done, Tries};
use crate::browser::{Browser, Interrupted};
use crate::model::{CODE_REMEMBERED, Grant, Kind, Token};
use crate::plan::Loss;
use crate::token_endpoint::{CHALLENGE, REDIRECT_URI, TokenAnswer};

impl Client<'_> {
    pub(super) fn authorize_url(&self) -> String {
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
    pub(super) fn code(&mut self) -> Done<Token> {
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

    pub(super) fn grant_of(
        &self,
        code: Token,
        earliest: Duration,
        access: String,
        refresh: String,
    ) -> Grant {
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

    pub(super) fn sign_in_here(&mut self, loss: Loss) -> Done {
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
    pub(super) fn redeem(&mut self, code: Token, mut loss: Loss) -> Done<bool> {
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

    pub(super) fn lose_the_code(&mut self) -> Done {
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

    pub(super) fn redeem_again(&mut self) -> Done {
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

    pub(super) fn redeem_at_once(&mut self) -> Done {
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
}
