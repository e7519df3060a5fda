//! Who may see and call which tools: the `[[access]]` rules of the configuration.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use toolkit::{
    operations,
    pattern::{PatternError, Patterns},
};

use crate::tools::{ACCOUNT, DEMO};

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

/// A tool that rules can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueTool {
    /// What patterns group by.
    pub category: Cow<'static, str>,
    /// The MCP name.
    pub name: Cow<'static, str>,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// Whether it is no Clerk operation.
    pub own: bool,
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

/// The server's own tools: `userInfo` and, when they are on, the demonstration's.
#[must_use]
pub fn own_tools(demo: bool) -> Vec<CatalogueTool> {
    let own = |category: &'static str, name: &'static str| CatalogueTool {
        category: category.into(),
        name: name.into(),
        read_only: true,
        own: true,
    };
    let mut tools = vec![own(ACCOUNT, "userInfo")];
    if demo {
        tools.extend([own(DEMO, "add"), own(DEMO, "generateImage")]);
    }
    tools
}

/// What holds when no rule is configured: everybody gets `userInfo` and, with their own power, the
/// Clerk tools; of the demonstration's tools, everybody gets `add`, and the roles `admin` and
/// `premium` get `generateImage`. Other own tools need a rule.
#[must_use]
pub fn default_rules(own: &[CatalogueTool]) -> Vec<AccessRule> {
    let mut categories: Vec<&str> = operations::all()
        .map(|operation| operation.category.name())
        .collect();
    categories.dedup();
    let premium = Conditions {
        role: vec!["admin".to_owned(), "premium".to_owned()],
        ..Conditions::default()
    };
    let mut rules = vec![(categories, Conditions::default())];
    for (category, name, conditions) in [
        (ACCOUNT, "userInfo", Conditions::default()),
        (DEMO, "add", Conditions::default()),
        (DEMO, "generateImage", premium),
    ] {
        let there = |tool: &CatalogueTool| tool.category == category && tool.name == name;
        if own.iter().any(there) {
            rules.push((vec![name], conditions));
        }
    }
    rules
        .into_iter()
        .filter_map(|(tools, conditions)| {
            Some(AccessRule {
                // Names of the tables are always patterns.
                tools: Patterns::parse(tools).ok()?,
                clerk: ClerkPower::Session,
                conditions,
            })
        })
        .collect()
}

/// Every tool that rules can name: these own tools, then Clerk's. An own tool takes the place of
/// the Clerk tool of the same name.
#[must_use]
pub fn catalogue(own: &[CatalogueTool]) -> Vec<CatalogueTool> {
    let clerk = operations::all()
        .filter(|operation| own.iter().all(|tool| tool.name != operation.name))
        .map(|operation| CatalogueTool {
            category: operation.category.name().into(),
            name: operation.name.into(),
            read_only: operation.hints.read_only,
            own: false,
        });
    own.iter().cloned().chain(clerk).collect()
}

/// The tools of the catalogue that patterns select, by position.
///
/// # Errors
/// A pattern that names nothing in it.
pub fn select(
    patterns: &Patterns,
    catalogue: &[CatalogueTool],
) -> Result<Vec<usize>, PatternError> {
    let pairs: Vec<(&str, &str)> = catalogue
        .iter()
        .map(|tool| (tool.category.as_ref(), tool.name.as_ref()))
        .collect();
    patterns.select(&pairs)
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
        organizations
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::{collection::vec, prelude::*, sample::select as one_of};

    use super::*;

    fn person() -> PersonFacts {
        let membership = |organization: &str, role: &str, permission: &str| MembershipFacts {
            organization_id: organization.to_owned(),
            role: role.to_owned(),
            permissions: vec![permission.to_owned()],
        };
        PersonFacts {
            user_id: "user_1".to_owned(),
            roles: vec!["support".to_owned()],
            verified_email_domains: vec!["Example.com".to_owned()],
            memberships: vec![
                membership("org_1", "org:admin", "org:a:read"),
                membership("org_2", "org:member", "org:b:read"),
            ],
            organization_id: None,
        }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn rule(tools: &str, clerk: ClerkPower, conditions: Conditions) -> AccessRule {
        let tools = Patterns::parse([tools]).unwrap();
        AccessRule {
            tools,
            clerk,
            conditions,
        }
    }

    fn decide(rules: &[AccessRule], person: &PersonFacts, scopes: &[&str]) -> Allowed {
        let every = Patterns::parse(["*"]).unwrap();
        let policy = AccessPolicy::new(rules, &every, false, &catalogue(&own_tools(true))).unwrap();
        policy.decide(person, &strings(scopes))
    }

    #[test]
    fn every_condition_must_hold() {
        let none = Conditions::default;
        let bound = |organization: &str| PersonFacts {
            organization_id: Some(organization.to_owned()),
            ..person()
        };
        let role = |role: &str| Conditions {
            role: strings(&[role, "other"]),
            ..none()
        };
        let admin = |permission: &str| Conditions {
            organization_role: strings(&["org:admin"]),
            organization_permission: strings(&[permission]),
            ..none()
        };
        let domain = |domain: &str| Conditions {
            email_domain: strings(&[domain]),
            ..none()
        };
        let user = |user: &str| Conditions {
            user: strings(&[user]),
            ..none()
        };
        for (conditions, person, expected) in [
            (none(), person(), true),
            (role("support"), person(), true),
            (role("Support"), person(), false),
            (user("user_1"), person(), true),
            (user("user_2"), person(), false),
            (domain("example.com"), person(), true),
            (domain("sub.example.com"), person(), false),
            (domain("ample.com"), person(), false),
            (admin("org:a:read"), person(), true),
            // Admin in one organization, the permission in another.
            (admin("org:b:read"), person(), false),
            (admin("org:a:read"), bound("org_1"), true),
            (admin("org:a:read"), bound("org_2"), false),
            (admin("org:a:read"), bound("org_3"), false),
            (
                Conditions {
                    user: strings(&["user_2"]),
                    ..role("support")
                },
                person(),
                false,
            ),
        ] {
            let rules = [rule("getUser", ClerkPower::Session, conditions.clone())];
            let allowed = decide(&rules, &person, &[READ_SCOPE]);
            assert_eq!(
                allowed.session.contains("getUser"),
                expected,
                "{conditions:?}"
            );
        }
    }

    #[test]
    fn a_missing_scope_keeps_a_tool_listed_and_lends_no_power() {
        let scoped = Conditions {
            scope: strings(&["app:x", "app:y"]),
            ..Conditions::default()
        };
        let rules = [
            rule("getUser", ClerkPower::Session, Conditions::default()),
            rule("getUser,updateUser", ClerkPower::Instance, scoped),
        ];
        let allowed = decide(&rules, &person(), &[READ_SCOPE]);
        assert!(
            allowed.session.contains("getUser") && !allowed.needs_scope.contains_key("getUser")
        );
        assert!(allowed.instance.contains("updateUser"));
        assert_eq!(allowed.needs_scope["updateUser"], [WRITE_SCOPE, "app:x"]);
        let allowed = decide(&rules, &person(), &[READ_SCOPE, WRITE_SCOPE, "app:y"]);
        assert!(allowed.session.is_empty() && allowed.needs_scope.is_empty());
        assert_eq!(allowed.instance.len(), 2);
    }

    fn any_rule() -> impl Strategy<Value = AccessRule> {
        let tools = vec![
            "*",
            "users",
            "getUser",
            "organizations",
            "updateUser",
            "demo",
            "userInfo",
        ];
        let scopes = vec![READ_SCOPE, WRITE_SCOPE, "app:x"];
        (
            one_of(tools),
            any::<bool>(),
            vec(one_of(vec!["support", "admin"]), 0..2),
            vec(one_of(vec!["user_1", "user_2"]), 0..2),
            vec(one_of(scopes), 0..2),
        )
            .prop_map(|(tools, instance, role, user, scope)| {
                let clerk = if instance {
                    ClerkPower::Instance
                } else {
                    ClerkPower::Session
                };
                let conditions = Conditions {
                    role: strings(&role),
                    user: strings(&user),
                    scope: strings(&scope),
                    ..Conditions::default()
                };
                rule(tools, clerk, conditions)
            })
    }

    fn listed(allowed: &Allowed) -> BTreeSet<&String> {
        let clerk = allowed.session.iter().chain(&allowed.instance);
        clerk.chain(&allowed.own).collect()
    }

    fn callable(allowed: &Allowed) -> BTreeSet<&String> {
        let listed = listed(allowed).into_iter();
        listed
            .filter(|name| !allowed.needs_scope.contains_key(*name))
            .collect()
    }

    proptest! {
        #[test]
        fn adding_a_rule_never_removes_a_tool(
            rules in vec(any_rule(), 0..5),
            added in any_rule(),
            scopes in vec(one_of(vec![READ_SCOPE, WRITE_SCOPE, "app:x"]), 0..3),
        ) {
            let before = decide(&rules, &person(), &scopes);
            let after = decide(&[rules, vec![added]].concat(), &person(), &scopes);
            prop_assert!(listed(&before).is_subset(&listed(&after)));
            prop_assert!(callable(&before).is_subset(&callable(&after)));
            prop_assert!(after.session.is_disjoint(&after.instance));
            prop_assert!(after.needs_scope.keys().all(|name| listed(&after).contains(name)));
        }

        #[test]
        fn nothing_runs_over_the_instance_without_a_matching_rule(
            rules in vec(any_rule(), 0..5),
            scopes in vec(one_of(vec![READ_SCOPE, WRITE_SCOPE, "app:x"]), 0..3),
        ) {
            let others: Vec<AccessRule> = rules
                .into_iter()
                .filter(|rule| rule.clerk == ClerkPower::Session || !rule.conditions.describe(&person()))
                .collect();
            prop_assert!(decide(&others, &person(), &scopes).instance.is_empty());
        }

        #[test]
        fn what_is_not_offered_is_never_allowed(
            rules in vec(any_rule(), 0..5),
            enabled in one_of(vec!["*", "users", "organizations", "getUser", "demo"]),
            read_only in any::<bool>(),
        ) {
            let catalogue = catalogue(&own_tools(true));
            let enabled = Patterns::parse([enabled]).unwrap();
            let policy = AccessPolicy::new(&rules, &enabled, read_only, &catalogue).unwrap();
            let allowed = policy.decide(&person(), &strings(&[READ_SCOPE, WRITE_SCOPE, "app:x"]));
            let selected = select(&enabled, &catalogue).unwrap();
            for name in listed(&allowed) {
                let index = catalogue.iter().position(|tool| tool.name == **name).unwrap();
                prop_assert!(selected.contains(&index));
                prop_assert!(!read_only || catalogue[index].read_only);
            }
        }
    }
}
