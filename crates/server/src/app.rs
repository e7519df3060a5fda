//! What the routes share.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use clerk::Env;
use oauth::{AuthorizationServer, ProtectedResource, Random, Timestamp};
use pages::SignInMode;
use store::tool_state::ToolStateStore;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    clerk_pace::ClerkPace, config::TrustedProxies, ended::GrantEnds, front::origin::Allowed,
    people::People, rate_limit::RateLimits, readiness::Readiness, routes::Cookies, sign_in::SignIn,
};

/// What every part of the server stands on.
pub struct App {
    /// Where clients reach the server, without a trailing slash.
    pub public_url: Url,
    /// What pages call it.
    pub name: String,
    /// Its version.
    pub version: &'static str,
    /// The rules of the authorization server, and the store.
    pub oauth: AuthorizationServer,
    /// What clients are told of the MCP endpoint.
    pub resource: ProtectedResource,
    /// How people sign in, for the home page.
    pub sign_in_mode: SignInMode,
    /// Where tools keep values.
    pub tool_state: Arc<dyn ToolStateStore>,
    /// How long a value is kept that no tool uses: as long as a grant lives at most.
    pub tool_state_kept: Duration,
    /// The way people sign in through this server; `None` where they do so at Clerk.
    pub sign_in: Option<Arc<SignIn>>,
    /// What Clerk says of people.
    pub people: People,
    /// How often Clerk is asked for those who only wait.
    pub pace: Arc<ClerkPace>,
    /// Whether the database works.
    pub readiness: Readiness,
    /// Grants that end while they are used.
    pub ends: Arc<GrantEnds>,
    /// Hosts and origins.
    pub allowed: Allowed,
    /// Cookies.
    pub cookies: Cookies,
    /// How long audit rows stay in the database; `None` for ever.
    pub audit_kept: Option<Duration>,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// How much of what one address may ask for.
    pub limits: RateLimits,
    /// Fetches clients' metadata documents.
    pub documents: Arc<dyn oauth::FetchDocument>,
    /// Fetches clients' key sets, by the same rules.
    pub key_sets: Arc<dyn oauth::FetchDocument>,
    /// The machine's clock.
    pub env: Arc<dyn Env>,
    /// The machine's randomness.
    pub random: Arc<dyn Random>,
    /// People of an emulated Clerk, for the home page.
    pub emulated: Vec<EmulatedPerson>,
    /// Cancelled at shutdown.
    pub stop: Arc<CancellationToken>,
}

/// Somebody one can sign in as at the emulated Clerk.
#[derive(Clone, Debug)]
pub struct EmulatedPerson {
    /// First and last name.
    pub name: String,
    /// The primary address.
    pub email: String,
    /// The role in public metadata, if any.
    pub role: String,
    /// Whether this server can start no session for them, which its tools over the API need: they
    /// have a second factor.
    pub without_session: bool,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("public_url", &self.public_url.as_str())
            .finish_non_exhaustive()
    }
}

impl App {
    /// The moment that it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.env.now())
    }

    /// The address of a path of this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Ends every grant of somebody who may not be signed in any more, with the streams that it serves.
    /// What cannot be ended now is when it is used next: whoever uses it is looked at then.
    pub(crate) async fn end_grants_of(&self, user_id: &str) {
        let store = self.oauth.store();
        let grants = match store.grants_of_user(user_id, self.now()).await {
            Ok(grants) => grants,
            Err(error) => {
                return tracing::error!(%error, user_id, "somebody's grants could not be ended");
            }
        };
        for grant in grants.iter().map(|grant| &grant.id) {
            tracing::info!(%grant, user_id, "a grant ends: its person is banned or deleted at Clerk");
            if let Err(error) = store.revoke_grant(grant, self.now()).await {
                tracing::error!(%grant, %error, "a grant could not be ended");
            }
            self.ends.end(grant);
        }
    }
}

/// What the authorization server's own routes need besides: a way for people to sign in through this
/// server. Where Clerk is the authorization server there is none, and no such route.
#[derive(Debug)]
pub struct AuthorizationApp {
    /// The rest.
    pub app: Arc<App>,
    /// The way people sign in.
    pub sign_in: Arc<SignIn>,
}

impl Deref for AuthorizationApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}
