//! From a grant to what its person is served.

use std::{collections::BTreeMap, fmt, sync::Arc};

use clerk::{Client, IdError};
use mcp::{Attached, Caller, OwnTool, Service, Shared, rmcp_adapter::Served};
use oauth::{Grant, ScopeSet};
use toolkit::{AuthContext, BuildError, ClerkToolkit};

use crate::{
    access::{AccessPolicy, Allowed, PersonFacts},
    people::Person,
    tools::UserInfo,
};

/// Makes the service of each principal.
pub struct Principals {
    /// Who may see and call which tools.
    pub policy: AccessPolicy,
    /// Clerk.
    pub client: Client,
    /// What all principals share.
    pub shared: Shared,
    /// Tools that are no Clerk operations, besides `userInfo`.
    pub own_tools: Vec<Arc<dyn OwnTool>>,
    /// Scopes that tools need besides those that the access rules ask for, by the tool's name.
    pub tool_scopes: BTreeMap<String, Vec<String>>,
    /// Whether private metadata is shown to those whom a rule gives tools over the instance.
    pub allow_private_metadata: bool,
    /// Whether only tools that change nothing are offered.
    pub read_only: bool,
}

impl fmt::Debug for Principals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principals")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Why a grant cannot be served. Both are faults of ours: ids come from Clerk.
#[derive(Debug)]
pub enum PrincipalError {
    /// An id is not one of Clerk's.
    Id(IdError),
    /// The toolkit cannot be built.
    Toolkit(BuildError),
}

impl fmt::Display for PrincipalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(error) => error.fmt(f),
            Self::Toolkit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PrincipalError {}

impl Principals {
    /// What this grant's person is served through an access token of these scopes. `attached` goes
    /// along with their calls.
    ///
    /// # Errors
    /// [`PrincipalError`].
    pub fn serve(
        &self,
        grant: &Grant,
        scopes: &ScopeSet,
        person: &Person,
        attached: Attached,
    ) -> Result<Served, PrincipalError> {
        let scopes: Vec<String> = scopes.iter().map(str::to_owned).collect();
        let facts = PersonFacts {
            organization_id: grant.organization_id.clone(),
            ..person.facts.clone()
        };
        let mut allowed = self.policy.decide(&facts, &scopes);
        self.add_scopes_needed(&mut allowed, &scopes);
        let builder = || ClerkToolkit::builder(self.client.clone()).read_only(self.read_only);
        // Their own private metadata is not for people to see, whatever admins may.
        let session = builder()
            .auth_context(session(grant)?)
            .only(allowed.session);
        let mut service = Service::new(
            session.build().map_err(PrincipalError::Toolkit)?,
            self.shared.clone(),
        );
        if !allowed.instance.is_empty() {
            let instance = builder()
                .allow_private_metadata(self.allow_private_metadata)
                .only(allowed.instance);
            service =
                service.with_instance_tools(instance.build().map_err(PrincipalError::Toolkit)?);
        }
        let user_info: Arc<dyn OwnTool> = Arc::new(UserInfo::new(
            person.about(grant.organization_id.as_deref()),
        ));
        let own = std::iter::once(&user_info)
            .chain(&self.own_tools)
            .filter(|tool| allowed.own.contains(tool.definition().name.as_ref()))
            .cloned();
        let caller = Caller {
            user_id: Some(grant.user_id.clone()),
            session_id: grant.session_id.clone(),
            organization_id: grant.organization_id.clone(),
            role: None,
            client_id: Some(grant.client_id.as_str().to_owned()),
            scopes,
            attached,
        };
        Ok(Served::new(
            service
                .with_own_tools(own.collect())
                .with_scopes_needed(allowed.needs_scope)
                .with_caller(caller),
        ))
    }
}

impl Principals {
    fn add_scopes_needed(&self, allowed: &mut Allowed, granted: &[String]) {
        for (tool, scopes) in &self.tool_scopes {
            let missing = scopes.iter().filter(|scope| !granted.contains(scope));
            for scope in missing {
                let needed = allowed.needs_scope.entry(tool.clone()).or_default();
                if !needed.contains(scope) {
                    needed.push(scope.clone());
                }
            }
        }
        // A tool that the person does not have is not listed, whatever it needs.
        let own = &allowed.own;
        let has = |tool: &String| {
            own.contains(tool) || allowed.session.contains(tool) || allowed.instance.contains(tool)
        };
        allowed.needs_scope.retain(|tool, _| has(tool));
    }
}

fn session(grant: &Grant) -> Result<AuthContext, PrincipalError> {
    let mut session = AuthContext::new(&grant.user_id).map_err(PrincipalError::Id)?;
    if let Some(id) = &grant.session_id {
        session = session.with_session(id).map_err(PrincipalError::Id)?;
    }
    if let Some(id) = &grant.organization_id {
        session = session.with_organization(id).map_err(PrincipalError::Id)?;
    }
    Ok(session)
}
