//! Clerk sessions that this server starts itself, where the way of signing in has none: a sign-in token
//! is made for the person and redeemed at the Frontend API at once. One for each sign-in that needs one,
//! which is a grant, or, where Clerk issues the tokens, what a person has with a client.
//!
//! They are used from memory, and revoked at Clerk with their sign-in, when nobody has used them for a
//! while, and when the server stops. Their ids are on record (`started_sessions`), so that the next
//! process ends what a crash has left.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clerk::{
    Client, Request,
    frontend::{FrontendClient, FrontendError},
    oauth::Secret,
};
use futures_util::{StreamExt as _, stream};
use http::Method;
use oauth::GrantId;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    milliseconds, sign_in_again,
    slot::Slot,
    started_sessions::{REVOKED_AT_ONCE, StartedSessions},
    unavailable,
};
use crate::{ended::GrantEnd, http_tools::CredentialFault};

/// How long a sign-in token is good that is redeemed at once.
const TICKET_LIFETIME: Duration = Duration::from_secs(60);
/// How long a session is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// The same where Clerk issued the token: as long as there is a session, Clerk is asked about the token
/// and the person now and then (`token_ends`).
const IDLE_BY_TOKEN: Duration = Duration::from_secs(10 * 60);
/// How long it is believed that Clerk asks somebody for a second factor, or refuses them.
const REFUSAL_BELIEVED: Duration = Duration::from_secs(5 * 60);
/// The most sessions at a time.
const MOST_SESSIONS: usize = 10_000;
/// How long revoking all of them at the end may take.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// For whom a session is.
#[derive(Clone, Debug)]
pub(super) struct Whose {
    pub(super) sign_in: SignInKey,
    pub(super) user_id: String,
    /// The organization that is active in it.
    pub(super) organization_id: Option<String>,
    /// Cancelled when the sign-in ends.
    pub(super) ended: GrantEnd,
}

/// What a session belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum SignInKey {
    /// One of this server's grants.
    Grant(GrantId),
    /// A person with a client that Clerk gave tokens: the session is that of all of them, and ends with
    /// the one that used it last.
    Client {
        user_id: String,
        client_id: String,
        organization_id: Option<String>,
    },
}

impl SignInKey {
    fn idle(&self) -> Duration {
        match self {
            Self::Grant(_) => IDLE,
            Self::Client { .. } => IDLE_BY_TOKEN,
        }
    }
}

/// The sessions. Clones are the same.
#[derive(Clone)]
pub(super) struct TicketSessions(Arc<Inner>);

struct Inner {
    client: Client,
    frontend: FrontendClient,
    started: StartedSessions,
    all: Mutex<HashMap<SignInKey, Arc<Entry>>>,
    /// Cancelled when the server stops: no more are started.
    closed: CancellationToken,
}

#[derive(Default)]
struct Entry {
    found: Arc<Slot<Found>>,
    /// When it was last asked for, Unix milliseconds.
    used_at: AtomicU64,
    watched: Mutex<Option<Watched>>,
}

/// The end that an entry ends with. Dropped, nobody listens for it any more.
struct Watched {
    end: GrantEnd,
    _listening: DropGuard,
}

impl Entry {
    /// Has it end with this end, in place of the one before. Gives what is cancelled once it is another
    /// one's turn; `None` when it is this one's already.
    fn adopt(&self, end: &GrantEnd) -> Option<CancellationToken> {
        let mut watched = self.watched();
        if watched
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(&known.end, end))
        {
            return None;
        }
        let listening = CancellationToken::new();
        *watched = Some(Watched {
            end: Arc::clone(end),
            _listening: listening.clone().drop_guard(),
        });
        Some(listening)
    }

    fn watched(&self) -> MutexGuard<'_, Option<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What Clerk said to somebody's ticket.
#[derive(Clone, Debug)]
enum Found {
    /// The id of their session.
    Session(Arc<str>),
    /// They cannot be signed in like this; not asked again before `until`.
    Refused { fault: CredentialFault, until: u64 },
}

impl fmt::Debug for TicketSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketSessions").finish_non_exhaustive()
    }
}

impl TicketSessions {
    pub(super) fn new(client: Client, frontend: FrontendClient, started: StartedSessions) -> Self {
        Self(Arc::new(Inner {
            client,
            frontend,
            started,
            all: Mutex::default(),
            closed: CancellationToken::new(),
        }))
    }

    /// The id of their session. With `suspect`, one that gave no token: if Clerk says that it is over,
    /// another is started.
    pub(super) async fn session(
        &self,
        whose: Whose,
        suspect: Option<&Arc<str>>,
    ) -> Result<Arc<str>, CredentialFault> {
        if whose.ended.is_cancelled() || self.0.closed.is_cancelled() {
            return Err(sign_in_again());
        }
        let now = self.now();
        let entry = self.entry(&whose)?;
        entry.used_at.store(now, Ordering::Relaxed);
        let serves = |found: &Found| match found {
            Found::Session(id) => suspect != Some(id),
            Found::Refused { until, .. } => now < *until,
        };
        let (sessions, suspect) = (self.clone(), suspect.cloned());
        let make = |before| async move {
            if let (Some(Found::Session(id)), Some(suspect)) = (&before, &suspect)
                && id == suspect
                && !sessions.is_over(id).await
            {
                return Ok(Found::Session(Arc::clone(id)));
            }
            sessions.start(&whose).await
        };
        match entry.found.get(serves, make).await? {
            Found::Session(id) => Ok(id),
            Found::Refused { fault, .. } => Err(fault),
        }
    }

    /// Ends the sessions that nobody has used for long, and those whose grant `is_live` no more: one that
    /// expired, or was ended by another process, told nobody here. The others are looked after.
    pub(super) async fn sweep<F>(&self, is_live: impl Fn(GrantId) -> F)
    where
        F: Future<Output = bool>,
    {
        let now = self.now();
        let known: Vec<(SignInKey, u64)> = self
            .all()
            .iter()
            .map(|(key, entry)| (key.clone(), entry.used_at.load(Ordering::Relaxed)))
            .collect();
        for (key, used_at) in known {
            let is_idle = now.saturating_sub(used_at) >= milliseconds(key.idle());
            let is_over = match &key {
                _ if is_idle => true,
                SignInKey::Grant(grant) => !is_live(grant.clone()).await,
                SignInKey::Client { .. } => false,
            };
            if is_over {
                self.end(&key).await;
            }
        }
        let ids: Vec<String> = self
            .all()
            .values()
            .filter_map(|entry| match entry.found.kept()? {
                Found::Session(id) => Some(id.as_ref().to_owned()),
                Found::Refused { .. } => None,
            })
            .collect();
        self.0.started.attend(&ids).await;
    }

    /// Ends all of them, for good.
    pub(super) async fn close(&self) {
        self.0.closed.cancel();
        let all: Vec<SignInKey> = self.all().keys().cloned().collect();
        let ending = stream::iter(all).for_each_concurrent(REVOKED_AT_ONCE, |key| async move {
            self.end(&key).await;
        });
        if tokio::time::timeout(LAST_PATIENCE, ending).await.is_err() {
            let left = self.all().len();
            tracing::warn!(left, "sessions at Clerk were not revoked in time");
        }
    }

    fn entry(&self, whose: &Whose) -> Result<Arc<Entry>, CredentialFault> {
        let mut all = self.all();
        let entry = match all.get(&whose.sign_in) {
            Some(entry) => Arc::clone(entry),
            None if all.len() >= MOST_SESSIONS => {
                tracing::error!(
                    "there are {MOST_SESSIONS} sessions for tools: no more are started"
                );
                return Err(unavailable("this server keeps no more Clerk sessions now"));
            }
            None => {
                let entry = Arc::<Entry>::default();
                all.insert(whose.sign_in.clone(), Arc::clone(&entry));
                entry
            }
        };
        if let Some(listening) = entry.adopt(&whose.ended) {
            let (sessions, key) = (self.clone(), whose.sign_in.clone());
            let ended = Arc::clone(&whose.ended);
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    () = listening.cancelled() => {}
                    () = ended.cancelled() => sessions.end(&key).await,
                }
            });
        }
        Ok(entry)
    }

    /// Forgets a sign-in's session, and revokes it.
    async fn end(&self, key: &SignInKey) {
        let entry = self.all().remove(key);
        let Some(entry) = entry else { return };
        let found = entry.found.take().await;
        if let Some(Found::Session(id)) = found {
            self.0.started.revoke(&id).await;
        }
        entry.watched().take();
    }

    /// Starts a session. If the sign-in ended meanwhile, the session ends with it.
    async fn start(&self, whose: &Whose) -> Result<Found, CredentialFault> {
        let found = self.redeem(whose).await?;
        if let Found::Session(id) = &found {
            self.0.started.attend(&[id.as_ref().to_owned()]).await;
            let is_known = self.all().contains_key(&whose.sign_in);
            if !is_known || whose.ended.is_cancelled() || self.0.closed.is_cancelled() {
                self.0.started.revoke(id).await;
                return Err(sign_in_again());
            }
        }
        Ok(found)
    }

    async fn redeem(&self, whose: &Whose) -> Result<Found, CredentialFault> {
        let refused = |fault| {
            let until = self.now().saturating_add(milliseconds(REFUSAL_BELIEVED));
            Ok(Found::Refused { fault, until })
        };
        let ticket = match self.ticket(whose).await {
            Ok(ticket) => ticket,
            // Deleted, or no member of the organization any more.
            Err(clerk::Error::Api(error)) if matches!(error.status, 403 | 404 | 422) => {
                return refused(sign_in_again());
            }
            Err(error) => {
                tracing::warn!(%error, "Clerk made no sign-in token");
                return Err(unavailable("Clerk starts no session now"));
            }
        };
        match self.0.frontend.sign_in_with_ticket(&ticket).await {
            Ok(session) if session.user_id() == whose.user_id && session.actor().is_none() => {
                Ok(Found::Session(session.id().into()))
            }
            Ok(session) => {
                tracing::error!("Clerk started a session of another person than asked for");
                self.0.started.revoke(session.id()).await;
                refused(misconfigured())
            }
            Err(FrontendError::NotSignedIn { status }) => {
                tracing::info!(user = whose.user_id, status, "no session by a ticket");
                refused(more_than_a_ticket(&status))
            }
            Err(error) if matches!(error.code(), "user_banned" | "user_locked") => {
                refused(sign_in_again())
            }
            Err(error @ FrontendError::Refused { .. }) => {
                tracing::error!(%error, "no session by a ticket");
                Err(misconfigured())
            }
            Err(error) => {
                tracing::warn!(%error, "no session by a ticket");
                Err(unavailable("Clerk starts no session now"))
            }
        }
    }

    /// `CreateSignInToken`.
    async fn ticket(&self, whose: &Whose) -> Result<Secret, clerk::Error> {
        let mut body = json!({
            "user_id": whose.user_id,
            "expires_in_seconds": TICKET_LIFETIME.as_secs(),
        });
        if let Some(organization) = &whose.organization_id {
            body["org_id"] = organization.as_str().into();
        }
        let request = Request::new("CreateSignInToken", Method::POST, "/sign_in_tokens").body(body);
        let answer = self.0.client.send(&request).await?.body;
        // An empty one is refused by Clerk, with a code of its own.
        let token = answer.get("token").and_then(Value::as_str);
        Ok(Secret::new(token.unwrap_or_default()))
    }

    /// `GetSession`. When Clerk does not say, it is not over.
    async fn is_over(&self, id: &str) -> bool {
        let request = Request::new("GetSession", Method::GET, "/sessions/{session_id}");
        let Ok(request) = request.path_parameter("session_id", id) else {
            return true;
        };
        match self.0.client.send(&request).await {
            Ok(answer) => answer.body.get("status").and_then(Value::as_str) != Some("active"),
            Err(error) => error.status() == Some(404),
        }
    }

    fn now(&self) -> u64 {
        self.0.client.env().now()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SignInKey, Arc<Entry>>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn more_than_a_ticket(status: &str) -> CredentialFault {
    let (code, message) = if status == "needs_second_factor" {
        (
            "second_factor_needed",
            "this person has a second factor, and this server calls the API in a session of theirs \
             that it starts, which Clerk starts for nobody with a second factor"
                .to_owned(),
        )
    } else {
        let status: String = status.chars().take(40).collect();
        (
            "sign_in_incomplete",
            format!("Clerk asks this person for more before it starts a session: {status:?}"),
        )
    };
    CredentialFault {
        code: code.into(),
        message,
        hint: Some(
            "do not try again: this tool is only for people without one here (to try it out, sign \
             in as one of those); tell whoever runs this server that it works for everybody with \
             sign_in.mode = \"app\""
                .to_owned(),
        ),
    }
}

fn misconfigured() -> CredentialFault {
    CredentialFault {
        hint: Some("tell whoever runs this server: its log has the reason".to_owned()),
        ..unavailable("Clerk does not let this server start sessions")
    }
}

#[cfg(test)]
mod tests;
