//! Clerk sessions that this server starts itself, where the way of signing in has none: a sign-in token
//! is made for the person and redeemed at the Frontend API at once. One for each sign-in that needs one.
//!
//! They are known in memory alone, and revoked at Clerk with their sign-in, when nobody has used them
//! for an hour, and when the server stops. What a crash leaves behind ends as Clerk ends idle sessions;
//! nobody has the means to use it.

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
use tokio_util::sync::CancellationToken;

use super::{milliseconds, sign_in_again, slot::Slot, unavailable};
use crate::{ended::GrantEnd, http_tools::CredentialFault};

/// How long a sign-in token is good that is redeemed at once.
const TICKET_LIFETIME: Duration = Duration::from_secs(60);
/// How long a session is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// How long it is believed that Clerk asks somebody for a second factor, or refuses them.
const REFUSAL_BELIEVED: Duration = Duration::from_secs(5 * 60);
/// The most sessions at a time.
const MOST_SESSIONS: usize = 10_000;
/// How many are revoked side by side at the end, and how long that may take in all.
const REVOKED_AT_ONCE: usize = 8;
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// For whom a session is.
#[derive(Clone, Debug)]
pub(super) struct Whose {
    /// The sign-in.
    pub(super) grant: GrantId,
    pub(super) user_id: String,
    /// The organization that is active in it.
    pub(super) organization_id: Option<String>,
    /// Cancelled when the sign-in ends.
    pub(super) ended: GrantEnd,
}

/// The sessions. Clones are the same.
#[derive(Clone)]
pub(super) struct TicketSessions(Arc<Inner>);

struct Inner {
    client: Client,
    frontend: FrontendClient,
    all: Mutex<HashMap<GrantId, Arc<Entry>>>,
    /// Cancelled when the server stops: no more are started.
    closed: CancellationToken,
}

#[derive(Default)]
struct Entry {
    found: Arc<Slot<Found>>,
    /// When it was last asked for, Unix milliseconds.
    used_at: AtomicU64,
    /// Cancelled when it has been taken out.
    removed: CancellationToken,
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
    pub(super) fn new(client: Client, frontend: FrontendClient) -> Self {
        Self(Arc::new(Inner {
            client,
            frontend,
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

    /// Ends the sessions that nobody has used for an hour, and those whose grant `is_live` no more: one
    /// that expired, or was ended by another process, told nobody here.
    pub(super) async fn sweep<F>(&self, is_live: impl Fn(GrantId) -> F)
    where
        F: Future<Output = bool>,
    {
        let now = self.now();
        let known: Vec<(GrantId, u64)> = self
            .all()
            .iter()
            .map(|(grant, entry)| (grant.clone(), entry.used_at.load(Ordering::Relaxed)))
            .collect();
        for (grant, used_at) in known {
            let is_idle = now.saturating_sub(used_at) >= milliseconds(IDLE);
            if is_idle || !is_live(grant.clone()).await {
                self.end(&grant).await;
            }
        }
    }

    /// Ends all of them, for good.
    pub(super) async fn close(&self) {
        self.0.closed.cancel();
        let all: Vec<GrantId> = self.all().keys().cloned().collect();
        let ending = stream::iter(all).for_each_concurrent(REVOKED_AT_ONCE, |grant| async move {
            self.end(&grant).await;
        });
        if tokio::time::timeout(LAST_PATIENCE, ending).await.is_err() {
            let left = self.all().len();
            tracing::warn!(left, "sessions at Clerk were not revoked in time");
        }
    }

    fn entry(&self, whose: &Whose) -> Result<Arc<Entry>, CredentialFault> {
        let mut all = self.all();
        if let Some(entry) = all.get(&whose.grant) {
            return Ok(Arc::clone(entry));
        }
        if all.len() >= MOST_SESSIONS {
            tracing::error!("there are {MOST_SESSIONS} sessions for tools: no more are started");
            return Err(unavailable("this server keeps no more Clerk sessions now"));
        }
        let entry = Arc::<Entry>::default();
        all.insert(whose.grant.clone(), Arc::clone(&entry));
        let (sessions, grant) = (self.clone(), whose.grant.clone());
        let (ended, removed) = (Arc::clone(&whose.ended), entry.removed.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => sessions.end(&grant).await,
                () = removed.cancelled() => {}
            }
        });
        Ok(entry)
    }

    /// Forgets a sign-in's session, and revokes it.
    async fn end(&self, grant: &GrantId) {
        let entry = self.all().remove(grant);
        let Some(entry) = entry else { return };
        entry.removed.cancel();
        if let Some(Found::Session(id)) = entry.found.take().await {
            self.revoke(&id).await;
        }
    }

    /// Starts a session. If the sign-in ended meanwhile, the session ends with it.
    async fn start(&self, whose: &Whose) -> Result<Found, CredentialFault> {
        let found = self.redeem(whose).await?;
        let is_known = self.all().contains_key(&whose.grant);
        if let Found::Session(id) = &found
            && (!is_known || whose.ended.is_cancelled() || self.0.closed.is_cancelled())
        {
            self.revoke(id).await;
            return Err(sign_in_again());
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
                self.revoke(session.id()).await;
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

    /// `RevokeSession`. One that is gone has ended.
    async fn revoke(&self, id: &str) {
        let request = Request::new(
            "RevokeSession",
            Method::POST,
            "/sessions/{session_id}/revoke",
        );
        let Ok(request) = request.path_parameter("session_id", id) else {
            return;
        };
        match self.0.client.send(&request).await {
            Ok(_) => {}
            Err(error) if error.status() == Some(404) => {}
            Err(error) => tracing::warn!(session = id, %error, "a session could not be revoked"),
        }
    }

    fn now(&self) -> u64 {
        self.0.client.env().now()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<GrantId, Arc<Entry>>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn more_than_a_ticket(status: &str) -> CredentialFault {
    let (code, message) = if status == "needs_second_factor" {
        (
            "second_factor_needed",
            "Clerk asks this person for a second factor, which this server cannot give".to_owned(),
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
            "this tool cannot be used by this person here: tell whoever runs this server that it \
             would work with sign_in.mode = \"app\""
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use bytes::Bytes;
    use clerk::{BoxFuture, Env, SecretKey, Transport, TransportError, oauth::FrontendApi};
    use http::Response;

    use super::*;

    /// Clerk as far as tickets go, and a clock.
    #[derive(Default)]
    struct Clerk {
        now: AtomicU64,
        sessions: AtomicU64,
        asked: Mutex<Vec<String>>,
    }

    impl Clerk {
        fn revoked(&self) -> Vec<String> {
            let asked = self.asked.lock().unwrap();
            let revoked = asked.iter().filter_map(|path| path.strip_suffix("/revoke"));
            revoked
                .map(|path| path.replace("/v1/sessions/", ""))
                .collect()
        }
    }

    impl Transport for Clerk {
        fn send(
            &self,
            request: http::Request<Bytes>,
        ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
            let path = request.uri().path().to_owned();
            self.asked.lock().unwrap().push(path.clone());
            let body = match &*path {
                "/v1/sign_in_tokens" => json!({ "token": "a-ticket" }),
                "/v1/client/sign_ins" => {
                    let number = self.sessions.fetch_add(1, Ordering::SeqCst);
                    let id = format!("sess_{number}");
                    let session = json!({ "id": id, "user": { "id": "user_a" }, "actor": null });
                    json!({
                        "response": { "status": "complete", "created_session_id": id },
                        "client": { "sessions": [session] },
                    })
                }
                _ => json!({}),
            };
            let answer = Response::builder().header("authorization", "the-client");
            let answer = answer.body(Bytes::from(body.to_string())).unwrap();
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    impl Env for Clerk {
        fn now(&self) -> u64 {
            self.now.load(Ordering::SeqCst)
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }

        fn random(&self) -> u64 {
            0
        }
    }

    fn sessions(clerk: &Arc<Clerk>) -> TicketSessions {
        let transport = Arc::clone(clerk) as Arc<dyn Transport>;
        let key = SecretKey::parse("sk_test_0123456789abcdefghij").unwrap();
        let env = Arc::clone(clerk) as Arc<dyn Env>;
        let client = Client::builder(key, Arc::clone(&transport), env).build();
        let api = FrontendApi::parse("https://clerk.test").unwrap();
        TicketSessions::new(client, FrontendClient::new(api, transport))
    }

    fn whose(grant: &str) -> Whose {
        Whose {
            grant: GrantId::from_text(grant),
            user_id: "user_a".to_owned(),
            organization_id: None,
            ended: GrantEnd::default(),
        }
    }

    #[tokio::test]
    async fn a_sweep_ends_what_is_idle_and_what_belongs_to_nobody_any_more() {
        let clerk = Arc::<Clerk>::default();
        let sessions = sessions(&clerk);
        let [idle, over, used] = ["idle", "over", "used"].map(whose);
        let first = sessions.session(idle.clone(), None).await.unwrap();
        clerk.now.store(milliseconds(IDLE) - 1, Ordering::SeqCst);
        let second = sessions.session(over, None).await.unwrap();
        let third = sessions.session(used.clone(), None).await.unwrap();
        sessions.sweep(|_| async { true }).await;
        assert!(clerk.revoked().is_empty());

        clerk.now.store(milliseconds(IDLE), Ordering::SeqCst);
        let over = GrantId::from_text("over");
        sessions
            .sweep(|grant| std::future::ready(grant != over))
            .await;
        let mut revoked = clerk.revoked();
        revoked.sort();
        assert_eq!(revoked, [&*first, &*second]);
        // The one in use is the same still; the idle one's sign-in gets another.
        assert_eq!(sessions.session(used, None).await, Ok(third));
        assert_ne!(sessions.session(idle, None).await, Ok(first));
    }

    #[tokio::test]
    async fn nothing_is_started_once_the_sign_in_or_the_server_ends() {
        let clerk = Arc::<Clerk>::default();
        let sessions = sessions(&clerk);
        let ended = whose("ended");
        ended.ended.cancel();
        assert_eq!(sessions.session(ended, None).await, Err(sign_in_again()));
        let open = whose("open");
        let id = sessions.session(open.clone(), None).await.unwrap();
        sessions.close().await;
        assert_eq!(clerk.revoked(), [&*id]);
        assert_eq!(sessions.session(open, None).await, Err(sign_in_again()));
        assert_eq!(clerk.sessions.load(Ordering::SeqCst), 1);
    }
}
