//! Session tokens of the person who is signed in, for the owner's API: minted by Clerk for the session
//! of the grant, kept until shortly before they expire.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use clerk::{BoxFuture, Client, Request};
use http::Method;
use mcp::Caller;
use moka::future::Cache;
use serde_json::Value;

use crate::http_tools::{
    Credential, CredentialFault, CredentialHeader, CredentialKind, FixedCredentials, Freshness,
    HttpTool,
};

/// How long before its end a token is not used any more: the API's clock may be ahead.
const MARGIN: Duration = Duration::from_secs(10);
/// The most tokens that are kept.
const MOST_TOKENS: u64 = 10_000;
/// The longest that a token is kept, whatever it says.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Mints and keeps them. One token for a session and template at a time, however many calls want it.
pub(crate) struct SessionTokens {
    client: Client,
    kept: Cache<Wanted, Minted>,
}

type Wanted = (Arc<str>, Option<Arc<str>>);

#[derive(Clone)]
struct Minted {
    token: Arc<str>,
    /// When it is used no more, Unix milliseconds.
    until: u64,
}

impl fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokens").finish_non_exhaustive()
    }
}

impl SessionTokens {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            kept: Cache::builder()
                .max_capacity(MOST_TOKENS)
                .time_to_live(LONGEST)
                .build(),
        }
    }

    async fn token(
        &self,
        session: &str,
        template: Option<&str>,
        freshness: Freshness,
    ) -> Result<Arc<str>, CredentialFault> {
        let wanted: Wanted = (session.into(), template.map(Arc::from));
        let is_over = |minted: &Minted| minted.until <= self.client.env().now();
        let kept = self.kept.get(&wanted).await;
        if freshness == Freshness::Renewed || kept.as_ref().is_some_and(is_over) {
            self.kept.invalidate(&wanted).await;
        }
        let minting = self.kept.try_get_with(wanted, self.mint(session, template));
        match minting.await {
            Ok(minted) => Ok(minted.token),
            Err(fault) => Err((*fault).clone()),
        }
    }

    async fn mint(&self, session: &str, template: Option<&str>) -> Result<Minted, CredentialFault> {
        let request = match template {
            None => Request::new(
                "CreateSessionToken",
                Method::POST,
                "/sessions/{session_id}/tokens",
            ),
            Some(_) => Request::new(
                "CreateSessionTokenFromTemplate",
                Method::POST,
                "/sessions/{session_id}/tokens/{template_name}",
            ),
        };
        let request = request.path_parameter("session_id", session);
        let request = match template {
            Some(name) => request.and_then(|request| request.path_parameter("template_name", name)),
            None => request,
        };
        let request = request
            .map_err(|_| sign_in_again())?
            .body(Value::Object(Default::default()));
        let now = self.client.env().now();
        let answer = match self.client.send(&request).await {
            Ok(answer) => answer.body,
            Err(clerk::Error::Api(error)) if template.is_some() && error.status == 404 => {
                tracing::error!(%error, "a JWT template cannot be used");
                return Err(unavailable(
                    "the JWT template does not exist at Clerk, or the session is over",
                ));
            }
            Err(clerk::Error::Api(error))
                if (400..500).contains(&error.status) && error.status != 429 =>
            {
                return Err(sign_in_again());
            }
            Err(error) => {
                tracing::warn!(%error, "Clerk gave no session token");
                return Err(unavailable("Clerk gives no session token now"));
            }
        };
        let Some(token) = answer.get("jwt").and_then(Value::as_str) else {
            return Err(unavailable("Clerk's answer holds no session token"));
        };
        let margin = u64::try_from(MARGIN.as_millis()).unwrap_or(u64::MAX);
        // One whose end cannot be read is used for this call, and not kept.
        let until = expires_at(token).map_or(now, |at| at.saturating_sub(margin));
        Ok(Minted {
            token: token.into(),
            until,
        })
    }
}

impl Credential for SessionTokens {
    fn header<'a>(
        &'a self,
        caller: &'a Caller,
        tool: &'a HttpTool,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<CredentialHeader>, CredentialFault>> {
        let template = match &tool.credential {
            CredentialKind::Session => None,
            CredentialKind::JwtTemplate(name) => Some(name.as_str()),
            _ => return FixedCredentials.header(caller, tool, freshness),
        };
        Box::pin(async move {
            let session = caller.session_id.as_deref().ok_or_else(sign_in_again)?;
            let token = self.token(session, template, freshness).await?;
            let header = CredentialHeader::bearer(&token);
            header
                .map(Some)
                .ok_or_else(|| unavailable("Clerk's session token is none"))
        })
    }
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
        message: "the session of this sign-in is over".to_owned(),
        hint: Some("connect again and sign in".to_owned()),
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
}
