//! From Clerk back to the client: the code.

use crate::authorization::{
    Advanced, ApprovedBy, Authorization, AuthorizationFault, SignedIn, Stage, Step,
};
use crate::authorize::RedirectError;
use crate::consent::can_remember;
use crate::environment::Random;
use crate::grant::{CodeRecord, Grant, GrantId};
use crate::redirect_uri::RedirectUri;
use crate::scope::ScopeSet;
use crate::seal::{GrantKey, Sealed, open_for_browser, seal_for_browser};
use crate::server_key::{Purpose, ServerKey};
use crate::sign_in_state::{UpstreamRequest, VerifiedState};
use crate::store::{ConsentKey, FinishSignIn, RememberedConsent};
use crate::time::Timestamp;
use crate::token::{PlainToken, TokenKind};

use super::{AuthorizationServer, Next, StepFault};

const DECLINED: RedirectError =
    RedirectError::new("access_denied", "the person did not sign in at Clerk");
const SERVER_ERROR: RedirectError =
    RedirectError::new("server_error", "the sign-in at Clerk could not be finished");
const UNAVAILABLE: RedirectError = RedirectError::new(
    "temporarily_unavailable",
    "Clerk cannot be reached; try again",
);

/// What a person who comes back from Clerk finds.
#[derive(Debug, Clone)]
pub enum Callback {
    /// Redeem what Clerk sent, then [`AuthorizationServer::finish`], `decline` or `fail`. Nobody
    /// else gets this for the same `state`.
    Redeem {
        /// The authorization.
        authorization: Box<Authorization>,
        /// The verifier for Clerk's token endpoint, and the nonce that the ID token must repeat.
        upstream: UpstreamRequest,
    },
    /// The same link was fetched twice. Redirect to where the first one went.
    Repeated {
        /// Where to.
        location: String,
    },
}

/// Why a sign-in failed that nobody declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInFailure {
    /// What Clerk sent is wrong, or something is wrong here.
    ServerError,
    /// Clerk cannot be reached.
    TemporarilyUnavailable,
}

/// The browser and the moment of a request.
#[derive(Clone, Copy)]
pub(super) struct Visit<'a> {
    pub(super) browser: &'a PlainToken,
    pub(super) now: Timestamp,
    pub(super) random: &'a dyn Random,
}

/// A sign-in for which nothing is missing any more.
pub(super) struct CompletedSignIn {
    pub(super) person: SignedIn,
    pub(super) upstream: Option<Vec<u8>>,
    pub(super) scopes: ScopeSet,
    pub(super) remember: bool,
}

impl AuthorizationServer {
    /// Consumes the `state` that came back from Clerk. It works once, in the browser that began, and
    /// before the authorization's time is over.
    ///
    /// Run everything from here to `finish` to its end even if the browser gives up: a second fetch
    /// of the same link meanwhile is told [`StepFault::InProgress`], and afterwards gets the same
    /// redirect.
    ///
    /// # Errors
    /// [`StepFault`].
    pub async fn take_callback(
        &self,
        state: &str,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<Callback, StepFault> {
        let verified = VerifiedState::read(state, &self.settings.keys).ok_or(StepFault::State)?;
        let VerifiedState { id, since, key } = verified;
        let step = Step::TakeSignIn { since };
        match self
            .store
            .advance_authorization(&id, browser.hash(), &step, now)
            .await?
        {
            Ok(Advanced::Moved(authorization) | Advanced::Repeated(authorization)) => {
                let upstream = UpstreamRequest::new(&id, since, key);
                Ok(Callback::Redeem {
                    authorization: Box::new(authorization),
                    upstream,
                })
            }
            Err(AuthorizationFault::AlreadyUsed) => {
                let authorization = self.authorization(&id, browser, now).await?;
                match &authorization.stage {
                    Stage::Returned(_) => Err(StepFault::InProgress),
                    Stage::Denied => {
                        let location = self.error_location(&authorization, DECLINED);
                        Ok(Callback::Repeated { location })
                    }
                    Stage::Finished { .. } => {
                        let location = self.repeated_location(&authorization, browser, now).await?;
                        Ok(Callback::Repeated { location })
                    }
                    Stage::Visiting { .. } => {
                        let location = self.visit_location(&authorization);
                        Ok(Callback::Repeated { location })
                    }
                    _ => Err(AuthorizationFault::AlreadyUsed.into()),
                }
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Finishes the sign-in of `person`. `upstream` is what Clerk gave and the grant keeps: sealed at
    /// once, and never readable without one of the grant's tokens.
    ///
    /// If the consent page was left out and this person has not consented to all of it before, the
    /// page comes now ([`Next::Consent`]). Of a sign-in for a page of this server's own nothing is
    /// kept but who it was ([`Next::Visiting`]).
    ///
    /// # Errors
    /// [`StepFault`].
    pub async fn finish(
        &self,
        authorization: &Authorization,
        person: SignedIn,
        upstream: Option<Vec<u8>>,
        browser: &PlainToken,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Next, StepFault> {
        let Stage::Returned(approval) = &authorization.stage else {
            return Err(AuthorizationFault::AlreadyUsed.into());
        };
        let remember = match approval.by {
            ApprovedBy::OwnPage => {
                return self.arrive(authorization, person, browser, now).await;
            }
            ApprovedBy::Person { remember } => remember,
            ApprovedBy::Remembered { .. } => {
                let key = consent_key(authorization, &person.user_id);
                let remembered = self.store.remembered_consent(&key).await?;
                if !remembered.is_some_and(|consent| consent.covers(&approval.scopes, now)) {
                    let visit = Visit {
                        browser,
                        now,
                        random,
                    };
                    return self.hold(authorization, person, upstream, visit).await;
                }
                false
            }
        };
        let scopes = approval.scopes.clone();
        let sign_in = CompletedSignIn {
            person,
            upstream,
            scopes,
            remember,
        };
        self.complete(
            authorization,
            sign_in,
            Visit {
                browser,
                now,
                random,
            },
        )
        .await
    }

    /// The person declined at Clerk, or may not sign in: the client is told `access_denied`. Gives
    /// back the address to redirect to.
    ///
    /// # Errors
    /// [`StepFault`].
    pub async fn decline(
        &self,
        authorization: &Authorization,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<String, StepFault> {
        self.end(authorization, Step::Decline, DECLINED, browser, now)
            .await
    }

    /// The sign-in failed though nobody declined. Gives back the address to redirect to.
    ///
    /// # Errors
    /// [`StepFault`].
    pub async fn fail(
        &self,
        authorization: &Authorization,
        failure: SignInFailure,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<String, StepFault> {
        let error = match failure {
            SignInFailure::ServerError => SERVER_ERROR,
            SignInFailure::TemporarilyUnavailable => UNAVAILABLE,
        };
        self.end(authorization, Step::Fail, error, browser, now)
            .await
    }

    async fn end(
        &self,
        authorization: &Authorization,
        step: Step,
        error: RedirectError,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<String, StepFault> {
        let (id, browser) = (&authorization.id, browser.hash());
        self.store
            .advance_authorization(id, browser, &step, now)
            .await??;
        Ok(self.error_location(authorization, error))
    }

    /// Keeps a sign-in until the person has seen the consent page.
    async fn hold(
        &self,
        authorization: &Authorization,
        person: SignedIn,
        upstream: Option<Vec<u8>>,
        visit: Visit<'_>,
    ) -> Result<Next, StepFault> {
        let id = &authorization.id;
        // Nothing at all and nothing kept are the same here: Clerk's answer is never empty.
        let bytes = upstream.unwrap_or_default();
        let keys = &self.settings.keys;
        let upstream = seal_for_browser(&bytes, visit.browser, id, keys, visit.random);
        let step = Step::HoldForConfirmation { person, upstream };
        let browser = visit.browser.hash();
        let advanced = self
            .store
            .advance_authorization(id, browser, &step, visit.now)
            .await??;
        let (Advanced::Moved(authorization) | Advanced::Repeated(authorization)) = advanced;
        Ok(Next::Consent(Box::new(authorization)))
    }

    /// Opens what [`AuthorizationServer::hold`] kept.
    pub(super) fn open_held(
        &self,
        authorization: &Authorization,
        held: &Sealed,
        browser: &PlainToken,
    ) -> Result<Option<Vec<u8>>, StepFault> {
        let bytes = open_for_browser(held, browser, &authorization.id, &self.settings.keys);
        // It does not open only if the server's key was replaced within these ten minutes.
        let bytes = bytes.ok_or(AuthorizationFault::Expired)?;
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// Makes the grant and its code, and the address that brings the code to the client.
    pub(super) async fn complete(
        &self,
        authorization: &Authorization,
        sign_in: CompletedSignIn,
        visit: Visit<'_>,
    ) -> Result<Next, StepFault> {
        let Visit {
            browser,
            now,
            random,
        } = visit;
        let CompletedSignIn {
            person,
            upstream,
            scopes,
            remember,
        } = sign_in;
        let lifetimes = &self.settings.lifetimes;
        let request = &authorization.request;
        let code = code(authorization, browser, self.settings.keys.first());
        let (grant_id, grant_key) = (GrantId::generate(random), GrantKey::generate(random));
        let wrapped = grant_key.wrap(&code, &grant_id, &self.settings.keys, random);
        let consent = RememberedConsent {
            key: consent_key(authorization, &person.user_id),
            scopes: scopes.clone(),
            remembered_at: now,
        };
        let finish = FinishSignIn {
            authorization: authorization.id.clone(),
            browser: browser.hash(),
            code: CodeRecord {
                hash: code.hash(),
                grant_id: grant_id.clone(),
                client_id: request.client_id.clone(),
                redirect_uri: request.redirect_uri.clone(),
                code_challenge: request.code_challenge,
                resource: request.resource.clone(),
                wrapped,
                expires_at: now.after(lifetimes.code),
                redeemed_at: None,
            },
            grant: Grant {
                upstream: upstream.map(|bytes| grant_key.seal(&bytes, &grant_id, random)),
                upstream_version: 0,
                id: grant_id,
                client_id: request.client_id.clone(),
                client_name: authorization.client.name.clone(),
                user_id: person.user_id.clone(),
                session_id: person.session_id,
                organization_id: person.organization_id,
                resource: request.resource.clone(),
                scopes,
                created_at: now,
                expires_at: now.after(lifetimes.grant),
                revoked_at: None,
            },
            remember: (remember && self.may_remember(authorization)).then_some(consent),
        };
        match self.store.finish_sign_in(&finish, now).await?? {
            Advanced::Moved(authorization) => Ok(Next::Finished {
                location: self.code_location(&authorization, &code),
                user_id: Some(person.user_id),
            }),
            Advanced::Repeated(authorization) => Ok(Next::Finished {
                location: self.repeated_location(&authorization, browser, now).await?,
                user_id: None,
            }),
        }
    }

    /// The address that an authorization has led to, again, as long as its code was not redeemed:
    /// only the same browser can ask, and the code works once anyway. Afterwards it is used up, for
    /// a client that gets a code twice would redeem it twice, and so revoke its own grant.
    pub(super) async fn repeated_location(
        &self,
        authorization: &Authorization,
        browser: &PlainToken,
        now: Timestamp,
    ) -> Result<String, StepFault> {
        let Stage::Finished { code: hash } = authorization.stage else {
            return Err(AuthorizationFault::AlreadyUsed.into());
        };
        let mut codes = self
            .settings
            .keys
            .iter()
            .map(|key| code(authorization, browser, key));
        let code = codes.find(|code| code.hash() == hash);
        let live = |record: &CodeRecord| {
            record.redeemed_at.is_none() && !record.expires_at.has_passed(now)
        };
        match (code, self.store.code(hash).await?) {
            (Some(code), Some((record, _))) if live(&record) => {
                Ok(self.code_location(authorization, &code))
            }
            _ => Err(AuthorizationFault::AlreadyUsed.into()),
        }
    }

    fn code_location(&self, authorization: &Authorization, code: &PlainToken) -> String {
        let state = authorization
            .request
            .state
            .as_deref()
            .map(|state| ("state", state));
        let parameters = [("code", code.reveal())].into_iter().chain(state);
        let parameters = parameters.chain([("iss", self.settings.issuer())]);
        self.with_redirect_uri(authorization, |uri| uri.with_parameters(parameters))
    }

    fn may_remember(&self, authorization: &Authorization) -> bool {
        let text = &authorization.request.redirect_uri;
        let uri = RedirectUri::parse(text, &self.settings.private_use_schemes);
        uri.is_ok_and(|uri| can_remember(uri.kind()))
    }
}

/// An authorization's code. It is made of the browser's secret, of which the store has only the
/// hash, and of the server's key: so the same form or link leads to the same code if it comes twice,
/// and nobody else can make it.
fn code(authorization: &Authorization, browser: &PlainToken, key: &ServerKey) -> PlainToken {
    let parts = [
        browser.reveal().as_bytes(),
        authorization.id.as_str().as_bytes(),
    ];
    PlainToken::of(
        TokenKind::AuthorizationCode,
        &key.derive(Purpose::AuthorizationCode, &parts),
    )
}

fn consent_key(authorization: &Authorization, user_id: &str) -> ConsentKey {
    let request = &authorization.request;
    let uri = request.redirect_uri.clone();
    ConsentKey::new(user_id, request.client_id.clone(), uri, &request.resource)
}
