//! Who may see and call which tools: the `[[access]]` rules of the configuration.

mod catalogue;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use toolkit::pattern::{PatternError, Patterns};

use self::catalogue::is_given;
pub use self::catalogue::{
    CatalogueTool, IMPERSONATION, call_api_as, catalogue, default_rules, own_tools, select,
};

/// The scope that tools which change nothing need.
pub const READ_SCOPE: &str = "tools:read";
/// The scope that all other tools need.
pub const WRITE_SCOPE: &str = "tools:write";

/// Allows tools to the people it describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// The tools.
    pub tools: Patterns,
    /// With what power the Clerk tools among them run.
    pub clerk: ClerkPower,
    /// Whom it is about: every condition given must hold.
    pub conditions: Conditions,
}

/// With what power Clerk tools run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClerkPower {
    /// What the signed-in person could do themselves.
    #[default]
    Session,
    /// Everything: the instance's secret key.
    Instance,
}

/// Whom a rule is about. An empty list is no condition; of a list any one suffices. A rule with no
/// condition at all is about everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `role` in public metadata.
    pub role: Vec<String>,
    /// Role in an organization: `org:admin`.
    pub organization_role: Vec<String>,
    /// Permission in an organization, the same one as `organization_role` when both are given.
    pub organization_permission: Vec<String>,
    /// User id.
    pub user: Vec<String>,
    /// Domain of a verified e-mail address, in small letters; subdomains are others.
    pub email_domain: Vec<String>,
    /// OAuth scope that the person granted.
    pub scope: Vec<String>,
    /// Machine, `mch_…`. A rule with it is about machines, and one without it about people.
    pub machine: Vec<String>,
}

/// As a few words: `role admin or premium, scope orders:read`.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("role", &self.role),
            ("organization role", &self.organization_role),
            ("organization permission", &self.organization_permission),
            ("user", &self.user),
            ("e-mail domain", &self.email_domain),
            ("scope", &self.scope),
            ("machine", &self.machine),
        ];
        let given = parts.iter().filter(|(_, values)| !values.is_empty());
        let words: Vec<String> = given
            .map(|(name, values)| format!("{name} {}", values.join(" or ")))
            .collect();
        match words.is_empty() {
            true => f.write_str("everybody"),
            false => f.write_str(&words.join(", ")),
        }
    }
}

impl Conditions {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is known of the person who calls, read from Clerk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonFacts {
    /// User id.
    pub user_id: String,
    /// `role` in public metadata: a text, or a list of texts.
    pub roles: Vec<String>,
    /// Domains of the verified e-mail addresses, in any case.
    pub verified_email_domains: Vec<String>,
    /// Memberships of organizations.
    pub memberships: Vec<MembershipFacts>,
    /// The organization that the sign-in is bound to: then only its membership counts.
    pub organization_id: Option<String>,
}

/// A membership of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipFacts {
    /// The organization.
    pub organization_id: String,
    /// The role, `org:admin`.
    pub role: String,
    /// The permissions, `org:sys_memberships:manage`.
    pub permissions: Vec<String>,
}

/// What one person may see and call. Every tool in `session`, `instance` and `own` is listed; one
/// that is in `needs_scope` too must be refused when called, with a challenge for those scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Clerk tools with the person's own power.
    pub session: BTreeSet<String>,
    /// Clerk tools with the secret key's power; none of them is in `session`.
    pub instance: BTreeSet<String>,
    /// Tools that are no Clerk operations.
    pub own: BTreeSet<String>,
    /// Tools allowed for who the person is, whose scopes were not granted: which are missing.
    pub needs_scope: BTreeMap<String, Vec<String>>,
}

/// The rules over the tools that exist here.
#[derive(Clone, Debug)]
pub struct AccessPolicy {
    offered: Vec<CatalogueTool>,
    rules: Vec<CompiledRule>,
}

#[derive(Clone, Debug)]
struct CompiledRule {
    clerk: ClerkPower,
    conditions: Conditions,
    /// Positions in `offered`.
    tools: Vec<usize>,
}

impl AccessPolicy {
    /// Resolves the rules' patterns against the whole catalogue, and keeps of what they name only
    /// the tools that `[policy]` offers: those that `enabled` selects and, when `read_only`, change
    /// nothing.
    ///
    /// # Errors
    /// A pattern that names nothing in the catalogue.
    pub fn new(
        rules: &[AccessRule],
        enabled: &Patterns,
        read_only: bool,
        catalogue: &[CatalogueTool],
    ) -> Result<Self, PatternError> {
        let mut kept: Vec<usize> = select(enabled, catalogue)?;
        kept.retain(|index| !read_only || catalogue[*index].read_only);
        let rules = rules
            .iter()
            .map(|rule| {
                let tools = select(&rule.tools, catalogue)?
                    .into_iter()
                    .filter(|index| is_given(&rule.tools, &catalogue[*index]))
                    .filter_map(|index| kept.iter().position(|kept| *kept == index))
                    .collect();
                Ok(CompiledRule {
                    clerk: rule.clerk,
                    conditions: rule.conditions.clone(),
                    tools,
                })
            })
            .collect::<Result<_, PatternError>>()?;
        let offered = kept.iter().map(|index| catalogue[*index].clone()).collect();
        Ok(Self { offered, rules })
    }

    /// The tools that exist here, whoever asks.
    #[must_use]
    pub fn offered(&self) -> &[CatalogueTool] {
        &self.offered
    }

    /// The scopes that rules ask for.
    pub fn scopes(&self) -> impl Iterator<Item = String> + '_ {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.conditions.scope);
        of_rules.cloned()
    }

    /// Whom the rules are about that ask for a role or a permission in an organization.
    pub fn of_organizations(&self) -> impl Iterator<Item = &Conditions> {
        let conditions = self.rules.iter().map(|rule| &rule.conditions);
        conditions.filter(|conditions| {
            !conditions.organization_role.is_empty()
                || !conditions.organization_permission.is_empty()
        })
    }

    /// Whom the rules give a tool, in words.
    #[must_use]
    pub fn who(&self, tool: &str) -> String {
        let position = self.offered.iter().position(|offered| offered.name == tool);
        let rules = self
            .rules
            .iter()
            .filter(|rule| position.is_some_and(|position| rule.tools.contains(&position)));
        let whom: Vec<String> = rules.map(|rule| rule.conditions.to_string()).collect();
        if whom.is_empty() {
            return "nobody".to_owned();
        }
        whom.join("; ")
    }

    /// What this person may see and call with these granted scopes.
    #[must_use]
    pub fn decide(&self, person: &PersonFacts, scopes: &[String]) -> Allowed {
        let mut best: Vec<Option<Way>> = vec![None; self.offered.len()];
        for rule in &self.rules {
            if !rule.conditions.describe(person) {
                continue;
            }
            for &index in &rule.tools {
                let way = Way {
                    missing: missing(&rule.conditions.scope, &self.offered[index], scopes),
                    power: rule.clerk,
                };
                if best[index].as_ref().is_none_or(|known| way.beats(known)) {
                    best[index] = Some(way);
                }
            }
        }
        let mut allowed = Allowed::default();
        for (tool, way) in self.offered.iter().zip(best) {
            let Some(way) = way else { continue };
            let name = tool.name.to_string();
            let listed = match (tool.own, way.power) {
                (true, _) => &mut allowed.own,
                (false, ClerkPower::Session) => &mut allowed.session,
                (false, ClerkPower::Instance) => &mut allowed.instance,
            };
            listed.insert(name.clone());
            if !way.missing.is_empty() {
                allowed.needs_scope.insert(name, way.missing);
            }
        }
        allowed
    }
}

impl AccessPolicy {
    /// What a machine may see and call. It has no scopes that anybody granted: a rule that names it
    /// is enough.
    #[must_use]
    pub fn decide_machine(&self, machine: &str) -> Allowed {
        let mut allowed = Allowed::default();
        let names = |rule: &&CompiledRule| rule.conditions.machine.iter().any(|id| id == machine);
        for rule in self.rules.iter().filter(names) {
            for tool in rule.tools.iter().map(|&index| &self.offered[index]) {
                let listed = match (tool.own, rule.clerk) {
                    (true, _) => &mut allowed.own,
                    (false, ClerkPower::Instance) => &mut allowed.instance,
                    // There is no session.
                    (false, ClerkPower::Session) => continue,
                };
                listed.insert(tool.name.to_string());
            }
        }
        allowed
    }
}

/// How a rule allows a tool.
#[derive(Clone)]
struct Way {
    missing: Vec<String>,
    power: ClerkPower,
}

impl Way {
    /// Fewer scopes to ask for come first, and then the greater power: a rule over the instance
    /// whose scope was not granted takes nothing from a rule that holds.
    fn beats(&self, other: &Self) -> bool {
        let rank = |way: &Self| (way.missing.len(), way.power == ClerkPower::Session);
        rank(self) < rank(other)
    }
}

/// The scopes still needed: the tool's own and, of a rule that asks for any of several, its first.
fn missing(any_of: &[String], tool: &CatalogueTool, granted: &[String]) -> Vec<String> {
    let has = |scope: &str| granted.iter().any(|granted| granted == scope);
    let base = if tool.read_only {
        READ_SCOPE
    } else {
        WRITE_SCOPE
    };
    let mut missing = Vec::new();
    if !has(base) {
        missing.push(base.to_owned());
    }
    if let Some(first) = any_of.first()
        // Granting the tool's own scope may be enough.
        && !any_of.iter().any(|scope| has(scope) || scope == base)
    {
        missing.push(first.clone());
    }
    missing
}

impl Conditions {
    /// Whether the person is one of those meant, whatever they granted.
    fn describe(&self, person: &PersonFacts) -> bool {
        let any = |wanted: &[String], held: &[String]| {
            wanted.is_empty() || wanted.iter().any(|value| held.contains(value))
        };
        let one = |wanted: &[String], held: &String| wanted.is_empty() || wanted.contains(held);
        let organizations = self.organization_role.is_empty()
            && self.organization_permission.is_empty()
            || person.counted_memberships().any(|membership| {
                one(&self.organization_role, &membership.role)
                    && any(&self.organization_permission, &membership.permissions)
            });
        let domains = self.email_domain.is_empty()
            || person.verified_email_domains.iter().any(|held| {
                let wanted = &mut self.email_domain.iter();
                wanted.any(|wanted| wanted.eq_ignore_ascii_case(held))
            });
        self.machine.is_empty()
            && organizations
            && domains
            && any(&self.role, &person.roles)
            && one(&self.user, &person.user_id)
    }
}

impl PersonFacts {
    fn counted_memberships(&self) -> impl Iterator<Item = &MembershipFacts> {
        self.memberships.iter().filter(|membership| {
            self.organization_id
                .as_ref()
                .is_none_or(|bound| *bound == membership.organization_id)
        })
    }
}
