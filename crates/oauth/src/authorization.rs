//! An authorization request's life, from the consent page to the code that goes to the client.
//!
//! ```text
//!            approve               sign in at Clerk            code
//!  Consent ──────────► SignIn ───────────────────► Returned ────────► Finished
//!     │                  ▲                          │     │               ▲
//!     │ deny             │ remembered consent       │     │ somebody else │ approve
//!     ▼                (begins here)                │     ▼               │
//!  Denied ◄─────────────────────────────────────────┤   Confirm ──────────┘
//!     ▲                        declined or failed   ▼     │ deny
//!     └───────────────────────────────────────── Failed   └──► Denied
//!
//!  a visit to a page of this server's own ends without a code:
//!
//!            sign in at Clerk            the person
//!  SignIn ───────────────────► Returned ────────────► Visiting
//! ```
//!
//! Every step is a function of the value, the step and the time; a store makes it atomic. The whole
//! request is kept here: a page's form carries the [`AuthorizationId`] and nothing else, and works
//! only in the browser that began.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base64url;
use crate::client::{ClientId, ClientOrigin};
use crate::consent::shown_name;
use crate::environment::{Random, random_bytes};
use crate::pkce::CodeChallenge;
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::seal::Sealed;
use crate::time::Timestamp;
use crate::token::TokenHash;

/// An authorization's name, 128 random bits: the handle that forms carry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorizationId(String);

impl AuthorizationId {
    /// A fresh one.
    pub fn generate(random: &dyn Random) -> Self {
        Self(base64url::encode(&random_bytes::<16>(random)))
    }

    /// Reads a form's handle. `None` unless it is 22 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode_array::<16>(text).map(|_| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AuthorizationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AuthorizationId({})", self.0)
    }
}

/// What the client asked for, after everything was validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes, exactly as the client sent it.
    pub redirect_uri: String,
    /// The client's `state`, given back unread.
    pub state: Option<String>,
    /// What it may get: asked for, offered and registered.
    pub scope: ScopeSet,
    /// Its PKCE challenge.
    pub code_challenge: CodeChallenge,
    /// What the tokens will be for.
    pub resource: Resource,
}

/// What the pages tell about the client, as it was when the request came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSnapshot {
    /// How this server came to know it.
    pub origin: ClientOrigin,
    /// The name it gives itself. Untrusted text unless configured.
    pub name: Option<String>,
    /// Its home page, an http(s) URL.
    pub client_uri: Option<String>,
    /// Its logo, an http(s) URL.
    pub logo_uri: Option<String>,
    /// Its privacy policy, an http(s) URL.
    pub policy_uri: Option<String>,
    /// Its terms of service, an http(s) URL.
    pub tos_uri: Option<String>,
}

impl ClientSnapshot {
    /// Its name, without characters that are invisible or turn the text around; `None` without one.
    pub fn shown_name(&self) -> Option<String> {
        shown_name(self.name.as_deref())
    }
}

/// Who signed in at Clerk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// Clerk's id of the user.
    pub user_id: String,
    /// Clerk's id of the session, where the way of signing in has one.
    pub session_id: Option<String>,
    /// Clerk's id of the organization that the person chose, if any.
    pub organization_id: Option<String>,
    /// A name to greet the person by on a page. Not kept in the grant.
    pub display_name: Option<String>,
}

/// An authorization request under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// Its name.
    pub id: AuthorizationId,
    /// The hash of the secret in the cookie of the browser that began; no other may go on.
    pub browser: TokenHash,
    /// What the client asked for.
    pub request: AuthorizationRequest,
    /// Who asked.
    pub client: ClientSnapshot,
    /// When it began.
    pub created_at: Timestamp,
    /// When it is over, whatever the stage.
    pub expires_at: Timestamp,
    /// How far it is.
    pub stage: Stage,
}

/// How far an [`Authorization`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// The consent page was shown and waits for an answer.
    Consent,
    /// Approved; the person is at Clerk.
    SignIn(Approval),
    /// Clerk sent the person back, once; what it sent is being redeemed.
    Returned(Approval),
    /// Somebody has signed in for whom consent is not remembered: the page is shown now, and no
    /// code is made before they approve.
    Confirm {
        /// Who signed in.
        person: SignedIn,
        /// What Clerk gave, sealed for the browser.
        upstream: Sealed,
    },
    /// A code went to the client.
    Finished {
        /// The code's hash.
        code: TokenHash,
    },
    /// The person said no, here or at Clerk.
    Denied,
    /// Something went wrong that is nobody's decision.
    Failed,
    /// The person is at a page of this server's own, and signed in for it.
    Visiting {
        /// Who.
        person: SignedIn,
    },
}

/// The approval that led to the sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// What was approved.
    pub scopes: ScopeSet,
    /// By whom.
    pub by: ApprovedBy,
    /// When: it is part of the upstream `state`.
    pub since: Timestamp,
}

/// Who approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum ApprovedBy {
    /// The person at the page.
    Person {
        /// Whether to remember it.
        remember: bool,
    },
    /// An earlier consent of the person whom the browser's sealed cookie names. It counts only when
    /// the person who signs in has such a consent.
    Remembered {
        /// Whom the cookie names.
        user_id: String,
    },
    /// Nobody: the person comes to a page of this server's own, and no code is ever made.
    OwnPage,
}

/// The answer on the consent page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes, to these scopes.
    Approve {
        /// The ticked scopes, each of which the client asked for.
        scopes: ScopeSet,
        /// Whether to remember it.
        remember: bool,
    },
    /// No.
    Deny,
}

/// One step of an authorization, which [`crate::Store::advance_authorization`] makes atomic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `Consent` → `SignIn` or `Denied`; and `Confirm` → `Denied`. The same answer again is
    /// harmless: a double click, a reload.
    Decide {
        /// The answer.
        decision: Decision,
    },
    /// `SignIn` → `Returned`: Clerk sent the person back. Works once.
    TakeSignIn {
        /// When consent was given, from the upstream `state`.
        since: Timestamp,
    },
    /// `Returned` → `Confirm`.
    HoldForConfirmation {
        /// Who signed in.
        person: SignedIn,
        /// What Clerk gave, sealed for the browser.
        upstream: Sealed,
    },
    /// `Returned` → `Denied`: the person declined at Clerk.
    Decline,
    /// `Returned` → `Failed`: what Clerk sent could not be redeemed.
    Fail,
    /// `Returned` → `Visiting`, of a visit alone.
    Arrive {
        /// Who signed in.
        person: SignedIn,
    },
}

/// Why a step is refused. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationFault {
    /// There is no such authorization, or it was swept.
    #[error(
        "the request is not known here, or not any more\nhint: start again from your MCP client"
    )]
    Unknown,
    /// Another browser began it.
    #[error(
        "the request was started in another browser\nhint: go on in the browser in which you began, or start again from your MCP client"
    )]
    OtherBrowser,
    /// Its time is over.
    #[error("the request has expired\nhint: start again from your MCP client")]
    Expired,
    /// It is past this step.
    #[error("the link or form was used already\nhint: start again from your MCP client")]
    AlreadyUsed,
    /// A scope was approved that the client did not ask for, or none at all.
    #[error("the approved scopes are not among those asked for\nhint: tick at least one scope")]
    OtherScopes,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advanced {
    /// It happened now: the authorization as it is now.
    Moved(Authorization),
    /// It happened before and nothing changed: the authorization as it is.
    Repeated(Authorization),
}

impl Authorization {
    /// Takes one step in `browser`.
    ///
    /// # Errors
    /// [`AuthorizationFault`]; the other browser's is told before anything else about the request.
    pub fn advance(
        &self,
        step: &Step,
        browser: TokenHash,
        now: Timestamp,
    ) -> Result<Advanced, AuthorizationFault> {
        self.check(browser, now)?;
        let stage = match (step, &self.stage) {
            (Step::Decide { decision }, stage) => match self.decide(decision, stage, now)? {
                Some(stage) => stage,
                None => return Ok(Advanced::Repeated(self.clone())),
            },
            (Step::TakeSignIn { since }, Stage::SignIn(approval)) if approval.since == *since => {
                Stage::Returned(approval.clone())
            }
            (Step::HoldForConfirmation { person, upstream }, Stage::Returned(approval))
                if approval.by != ApprovedBy::OwnPage =>
            {
                Stage::Confirm {
                    person: person.clone(),
                    upstream: upstream.clone(),
                }
            }
            (Step::Decline, Stage::Returned(_)) => Stage::Denied,
            (Step::Fail, Stage::Returned(_)) => Stage::Failed,
            (Step::Arrive { person }, Stage::Returned(approval))
                if approval.by == ApprovedBy::OwnPage =>
            {
                Stage::Visiting {
                    person: person.clone(),
                }
            }
            _ => return Err(AuthorizationFault::AlreadyUsed),
        };
        Ok(Advanced::Moved(Self {
            stage,
            ..self.clone()
        }))
    }

    /// `Returned` or `Confirm` → `Finished` with this code. With the very same code it is a
    /// repetition: the form of `Confirm` may come twice too. A visit gets no code.
    ///
    /// # Errors
    /// [`AuthorizationFault`].
    pub fn finish(
        &self,
        code: TokenHash,
        browser: TokenHash,
        now: Timestamp,
    ) -> Result<Advanced, AuthorizationFault> {
        self.check(browser, now)?;
        match &self.stage {
            Stage::Returned(approval) if approval.by == ApprovedBy::OwnPage => {
                Err(AuthorizationFault::AlreadyUsed)
            }
            Stage::Returned(_) | Stage::Confirm { .. } => Ok(Advanced::Moved(Self {
                stage: Stage::Finished { code },
                ..self.clone()
            })),
            Stage::Finished { code: earlier } if *earlier == code => {
                Ok(Advanced::Repeated(self.clone()))
            }
            _ => Err(AuthorizationFault::AlreadyUsed),
        }
    }

    /// Whether `browser` began this authorization and there is time left.
    ///
    /// # Errors
    /// [`AuthorizationFault::OtherBrowser`] or [`AuthorizationFault::Expired`].
    pub fn check(&self, browser: TokenHash, now: Timestamp) -> Result<(), AuthorizationFault> {
        if self.browser != browser {
            return Err(AuthorizationFault::OtherBrowser);
        }
        if self.expires_at.has_passed(now) {
            return Err(AuthorizationFault::Expired);
        }
        Ok(())
    }

    /// The stage that `decision` leads to; `None` when the same decision was made before.
    fn decide(
        &self,
        decision: &Decision,
        stage: &Stage,
        now: Timestamp,
    ) -> Result<Option<Stage>, AuthorizationFault> {
        match (decision, stage) {
            (Decision::Deny, Stage::Consent | Stage::Confirm { .. }) => Ok(Some(Stage::Denied)),
            (Decision::Deny, Stage::Denied) => Ok(None),
            (Decision::Approve { scopes, remember }, Stage::Consent) => {
                if scopes.is_empty() || !self.request.scope.covers(scopes) {
                    return Err(AuthorizationFault::OtherScopes);
                }
                let by = ApprovedBy::Person {
                    remember: *remember,
                };
                Ok(Some(Stage::SignIn(Approval {
                    scopes: scopes.clone(),
                    by,
                    since: now,
                })))
            }
            (Decision::Approve { scopes, remember }, Stage::SignIn(approval))
                if approval.scopes == *scopes
                    && approval.by
                        == (ApprovedBy::Person {
                            remember: *remember,
                        }) =>
            {
                Ok(None)
            }
            _ => Err(AuthorizationFault::AlreadyUsed),
        }
    }
}
