//! From a bearer token to a principal: the token and the grant from the store, the person from Clerk,
//! and what follows from both for a minute.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use clerk::BoxFuture;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use mcp::Attached;
use moka::future::Cache;
use oauth::{BearerFault, ErrorResponse, PlainToken, ScopeSet, Timestamp, TokenHash, TokenKind};

use crate::{
    app::App,
    credentials::SignInsInUse,
    ended::GrantEnd,
    front::{Authenticate, Principal},
    people::{PersonError, Standing},
    principals::Principals,
};

/// How long a token's principal is kept. The facts that it follows from may be as old again (`people`),
/// so that a role that was taken away ends within a minute. A grant that ends, ends at once.
const PRINCIPAL_LIFETIME: Duration = Duration::from_secs(30);
/// The most principals that are kept.
const MOST_PRINCIPALS: u64 = 10_000;
/// When to try again if Clerk does not say, seconds.
const RETRY_AFTER: u64 = 10;

/// Checks bearer tokens.
#[derive(Debug)]
pub struct BearerTokens {
    app: Arc<App>,
    principals: Principals,
    known: Cache<TokenHash, Known>,
    in_use: SignInsInUse,
}

/// A token that was good when it was looked at.
#[derive(Clone, Debug)]
struct Known {
    principal: Principal,
    /// When the token, or what is kept of it, is over.
    until: Timestamp,
}

type Refusal = Box<Response<Body>>;

impl BearerTokens {
    /// Checks tokens for this server.
    #[must_use]
    pub fn new(app: Arc<App>, principals: Principals) -> Self {
        Self {
            app,
            principals,
            known: Cache::builder()
                .max_capacity(MOST_PRINCIPALS)
                .time_to_live(PRINCIPAL_LIFETIME)
                .build(),
            in_use: SignInsInUse::default(),
        }
    }

    async fn check(&self, parts: &Parts) -> Result<Principal, Refusal> {
        let path = parts.uri.path();
        if has_query_token(parts) {
            return Err(self.refused(&BearerFault::Invalid, path));
        }
        let authorization =
            one_header(&parts.headers).map_err(|fault| self.refused(&fault, path))?;
        let token = authorization.and_then(bearer);
        let Some(hash) = token.map(|token| token.hash()) else {
            // The rules have the words for a header that is missing or of another kind.
            let looked = self.look(authorization, path).await;
            return looked.map(|known| known.principal);
        };
        if let Some(known) = self.known.get(&hash).await {
            let is_over = known.until.has_passed(self.app.now());
            if !is_over && !known.principal.ended.is_cancelled() {
                return Ok(known.principal);
            }
            self.known.invalidate(&hash).await;
        }
        let known = self.look(authorization, path).await?;
        self.known.insert(hash, known.clone()).await;
        Ok(known.principal)
    }

    async fn look(&self, authorization: Option<&str>, path: &str) -> Result<Known, Refusal> {
        let app = &self.app;
        let check = || app.oauth.check_access_token(authorization, app.now());
        let access = check().await.map_err(|fault| self.refused(&fault, path))?;
        let ended: GrantEnd = app.ends.of(&access.grant.id);
        // Asked again once an end would be heard: one between the two is not missed.
        let access = check().await.map_err(|fault| self.refused(&fault, path))?;
        let grant = &access.grant;
        let person = match app.people.recent(&grant.user_id).await {
            Ok(person) if person.standing == Standing::Good => person,
            Ok(_) | Err(PersonError::Deleted) => {
                return Err(self.refused(&BearerFault::Invalid, path));
            }
            Err(PersonError::Unavailable { retry_after }) => {
                return Err(unavailable(
                    retry_after.map_or(RETRY_AFTER, |after| after.as_secs()),
                ));
            }
        };
        let in_use = self.in_use.of(app, access.clone(), Arc::clone(&ended));
        let attached = Attached::new(in_use);
        let served = self
            .principals
            .serve(grant, &access.scopes, &person, attached);
        let served = match served {
            Ok(served) => served,
            Err(error) => {
                tracing::error!(%error, grant = %grant.id, "a grant cannot be served");
                return Err(plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the grant cannot be served",
                ));
            }
        };
        Ok(Known {
            principal: Principal {
                key: format!("{} {}", grant.user_id, grant.client_id.as_str()).into(),
                ended,
                served: Some(Arc::new(served)),
            },
            until: access.expires_at.min(app.now().after(PRINCIPAL_LIFETIME)),
        })
    }

    fn refused(&self, fault: &BearerFault, path: &str) -> Refusal {
        if let BearerFault::Store(error) = fault {
            tracing::error!(%error, "the store failed");
        }
        let response: ErrorResponse = self.app.oauth.challenge(fault, path);
        Box::new(response.into_http().map(Body::from))
    }
}

impl Authenticate for BearerTokens {
    fn authenticate<'a>(
        &'a self,
        parts: &'a Parts,
    ) -> BoxFuture<'a, Result<Principal, Response<Body>>> {
        Box::pin(async move { self.check(parts).await.map_err(|refusal| *refusal) })
    }

    fn insufficient_scope(&self, scopes: &[String], path: &str) -> Option<HeaderValue> {
        let scopes = ScopeSet::parse(&scopes.join(" "))?;
        let response = self
            .app
            .oauth
            .challenge(&BearerFault::InsufficientScope(scopes), path);
        HeaderValue::from_str(&response.www_authenticate?).ok()
    }
}

/// A token in the query is in logs and histories: it is refused even beside a good header
/// (OAuth 2.1, section 5.2).
fn has_query_token(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    !query.is_empty()
        && url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token")
}

fn one_header(headers: &HeaderMap) -> Result<Option<&str>, BearerFault> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(Some(value)),
        _ => Err(BearerFault::Invalid),
    }
}

fn bearer(authorization: &str) -> Option<PlainToken> {
    let (scheme, token) = authorization.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    PlainToken::parse(TokenKind::AccessToken, token).filter(|_| is_bearer)
}

fn unavailable(seconds: u64) -> Refusal {
    let mut response = plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "Clerk cannot say now who is signed in",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, seconds.into());
    response
}

fn plain(status: StatusCode, message: &'static str) -> Refusal {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    Box::new(response)
}
