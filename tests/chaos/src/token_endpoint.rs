//! Requests of a client at `/token` and `/revoke`, and what their answers mean.

use crate::http::{Request, Response, post};
use crate::plan::Loss;
use crate::proxy::Outcome;
use crate::world::World;

pub(crate) const REDIRECT_URI: &str = "https://app.example.com/callback";
/// The verifier and challenge of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An answer of the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenAnswer {
    Tokens {
        access: String,
        refresh: String,
    },
    /// `invalid_grant`
    Refused,
    /// Not now: 429 or 503.
    Later,
    /// The client got nothing. What the judge knows of the server's answer is in it.
    Lost(Option<Box<TokenAnswer>>),
}

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) world: &'a World,
    pub(crate) client_id: &'a str,
    pub(crate) address: &'a str,
}

impl Asking<'_> {
    pub(crate) fn redeem(&self, code: &str, loss: Loss) -> TokenAnswer {
        self.token(
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", REDIRECT_URI),
                ("code_verifier", VERIFIER),
            ],
            loss,
        )
    }

    pub(crate) fn refresh(&self, token: &str, loss: Loss) -> TokenAnswer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(&fields, loss)
    }

    /// Whether the server has said that the token is revoked; `None` when it must be asked again.
    /// The second tells what the client has heard, the first what the judge knows.
    pub(crate) fn revoke(&self, token: &str, loss: Loss) -> (bool, bool) {
        match self.send("/revoke", &[("token", token)], loss) {
            Outcome::Answer(response) => {
                let is_revoked = response.status == 200;
                if !is_revoked && !matches!(response.status, 429 | 503) {
                    self.unexpected("/revoke", &response);
                }
                (is_revoked, is_revoked)
            }
            Outcome::Lost(known) => (known.is_some_and(|response| response.status == 200), false),
        }
    }

    fn token(&self, fields: &[(&str, &str)], loss: Loss) -> TokenAnswer {
        match self.send("/token", fields, loss) {
            Outcome::Answer(response) => self.read(&response),
            Outcome::Lost(known) => {
                TokenAnswer::Lost(known.map(|response| Box::new(self.read(&response))))
            }
        }
    }

    fn send(&self, path: &str, fields: &[(&str, &str)], loss: Loss) -> Outcome {
        let mut fields = fields.to_vec();
        fields.push(("client_id", self.client_id));
        let request: Request = post(&format!("{}{path}", self.world.proxy.url))
            .header("x-forwarded-for", self.address)
            .form(&fields);
        self.world.proxy.send(request, loss)
    }

    fn read(&self, response: &Response) -> TokenAnswer {
        let body = response.json();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        match response.status {
            200 => match (text("access_token"), text("refresh_token")) {
                (Some(access), Some(refresh)) => return TokenAnswer::Tokens { access, refresh },
                _ => self.unexpected("/token", response),
            },
            400 if body["error"] == "invalid_grant" => return TokenAnswer::Refused,
            429 | 503 => {}
            _ => self.unexpected("/token", response),
        }
        TokenAnswer::Later
    }

    fn unexpected(&self, path: &str, response: &Response) {
        let what = response.brief();
        self.world
            .violation(format!("{path} was answered with {what}"));
    }
}
