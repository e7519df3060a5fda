//! Attacks on toolkits that are bound to a session: each is refused before anything changes.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use clerk_mcp_toolkit::{AuthContext, ClerkToolkit, ToolError, operations};
use serde_json::{Value, json};
use std::sync::Arc;
use support::{Clerk, TEAM, call, refused, result};

fn session(user: &str) -> AuthContext {
    AuthContext::new(user).unwrap()
}

fn in_a(user: &str) -> AuthContext {
    session(user).with_organization("org_a").unwrap()
}

fn team(session: AuthContext) -> (Arc<Clerk>, ClerkToolkit) {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit_of(session);
    (clerk, toolkit)
}

fn writes(clerk: &Clerk) -> Vec<String> {
    let sent = clerk.take_sent();
    sent.into_iter()
        .filter(|s| s.method != "GET")
        .map(|s| format!("{} {}", s.method, s.url))
        .collect()
}

fn is_not_permitted(error: &ToolError) -> bool {
    matches!(error, ToolError::NotPermitted { .. })
}

#[test]
fn a_bound_argument_is_refused_even_with_the_right_value() {
    let (clerk, toolkit) = team(in_a("user_a"));
    for (name, arguments) in [
        ("getUser", json!({"userId": "user_a"})),
        ("getUser", json!({"userId": "user_x"})),
        ("updateUser", json!({"userId": "user_x", "firstName": "X"})),
        ("getOrganization", json!({"organizationId": "org_b"})),
        ("getOrganization", json!({"slug": "bb"})),
        (
            "updateOrganization",
            json!({"organizationId": "org_a", "name": "A"}),
        ),
        ("deleteOrganization", json!({"organizationId": "org_b"})),
        (
            "getOrganizationMembershipList",
            json!({"organizationId": "org_b"}),
        ),
        (
            "revokeOrganizationInvitation",
            json!({"invitationId": "orginv_a", "requestingUserId": "user_x"}),
        ),
    ] {
        let error = refused(&toolkit, name, arguments);
        assert!(matches!(error, ToolError::Arguments(_)), "{name}: {error}");
        assert!(
            error.to_string().contains("decided by the session"),
            "{name}: {error}"
        );
    }
    assert!(clerk.take_sent().is_empty(), "nothing was sent");
}

#[test]
fn what_only_a_backend_may_set_is_refused() {
    let (clerk, toolkit) = team(in_a("user_a"));
    for (name, arguments) in [
        (
            "updateOrganization",
            json!({"publicMetadata": {"plan": "free"}}),
        ),
        (
            "updateOrganization",
            json!({"privateMetadata": {"plan": "free"}}),
        ),
        (
            "updateOrganization",
            json!({"name": "A", "maxAllowedMemberships": 0}),
        ),
        (
            "createOrganizationInvitation",
            json!({"emailAddress": "n@x.test", "role": "org:member", "redirectUrl": "https://evil.test"}),
        ),
        (
            "createOrganizationInvitation",
            json!({"emailAddress": "n@x.test", "role": "org:member", "publicMetadata": {"role": "admin"}}),
        ),
        (
            "createOrganizationInvitation",
            json!({"emailAddress": "n@x.test", "role": "org:member", "includeUrl": true}),
        ),
        ("getOrganizationInvitationList", json!({"includeUrl": true})),
    ] {
        let error = refused(&toolkit, name, arguments);
        assert!(
            error
                .to_string()
                .contains("cannot be set by a signed-in user"),
            "{name}: {error}"
        );
    }
    assert!(clerk.take_sent().is_empty());
}

#[test]
fn tools_over_the_whole_instance_do_not_exist_for_a_session() {
    let (clerk, toolkit) = team(session("user_a"));
    for name in [
        "getUserList",
        "findUsers",
        "getUserCount",
        "updateUserMetadata",
        "updateUserPublicMetadata",
        "updateOrganizationMetadata",
        "updateOrganizationMembershipMetadata",
        "getOrganizationList",
        "createInvitation",
        "revokeInvitation",
        "getInvitationList",
    ] {
        assert!(operations::find(name).is_some(), "{name}");
        assert!(toolkit.tool(name).is_none(), "{name}");
        assert!(matches!(
            refused(&toolkit, name, json!({})),
            ToolError::UnknownTool { .. }
        ));
    }
    let (_, toolkit) = team(in_a("user_a"));
    for name in ["getUserOrganizationMembershipList", "createOrganization"] {
        assert!(
            toolkit.tool(name).is_none(),
            "{name} reaches beyond the bound organization"
        );
    }
    assert!(clerk.take_sent().is_empty());
}

#[test]
fn a_person_reaches_themselves_alone() {
    let (clerk, toolkit) = team(session("user_b"));
    assert_eq!(result(&toolkit, "getUser", json!({}))["id"], "user_b");
    assert_eq!(result(&toolkit, "getUserId", json!({}))["userId"], "user_b");
    assert_eq!(
        result(&toolkit, "updateUser", json!({"lastName": "Z"}))["last_name"],
        "Z"
    );
    let updated = result(
        &toolkit,
        "updateUserUnsafeMetadata",
        json!({"metadata": {"theme": "dark"}}),
    );
    assert_eq!(updated["unsafe_metadata"]["theme"], "dark");
    assert!(
        writes(&clerk)
            .iter()
            .all(|write| write.contains("/users/user_b"))
    );
}

#[test]
fn another_organization_is_out_of_reach() {
    let (clerk, toolkit) = team(session("user_a"));
    for (name, arguments) in [
        ("getOrganization", json!({"organizationId": "org_b"})),
        ("getOrganization", json!({"slug": "bb"})),
        ("getOrganization", json!({"organizationId": "org_none"})),
        (
            "updateOrganization",
            json!({"organizationId": "org_b", "name": "Mine"}),
        ),
        ("deleteOrganization", json!({"organizationId": "org_b"})),
        (
            "getOrganizationMembershipList",
            json!({"organizationId": "org_b"}),
        ),
        (
            "createOrganizationMembership",
            json!({"organizationId": "org_b", "userId": "user_a", "role": "org:admin"}),
        ),
        (
            "createOrganizationInvitation",
            json!({"organizationId": "org_b", "emailAddress": "a@y.test", "role": "org:admin"}),
        ),
    ] {
        let error = refused(&toolkit, name, arguments);
        assert!(is_not_permitted(&error), "{name}: {error}");
        assert!(
            error.to_string().contains("not a member"),
            "{name}: {error}"
        );
    }
    assert!(writes(&clerk).is_empty());
}

#[test]
fn a_slug_is_resolved_to_the_organization_that_was_checked() {
    let (clerk, toolkit) = team(session("user_a"));
    assert_eq!(
        result(&toolkit, "getOrganization", json!({"slug": "a"}))["id"],
        "org_a"
    );
    assert_eq!(
        clerk.take_sent().last().unwrap().url,
        "/v1/organizations/org_a"
    );
}

#[test]
fn permissions_of_the_role_decide() {
    let (clerk, toolkit) = team(in_a("user_b"));
    assert_eq!(
        result(&toolkit, "getOrganization", json!({}))["id"],
        "org_a"
    );
    for (name, arguments) in [
        ("updateOrganization", json!({"name": "Mine"})),
        ("deleteOrganization", json!({})),
        (
            "createOrganizationMembership",
            json!({"userId": "user_x", "role": "org:member"}),
        ),
        (
            "updateOrganizationMembership",
            json!({"userId": "user_c", "role": "org:member"}),
        ),
        ("deleteOrganizationMembership", json!({"userId": "user_c"})),
        (
            "createOrganizationInvitation",
            json!({"emailAddress": "n@x.test", "role": "org:member"}),
        ),
        (
            "revokeOrganizationInvitation",
            json!({"invitationId": "orginv_a"}),
        ),
        ("getOrganizationInvitationList", json!({})),
    ] {
        let error = refused(&toolkit, name, arguments);
        assert!(is_not_permitted(&error), "{name}: {error}");
        assert!(
            error.to_string().contains("org:sys_"),
            "{name} names the permission: {error}"
        );
    }
    assert!(writes(&clerk).is_empty());
    let (_, admin) = team(in_a("user_a"));
    assert_eq!(
        result(&admin, "updateOrganization", json!({"name": "New"}))["name"],
        "New"
    );
}

#[test]
fn nobody_raises_a_role() {
    let (clerk, toolkit) = team(in_a("user_m"));
    for (name, arguments) in [
        // Themselves.
        (
            "updateOrganizationMembership",
            json!({"userId": "user_m", "role": "org:admin"}),
        ),
        (
            "updateOrganizationMembership",
            json!({"userId": "user_m", "role": "org:member"}),
        ),
        // Others, above themselves.
        (
            "updateOrganizationMembership",
            json!({"userId": "user_b", "role": "org:admin"}),
        ),
        (
            "createOrganizationMembership",
            json!({"userId": "user_x", "role": "org:admin"}),
        ),
        (
            "createOrganizationInvitation",
            json!({"emailAddress": "m2@x.test", "role": "org:admin"}),
        ),
        // Down with whoever stands above.
        (
            "updateOrganizationMembership",
            json!({"userId": "user_a", "role": "org:member"}),
        ),
        ("deleteOrganizationMembership", json!({"userId": "user_a"})),
        // A role that is not there.
        (
            "createOrganizationMembership",
            json!({"userId": "user_x", "role": "org:owner"}),
        ),
    ] {
        let error = refused(&toolkit, name, arguments.clone());
        assert!(is_not_permitted(&error), "{name} {arguments}: {error}");
    }
    assert!(writes(&clerk).is_empty());
    result(
        &toolkit,
        "updateOrganizationMembership",
        json!({"userId": "user_b", "role": "org:manager"}),
    );
    result(
        &toolkit,
        "deleteOrganizationMembership",
        json!({"userId": "user_c"}),
    );
    assert_eq!(writes(&clerk).len(), 2);
}

#[test]
fn a_role_only_narrows() {
    let (clerk, toolkit) = team(in_a("user_a").with_role("org:member"));
    let error = refused(&toolkit, "deleteOrganization", json!({}));
    assert!(is_not_permitted(&error), "{error}");
    let (_, toolkit) = team(in_a("user_b").with_role("org:admin"));
    let error = refused(&toolkit, "updateOrganization", json!({"name": "Mine"}));
    assert!(
        is_not_permitted(&error),
        "a member does not become an admin: {error}"
    );
    let (_, toolkit) = team(in_a("user_x").with_role("org:admin"));
    let error = refused(&toolkit, "getOrganization", json!({}));
    assert!(
        is_not_permitted(&error),
        "without a membership nothing is allowed: {error}"
    );
    assert!(writes(&clerk).is_empty());
}

#[test]
fn a_membership_that_ends_ends_the_access_at_once() {
    let (clerk, toolkit) = team(in_a("user_a"));
    result(&toolkit, "getOrganization", json!({}));
    clerk.send(
        "POST",
        "/v1/organizations/org_a/memberships",
        json!({"user_id": "user_x", "role": "org:admin"}),
    );
    clerk.send(
        "DELETE",
        "/v1/organizations/org_a/memberships/user_a",
        json!({}),
    );
    assert!(is_not_permitted(&refused(
        &toolkit,
        "getOrganization",
        json!({})
    )));
}

#[test]
fn who_may_not_create_organizations_cannot() {
    let (clerk, toolkit) = team(session("user_b"));
    clerk.send(
        "PATCH",
        "/v1/users/user_b",
        json!({"create_organization_enabled": false}),
    );
    assert!(is_not_permitted(&refused(
        &toolkit,
        "createOrganization",
        json!({"name": "N"})
    )));
    clerk.send(
        "PATCH",
        "/v1/users/user_b",
        json!({"create_organization_enabled": true}),
    );
    clerk.take_sent();
    let created = result(&toolkit, "createOrganization", json!({"name": "N"}));
    assert_eq!(created["created_by"], "user_b");
}

#[test]
fn a_member_may_leave() {
    let (_, toolkit) = team(in_a("user_b"));
    result(
        &toolkit,
        "deleteOrganizationMembership",
        json!({"userId": "user_b"}),
    );
    assert!(is_not_permitted(&refused(
        &toolkit,
        "getOrganization",
        json!({})
    )));
}

#[test]
fn invitations_are_made_in_the_persons_name() {
    let (clerk, toolkit) = team(in_a("user_a"));
    let arguments = json!({"emailAddress": "n@x.test", "role": "org:member"});
    let invited = result(&toolkit, "createOrganizationInvitation", arguments);
    let body = clerk.take_sent().pop().unwrap().body.unwrap();
    assert_eq!(body["inviter_user_id"], "user_a");
    assert_eq!(invited["url"], "[redacted by clerk-mcp]");
}

#[test]
fn path_tricks_never_leave_the_process() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    for id in [
        "",
        ".",
        "..",
        "user_a/../user_b",
        "user_a%2f..%2fuser_b",
        "user_a?x=1",
        "user_a#x",
        "/",
        "user_",
        "user_a\u{0}",
        "user_a\n",
        "user_ä",
        "user_%2e%2e",
        "../organizations/org_a",
        "USER_a",
        " user_a",
    ] {
        let error = refused(&toolkit, "getUser", json!({"userId": id}));
        assert!(matches!(error, ToolError::Arguments(_)), "{id:?}: {error}");
    }
    for slug in [
        "", ".", "..", "a/b", "a?b", "a#b", "%2e%2e", "a%2fb", "a%252fb", "a\\b",
    ] {
        let error = refused(&toolkit, "getOrganization", json!({"slug": slug}));
        assert!(
            matches!(error, ToolError::Arguments(_)),
            "{slug:?}: {error}"
        );
    }
    assert!(clerk.take_sent().is_empty());
}

#[test]
fn private_metadata_is_hidden_at_every_depth_unless_allowed() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    let mut seen = String::new();
    for (name, arguments) in [
        ("getUser", json!({"userId": "user_a"})),
        ("getUserList", json!({})),
        ("findUsers", json!({})),
        ("getOrganization", json!({"organizationId": "org_a"})),
        (
            "getOrganizationMembershipList",
            json!({"organizationId": "org_a"}),
        ),
        (
            "getUserOrganizationMembershipList",
            json!({"userId": "user_a"}),
        ),
        (
            "getUser",
            json!({"userId": "user_a", "fields": ["/private_metadata", "/private_metadata/secret"]}),
        ),
    ] {
        seen += &serde_json::to_string(&result(&toolkit, name, arguments)).unwrap();
    }
    assert!(!seen.contains("HIDDEN"), "{seen}");
    let allowed = clerk
        .builder()
        .allow_private_metadata(true)
        .build()
        .unwrap();
    let user = result(&allowed, "getUser", json!({"userId": "user_a"}));
    assert_eq!(user["private_metadata"]["secret"], "HIDDEN-user");
}

#[test]
fn hidden_metadata_cannot_be_asked_about() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    let ask =
        |pointer: &str| json!({"where": [{"pointer": pointer, "exists": true}], "fields": ["/id"]});
    let error = refused(&toolkit, "findUsers", ask("/private_metadata/secret"));
    assert!(
        error.to_string().contains("--allow-private-metadata"),
        "{error}"
    );
    for pointer in ["/*/secret", "/public_metadata/nested/private_metadata/deep"] {
        let found = result(&toolkit, "findUsers", ask(pointer));
        assert_eq!(found["data"], json!([]), "{pointer}");
    }
}

#[test]
fn tickets_are_shown_only_when_asked_for_by_who_may() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    let hidden = result(
        &toolkit,
        "createInvitation",
        json!({"emailAddress": "n@x.test"}),
    );
    assert_eq!(hidden["url"], "[redacted by clerk-mcp]");
    let arguments = json!({"emailAddress": "n2@x.test", "includeUrl": true});
    let shown = result(&toolkit, "createInvitation", arguments);
    assert!(shown["url"].as_str().unwrap().contains("ticket="));
}

#[test]
fn what_deceives_the_eye_is_made_visible() {
    let clerk = Clerk::of_toml(TEAM);
    let user = result(&clerk.toolkit(), "getUser", json!({"userId": "user_b"}));
    assert_eq!(user["first_name"], r"B\u{200b}o\u{202e}b");
}

#[test]
fn read_only_wins() {
    let clerk = Clerk::of_toml(TEAM);
    let patterns = clerk_mcp_toolkit::pattern::Patterns::parse(["*", "users.updateUser"]).unwrap();
    let toolkit = clerk
        .builder()
        .patterns(patterns)
        .read_only(true)
        .build()
        .unwrap();
    assert!(toolkit.tools().iter().all(|tool| tool.hints().read_only));
    let error = refused(
        &toolkit,
        "updateUser",
        json!({"userId": "user_a", "firstName": "X"}),
    );
    assert!(error.to_string().contains("(read-only)"), "{error}");
    let patterns = clerk_mcp_toolkit::pattern::Patterns::parse(["users.updateUser"]).unwrap();
    let error = clerk
        .builder()
        .patterns(patterns)
        .read_only(true)
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("hint:"), "{error}");
    assert!(clerk.take_sent().is_empty());
}

#[test]
fn a_session_that_cannot_be_checked_is_refused() {
    let (clerk, toolkit) = team(in_a("user_a"));
    clerk.fail(|sent| {
        sent.url
            .contains("memberships?")
            .then(|| (500, "{}".to_owned()))
    });
    let error = call(&toolkit, "updateOrganization", json!({"name": "Mine"})).unwrap_err();
    assert!(matches!(error, ToolError::Clerk(_)), "{error}");
    assert!(writes(&clerk).is_empty());
}

#[test]
fn every_tool_of_a_session_names_no_other_person_in_its_schema() {
    let (_, toolkit) = team(in_a("user_a"));
    for tool in toolkit.tools() {
        let schema = Value::Object(tool.input_schema()).to_string();
        let may_name_members = tool.name().contains("OrganizationMembership");
        assert!(
            may_name_members || !schema.contains("userId"),
            "{}",
            tool.name()
        );
    }
}

#[test]
fn who_is_banned_or_gone_can_do_nothing() {
    let (clerk, toolkit) = team(session("user_a"));
    clerk.send("POST", "/v1/users/user_a/ban", json!({}));
    for (name, arguments) in [
        ("getUser", json!({})),
        ("updateUser", json!({"firstName": "X"})),
        ("createOrganization", json!({"name": "X"})),
        ("getOrganization", json!({"organizationId": "org_a"})),
        ("deleteOrganization", json!({"organizationId": "org_a"})),
    ] {
        let error = refused(&toolkit, name, arguments);
        assert!(is_not_permitted(&error), "{name}: {error}");
    }
    clerk.send("DELETE", "/v1/users/user_a", json!({}));
    clerk.take_sent();
    let error = refused(&toolkit, "updateUser", json!({"firstName": "X"}));
    assert!(is_not_permitted(&error), "{error}");
    assert!(writes(&clerk).is_empty());
}

#[test]
fn the_instances_limits_on_people_hold() {
    let (clerk, toolkit) = team(session("user_x"));
    clerk.send(
        "PATCH",
        "/v1/users/user_x",
        json!({"create_organizations_limit": 2}),
    );
    result(&toolkit, "createOrganization", json!({"name": "Second"}));
    let error = refused(&toolkit, "createOrganization", json!({"name": "Third"}));
    assert!(is_not_permitted(&error), "{error}");
    clerk.send(
        "PATCH",
        "/v1/organizations/org_b",
        json!({"admin_delete_enabled": false}),
    );
    let error = refused(
        &toolkit,
        "deleteOrganization",
        json!({"organizationId": "org_b"}),
    );
    assert!(is_not_permitted(&error), "{error}");
}

/// A role that names more than the person holds must not be taken for a role that they hold.
#[test]
fn a_role_above_ones_own_grants_nothing() {
    let (clerk, toolkit) = team(in_a("user_m").with_role("org:admin"));
    for (name, arguments) in [
        (
            "createOrganizationMembership",
            json!({"userId": "user_x", "role": "org:admin"}),
        ),
        (
            "createOrganizationInvitation",
            json!({"emailAddress": "n@x.test", "role": "org:admin"}),
        ),
        (
            "updateOrganizationMembership",
            json!({"userId": "user_b", "role": "org:admin"}),
        ),
    ] {
        let error = refused(&toolkit, name, arguments);
        assert!(is_not_permitted(&error), "{name}: {error}");
    }
    assert!(writes(&clerk).is_empty());
}

/// What is hidden looks like what is not there, also in what is said about `fields`.
#[test]
fn fields_do_not_tell_what_is_hidden() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    for (name, arguments) in [
        ("getUserList", json!({"userId": ["user_a"]})),
        ("getUser", json!({"userId": "user_a"})),
        ("findUsers", json!({"query": "a@x.test"})),
        ("getOrganizationList", json!({"organizationId": ["org_a"]})),
        (
            "getOrganizationMembershipList",
            json!({"organizationId": "org_a"}),
        ),
    ] {
        let ask = |pointer: &str| {
            let mut arguments = arguments.clone();
            arguments["fields"] = json!(["/id", pointer]);
            let mut answer = Value::Object(result(&toolkit, name, arguments)).to_string();
            answer = answer.replace(pointer, "POINTER");
            answer
        };
        assert_eq!(
            ask("/private_metadata/secret"),
            ask("/private_metadata/absent"),
            "{name}"
        );
    }
}
