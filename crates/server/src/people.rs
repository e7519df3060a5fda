//! What Clerk says of the person who is signed in: whether they may go on, and the facts that access
//! rules look at.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clerk::{Client, Request, Transport};
use http::Method;
use moka::future::Cache;
use oauth::Store;
use serde_json::{Map, Value, json};
use store::tool_state::ToolStateStore;

use crate::{
    access::{MembershipFacts, PersonFacts},
    check::instance,
    clerk_pace::{ASKED_EVERY, fresh_for},
    tool_lists::ToolLists,
};

/// How long facts about a person are believed. Together with how long what follows from them is kept
/// (`authenticate`), a role that was taken away ends within a minute.
const FACTS_LIFETIME: Duration = Duration::from_secs(30);
/// How long they are kept for those who only wait (`token_ends`).
const FACTS_KEPT: Duration = ASKED_EVERY;
/// The most people whose facts are kept.
const MOST_PEOPLE: u64 = 20_000;
/// The most memberships that are read: Clerk's largest page.
const MOST_MEMBERSHIPS: u32 = 500;

/// A person, as Clerk has them now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What access rules look at.
    pub facts: PersonFacts,
    /// First and last name.
    pub name: Option<String>,
    /// The primary e-mail address.
    pub email: Option<String>,
    /// Whether they may be signed in.
    pub standing: Standing,
}

/// Whether somebody may be signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Good,
    /// An administrator has banned them.
    Banned,
    /// Too many wrong passwords; it passes, and a stranger can bring it about.
    Locked,
}

/// Why nothing is known about somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonError {
    /// There is no such user (any more).
    Deleted,
    /// Clerk cannot be asked now.
    Unavailable {
        /// When to ask again, if Clerk said so.
        retry_after: Option<Duration>,
    },
}

/// The people of a Clerk instance.
#[derive(Clone)]
pub struct People {
    client: Client,
    known: Cache<Arc<str>, Known>,
    /// Where tools keep values of people, and what is remembered of them.
    kept: Option<(Arc<dyn ToolStateStore>, Arc<dyn Store>)>,
    /// Whose clients listen for changes.
    lists: Option<Arc<ToolLists>>,
    /// Whether the client asks the instance that people sign in at.
    confirmed: Option<Arc<Confirmed>>,
}

/// Whether the secret key is that of the instance whose Frontend API people sign in at, looked at when it
/// first matters.
struct Confirmed {
    frontend_api: String,
    transport: Arc<dyn Transport>,
    is_so: AtomicBool,
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("People").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct Known {
    /// `None`: there is no such user (any more), and there will be none, for Clerk gives an id once.
    person: Option<Arc<Person>>,
    /// When Clerk said so, Unix milliseconds by the server's clock.
    at: u64,
}

impl Known {
    fn into_person(self) -> Result<Arc<Person>, PersonError> {
        self.person.ok_or(PersonError::Deleted)
    }

    /// How old it is; `None` when the clock was set back since.
    fn age(&self, now: u64) -> Option<Duration> {
        now.checked_sub(self.at).map(Duration::from_millis)
    }
}

impl People {
    /// Asks this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            known: Cache::builder()
                .max_capacity(MOST_PEOPLE)
                .time_to_live(FACTS_KEPT)
                .build(),
            kept: None,
            lists: None,
            confirmed: None,
        }
    }

    /// Believes that there is no such person only once it is sure that Clerk's answers are those of the
    /// instance that people sign in at: a key of another one knows nobody.
    #[must_use]
    pub fn of_instance(self, frontend_api: &str, transport: Arc<dyn Transport>) -> Self {
        let confirmed = Confirmed {
            frontend_api: frontend_api.to_owned(),
            transport,
            is_so: AtomicBool::new(false),
        };
        Self {
            confirmed: Some(Arc::new(confirmed)),
            ..self
        }
    }

    /// Deletes what tools keep of a person in `values`, and the consents that `store` remembers, as soon
    /// as Clerk says that there is no such person any more.
    #[must_use]
    pub fn forgetting(self, values: Arc<dyn ToolStateStore>, store: Arc<dyn Store>) -> Self {
        Self {
            kept: Some((values, store)),
            ..self
        }
    }

    /// Tells of everybody about whom Clerk was asked.
    #[must_use]
    pub fn telling(self, lists: Arc<ToolLists>) -> Self {
        Self {
            lists: Some(lists),
            ..self
        }
    }

    /// The client that is asked.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A person, or that there is none, as of at most half a minute ago. Any number of callers at once
    /// ask Clerk once.
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn recent(&self, user_id: &str) -> Result<Arc<Person>, PersonError> {
        self.as_of(user_id, FACTS_LIFETIME).await
    }

    /// A person, or that there is none, as of at most a minute ago: for those who only wait.
    ///
    /// # Errors
    /// [`PersonError`].
    pub(crate) async fn for_waiting(&self, user_id: &str) -> Result<Arc<Person>, PersonError> {
        self.as_of(user_id, FACTS_KEPT).await
    }

    async fn as_of(&self, user_id: &str, oldest: Duration) -> Result<Arc<Person>, PersonError> {
        let is_old = |known: &Known| known.age(self.time()).is_none_or(|age| age >= oldest);
        if self.known.get(user_id).await.as_ref().is_some_and(is_old) {
            self.known.invalidate(user_id).await;
        }
        let known = self
            .known
            .try_get_with(Arc::from(user_id), self.read(user_id));
        match known.await {
            Ok(known) => {
                self.tell(user_id, &known);
                known.into_person()
            }
            Err(error) => Err((*error).clone()),
        }
    }

    /// A person as Clerk has said within the last half minute, if it was asked.
    pub async fn known(&self, user_id: &str) -> Option<Arc<Person>> {
        let known = self.known.get(user_id).await?;
        let is_recent = known
            .age(self.time())
            .is_some_and(|age| age < FACTS_LIFETIME);
        known.person.filter(|_| is_recent)
    }

    /// What Clerk has said of a person within the last minute, if it was asked, and for how long that is
    /// enough for those who only wait.
    pub(crate) async fn known_for_waiting(
        &self,
        user_id: &str,
    ) -> Option<(Result<Arc<Person>, PersonError>, Duration)> {
        let known = self.known.get(user_id).await?;
        let rest = fresh_for(known.at, self.time())?;
        Some((known.into_person(), rest))
    }

    /// A person as of now, past what is known.
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn now(&self, user_id: &str) -> Result<Arc<Person>, PersonError> {
        let known = self.read(user_id).await;
        match &known {
            Ok(known) => {
                self.known.insert(user_id.into(), known.clone()).await;
                self.tell(user_id, known);
            }
            Err(_) => self.known.invalidate(user_id).await,
        }
        known?.into_person()
    }

    fn time(&self) -> u64 {
        self.client.env().now()
    }

    /// Whoever asks anew from here on hears the same.
    fn tell(&self, user_id: &str, known: &Known) {
        if let (Some(lists), Some(person)) = (&self.lists, &known.person) {
            lists.seen(user_id, person, known.at);
        }
    }

    async fn read(&self, user_id: &str) -> Result<Known, PersonError> {
        let at = self.time();
        let gone = Known { person: None, at };
        let user = Request::new("GetUser", Method::GET, "/users/{user_id}");
        // What is no id of Clerk's is nobody's.
        let Ok(user) = user.path_parameter("user_id", user_id) else {
            return Ok(gone);
        };
        let (user, memberships) =
            futures_util::future::join(self.client.send(&user), self.memberships(user_id)).await;
        let user = match user {
            Ok(user) => user.body,
            Err(error) if error.is_not_found() => {
                self.confirm().await?;
                self.forget(user_id).await;
                return Ok(gone);
            }
            Err(error) => return Err(unavailable(&error)),
        };
        // Only Clerk's answer about the user says that there is none.
        let memberships = memberships.map_err(|error| unavailable(&error))?;
        Ok(Known {
            person: Some(Arc::new(person(user_id, &user, &memberships))),
            at,
        })
    }

    /// Makes sure, once, that nobody is taken for deleted by another instance.
    async fn confirm(&self) -> Result<(), PersonError> {
        let Some(confirmed) = &self.confirmed else {
            return Ok(());
        };
        if confirmed.is_so.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (frontend_api, transport) = (&confirmed.frontend_api, &confirmed.transport);
        let compared = instance::compare(frontend_api, &self.client, transport, None).await;
        compared.map_err(|problem| {
            tracing::error!(problem, "that Clerk knows no such person is not believed");
            PersonError::Unavailable { retry_after: None }
        })?;
        confirmed.is_so.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Clerk's page of somebody's memberships; without rows on an instance without organizations.
    ///
    /// # Errors
    /// Clerk's.
    async fn memberships(&self, user_id: &str) -> Result<Value, clerk::Error> {
        match self.client.send(&memberships_of(user_id)?).await {
            Ok(answer) => Ok(answer.body),
            Err(error) if error.is_organizations_disabled() => Ok(Value::Null),
            Err(error) => Err(error),
        }
    }
}

/// Asks Clerk for somebody's memberships.
///
/// # Errors
/// When it is no user id.
pub(crate) fn memberships_of(user_id: &str) -> Result<Request, clerk::Error> {
    let request = Request::new(
        "UsersGetOrganizationMemberships",
        Method::GET,
        "/users/{user_id}/organization_memberships",
    );
    let request = request.path_parameter("user_id", user_id)?;
    Ok(request.query("limit", MOST_MEMBERSHIPS.to_string()))
}

impl People {
    async fn forget(&self, user_id: &str) {
        let Some((values, store)) = &self.kept else {
            return;
        };
        let forgotten = futures_util::future::join(
            values.forget_values(user_id),
            store.forget_consents_of_user(user_id),
        );
        match forgotten.await {
            (Ok(0), Ok(0)) => {}
            (Ok(values), Ok(consents)) => tracing::info!(
                user_id,
                values,
                consents,
                "what was kept of a deleted person is deleted"
            ),
            // It is tried again when somebody asks for the person later, and swept in the end.
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, user_id, "what is kept of a deleted person stays")
            }
        }
    }
}

fn unavailable(error: &clerk::Error) -> PersonError {
    // The person hears that they should try again; the cause is the operator's.
    tracing::warn!(%error, "Clerk could not say who somebody is");
    let retry_after = error.retry_after().map(Duration::from_secs);
    PersonError::Unavailable { retry_after }
}

/// Reads Clerk's `user` and its memberships, whatever else they hold.
fn person(user_id: &str, user: &Value, memberships: &Value) -> Person {
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let is = |name: &str| user.get(name).and_then(Value::as_bool).unwrap_or_default();
    let standing = match (is("banned"), is("locked")) {
        (true, _) => Standing::Banned,
        (false, true) => Standing::Locked,
        (false, false) => Standing::Good,
    };
    let names = [text(user, "first_name"), text(user, "last_name")];
    let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let primary = user.get("primary_email_address_id");
    let addresses = || {
        user.get("email_addresses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let email = addresses()
        .find(|address| primary.is_some() && address.get("id") == primary)
        .and_then(|address| text(address, "email_address"));
    let verified_email_domains = addresses()
        .filter(|address| address.pointer("/verification/status") == Some(&json!("verified")))
        .filter_map(|address| text(address, "email_address"))
        .filter_map(|address| Some(address.rsplit_once('@')?.1.to_owned()))
        .collect();
    let memberships = memberships.get("data").and_then(Value::as_array);
    let memberships = memberships.into_iter().flatten().filter_map(|membership| {
        Some(MembershipFacts {
            organization_id: text(membership.get("organization")?, "id")?,
            role: text(membership, "role")?,
            permissions: texts(membership.get("permissions")),
        })
    });
    Person {
        facts: PersonFacts {
            user_id: user_id.to_owned(),
            roles: texts(user.pointer("/public_metadata/role")),
            verified_email_domains,
            memberships: memberships.collect(),
            organization_id: None,
        },
        name: Some(name).filter(|name| !name.is_empty()),
        email,
        standing,
    }
}

/// A text, or the texts of a list.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => {
            let texts = texts.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

impl Person {
    /// What `userInfo` tells of them, for a sign-in bound to `organization_id`.
    #[must_use]
    pub fn about(&self, organization_id: Option<&str>) -> Map<String, Value> {
        let membership = self
            .facts
            .memberships
            .iter()
            .find(|membership| Some(membership.organization_id.as_str()) == organization_id);
        let about = json!({
            "user_id": self.facts.user_id,
            "name": self.name,
            "email": self.email,
            "roles": self.facts.roles,
            "organization_id": organization_id,
            "organization_role": membership.map(|membership| &membership.role),
        });
        let mut about = about;
        // Names are whatever people typed.
        toolkit::text::escape_invisible(&mut about);
        about.as_object().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
