//! Who sends a request, and how that is found out.

use std::sync::Arc;

use axum::body::Body;
use clerk::BoxFuture;
use http::{Extensions, HeaderValue, Response, request::Parts};
use mcp::{Caller, rmcp_adapter::Served};

use super::{
    PrincipalKey,
    peek::{self, Peek},
};
use crate::ended::GrantEnd;

/// Whoever sends a request, once that is known.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Person and client: what sessions and streams belong to.
    pub key: PrincipalKey,
    /// Cancelled when the grant ends: its streams end with it.
    pub ended: GrantEnd,
    /// What the server answers to them.
    pub served: Option<Arc<Served>>,
}

impl Principal {
    pub(super) fn enter(&self, extensions: &mut Extensions) {
        if let Some(served) = &self.served {
            extensions.insert(Arc::clone(served));
        }
    }

    /// Who calls; `None` where nobody is told apart.
    pub(super) fn caller(&self) -> Option<&Caller> {
        let served = self.served.as_ref();
        served.map(|served| served.service().caller())
    }

    pub(super) fn scopes_granted(&self) -> &[String] {
        let served = self.served.as_ref();
        served.map_or(&[], |served| &served.service().caller().scopes)
    }

    /// The tool that is called, and the scopes that have to be granted first.
    pub(super) fn lacks_scope<'a>(&'a self, peek: &'a Peek<'_>) -> Option<(&'a str, &'a [String])> {
        let tool = peek.tool()?;
        Some((tool, self.served.as_ref()?.service().scopes_needed(tool)?))
    }

    pub(super) fn record_refusal(&self, tool: &str, body: &[u8]) {
        if let Some(served) = &self.served {
            let arguments = peek::arguments(body);
            let outcome = "insufficient_scope";
            served.service().record_refusal(tool, &arguments, outcome);
        }
    }
}

/// Finds out who sends a request.
pub trait Authenticate: Send + Sync + 'static {
    /// The principal, or the answer for a request without one.
    ///
    /// # Errors
    /// The answer: 401 with a challenge, 503 when it cannot be found out now.
    fn authenticate<'a>(
        &'a self,
        parts: &'a Parts,
    ) -> BoxFuture<'a, Result<Principal, Response<Body>>>;

    /// The `WWW-Authenticate` of a 403, to a request for `path`, that names the scopes needed
    /// (RFC 6750, section 3.1).
    fn insufficient_scope(&self, scopes: &[String], path: &str) -> Option<HeaderValue>;
}
