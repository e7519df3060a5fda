//! `app`: the owner's application, where people have a session of Clerk's, lends it to this server.
//!
//! The browser goes to the application's `/auth/mcp` with `state`, `callback_url` and `client_name`, and
//! comes back to `/callback` with the session's token. `state` is signed, single use and bound to the
//! browser; the token is verified, and then the session is asked for at Clerk, since a token outlives
//! it by up to a minute. What is kept is the ids: the token is not.

use std::{fmt, time::Duration};

use clerk::{Client, Request, SessionTokenError, SessionTokenPolicy};
use http::Method;
use oauth::{Grant, RefreshRefusal, SignedIn, UpstreamRequest};
use serde_json::Value;
use url::Url;

use super::{
    Completed, IMPERSONATED, RETRY_AFTER,
    app_callback::{Answer, AppCallback},
};

/// The application's route, after its URL.
pub const ROUTE: &str = "/auth/mcp";
/// How long Clerk may take at a refresh to say how a session is, retries included: clients give up too.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most characters of a client's name that an address carries.
const LONGEST_NAME: usize = 100;

/// Sign-in through the owner's application.
#[derive(Debug)]
pub struct AppSignIn {
    route: Url,
    callback_url: String,
    client: Client,
    policy: SessionTokenPolicy,
}

/// Why the application's answer signs nobody in. Never holds a token.
#[derive(Debug)]
pub enum AppFault {
    /// The application says so, in OAuth's words.
    Refused {
        /// The error, as it was sent.
        error: String,
    },
    /// It sent neither a token nor an error.
    NoToken,
    /// The token is not good.
    Token(SessionTokenError),
    /// Somebody else acts as the person.
    Impersonated,
    /// The session is over, or not complete.
    Session(NotActive),
    /// Clerk could not be asked about the session.
    Unavailable(clerk::Error),
}

/// Why a session of Clerk's signs nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotActive {
    /// It ended, was revoked, replaced or removed, ran out, or does not exist.
    Over,
    /// The person has yet to finish a task, such as choosing an organization.
    Pending,
}

impl AppFault {
    /// Whether the person declined, or is somebody who may not sign in like this.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        match self {
            Self::Refused { error } => error == "access_denied",
            Self::Impersonated | Self::Session(_) | Self::Token(SessionTokenError::Pending) => true,
            Self::NoToken | Self::Token(_) | Self::Unavailable(_) => false,
        }
    }

    /// Whether it may work in a moment.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Refused { error } => error == "temporarily_unavailable",
            Self::Unavailable(_) | Self::Token(SessionTokenError::Keys(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for AppFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Whoever has the browser can write anything there.
            Self::Refused { error } => {
                let error: String = error.chars().take(80).collect();
                write!(
                    f,
                    "the application signed nobody in: {error:?}\n\
                     hint: see the application's log"
                )
            }
            Self::NoToken => write!(
                f,
                "the application sent no `clerk_token`\n\
                 hint: its route {ROUTE} must send the session token, as in \
                 docs/guides/sign-in-through-your-app.md"
            ),
            Self::Token(error @ SessionTokenError::AuthorizedParty { .. }) => write!(
                f,
                "{}\nhint: if that site is yours, add its origin to sign_in.authorized_parties",
                error.message()
            ),
            Self::Token(error) => error.fmt(f),
            Self::Impersonated => f.write_str(IMPERSONATED),
            Self::Session(NotActive::Over) => {
                f.write_str("the session is over\nhint: sign in to the application again")
            }
            Self::Session(NotActive::Pending) => f.write_str(
                "the session is pending: the person has yet to finish a task\n\
                 hint: let them finish it in the application",
            ),
            Self::Unavailable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AppFault {}

impl AppSignIn {
    /// Through the application at `app_url`, a URL without query and fragment. Its tokens come back
    /// to `callback_url`, are issued by `issuer`, the Frontend API, and were made for one of
    /// `authorized_parties`, as far as they say for whom.
    #[must_use]
    pub fn new(
        app_url: &Url,
        callback_url: String,
        issuer: &str,
        authorized_parties: impl IntoIterator<Item = String>,
        client: Client,
    ) -> Self {
        let mut route = app_url.clone();
        let path = format!("{}{ROUTE}", app_url.path().trim_end_matches('/'));
        route.set_path(&path);
        Self {
            route,
            callback_url,
            client,
            policy: SessionTokenPolicy::default()
                .issuer(issuer)
                .authorized_parties(authorized_parties)
                .require_session_category(),
        }
    }

    pub(super) fn authorization_url(
        &self,
        upstream: &UpstreamRequest,
        client_name: Option<&str>,
    ) -> String {
        let mut url = self.route.clone();
        url.query_pairs_mut()
            .append_pair("state", &upstream.state)
            .append_pair("callback_url", &self.callback_url);
        if let Some(name) = client_name {
            let name: String = name.chars().take(LONGEST_NAME).collect();
            url.query_pairs_mut().append_pair("client_name", &name);
        }
        url.into()
    }

    pub(super) async fn complete(&self, callback: AppCallback) -> Result<Completed, AppFault> {
        let token = match callback.into_answer() {
            Answer::Token(token) => token,
            Answer::Error(error) => return Err(AppFault::Refused { error }),
            Answer::Nothing => return Err(AppFault::NoToken),
        };
        let verified = self.client.verify_session_token(&token, &self.policy);
        let claims = verified.await.map_err(AppFault::Token)?;
        if claims.actor.is_some() {
            return Err(AppFault::Impersonated);
        }
        self.check_session(&claims.session_id, &claims.user_id)
            .await?;
        Ok(Completed {
            upstream: None,
            person: SignedIn {
                user_id: claims.user_id,
                session_id: Some(claims.session_id),
                organization_id: claims.organization.map(|organization| organization.id),
                display_name: None,
            },
        })
    }

    /// Whether the grant's session goes on.
    pub(super) async fn refresh(&self, grant: &Grant) -> Result<(), RefreshRefusal> {
        let Some(session_id) = &grant.session_id else {
            tracing::info!(grant = %grant.id, "a grant ends: it has no session, as it was made with \
                another sign_in.mode");
            return Err(RefreshRefusal::Ended);
        };
        let later = RefreshRefusal::Unavailable {
            retry_after: RETRY_AFTER,
        };
        let checking = self.check_session(session_id, &grant.user_id);
        let Ok(checked) = tokio::time::timeout(PATIENCE, checking).await else {
            tracing::warn!(grant = %grant.id, "Clerk did not say in time how a session is");
            return Err(later);
        };
        match checked {
            Ok(()) => Ok(()),
            Err(AppFault::Session(NotActive::Pending)) => Err(later),
            Err(AppFault::Unavailable(error)) => {
                tracing::warn!(grant = %grant.id, %error, "Clerk could not say how a session is");
                let retry_after = error.retry_after().map(Duration::from_secs);
                Err(RefreshRefusal::Unavailable {
                    retry_after: retry_after.unwrap_or(RETRY_AFTER),
                })
            }
            Err(fault) => {
                tracing::info!(grant = %grant.id, %fault, "a grant ends");
                Err(RefreshRefusal::Ended)
            }
        }
    }

    /// Asks Clerk (`GetSession`).
    async fn check_session(&self, session_id: &str, user_id: &str) -> Result<(), AppFault> {
        let request = Request::new("GetSession", Method::GET, "/sessions/{session_id}")
            .path_parameter("session_id", session_id)
            .map_err(|_| AppFault::Session(NotActive::Over))?;
        let session = match self.client.send(&request).await {
            Ok(answer) => answer.body,
            Err(clerk::Error::Api(error)) if error.status == 404 => {
                return Err(AppFault::Session(NotActive::Over));
            }
            Err(error) => return Err(AppFault::Unavailable(error)),
        };
        let text = |name: &str| session.get(name).and_then(Value::as_str);
        if text("user_id") != Some(user_id) {
            return Err(AppFault::Session(NotActive::Over));
        }
        if session.get("actor").is_some_and(|actor| !actor.is_null()) {
            return Err(AppFault::Impersonated);
        }
        match text("status") {
            Some("active") => Ok(()),
            Some("pending") => Err(AppFault::Session(NotActive::Pending)),
            _ => Err(AppFault::Session(NotActive::Over)),
        }
    }
}
