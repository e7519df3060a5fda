//! How people sign in. The routes and the token endpoint know no more of it than [`SignIn`].

mod app;
mod app_callback;
mod clerk_oauth;
mod unkept;

use std::{fmt, time::Duration};

use clerk::{
    access_token::AccessTokenError,
    oauth::{CallbackError, CallbackQuery, OAuthError},
};
use oauth::{Grant, RefreshRefusal, SignedIn, Store, UpstreamRequest};

pub use self::{
    app::{AppFault, AppSignIn, NotActive, ROUTE as APP_ROUTE},
    app_callback::{AppCallback, AppCallbackError},
    clerk_oauth::{ClerkOauth, scopes},
};
pub(crate) use self::{app_callback::without_token, unkept::pauses};

/// When to try again if Clerk does not say.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What is said where an impersonator signs in as somebody.
const IMPERSONATED: &str = "the session is an impersonation: somebody else acts as this person\n\
                            hint: sign in as yourself";

/// The way people sign in.
#[derive(Debug)]
pub enum SignIn {
    /// `clerk-oauth`
    ClerkOauth(ClerkOauth),
    /// `app`
    App(AppSignIn),
}

/// What a browser brought back. Nothing in it is believed yet.
#[derive(Debug)]
pub enum Callback {
    /// From Clerk.
    ClerkOauth(CallbackQuery),
    /// From the owner's application.
    App(AppCallback),
}

impl Callback {
    /// The `state`, which finds the authorization that it belongs to.
    #[must_use]
    pub fn state(&self) -> &str {
        match self {
            Self::ClerkOauth(query) => query.state(),
            Self::App(callback) => callback.state(),
        }
    }
}

/// A sign-in that came to its end.
pub struct Completed {
    /// Who.
    pub person: SignedIn,
    /// What Clerk gave, to be kept sealed; `None` where the grant's ids are all there is.
    pub upstream: Option<Vec<u8>>,
}

impl fmt::Debug for Completed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completed")
            .field("person", &self.person)
            .finish_non_exhaustive()
    }
}

/// Why a sign-in did not come to its end.
#[derive(Debug)]
pub enum SignInFault {
    /// The callback is not of the protocol's form.
    Callback(CallbackError),
    /// The owner's application sent no callback of ours.
    AppCallback(AppCallbackError),
    /// Clerk, or the way there.
    Clerk(OAuthError),
    /// Clerk could not say who acts with the access token that it gave.
    Unread(AccessTokenError),
    /// Somebody else acts as the person.
    Impersonated,
    /// What the owner's application sent.
    App(AppFault),
}

impl SignInFault {
    /// Whether the person declined, or is somebody who may not sign in.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        match self {
            Self::Clerk(error) => error.is_access_denied(),
            Self::App(fault) => fault.is_declined(),
            Self::Impersonated => true,
            Self::Callback(_) | Self::AppCallback(_) | Self::Unread(_) => false,
        }
    }

    /// Whether it may work in a moment.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Clerk(error) => error.is_unavailable(),
            Self::App(fault) => fault.is_unavailable(),
            Self::Unread(error) => error.unavailable().is_some(),
            Self::Callback(_) | Self::AppCallback(_) | Self::Impersonated => false,
        }
    }
}

impl fmt::Display for SignInFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callback(error) => error.fmt(f),
            Self::AppCallback(error) => error.fmt(f),
            Self::Clerk(error) => error.fmt(f),
            Self::Unread(AccessTokenError::Ended) => f.write_str(
                "Clerk does not know the access token that it has just given\n\
                 hint: check that CLERK_SECRET_KEY and CLERK_CLIENT_ID are of the same instance",
            ),
            Self::Unread(error) => error.fmt(f),
            Self::Impersonated => f.write_str(IMPERSONATED),
            Self::App(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for SignInFault {}

impl From<OAuthError> for SignInFault {
    fn from(error: OAuthError) -> Self {
        Self::Clerk(error)
    }
}

impl From<AppFault> for SignInFault {
    fn from(fault: AppFault) -> Self {
        Self::App(fault)
    }
}

impl SignIn {
    /// Where the browser goes to sign in. `client_name` is what the client calls itself, as far as it
    /// can be shown to people.
    ///
    /// # Errors
    /// [`SignInFault`] when Clerk cannot say where that is.
    pub async fn authorization_url(
        &self,
        upstream: &UpstreamRequest,
        client_name: Option<&str>,
    ) -> Result<String, SignInFault> {
        match self {
            Self::ClerkOauth(clerk) => clerk.authorization_url(upstream).await,
            Self::App(app) => Ok(app.authorization_url(upstream, client_name)),
        }
    }

    /// Reads what came back, form-encoded: a query without its `?`, or a form.
    ///
    /// # Errors
    /// [`SignInFault`] when it is no callback.
    pub fn read_callback(&self, parameters: &str) -> Result<Callback, SignInFault> {
        match self {
            Self::ClerkOauth(_) => CallbackQuery::parse(parameters)
                .map(Callback::ClerkOauth)
                .map_err(SignInFault::Callback),
            Self::App(_) => AppCallback::parse(parameters)
                .map(Callback::App)
                .map_err(SignInFault::AppCallback),
        }
    }

    /// Whether a form may come back in place of a query.
    #[must_use]
    pub fn takes_forms(&self) -> bool {
        matches!(self, Self::App(_))
    }

    /// Who came back.
    ///
    /// # Errors
    /// [`SignInFault`].
    pub async fn complete(
        &self,
        callback: Callback,
        upstream: &UpstreamRequest,
    ) -> Result<Completed, SignInFault> {
        match (self, callback) {
            (Self::ClerkOauth(clerk), Callback::ClerkOauth(query)) => {
                clerk.complete(query, upstream).await
            }
            (Self::App(app), Callback::App(callback)) => Ok(app.complete(callback).await?),
            // A server signs people in one way: what it read is what it completes.
            _ => Err(AppFault::NoToken.into()),
        }
    }

    /// Whether Clerk still stands by what it gave, and what it gave anew. `store` has the grant.
    ///
    /// # Errors
    /// [`RefreshRefusal`].
    pub async fn refresh(
        &self,
        grant: &Grant,
        upstream: Option<Vec<u8>>,
        store: &dyn Store,
    ) -> Result<Option<Vec<u8>>, RefreshRefusal> {
        match self {
            Self::ClerkOauth(clerk) => clerk.refresh(grant, upstream, store).await,
            Self::App(app) => app.refresh(grant).await.map(|()| None),
        }
    }
}
