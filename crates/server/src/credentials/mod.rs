//! What calls of the owner's API are sent with, made at Clerk: session tokens of the person who is
//! signed in, the access token of Clerk's OAuth provider, machine-to-machine tokens of this server.
//!
//! Each is made once for as long as it lives, however many calls want it at once ([`slot`]), and is
//! kept in memory alone. The token that the MCP client sent is not within reach of anything here.

mod in_use;
mod machine_tokens;
mod session_tokens;
mod slot;
mod started_sessions;
mod ticket_sessions;
mod token_in_use;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use clerk::{BoxFuture, Client, Env, frontend::FrontendClient, machine::Machine};
use http::HeaderValue;
use mcp::Caller;
use oauth::{GrantId, Store, Timestamp};
use serde_json::Value;
use store::started_sessions::StartedSessionStore;

pub(crate) use self::{
    in_use::{SignInUse, SignInsInUse},
    token_in_use::TokenInUse,
};
use self::{
    machine_tokens::MachineTokens,
    session_tokens::SessionTokens,
    started_sessions::StartedSessions,
    ticket_sessions::{SignInKey, TicketSessions, Whose},
};
use crate::http_tools::{
    Credential, CredentialFault, CredentialHeader, CredentialKind, FixedCredentials, MachineConfig,
};

/// A credential so young is not renewed when an API refuses it (401): it does so for another reason.
/// An API that refuses everything costs Clerk one request in that time.
const YOUNG: Duration = Duration::from_secs(10);

/// Every credential that this server has.
#[derive(Debug)]
pub(crate) struct Credentials {
    sessions: SessionTokens,
    /// Those that this server, or one before it, has started.
    started: StartedSessions,
    /// Makes sessions for sign-ins that have none.
    tickets: Option<TicketSessions>,
    machine: Option<MachineTokens>,
}

impl Credentials {
    /// What Clerk makes through this client. Sessions that are started there are on record in `store`.
    pub(crate) fn new(client: Client, store: Arc<dyn StartedSessionStore>) -> Self {
        Self {
            sessions: SessionTokens::new(client.clone()),
            started: StartedSessions::new(client, store),
            tickets: None,
            machine: None,
        }
    }

    /// With Clerk sessions started through `frontend` for sign-ins that have none.
    pub(crate) fn with_ticket_sessions(self, client: Client, frontend: FrontendClient) -> Self {
        let started = self.started.clone();
        Self {
            tickets: Some(TicketSessions::new(client, frontend, started)),
            ..self
        }
    }

    /// With tokens of this machine.
    pub(crate) fn with_machine(
        self,
        machine: Machine,
        config: MachineConfig,
        env: Arc<dyn Env>,
    ) -> Self {
        Self {
            machine: Some(MachineTokens::new(machine, config, env)),
            ..self
        }
    }

    /// Ends what nobody needs any more.
    pub(crate) async fn sweep(&self, store: &dyn Store, now: Timestamp) {
        if let Some(tickets) = &self.tickets {
            let is_live = |grant: GrantId| async move {
                match store.grant(&grant).await {
                    Ok(kept) => kept.is_some_and(|grant| grant.is_live(now)),
                    Err(error) => {
                        tracing::warn!(%error, "the store failed");
                        true
                    }
                }
            };
            tickets.sweep(is_live).await;
        }
        self.started.end_left().await;
    }

    /// Ends what this server has started at Clerk: it stops.
    pub(crate) async fn close(&self) {
        if let Some(tickets) = &self.tickets {
            tickets.close().await;
        }
    }

    async fn session_token(
        &self,
        caller: &Caller,
        template: Option<&str>,
        refused: Refused<'_>,
    ) -> Result<Token, CredentialFault> {
        if let Some(session) = &caller.session_id {
            return self.sessions.token(session, template, refused).await;
        }
        let tickets = self.tickets.as_ref().ok_or_else(sign_in_again)?;
        let whose = whose(caller)?;
        let session = tickets.session(whose.clone(), None).await?;
        match self.sessions.token(&session, template, refused).await {
            Ok(token) => Ok(token),
            Err(fault) => {
                let other = tickets.session(whose, Some(&session)).await?;
                if other == session {
                    return Err(fault);
                }
                self.sessions.token(&other, template, refused).await
            }
        }
    }

    async fn oauth_token(
        &self,
        caller: &Caller,
        refused: Refused<'_>,
    ) -> Result<Token, CredentialFault> {
        let in_use = caller.attached.get::<SignInUse>();
        in_use
            .ok_or_else(sign_in_again)?
            .access_token(refused)
            .await
    }
}

/// For whom a session of this server's own making is.
fn whose(caller: &Caller) -> Result<Whose, CredentialFault> {
    if let Some(in_use) = caller.attached.get::<SignInUse>() {
        let grant = in_use.grant();
        return Ok(Whose {
            sign_in: SignInKey::Grant(grant.id),
            user_id: grant.user_id,
            organization_id: grant.organization_id,
            ended: Arc::clone(in_use.ended()),
        });
    }
    let in_use = caller.attached.get::<TokenInUse>();
    let in_use = in_use.ok_or_else(sign_in_again)?;
    let user_id = caller.user_id.clone().ok_or_else(nobody)?;
    let organization_id = caller.organization_id.clone();
    Ok(Whose {
        sign_in: SignInKey::Client {
            user_id: user_id.clone(),
            client_id: caller.client_id.clone().unwrap_or_default(),
            organization_id: organization_id.clone(),
        },
        user_id,
        organization_id,
        ended: Arc::clone(in_use.ended()),
    })
}

impl Credential for Credentials {
    fn header<'a>(
        &'a self,
        caller: &'a Caller,
        kind: &'a CredentialKind,
        refused: Option<&'a CredentialHeader>,
    ) -> BoxFuture<'a, Result<Option<CredentialHeader>, CredentialFault>> {
        Box::pin(async move {
            let before = Refused(refused.map(|header| &header.value));
            let token = match kind {
                CredentialKind::Session => self.session_token(caller, None, before).await?,
                CredentialKind::JwtTemplate(name) => {
                    self.session_token(caller, Some(name), before).await?
                }
                CredentialKind::Oauth => self.oauth_token(caller, before).await?,
                CredentialKind::M2m => {
                    let none = || unavailable("this server has no machine-to-machine token");
                    self.machine
                        .as_ref()
                        .ok_or_else(none)?
                        .token(before)
                        .await?
                }
                CredentialKind::Header(_) | CredentialKind::None => {
                    return FixedCredentials.header(caller, kind, refused).await;
                }
            };
            Ok(Some(token.header))
        })
    }
}

/// The header that the API has just refused, if it has.
#[derive(Clone, Copy)]
struct Refused<'a>(Option<&'a HeaderValue>);

/// A token that is kept, as the header that it is sent in.
#[derive(Clone, Debug)]
struct Token {
    header: CredentialHeader,
    /// When it was made; `None` where that is not known. Unix milliseconds, as below.
    made_at: Option<u64>,
    /// When it is replaced.
    until: u64,
}

impl Token {
    /// One that was made at `now`, and is replaced `margin` before it expires.
    fn new(
        text: &str,
        now: u64,
        expires_at: u64,
        margin: Duration,
    ) -> Result<Self, CredentialFault> {
        let header = CredentialHeader::bearer(text);
        Ok(Self {
            header: header.ok_or_else(|| unavailable("Clerk's token is none for a header"))?,
            made_at: Some(now),
            until: expires_at.saturating_sub(milliseconds(margin)),
        })
    }

    /// Whether it will do for a call, of which an API may have refused another or this one.
    fn serves(&self, now: u64, refused: Refused<'_>) -> bool {
        now < self.until && (refused.0 != Some(&self.header.value) || self.is_young(now))
    }

    fn is_young(&self, now: u64) -> bool {
        let made_at = self.made_at;
        made_at.is_some_and(|made_at| now.saturating_sub(made_at) < milliseconds(YOUNG))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// When a token expires, Unix milliseconds; nothing else of it is looked at, and nothing is believed.
fn expires_at(token: &str) -> Option<u64> {
    let payload = BASE64.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.get("exp")?.as_u64()?.checked_mul(1_000)
}

fn sign_in_again() -> CredentialFault {
    CredentialFault {
        code: "sign_in_again".into(),
        message: "the sign-in that this call would be made with is over".to_owned(),
        hint: Some("connect again and sign in".to_owned()),
    }
}

/// A machine calls.
fn nobody() -> CredentialFault {
    CredentialFault {
        code: "no_person".into(),
        message: "this tool is called as a person, and a machine is none".to_owned(),
        hint: Some("call it with a token of a person".to_owned()),
    }
}

fn unavailable(message: &str) -> CredentialFault {
    CredentialFault {
        code: "credential_unavailable".into(),
        message: message.to_owned(),
        hint: Some("try again in a minute".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_end_of_a_token_is_read_or_not_known() {
        let token = |claims: &str| format!("e30.{}.c2ln", BASE64.encode(claims));
        assert_eq!(expires_at(&token(r#"{"exp":60}"#)), Some(60_000));
        for broken in [
            "",
            "a.b.c",
            "x",
            &token("{}"),
            &token(r#"{"exp":-1}"#),
            &token(r#"{"exp":1e30}"#),
        ] {
            assert_eq!(expires_at(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_token_serves_until_its_margin_and_after_a_refusal_only_while_it_is_young() {
        let token = Token::new("t", 1_000, 61_000, Duration::from_secs(10)).unwrap();
        let other = HeaderValue::from_static("Bearer other");
        let own = Refused(Some(&token.header.value));
        assert!(token.serves(50_999, Refused(None)));
        assert!(token.serves(50_999, Refused(Some(&other))));
        assert!(!token.serves(51_000, Refused(None)));
        assert!(token.serves(10_999, own));
        assert!(!token.serves(11_000, own));
        let unknown = Token {
            made_at: None,
            ..token.clone()
        };
        assert!(!unknown.serves(1_000, own) && unknown.serves(1_000, Refused(None)));
        assert!(!format!("{token:?}").contains("Bearer t"));
    }
}
