//! Sign-ins that are being used, and the access token of Clerk's OAuth provider that each can lend.
//!
//! What Clerk gave is sealed in the grant, and opens only with a live token of the grant: a
//! [`SignInUse`] is made when one was checked, and lives as long as its principal is kept or a call of
//! it runs.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use clerk::oauth::TokenSet;
use http::HeaderValue;
use oauth::{Access, Grant, GrantId, UpstreamUpdate};

use super::{Refused, Token, sign_in_again, slot::Slot, unavailable};
use crate::{
    app::App,
    ended::GrantEnd,
    http_tools::CredentialFault,
    sign_in::{SignIn, pauses},
};

/// How long before its end Clerk's access token is not used any more: the API's clock may be ahead,
/// and a call with its repetitions takes a while.
const MARGIN: Duration = Duration::from_secs(60);
/// Below it, looking for entries that can be dropped is not worth it.
const FIRST_SWEEP: usize = 1024;

/// The sign-ins that are being used, by their grant: whoever uses the same one shares it.
#[derive(Debug, Default)]
pub(crate) struct SignInsInUse(Mutex<InUse>);

#[derive(Debug, Default)]
struct InUse {
    of: HashMap<GrantId, Weak<SignInUse>>,
    /// How many there may be before those that nobody uses are dropped.
    sweep_at: usize,
}

impl SignInsInUse {
    /// The sign-in whose token has just been checked.
    pub(crate) fn of(&self, app: &Arc<App>, access: Access, ended: GrantEnd) -> Arc<SignInUse> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.of.get(&access.grant.id).and_then(Weak::upgrade) {
            known.learn(access);
            return known;
        }
        if all.of.len() >= all.sweep_at.max(FIRST_SWEEP) {
            all.of.retain(|_, known| known.strong_count() > 0);
            all.sweep_at = all.of.len() * 2;
        }
        let id = access.grant.id.clone();
        let made = Arc::new(SignInUse {
            app: Arc::clone(app),
            access: Mutex::new(access),
            ended,
            token: Arc::default(),
        });
        all.of.insert(id, Arc::downgrade(&made));
        made
    }
}

/// One sign-in that is being used.
pub(crate) struct SignInUse {
    app: Arc<App>,
    /// Proof that a live token was there, with the grant as it was last seen.
    access: Mutex<Access>,
    ended: GrantEnd,
    token: Arc<Slot<Token>>,
}

impl fmt::Debug for SignInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInUse").finish_non_exhaustive()
    }
}

impl SignInUse {
    /// Its grant, as it was last seen.
    pub(super) fn grant(&self) -> Grant {
        self.access().grant.clone()
    }

    /// Cancelled when its grant ends.
    pub(super) fn ended(&self) -> &GrantEnd {
        &self.ended
    }

    /// The access token of Clerk's OAuth provider: the one that the grant keeps, or, shortly before
    /// that expires or once the API has refused it, a new one, which the grant keeps from then on.
    pub(super) async fn access_token(
        self: &Arc<Self>,
        refused: Refused<'_>,
    ) -> Result<Token, CredentialFault> {
        if self.ended.is_cancelled() {
            return Err(sign_in_again());
        }
        let (now, this) = (self.app.env.now(), Arc::clone(self));
        let before = refused.0.cloned();
        let serves = |token: &Token| token.serves(now, refused);
        let make = |_| async move { this.renewed(before).await };
        self.token.get(serves, make).await
    }

    async fn renewed(
        self: &Arc<Self>,
        refused: Option<HeaderValue>,
    ) -> Result<Token, CredentialFault> {
        let Some(SignIn::ClerkOauth(clerk)) = self.app.sign_in.as_deref() else {
            return Err(unavailable("this server is no OAuth client of Clerk"));
        };
        let refused = Refused(refused.as_ref());
        let mut access = self.access().clone();
        // Twice: another process may have been faster, which has used the refresh token up.
        for _ in 0..2 {
            let tokens = opened(&access)?;
            let token = token_of(&tokens, None)?;
            let now = self.app.env.now();
            if token.serves(now, refused) {
                return Ok(token);
            }
            let still_good = refused.0 != Some(&token.header.value)
                && tokens.expires_at.is_some_and(|at| now < at);
            match clerk.refreshed(&access.grant, tokens).await {
                Ok(Some(renewed)) => return self.keep(access, &renewed).await,
                Ok(None) if still_good => return Ok(token),
                Ok(None) => return Err(sign_in_again()),
                Err(error) if error.is_dead_refresh_token() => {
                    let seen = access.grant.upstream_version;
                    access = self.seen_anew(&access).await?;
                    if access.grant.upstream_version == seen {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(grant = %access.grant.id, %error, "Clerk gave no new tokens");
                    if still_good {
                        return Ok(token);
                    }
                    return Err(unavailable("Clerk gives no new access token now"));
                }
            }
        }
        self.end(&access.grant.id).await;
        Err(sign_in_again())
    }

    /// Clerk will not take the refresh token again: the grant that lives on it has ended. So the
    /// client hears it too, and can let the person sign in.
    async fn end(&self, grant: &GrantId) {
        tracing::info!(%grant, "a grant ends: Clerk does not take its refresh token any more");
        let store = self.app.oauth.store();
        if let Err(error) = store.revoke_grant(grant, self.app.now()).await {
            tracing::error!(%grant, %error, "a grant could not be ended");
        }
        self.app.ends.end(grant);
    }

    /// Keeps what Clerk gave: in memory at once, and in the grant.
    async fn keep(
        self: &Arc<Self>,
        access: Access,
        renewed: &[u8],
    ) -> Result<Token, CredentialFault> {
        let mut access = access;
        let random = self.app.random.as_ref();
        access.replace_upstream(renewed, random);
        *self.access() = access.clone();
        let token = token_of(&opened(&access)?, Some(self.app.env.now()))?;
        match self.keep_in_store(&mut access).await {
            Kept::Yes => Ok(token),
            Kept::GrantGone => Err(sign_in_again()),
            Kept::Failed => {
                // Until it is kept it is used from memory, here and where the client refreshes.
                let held = match self.app.sign_in.as_deref() {
                    Some(SignIn::ClerkOauth(clerk)) => clerk.hold(&access.grant, renewed.to_vec()),
                    _ => None,
                };
                // Somebody else keeps trying with what is held already.
                let Some(held) = held else {
                    return Ok(token);
                };
                let this = Arc::clone(self);
                tokio::spawn(async move {
                    for pause in pauses() {
                        this.app.env.sleep(pause).await;
                        if !matches!(this.keep_in_store(&mut access).await, Kept::Failed) {
                            break;
                        }
                    }
                    drop(held);
                });
                Ok(token)
            }
        }
    }

    async fn keep_in_store(&self, access: &mut Access) -> Kept {
        match self.app.oauth.keep_upstream(access, self.app.now()).await {
            Ok(UpstreamUpdate::Updated { .. }) => {
                *self.access() = access.clone();
                Kept::Yes
            }
            // Another request has kept something newer, or the same.
            Ok(UpstreamUpdate::Conflict) => {
                if let Ok(newer) = self.seen_anew(access).await {
                    *self.access() = newer;
                }
                Kept::Yes
            }
            Ok(UpstreamUpdate::Gone) => Kept::GrantGone,
            Err(error) => {
                tracing::warn!(grant = %access.grant.id, %error, "the store failed");
                Kept::Failed
            }
        }
    }

    /// The grant as it is kept now.
    async fn seen_anew(&self, access: &Access) -> Result<Access, CredentialFault> {
        match self.app.oauth.check_again(access, self.app.now()).await {
            Ok(access) => access.ok_or_else(sign_in_again),
            Err(error) => {
                tracing::error!(%error, "the store failed");
                Err(unavailable("the sign-in cannot be read now"))
            }
        }
    }

    /// Another token of the same grant was checked, and may have brought a newer state of it.
    fn learn(&self, access: Access) {
        let mut known = self.access();
        if access.grant.upstream_version > known.grant.upstream_version {
            *known = access;
        }
    }

    fn access(&self) -> MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Kept {
    Yes,
    GrantGone,
    Failed,
}

fn opened(access: &Access) -> Result<TokenSet, CredentialFault> {
    let bytes = access.open_upstream().ok_or_else(sign_in_again)?;
    TokenSet::from_bytes(&bytes).map_err(|error| {
        tracing::error!(grant = %access.grant.id, %error, "what Clerk gave cannot be used");
        sign_in_again()
    })
}

/// One whose end is not known is renewed for each call.
fn token_of(tokens: &TokenSet, made_at: Option<u64>) -> Result<Token, CredentialFault> {
    let expires_at = tokens.expires_at.unwrap_or_default();
    let token = Token::new(tokens.access_token.expose(), 0, expires_at, MARGIN)?;
    Ok(Token { made_at, ..token })
}
