use serde_json::{Map, Value};

use crate::operation::{Binding, Hints, Kind, Operation, Output, Parameter, Scope, local, query};
use crate::schema;

/// How tightly a toolkit is bound to a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bound {
    /// A user is bound.
    pub user: bool,
    /// One of the user's organizations is bound too.
    pub organization: bool,
}

/// An operation as one toolkit offers it: what is bound is gone from it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    operation: &'static Operation,
    bound: Bound,
}

const FIELDS: Parameter = local("fields", Kind::Pointers);
const LIMIT: Parameter = query("limit", "limit", Kind::Integer(1, 500));
const OFFSET: Parameter = query("offset", "offset", Kind::Integer(0, i64::MAX));

impl Tool {
    /// The operation under this binding, or `None` when so bound a toolkit does not have it.
    #[must_use]
    pub fn new(operation: &'static Operation, bound: Bound) -> Option<Self> {
        let offered = match operation.scope {
            Scope::Instance => !bound.user,
            Scope::OwnOrganizations | Scope::CreateOrganization => !bound.organization,
            Scope::Anyone | Scope::OwnUser | Scope::Organization { .. } => true,
        };
        offered.then_some(Self { operation, bound })
    }

    /// The row it stands on.
    #[must_use]
    pub fn operation(&self) -> &'static Operation {
        self.operation
    }

    /// The flat MCP name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.operation.name
    }

    /// What clients may assume.
    #[must_use]
    pub fn hints(&self) -> Hints {
        self.operation.hints
    }

    /// How tightly it is bound.
    #[must_use]
    pub fn bound(&self) -> Bound {
        self.bound
    }

    /// What it takes: the row's parameters that are not bound, then `limit`, `offset` and `fields`
    /// where the output has them.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter> + '_ {
        let added: &'static [Parameter] = match self.operation.output {
            Output::Object(_) => &[FIELDS],
            Output::List(_) => &[LIMIT, OFFSET, FIELDS],
            Output::Plain(_) => &[],
        };
        self.operation
            .parameters
            .iter()
            .chain(added)
            .copied()
            .filter(|p| !self.is_withheld(p))
    }

    /// Whether a parameter of the row is out of reach here, because the session decides it or
    /// because only a backend may set it.
    #[must_use]
    pub fn is_withheld(&self, parameter: &Parameter) -> bool {
        let decided = match parameter.binding {
            Binding::Free => false,
            Binding::User => self.bound.user,
            Binding::Organization | Binding::OrganizationAlias => self.bound.organization,
        };
        decided || (self.bound.user && parameter.backend_only)
    }

    /// The schema of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> Map<String, Value> {
        schema::input(self)
    }

    /// The schema of its structured result.
    #[must_use]
    pub fn output_schema(&self) -> Map<String, Value> {
        schema::output(self)
    }
}
