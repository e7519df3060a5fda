//! From who calls to what they are served.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use clerk::{Client, IdError};
use mcp::{Caller, OwnTool, Service, Shared, rmcp_adapter::Served};
use toolkit::{AuthContext, BuildError, ClerkToolkit, ClerkToolkitBuilder};

use crate::{
    access::{AccessPolicy, Allowed, PersonFacts},
    people::Person,
    scope_mapping::ScopeMapping,
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
    /// Which of Clerk's scopes stand for ours, where Clerk issues the tokens.
    pub scope_mapping: Option<ScopeMapping>,
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

/// Why somebody cannot be served. Both are faults of ours: ids come from Clerk.
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
    /// What somebody is served who came as `caller`, with the scopes of their token in there.
    /// `person` is who they are at Clerk; without one it is the machine that is the client.
    ///
    /// # Errors
    /// [`PrincipalError`].
    pub fn serve(&self, caller: Caller, person: Option<&Person>) -> Result<Served, PrincipalError> {
        let service = match person {
            Some(person) => self.of_person(&caller, person)?,
            None => self.of_machine(&caller)?,
        };
        Ok(Served::new(service.with_caller(caller)))
    }

    fn of_person(&self, caller: &Caller, person: &Person) -> Result<Service, PrincipalError> {
        let facts = PersonFacts {
            organization_id: caller.organization_id.clone(),
            ..person.facts.clone()
        };
        let granted = match &self.scope_mapping {
            Some(mapping) => mapping.granted(&caller.scopes),
            None => caller.scopes.clone(),
        };
        let mut allowed = self.policy.decide(&facts, &granted);
        self.add_scopes_needed(&mut allowed, &granted);
        if let Some(mapping) = &self.scope_mapping {
            for missing in allowed.needs_scope.values_mut() {
                *missing = mapping.asked(missing, &caller.scopes);
            }
        }
        // Their own private metadata is not for people to see, whatever admins may.
        let session = self
            .toolkit()
            .auth_context(session(caller, person)?)
            .only(allowed.session);
        let mut service = Service::new(
            session.build().map_err(PrincipalError::Toolkit)?,
            self.shared.clone(),
        );
        if !allowed.instance.is_empty() {
            service = service.with_instance_tools(self.instance(allowed.instance)?);
        }
        let about = person.about(caller.organization_id.as_deref());
        let user_info: Arc<dyn OwnTool> = Arc::new(UserInfo::new(about));
        let own = std::iter::once(&user_info)
            .chain(&self.own_tools)
            .filter(|tool| allowed.own.contains(tool.definition().name.as_ref()))
            .cloned();
        Ok(service
            .with_own_tools(own.collect())
            .with_scopes_needed(allowed.needs_scope))
    }

    /// A machine has no session to bind tools to, and nobody to tell about: what rules name, with the
    /// secret key's power or of the owner's.
    fn of_machine(&self, caller: &Caller) -> Result<Service, PrincipalError> {
        let machine = caller.client_id.as_deref().unwrap_or_default();
        let allowed = self.policy.decide_machine(machine);
        let service = Service::new(self.instance(allowed.instance)?, self.shared.clone());
        let own = self
            .own_tools
            .iter()
            .filter(|tool| allowed.own.contains(tool.definition().name.as_ref()))
            .cloned();
        Ok(service.with_own_tools(own.collect()))
    }

    fn toolkit(&self) -> ClerkToolkitBuilder {
        ClerkToolkit::builder(self.client.clone()).read_only(self.read_only)
    }

    /// Tools with the secret key's power.
    fn instance(&self, tools: BTreeSet<String>) -> Result<ClerkToolkit, PrincipalError> {
        self.toolkit()
            .allow_private_metadata(self.allow_private_metadata)
            .only(tools)
            .build()
            .map_err(PrincipalError::Toolkit)
    }

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

fn session(caller: &Caller, person: &Person) -> Result<AuthContext, PrincipalError> {
    let mut session = AuthContext::new(&person.facts.user_id).map_err(PrincipalError::Id)?;
    if let Some(id) = &caller.session_id {
        session = session.with_session(id).map_err(PrincipalError::Id)?;
    }
    if let Some(id) = &caller.organization_id {
        session = session.with_organization(id).map_err(PrincipalError::Id)?;
    }
    Ok(session)
}
