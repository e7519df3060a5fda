//! From the authorization request to the sign-in: the consent page.

use crate::authorization::{
    Advanced, Approval, ApprovedBy, Authorization, AuthorizationFault, AuthorizationId,
    ClientSnapshot, Decision, Stage, Step,
};
use crate::authorize::{self, AuthorizeFault, RedirectError, ShownFault, ValidRequest};
use crate::client::ClientId;
use crate::client_metadata_document::FetchDocument;
use crate::consent::{ConsentPage, can_remember};
use crate::environment::Random;
use crate::parameters::Parameters;
use crate::redirect_uri::RedirectUri;
use crate::scope::ScopeSet;
use crate::sign_in_state::UpstreamRequest;
use crate::store::{ConsentKey, StoreError};
use crate::time::Timestamp;
use crate::token::PlainToken;

use super::callback::{CompletedSignIn, Visit};
use super::{AuthorizationServer, ClientLookupFault, StepFault, authorization_id};

const DENIED: RedirectError = RedirectError::new("access_denied", "the person declined");

/// What the browser gets next.
#[derive(Debug, Clone)]
pub enum Next {
    /// The consent page: [`AuthorizationServer::consent_page`].
    Consent(Box<Authorization>),
    /// A redirect to Clerk.
    SignIn {
        /// The authorization.
        authorization: Box<Authorization>,
        /// What the request to Clerk carries.
        upstream: UpstreamRequest,
    },
    /// A redirect to the client, with a code.
    Finished {
        /// Where to.
        location: String,
        /// Who signed in, for the cookie that remembers it. `None` when this is a repetition.
        user_id: Option<String>,
    },
    /// A redirect to the client, which is told that the person declined.
    Denied {
        /// Where to.
        location: String,
    },
    /// A redirect to the page of this server's own for which the person has signed in.
    Visiting {
        /// Where to.
        location: String,
    },
}

/// What the consent page's form says, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Approve {
        /// The ticked scopes.
        scopes: Vec<String>,
        /// Whether to remember it. Ignored where that is not offered.
        remember: bool,
    },
    /// No.
    Deny,
}

impl AuthorizationServer {
    /// Checks an authorization request (OAuth 2.1 section 4.1.1). Nothing is kept.
    ///
    /// # Errors
    /// [`AuthorizeFault`] says whether the person or the client is told.
    pub async fn validate_authorize(
        &self,
        parameters: &Parameters,
        fetch: &dyn FetchDocument,
        now: Timestamp,
    ) -> Result<ValidRequest, AuthorizeFault> {
        let show = |fault| AuthorizeFault::Show(fault);
        let id = parameters
            .get("client_id")
            .map_err(|fault| show(fault.into()))?;
        let id = ClientId(id.ok_or(show(ShownFault::NoClient))?.to_owned());
        let client = match self.client_at_authorize(&id, fetch, now).await {
            Ok(client) => client.ok_or(show(ShownFault::UnknownClient))?,
            Err(ClientLookupFault::Document(fault)) => return Err(show(fault.into())),
            Err(ClientLookupFault::Store(error)) => return Err(AuthorizeFault::Store(error)),
        };
        let redirect_uri =
            authorize::redirect_uri(&client, parameters, &self.settings).map_err(show)?;
        authorize::validate(client, redirect_uri.clone(), parameters, &self.settings).map_err(
            |error| {
                let mut states = parameters.all("state");
                let state = match (states.next(), states.next()) {
                    (state, None) => state,
                    (_, Some(_)) => None,
                };
                let location = error.location(&redirect_uri, state, self.settings.issuer());
                AuthorizeFault::Redirect { location }
            },
        )
    }

    /// Begins an authorization in `browser`. `remembered_user` is whom the browser's sealed cookie
    /// names ([`AuthorizationServer::open_person_cookie`]): if that person has consented to all of
    /// this before, the page is left out until it is known who signs in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin(
        &self,
        valid: ValidRequest,
        browser: &PlainToken,
        remembered_user: Option<&str>,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Next, StoreError> {
        let ValidRequest {
            client,
            request,
            redirect_uri,
            consent_wanted,
        } = valid;
        let mut stage = Stage::Consent;
        if let Some(user_id) = remembered_user
            && !consent_wanted
            && can_remember(redirect_uri.kind())
        {
            let key = ConsentKey::new(
                user_id,
                request.client_id.clone(),
                request.redirect_uri.clone(),
                &request.resource,
            );
            let remembered = self.store.remembered_consent(&key).await?;
            if remembered.is_some_and(|consent| consent.covers(&request.scope, now)) {
                let by = ApprovedBy::Remembered {
                    user_id: user_id.to_owned(),
                };
                stage = Stage::SignIn(Approval {
                    scopes: request.scope.clone(),
                    by,
                    since: now,
                });
            }
        }
        let authorization = Authorization {
            id: AuthorizationId::generate(random),
            browser: browser.hash(),
            request,
            client: ClientSnapshot {
                origin: client.origin,
                name: client.name,
                client_uri: client.client_uri,
                logo_uri: client.logo_uri,
                policy_uri: client.policy_uri,
                tos_uri: client.tos_uri,
            },
            created_at: now,
            expires_at: now.after(self.settings.lifetimes.authorization),
            stage,
        };
        self.store.begin_authorization(&authorization).await?;
        Ok(self.next(authorization))
    }

    /// The authorization of a page that is loaded again, if it waits for an answer of this browser.
    ///
    /// # Errors
    /// [`StepFault`].
    pub async fn authorization_for_page(
        &self,
        handle: &str,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<Authorization, StepFault> {
        let authorization = self
            .authorization(&authorization_id(handle)?, browser, now)
            .await?;
        match authorization.stage {
            Stage::Consent | Stage::Confirm { .. } => Ok(authorization),
            _ => Err(AuthorizationFault::AlreadyUsed.into()),
        }
    }

    /// What the consent page shows. `remembered_user` is whom the browser's sealed cookie names, as for
    /// [`AuthorizationServer::begin`]: it counts as long as nobody has signed in for this authorization.
    /// Once somebody has, what the page says of earlier consents is theirs alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn consent_page(
        &self,
        authorization: &Authorization,
        remembered_user: Option<&str>,
        now: Timestamp,
    ) -> Result<ConsentPage, StoreError> {
        let user_id = match &authorization.stage {
            Stage::Confirm { person, .. } => Some(&*person.user_id),
            _ => remembered_user,
        };
        let new_scopes = match user_id {
            Some(user_id) => self.new_scopes(authorization, user_id, now).await?,
            None => ScopeSet::default(),
        };
        Ok(ConsentPage::new(authorization, new_scopes, &self.settings))
    }

    /// What is asked for beyond all that a person has allowed this client at this resource: in grants
    /// that are live, and in consents that are remembered.
    async fn new_scopes(
        &self,
        authorization: &Authorization,
        user_id: &str,
        now: Timestamp,
    ) -> Result<ScopeSet, StoreError> {
        let request = &authorization.request;
        let consents = self.store.remembered_consents(user_id).await?;
        let consents = consents.into_iter().filter(|consent| {
            consent.key.client_id == request.client_id
                && consent.key.resource == request.resource.as_str()
        });
        let grants = self.store.grants_of_user(user_id, now).await?;
        let grants = grants.into_iter().filter(|grant| {
            grant.client_id == request.client_id && grant.resource == request.resource
        });
        let allowed = consents.map(|consent| consent.scopes);
        let allowed = allowed.chain(grants.map(|grant| grant.scopes));
        let allowed = allowed.reduce(|all, some| all.union(&some));
        Ok(match allowed {
            Some(allowed) => request.scope.filter(|scope| !allowed.contains(scope)),
            None => ScopeSet::default(),
        })
    }

    /// Takes the person's answer. The same answer twice leads to the same place.
    ///
    /// # Errors
    /// [`StepFault`].
    pub async fn decide(
        &self,
        handle: &str,
        browser: &PlainToken,
        answer: Answer,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Next, StepFault> {
        let id = authorization_id(handle)?;
        let authorization = self.authorization(&id, browser, now).await?;
        let decision = self.decision(answer, &authorization)?;
        if let Decision::Approve { scopes, remember } = &decision {
            match &authorization.stage {
                Stage::Confirm { person, upstream } => {
                    let visit = Visit {
                        browser,
                        now,
                        random,
                    };
                    let upstream = self.open_held(&authorization, upstream, browser)?;
                    let sign_in = CompletedSignIn {
                        person: person.clone(),
                        upstream,
                        scopes: scopes.clone(),
                        remember: *remember,
                    };
                    return self.complete(&authorization, sign_in, visit).await;
                }
                Stage::Finished { .. } => {
                    let location = self.repeated_location(&authorization, browser, now).await?;
                    return Ok(Next::Finished {
                        location,
                        user_id: None,
                    });
                }
                _ => {}
            }
        }
        let step = Step::Decide { decision };
        let advanced = self
            .store
            .advance_authorization(&id, browser.hash(), &step, now)
            .await??;
        let (Advanced::Moved(authorization) | Advanced::Repeated(authorization)) = advanced;
        Ok(self.next(authorization))
    }

    /// The authorization, if it is this browser's and its time is not over.
    pub(super) async fn authorization(
        &self,
        id: &AuthorizationId,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<Authorization, StepFault> {
        let found = self.store.authorization(id).await?;
        let authorization = found.ok_or(AuthorizationFault::Unknown)?;
        authorization.check(browser.hash(), now)?;
        Ok(authorization)
    }

    /// The address at the client that tells `error`.
    pub(super) fn error_location(
        &self,
        authorization: &Authorization,
        error: RedirectError,
    ) -> String {
        let request = &authorization.request;
        let state = request.state.as_deref();
        let issuer = self.settings.issuer();
        self.with_redirect_uri(authorization, |uri| error.location(uri, state, issuer))
    }

    /// Makes an address of the request's redirect URI.
    pub(super) fn with_redirect_uri(
        &self,
        authorization: &Authorization,
        make: impl FnOnce(&RedirectUri) -> String,
    ) -> String {
        let text = &authorization.request.redirect_uri;
        // It was accepted when the request came. If it is refused since then (the owner took a
        // scheme off the list, a minute ago), the person is better off on this server's own page.
        match RedirectUri::parse(text, &self.settings.private_use_schemes) {
            Ok(uri) => make(&uri),
            Err(_) => self.settings.issuer().to_owned(),
        }
    }

    /// What the browser gets at an authorization's stage.
    pub(super) fn next(&self, authorization: Authorization) -> Next {
        match &authorization.stage {
            Stage::SignIn(approval) => {
                let key = self.settings.keys.first();
                let upstream = UpstreamRequest::new(&authorization.id, approval.since, key);
                Next::SignIn {
                    authorization: Box::new(authorization),
                    upstream,
                }
            }
            Stage::Denied => Next::Denied {
                location: self.error_location(&authorization, DENIED),
            },
            _ => Next::Consent(Box::new(authorization)),
        }
    }

    /// Reads an answer. Only scopes that were asked for count as approved; anything else in the form
    /// was not on the page.
    fn decision(
        &self,
        answer: Answer,
        authorization: &Authorization,
    ) -> Result<Decision, AuthorizationFault> {
        let Answer::Approve { scopes, remember } = answer else {
            return Ok(Decision::Deny);
        };
        let ticked = ScopeSet::parse(&scopes.join(" ")).ok_or(AuthorizationFault::OtherScopes)?;
        if ticked.is_empty() || !authorization.request.scope.covers(&ticked) {
            return Err(AuthorizationFault::OtherScopes);
        }
        let uri = &authorization.request.redirect_uri;
        let kind =
            RedirectUri::parse(uri, &self.settings.private_use_schemes).map(|uri| uri.kind());
        let scopes = authorization.request.scope.intersection(&ticked);
        Ok(Decision::Approve {
            scopes,
            remember: remember && kind.is_ok_and(can_remember),
        })
    }
}
