//! From a bearer token to a principal: whose it is by the store, or by Clerk where that is the
//! authorization server; who they are now; and what follows from both for a minute.

mod look_again;

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::body::Body;
use clerk::BoxFuture;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use mcp::{Attached, Caller};
use moka::future::Cache;
use oauth::{BearerFault, ErrorResponse, PlainToken, ScopeSet, Timestamp, TokenHash};

use store::sessions::ListDigest;

use self::look_again::is_over;
use crate::{
    app::App,
    clerk_tokens::{ClerkTokenFault, ClerkTokens},
    client_address,
    credentials::{SignInsInUse, TokenInUse},
    ended::GrantEnd,
    front::{Authenticate, Principal, PrincipalKey},
    listen::PeerAddress,
    people::{Person, PersonError, Standing},
    principals::Principals,
    rate_limit::Limited,
    token_ends::TokenEnds,
    tool_lists::ListsTools,
};

/// How long a token's principal is kept. The facts that it follows from may be as old again (`people`),
/// so that a role that was taken away ends within a minute. A grant that ends, ends at once; a token
/// that Clerk revokes, within this.
const PRINCIPAL_LIFETIME: Duration = Duration::from_secs(30);
/// The most principals that are kept.
const MOST_PRINCIPALS: u64 = 10_000;
/// When to try again if Clerk does not say.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// When to try again for somebody who is locked: it passes, and a stranger's guesses bring it about.
const LOCKED_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Whose tokens count.
#[derive(Debug)]
pub enum TokenSource {
    /// This server's own: each is of a grant in the store.
    Grants,
    /// Clerk's.
    Clerk(Box<ClerkTokens>),
}

/// Checks bearer tokens.
#[derive(Clone, Debug)]
pub struct BearerTokens(Arc<Checker>);

#[derive(Debug)]
struct Checker {
    app: Arc<App>,
    source: TokenSource,
    principals: Principals,
    known: Cache<TokenHash, Known>,
    in_use: SignInsInUse,
    ends: TokenEnds,
    /// Itself, for those who look at tokens again.
    weak: Weak<Self>,
}

/// A token that was good when it was looked at.
#[derive(Clone, Debug)]
struct Known {
    principal: Principal,
    /// When the token, or what is kept of it, is over.
    until: Timestamp,
}

/// Who came with a good token, whoever issued it.
#[derive(Debug)]
struct Admitted {
    caller: Caller,
    /// Cancelled when what the token stands for ends.
    ended: GrantEnd,
    /// When the token is over; `None` when it never is.
    expires_at: Option<Timestamp>,
}

/// Why a request is not let in.
#[derive(Clone, Debug)]
enum Refusal {
    Bearer(BearerFault),
    Limited(Limited),
    /// Clerk cannot say now who it is, or whether they may.
    Unavailable {
        retry_after: Duration,
    },
    /// A fault of ours, which the log has.
    Unservable,
}

impl BearerTokens {
    /// Checks tokens of this source for this server.
    #[must_use]
    pub fn new(app: Arc<App>, source: TokenSource, principals: Principals) -> Self {
        let ends = TokenEnds::new(Arc::clone(&app.pace));
        Self(Arc::new_cyclic(|weak| Checker {
            app,
            source,
            principals,
            known: Cache::builder()
                .max_capacity(MOST_PRINCIPALS)
                .time_to_live(PRINCIPAL_LIFETIME)
                .build(),
            in_use: SignInsInUse::default(),
            ends,
            weak: Weak::clone(weak),
        }))
    }

    /// The lists of tools of whoever comes with them.
    pub(crate) fn lists(&self) -> Arc<dyn ListsTools> {
        Arc::clone(&self.0) as Arc<dyn ListsTools>
    }
}

impl Checker {
    async fn check(&self, parts: &Parts) -> Result<Principal, Refusal> {
        if has_query_token(parts) {
            return Err(BearerFault::Invalid.into());
        }
        let token = bearer(&parts.headers)?;
        let hash = token.hash();
        if let Some(known) = self.known.get(&hash).await {
            let is_over = known.until.has_passed(self.app.now());
            if !is_over && !known.principal.ended.is_cancelled() {
                return Ok(known.principal);
            }
            self.known.invalidate(&hash).await;
        }
        let address = self.limit(parts, &token)?;
        // Any number of requests at once look once.
        let looking = Box::pin(self.look(&token));
        match self.known.try_get_with(hash, looking).await {
            Ok(known) => Ok(known.principal),
            Err(refusal) => {
                if matches!(*refusal, Refusal::Bearer(_)) {
                    self.ends.end(&hash);
                }
                if let (Some(address), Refusal::Bearer(_)) = (address, &*refusal) {
                    let limits = &self.app.limits;
                    limits.opaque_token_refused(address, self.app.now());
                }
                Err((*refusal).clone())
            }
        }
    }

    /// Counts a token that only Clerk can read, by the address that sent it: whoever makes some up
    /// makes Clerk count requests of this server's.
    fn limit(&self, parts: &Parts, token: &PlainToken) -> Result<Option<IpAddr>, Refusal> {
        let app = &self.app;
        match &self.source {
            TokenSource::Clerk(tokens) if tokens.asks_clerk(token) => {
                let peer = parts.extensions.get::<PeerAddress>();
                let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
                let proxies = &app.trusted_proxies;
                let address = client_address::client_address(peer, &parts.headers, proxies);
                let counted = app.limits.opaque_token(address, app.now());
                counted.map_err(Refusal::Limited)?;
                Ok(Some(address))
            }
            _ => Ok(None),
        }
    }

    async fn look(&self, token: &PlainToken) -> Result<Known, Refusal> {
        // From here on, however slowly Clerk answers: it may revoke meanwhile what it has just called good.
        let until = self.app.now().after(PRINCIPAL_LIFETIME);
        let admitted = match &self.source {
            TokenSource::Grants => self.of_grant(token).await?,
            TokenSource::Clerk(tokens) => self.of_clerk(tokens, token).await?,
        };
        let caller = admitted.caller;
        let key = key_of(&caller);
        let person = match self.person(&caller).await {
            Ok(person) => person,
            Err(refusal) => {
                self.end_grants(&caller, &refusal).await;
                return Err(refusal);
            }
        };
        let served = self.principals.serve(caller, person.as_deref());
        let served = served.map_err(|error| {
            tracing::error!(%error, principal = %key, "somebody cannot be served");
            Refusal::Unservable
        })?;
        Ok(Known {
            principal: Principal {
                key,
                ended: admitted.ended,
                served: Some(Arc::new(served)),
            },
            until: admitted.expires_at.map_or(until, |at| at.min(until)),
        })
    }

    /// Who the caller is at Clerk; a machine is nobody.
    async fn person(&self, caller: &Caller) -> Result<Option<Arc<Person>>, Refusal> {
        let Some(user_id) = &caller.user_id else {
            return Ok(None);
        };
        match self.app.people.recent(user_id).await {
            Ok(person) => match person.standing {
                Standing::Good => Ok(Some(person)),
                Standing::Banned => Err(BearerFault::Invalid.into()),
                Standing::Locked => Err(Refusal::Unavailable {
                    retry_after: LOCKED_RETRY_AFTER,
                }),
            },
            Err(PersonError::Deleted) => Err(BearerFault::Invalid.into()),
            Err(PersonError::Unavailable { retry_after }) => Err(Refusal::Unavailable {
                retry_after: retry_after.unwrap_or(RETRY_AFTER),
            }),
        }
    }

    /// Ends what somebody has here whom Clerk does not let sign in any more: their tokens are none from
    /// then on, nobody asks Clerk about them again, and what is open is closed.
    async fn end_grants(&self, caller: &Caller, refusal: &Refusal) {
        let (Refusal::Bearer(_), TokenSource::Grants, Some(user_id)) =
            (refusal, &self.source, caller.user_id.clone())
        else {
            return;
        };
        let app = Arc::clone(&self.app);
        // To the end, even if the client of this request goes.
        let ending = tokio::spawn(async move { app.end_grants_of(&user_id).await });
        if let Err(error) = ending.await {
            tracing::error!(%error, "the task that ends somebody's grants failed");
        }
    }

    /// Whose token of ours this is.
    async fn of_grant(&self, token: &PlainToken) -> Result<Admitted, Refusal> {
        let app = &self.app;
        let check = || app.oauth.check_access_token(token, app.now());
        let access = check().await?;
        let ended: GrantEnd = app.ends.of(&access.grant.id);
        // Asked again once an end would be heard: one between the two is not missed.
        let access = check().await?;
        let in_use = self.in_use.of(app, access.clone(), Arc::clone(&ended));
        let grant = access.grant;
        let caller = Caller {
            user_id: Some(grant.user_id),
            session_id: grant.session_id,
            organization_id: grant.organization_id,
            role: None,
            client_id: Some(grant.client_id.as_str().to_owned()),
            scopes: access.scopes.iter().map(str::to_owned).collect(),
            attached: Attached::new(in_use),
        };
        Ok(Admitted {
            caller,
            ended,
            expires_at: Some(access.expires_at),
        })
    }

    /// Whose token of Clerk's this is.
    async fn of_clerk(
        &self,
        tokens: &ClerkTokens,
        token: &PlainToken,
    ) -> Result<Admitted, Refusal> {
        // What is found out is as old as the question.
        let now = self.app.now();
        let holder = tokens.holder(token).await?;
        let ended = self.ends.of(token, &holder, now, Weak::clone(&self.weak));
        let in_use = Arc::new(TokenInUse::new(Arc::clone(&ended)));
        Ok(Admitted {
            caller: Caller {
                attached: Attached::new(in_use),
                ..holder.caller
            },
            ended,
            expires_at: holder.expires_at,
        })
    }

    fn answer(&self, refusal: Refusal, path: &str) -> Response<Body> {
        match refusal {
            Refusal::Bearer(fault) => {
                if let BearerFault::Store(error) = &fault {
                    tracing::error!(%error, "the store failed");
                }
                let response: ErrorResponse = self.app.resource.challenge(&fault, path);
                response.into_http().map(Body::from)
            }
            Refusal::Limited(limited) => limited.into_http().map(Body::from),
            Refusal::Unavailable { retry_after } => unavailable(retry_after),
            Refusal::Unservable => plain(StatusCode::INTERNAL_SERVER_ERROR, "you cannot be served"),
        }
    }
}

impl ListsTools for Checker {
    fn list_of(&self, caller: Caller, person: &Person) -> Option<ListDigest> {
        match self.principals.serve(caller, Some(person)) {
            Ok(served) => Some(ListDigest(served.tools_digest())),
            Err(error) => {
                tracing::error!(%error, "the tools of somebody cannot be listed");
                None
            }
        }
    }

    fn forget<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let is_theirs = |known: &Known| known.principal.key.holder() == user_id;
            let known = self.known.iter().filter(|(_, known)| is_theirs(known));
            let tokens: Vec<Arc<TokenHash>> = known.map(|(token, _)| token).collect();
            for token in tokens {
                self.known.invalidate(token.as_ref()).await;
            }
        })
    }

    fn known<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Option<Arc<Person>>> {
        Box::pin(self.app.people.known(user_id))
    }

    fn ask<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Result<(), PersonError>> {
        Box::pin(async move {
            let asked = self.app.people.recent(user_id).await;
            if is_over(&asked) && matches!(self.source, TokenSource::Grants) {
                // What is open is closed, as when they had called something.
                self.app.end_grants_of(user_id).await;
            }
            asked.map(drop)
        })
    }
}

impl Authenticate for BearerTokens {
    fn authenticate<'a>(
        &'a self,
        parts: &'a Parts,
    ) -> BoxFuture<'a, Result<Principal, Response<Body>>> {
        Box::pin(async move {
            let checked = self.0.check(parts).await;
            checked.map_err(|refusal| self.0.answer(refusal, parts.uri.path()))
        })
    }

    fn insufficient_scope(&self, scopes: &[String], path: &str) -> Option<HeaderValue> {
        let scopes = ScopeSet::parse(&scopes.join(" "))?;
        let fault = BearerFault::InsufficientScope(scopes);
        let response = self.0.app.resource.challenge(&fault, path);
        HeaderValue::from_str(&response.www_authenticate?).ok()
    }
}

impl From<BearerFault> for Refusal {
    fn from(fault: BearerFault) -> Self {
        Self::Bearer(fault)
    }
}

impl From<ClerkTokenFault> for Refusal {
    fn from(fault: ClerkTokenFault) -> Self {
        match fault {
            ClerkTokenFault::Refused => Self::Bearer(BearerFault::Invalid),
            ClerkTokenFault::Unavailable { retry_after } => Self::Unavailable {
                retry_after: retry_after.unwrap_or(RETRY_AFTER),
            },
        }
    }
}

/// Person and client: what sessions and streams belong to. A machine is a client without a person.
fn key_of(caller: &Caller) -> PrincipalKey {
    PrincipalKey::new(caller.user_id.as_deref(), caller.client_id.as_deref())
}

/// A token in the query is in logs and histories: it is refused even beside a good header
/// (OAuth 2.1, section 5.2).
fn has_query_token(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    !query.is_empty()
        && url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token")
}

/// The token of the one header `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Result<PlainToken, BearerFault> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(BearerFault::Missing)?;
    let (Ok(value), None) = (value.to_str(), values.next()) else {
        return Err(BearerFault::Invalid);
    };
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(BearerFault::Missing);
    }
    Ok(PlainToken::presented(token))
}

fn unavailable(retry_after: Duration) -> Response<Body> {
    let mut response = plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "Clerk cannot say now who is signed in",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, retry_after.as_secs().into());
    response
}

fn plain(status: StatusCode, message: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    response
}
