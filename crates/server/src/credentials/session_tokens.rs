//! Session tokens of the person who is signed in: minted by Clerk for a session, or of one of its JWT
//! templates, and kept until shortly before they expire.

use std::{fmt, sync::Arc, time::Duration};

use clerk::{Client, Request};
use http::Method;
use moka::future::Cache;
use serde_json::Value;

use super::{Refused, Token, expires_at, sign_in_again, slot::Slot, unavailable};
use crate::http_tools::CredentialFault;

/// How long before its end a token is not used any more: the API's clock may be ahead.
const MARGIN: Duration = Duration::from_secs(10);
/// The most tokens that are kept.
const MOST_TOKENS: u64 = 10_000;
/// How long a token is kept that nobody asks for.
const UNUSED: Duration = Duration::from_secs(60 * 60);

/// Mints and keeps them. One token for a session and template at a time, however many calls want it.
pub(super) struct SessionTokens {
    client: Client,
    kept: Cache<Wanted, Arc<Slot<Token>>>,
}

type Wanted = (Arc<str>, Option<Arc<str>>);

impl fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokens").finish_non_exhaustive()
    }
}

impl SessionTokens {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            kept: Cache::builder()
                .max_capacity(MOST_TOKENS)
                .time_to_idle(UNUSED)
                .build(),
        }
    }

    /// A token of this session, or of its template of this name.
    pub(super) async fn token(
        &self,
        session: &str,
        template: Option<&str>,
        refused: Refused<'_>,
    ) -> Result<Token, CredentialFault> {
        let wanted: Wanted = (session.into(), template.map(Arc::from));
        let (client, now) = (self.client.clone(), self.client.env().now());
        let slot = self.kept.get_with(wanted.clone(), async { Arc::default() });
        let make = |_| async move { mint(&client, &wanted.0, wanted.1.as_deref()).await };
        let serves = |token: &Token| token.serves(now, refused);
        slot.await.get(serves, make).await
    }
}

async fn mint(
    client: &Client,
    session: &str,
    template: Option<&str>,
) -> Result<Token, CredentialFault> {
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
    let now = client.env().now();
    let answer = match client.send(&request).await {
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
    // One whose end cannot be read is used for this call, and not kept.
    let expires_at = expires_at(token).unwrap_or(now);
    Token::new(token, now, expires_at, MARGIN)
}
