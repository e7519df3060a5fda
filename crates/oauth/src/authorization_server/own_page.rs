//! The page of this server's own on which a person sees what they allowed, and takes it back.
//!
//! Who they are is asked of Clerk anew, with the same `state`, nonce and binding to the browser as for
//! a client's sign-in: a visit is an [`Authorization`] that begins at the sign-in and ends without a
//! code. Its id is the page's handle, with which each of the page's forms can be sent until the visit's
//! time is over, however often and from however many windows: what is taken back twice is taken back.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::authorization::{
    Advanced, Approval, ApprovedBy, Authorization, AuthorizationFault, AuthorizationId,
    AuthorizationRequest, ClientSnapshot, SignedIn, Stage, Step,
};
use crate::base64url;
use crate::client::{ClientId, ClientOrigin};
use crate::consent::{ClientIdentity, identity, shown_name};
use crate::environment::Random;
use crate::grant::{Grant, GrantId};
use crate::pkce::CodeChallenge;
use crate::redirect_uri::RedirectUri;
use crate::scope::{ScopeDefinition, ScopeSet};
use crate::store::{ConsentKey, RememberedConsent, StoreError};
use crate::time::Timestamp;
use crate::token::PlainToken;

use super::{AuthorizationServer, Next, StepFault, authorization_id};

/// Who is at the page: they have signed in for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The handle that the page's forms carry.
    pub handle: AuthorizationId,
    /// Who.
    pub person: SignedIn,
}

/// What a person has allowed a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// What the page's form names it by. Says something only together with a visit of the same
    /// person.
    pub entry: String,
    /// The client's name, without characters that are invisible or turn the text around.
    pub client_name: Option<String>,
    /// How far the name can be believed; `None` when the client is not known any more.
    pub identity: Option<ClientIdentity>,
    /// What is remembered; `None` for a client that is signed in and asks every time.
    pub remembered: Option<Remembered>,
    /// When the client was signed in last, if it still is.
    pub signed_in_at: Option<Timestamp>,
}

/// A consent that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Where the answer goes: a host, with its port if it names one.
    pub redirect_host: String,
    /// What was approved.
    pub scopes: Vec<ScopeDefinition>,
    /// When.
    pub at: Timestamp,
}

/// What the page's form wishes, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forget {
    /// Which entry ([`Allowed::entry`]); `None` for all of them.
    pub entry: Option<String>,
    /// Whether the client is signed out too.
    pub sign_out: bool,
}

/// What [`AuthorizationServer::forget`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// The name of the one client that was meant, where it has one that can be shown.
    pub client_name: Option<String>,
    /// How many consents are remembered no more.
    pub consents: usize,
    /// The grants that ended: streams and caches are to be told, also where there is a `fault`.
    pub ended: Vec<GrantId>,
    /// What kept the rest from being done. The same form can be sent again.
    pub fault: Option<StoreError>,
}

impl AuthorizationServer {
    /// Begins a visit to this server's page at the path `page`: a sign-in at Clerk ([`Next::SignIn`])
    /// that leads back there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_visit(
        &self,
        page: &str,
        browser: &PlainToken,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Next, StoreError> {
        let url = format!("{}{page}", self.settings.issuer());
        let approval = Approval {
            scopes: ScopeSet::default(),
            by: ApprovedBy::OwnPage,
            since: now,
        };
        let visit = Authorization {
            id: AuthorizationId::generate(random),
            browser: browser.hash(),
            request: AuthorizationRequest {
                client_id: ClientId(url.clone()),
                redirect_uri: url,
                state: None,
                scope: ScopeSet::default(),
                code_challenge: CodeChallenge::unanswerable(random),
                resource: self.settings.resource().clone(),
            },
            client: ClientSnapshot {
                origin: ClientOrigin::Configured,
                name: None,
                client_uri: None,
                logo_uri: None,
                policy_uri: None,
                tos_uri: None,
            },
            created_at: now,
            expires_at: now.after(self.settings.lifetimes.authorization),
            stage: Stage::SignIn(approval),
        };
        self.store.begin_authorization(&visit).await?;
        Ok(self.next(visit))
    }

    /// Who is at the page, in this browser.
    ///
    /// # Errors
    /// [`StepFault`]; [`AuthorizationFault::Expired`] or `Unknown` when one has to sign in again.
    pub async fn visitor(
        &self,
        handle: &str,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<Visitor, StepFault> {
        let visit = self
            .authorization(&authorization_id(handle)?, browser, now)
            .await?;
        match visit.stage {
            Stage::Visiting { person } => Ok(Visitor {
                handle: visit.id,
                person,
            }),
            // A handle of another page.
            _ => Err(AuthorizationFault::Unknown.into()),
        }
    }

    /// What a person has allowed: the consents that are remembered, then the clients that are signed
    /// in beside them; each the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn allowed(&self, user_id: &str, now: Timestamp) -> Result<Vec<Allowed>, StoreError> {
        let mut consents = self.store.remembered_consents(user_id).await?;
        consents.retain(|consent| consent.counts(now));
        let grants = self.store.grants_of_user(user_id, now).await?;
        let mut clients = Clients::default();
        let mut all = Vec::with_capacity(consents.len());
        for consent in &consents {
            let id = &consent.key.client_id;
            let (client_name, identity) = clients.get(self, id, &grants, now).await?;
            let uri = RedirectUri::parse(
                &consent.key.redirect_uri,
                &self.settings.private_use_schemes,
            );
            let scopes = consent.scopes.iter();
            all.push(Allowed {
                entry: consent_entry(&consent.key),
                client_name,
                identity,
                remembered: Some(Remembered {
                    redirect_host: uri.map(|uri| uri.shown()).unwrap_or_default(),
                    scopes: scopes
                        .filter_map(|scope| self.settings.scopes.definition(scope).cloned())
                        .collect(),
                    at: consent.remembered_at,
                }),
                signed_in_at: last_of(&grants, id),
            });
        }
        let mut shown: Vec<&ClientId> = consents
            .iter()
            .map(|consent| &consent.key.client_id)
            .collect();
        for grant in &grants {
            let id = &grant.client_id;
            if shown.contains(&id) {
                continue;
            }
            shown.push(id);
            let (client_name, identity) = clients.get(self, id, &grants, now).await?;
            all.push(Allowed {
                entry: client_entry(id),
                client_name,
                identity,
                remembered: None,
                signed_in_at: Some(grant.created_at),
            });
        }
        Ok(all)
    }

    /// Takes back what a form of the page names, of the person whose visit it is. An entry that is gone by
    /// then, or that is somebody else's, names nothing; but a client is signed out though what was
    /// remembered of it is forgotten already.
    ///
    /// # Errors
    /// [`StepFault`], before anything is taken back.
    pub async fn forget(
        &self,
        handle: &str,
        browser: &PlainToken,
        wish: &Forget,
        now: Timestamp,
    ) -> Result<Forgotten, StepFault> {
        let user_id = self.visitor(handle, browser, now).await?.person.user_id;
        let mut consents = self.store.remembered_consents(&user_id).await?;
        let mut grants = self.store.grants_of_user(&user_id, now).await?;
        let wished = wish.entry.as_deref();
        let known = grants.clone();
        consents
            .retain(|consent| wished.is_none_or(|wished| wished == consent_entry(&consent.key)));
        grants.retain(|grant| {
            let is_meant = |wished| client_of(wished) == client_entry(&grant.client_id);
            wish.sign_out && wished.is_none_or(is_meant)
        });
        let mut forgotten = Forgotten::default();
        let of_consents = consents.iter().map(|consent| &consent.key.client_id);
        let mut clients = of_consents.chain(grants.iter().map(|grant| &grant.client_id));
        if let (Some(_), Some(client)) = (wished, clients.next()) {
            let mut names = Clients::default();
            forgotten.client_name = names.get(self, client, &known, now).await?.0;
        }
        let taking = self.take_back(&consents, &grants, now, &mut forgotten);
        forgotten.fault = taking.await.err();
        Ok(forgotten)
    }

    /// Signs out first: what can be wished again stays on the page until all of it is done.
    async fn take_back(
        &self,
        consents: &[RememberedConsent],
        grants: &[Grant],
        now: Timestamp,
        forgotten: &mut Forgotten,
    ) -> Result<(), StoreError> {
        for grant in grants {
            if self.store.revoke_grant(&grant.id, now).await? {
                forgotten.ended.push(grant.id.clone());
            }
        }
        for consent in consents {
            let was_there = self.store.forget_consent(&consent.key).await?;
            forgotten.consents += usize::from(was_there);
        }
        Ok(())
    }

    /// Ends a sign-in for a page of this server's own.
    pub(super) async fn arrive(
        &self,
        visit: &Authorization,
        person: SignedIn,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<Next, StepFault> {
        let step = Step::Arrive { person };
        let advanced = self
            .store
            .advance_authorization(&visit.id, browser.hash(), &step, now)
            .await??;
        let (Advanced::Moved(visit) | Advanced::Repeated(visit)) = advanced;
        Ok(Next::Visiting {
            location: self.visit_location(&visit),
        })
    }

    /// The page of a visit.
    pub(super) fn visit_location(&self, visit: &Authorization) -> String {
        let handle = [("handle", visit.id.as_str())];
        self.with_redirect_uri(visit, |uri| uri.with_parameters(handle))
    }
}

/// Names of clients, each looked up once.
#[derive(Default)]
struct Clients(BTreeMap<ClientId, Shown>);

type Shown = (Option<String>, Option<ClientIdentity>);

impl Clients {
    async fn get(
        &mut self,
        server: &AuthorizationServer,
        id: &ClientId,
        grants: &[Grant],
        now: Timestamp,
    ) -> Result<Shown, StoreError> {
        if let Some(shown) = self.0.get(id) {
            return Ok(shown.clone());
        }
        let shown = match server.known_client(id, now).await? {
            Some(client) => (
                shown_name(client.name.as_deref()),
                Some(identity(client.origin, id)),
            ),
            // It is forgotten, but what it is signed in with still names it.
            None => {
                let grant = grants.iter().find(|grant| grant.client_id == *id);
                let name = grant.and_then(|grant| grant.client_name.as_deref());
                (shown_name(name), None)
            }
        };
        self.0.insert(id.clone(), shown.clone());
        Ok(shown)
    }
}

fn last_of(grants: &[Grant], client: &ClientId) -> Option<Timestamp> {
    let of_client = grants.iter().filter(|grant| grant.client_id == *client);
    of_client.map(|grant| grant.created_at).max()
}

/// It names the client as well, which may be signed in for longer than the consent is remembered.
fn consent_entry(key: &ConsentKey) -> String {
    let consent = entry(&["consent", &key.redirect_uri, &key.resource]);
    format!("{}.{consent}", client_entry(&key.client_id))
}

fn client_entry(client: &ClientId) -> String {
    entry(&["client", client.as_str()])
}

/// The client that an entry names.
fn client_of(entry: &str) -> &str {
    entry.split('.').next().unwrap_or_default()
}

/// A short name of these texts, none of which holds a line feed.
fn entry(parts: &[&str]) -> String {
    base64url::encode(&Sha256::digest(parts.join("\n").as_bytes()))
}
