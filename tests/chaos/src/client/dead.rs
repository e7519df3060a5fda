//! Using what must not be taken any more.

use super::{Client, Done, Tries, new_address};
use crate::model::{Dead, Kind, Token};
use crate::plan::{Loss, Tool};
use crate::proxy::Outcome;
use crate::token_endpoint::{Asking, TokenAnswer};

impl Client<'_> {
    pub(super) fn use_the_dead(&mut self, number: u32) -> Done {
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
    pub(super) fn must_be_refused(&self, token: &Token) -> Done {
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
                Kind::Access | Kind::Signed { .. } | Kind::Opaque | Kind::Foreign(_) => {
                    let call = self.message_from(&address, &token.value, Tool::Add, 0);
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
}
