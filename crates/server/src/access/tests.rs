//! What rules give whom.
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
    assert!(allowed.session.contains("getUser") && !allowed.needs_scope.contains_key("getUser"));
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
