use std::{sync::Arc, time::Duration};

use clerk::{
    BoxFuture, Client, Request,
    frontend::{FrontendClient, TicketSession},
    oauth::Secret,
};
use http::Method;
use serde_json::{Value, json};

use super::{
    ending::Unended,
    error::ImpersonationError,
    journal::{Journal, Started},
    people,
    policy::{Policy, Reason},
    record::Record,
};
use crate::audit::Audit;

/// How long a ticket is good that is redeemed at once.
const TICKET_LIFETIME: Duration = Duration::from_secs(60);

/// Runs work that must go on when whoever began it has gone.
pub trait Background: Send + Sync {
    /// Runs it to its end, on whatever runtime there is.
    fn run(&self, work: BoxFuture<'static, ()>);
}

/// What an [`Impersonator`] is made of.
pub struct Parts {
    /// The instance, with its secret key.
    pub client: Client,
    /// What is allowed.
    pub policy: Policy,
    /// Where it is kept what has been started.
    pub journal: Arc<dyn Journal>,
    /// Where it is recorded who did what, and why.
    pub audit: Arc<dyn Audit>,
    /// Ends the sessions of calls that were cancelled.
    pub background: Arc<dyn Background>,
}

/// Starts and ends impersonations at one instance, under one policy. Clones are cheap.
#[derive(Clone)]
pub struct Impersonator(pub(super) Arc<Parts>);

/// Who wants to act as whom, and why.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The user who acts, `user_…`.
    pub operator: &'a str,
    /// As whom: a user's id, or an e-mail address, which means the person of that address who signed
    /// in last.
    pub person: &'a str,
    /// Why.
    pub reason: &'a Reason,
    /// The program that asks, as it names itself, for the audit.
    pub client: Option<&'a str>,
    /// The OAuth client that asks, for the audit.
    pub client_id: Option<&'a str>,
}

/// A link that signs a browser in as somebody else, once.
#[derive(Debug)]
pub struct Link {
    /// Where to go. Whoever has it can use it.
    pub url: Secret,
    /// Which impersonation it is.
    pub started: Started,
}

/// A session in which one person acts as another. Dropping it ends it too, in the background.
#[derive(Debug)]
pub struct Impersonation {
    session: TicketSession,
    open: Unended,
}

/// What ending an impersonation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A link that nobody had used, and now nobody can.
    Unused,
    /// So many sessions; none if they had ended before.
    Sessions(usize),
}

/// An actor token, as long as it is a secret.
struct ActorToken {
    id: String,
    ticket: Secret,
    url: Secret,
}

impl Impersonator {
    /// Begins nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// What is allowed.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Makes a link that signs a browser in as somebody else. It works once, within the policy's
    /// ceiling, and the session that it starts lasts as long at most.
    ///
    /// # Errors
    /// [`ImpersonationError`] when the policy or a rule is against it, or Clerk.
    pub async fn link(&self, order: &Order<'_>) -> Result<Link, ImpersonationError> {
        let mut record = Record::beginning(&self.0, order);
        let made = self.make_link(order, &mut record).await;
        record.end(&made);
        made
    }

    /// Starts a session as somebody else.
    ///
    /// # Errors
    /// As [`Impersonator::link`], or the Frontend API is against it: a person with a second factor
    /// is not signed in by a ticket everywhere.
    pub async fn session(
        &self,
        frontend: &FrontendClient,
        order: &Order<'_>,
    ) -> Result<Impersonation, ImpersonationError> {
        let mut record = Record::beginning(&self.0, order);
        let begun = self.begin_session(frontend, order, &mut record).await;
        record.end(&begun);
        begun
    }

    async fn make_link(
        &self,
        order: &Order<'_>,
        record: &mut Record<'_>,
    ) -> Result<Link, ImpersonationError> {
        let lifetime = self.0.policy.ceiling();
        let mut open = self.open(order, lifetime, record).await?;
        let made = self.make_actor_token(&mut open, lifetime).await;
        match made {
            Ok(token) => Ok(Link {
                url: token.url,
                started: open.keep(),
            }),
            Err(error) => Err(open.end_after(error).await),
        }
    }

    async fn begin_session(
        &self,
        frontend: &FrontendClient,
        order: &Order<'_>,
        record: &mut Record<'_>,
    ) -> Result<Impersonation, ImpersonationError> {
        let mut open = self.open(order, TICKET_LIFETIME, record).await?;
        let signed_in = self.sign_in(frontend, &mut open).await;
        record.names(open.started());
        match signed_in {
            Ok(session) => Ok(Impersonation { session, open }),
            Err(error) => Err(open.end_after(error).await),
        }
    }

    /// Checks all rules, and puts it on record before Clerk hears of it.
    async fn open(
        &self,
        order: &Order<'_>,
        ticket_lifetime: Duration,
        record: &mut Record<'_>,
    ) -> Result<Unended, ImpersonationError> {
        let Parts {
            client,
            policy,
            journal,
            ..
        } = &*self.0;
        policy.check_instance(client.instance())?;
        clerk::check_id(clerk::IdKind::User, order.operator)?;
        let operator = people::get(client, order.operator).await?;
        let target = people::find(client, order.person).await?;
        record.user(&target.id);
        people::may_act(&operator, &target)?;
        people::check_nobody_acts_as(client, &operator).await?;
        let now = client.env().now();
        let longest = ticket_lifetime + policy.ceiling();
        let started = Started {
            id: format!("imp_{:016x}", client.env().random()),
            api_url: client.api_url().to_string(),
            operator: operator.id,
            user_id: target.id,
            actor_token_id: None,
            session_id: None,
            started_at: now,
            ends_at: now.saturating_add(millis(longest)),
        };
        journal.write(&started)?;
        record.names(&started);
        Ok(Unended::new(self, started))
    }

    /// `CreateActorToken`.
    async fn make_actor_token(
        &self,
        open: &mut Unended,
        lifetime: Duration,
    ) -> Result<ActorToken, ImpersonationError> {
        let started = open.started();
        let request = Request::new("CreateActorToken", Method::POST, "/actor_tokens").body(json!({
            "user_id": started.user_id,
            "actor": { "sub": started.operator, "impersonation": started.id },
            "expires_in_seconds": lifetime.as_secs(),
            "session_max_duration_in_seconds": self.0.policy.ceiling().as_secs(),
        }));
        let body = self.0.client.send(&request).await?.body;
        let text = |name: &'static str| {
            let text = body.get(name).and_then(Value::as_str);
            text.map(str::to_owned)
                .ok_or_else(|| ImpersonationError::unexpected("CreateActorToken", name))
        };
        let token = ActorToken {
            id: text("id")?,
            ticket: Secret::new(text("token")?),
            url: Secret::new(text("url")?),
        };
        open.change(|started| started.actor_token_id = Some(token.id.clone()))?;
        Ok(token)
    }

    /// Redeems an actor token at once, and believes in the session only if it is the right one.
    async fn sign_in(
        &self,
        frontend: &FrontendClient,
        open: &mut Unended,
    ) -> Result<TicketSession, ImpersonationError> {
        let token = self.make_actor_token(open, TICKET_LIFETIME).await?;
        let session = frontend.sign_in_with_ticket(&token.ticket).await?;
        open.change(|started| started.session_id = Some(session.id().to_owned()))?;
        let started = open.started();
        let named = |name: &str| session.actor().and_then(|actor| actor.get(name)?.as_str());
        let is_right = session.user_id() == started.user_id
            && named("sub") == Some(&started.operator)
            && named("impersonation") == Some(&started.id);
        if !is_right {
            return Err(ImpersonationError::refused(
                "unexpected_answer",
                "Clerk started a session of another person or actor than asked for",
                "CLERK_SECRET_KEY and CLERK_FRONTEND_API must be of one instance",
            ));
        }
        Ok(session)
    }
}

impl Impersonation {
    /// Which impersonation it is.
    #[must_use]
    pub fn started(&self) -> &Started {
        self.open.started()
    }

    /// A session token, or one of a JWT template; see [`TicketSession::token`].
    ///
    /// # Errors
    /// [`ImpersonationError`], once the session has ended or when Clerk cannot be reached.
    pub async fn token(&self, template: Option<&str>) -> Result<Secret, ImpersonationError> {
        Ok(self.session.token(template).await?)
    }

    /// Says that the session is in use: Clerk ends an impersonation after ten minutes without.
    ///
    /// # Errors
    /// As [`Impersonation::token`].
    pub async fn touch(&self) -> Result<(), ImpersonationError> {
        Ok(self.session.touch().await?)
    }

    /// Ends the session.
    ///
    /// # Errors
    /// [`ImpersonationError`] when Clerk could not be told; the journal still has it then, and its
    /// time runs out.
    pub async fn end(self) -> Result<Ended, ImpersonationError> {
        self.open.end().await
    }
}

impl std::fmt::Debug for Impersonator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Impersonator")
            .field("client", &self.0.client)
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
