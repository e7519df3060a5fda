//! Every tool against the emulator: what it answers is valid, and what it sends is what
//! `@clerk/agent-toolkit` 0.3.15 sent.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use clerk_mcp_toolkit::{ToolError, operations, schema};
use serde_json::{Map, Value, json};
use support::{Clerk, Sent, TEAM, call, refused, result};

/// One call of each tool that succeeds on the team, in an order that lets each succeed.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("getUserId", json!({})),
        ("getUser", json!({"userId": "user_a"})),
        (
            "getUserCount",
            json!({"createdAtBefore": "1d", "banned": false}),
        ),
        (
            "getUserList",
            json!({"limit": 2, "orderBy": "-created_at", "query": "x.test"}),
        ),
        (
            "findUsers",
            json!({"without": ["organization"], "where": [{"pointer": "/username", "exists": true}]}),
        ),
        (
            "updateUser",
            json!({"userId": "user_b", "firstName": "Bo", "username": "bobo"}),
        ),
        (
            "updateUserMetadata",
            json!({"userId": "user_b", "publicMetadata": {"plan": "pro"}, "privateMetadata": {"n": 1}, "unsafeMetadata": {"t": null}}),
        ),
        (
            "updateUserPublicMetadata",
            json!({"userId": "user_b", "metadata": {"camelKey": {"innerKey": 1}}}),
        ),
        (
            "updateUserUnsafeMetadata",
            json!({"userId": "user_b", "metadata": {"camelKey": null}}),
        ),
        (
            "getUserOrganizationMembershipList",
            json!({"userId": "user_a"}),
        ),
        (
            "getOrganization",
            json!({"slug": "a", "includeMembersCount": true}),
        ),
        (
            "getOrganizationList",
            json!({"includeMembersCount": true, "orderBy": "-members_count"}),
        ),
        (
            "createOrganization",
            json!({"name": "New", "slug": "new", "createdBy": "user_a", "maxAllowedMemberships": 9, "publicMetadata": {"a": 1}}),
        ),
        (
            "updateOrganization",
            json!({"organizationId": "org_a", "name": "AA", "publicMetadata": {"plan": "pro"}}),
        ),
        (
            "updateOrganizationMetadata",
            json!({"organizationId": "org_a", "publicMetadata": {"a": {"b": 1}}}),
        ),
        (
            "getOrganizationMembershipList",
            json!({"organizationId": "org_a", "role": ["org:member"]}),
        ),
        (
            "createOrganizationMembership",
            json!({"organizationId": "org_a", "userId": "user_x", "role": "org:member"}),
        ),
        (
            "updateOrganizationMembership",
            json!({"organizationId": "org_a", "userId": "user_x", "role": "org:admin"}),
        ),
        (
            "updateOrganizationMembershipMetadata",
            json!({"organizationId": "org_a", "userId": "user_x", "publicMetadata": {"desk": 4}}),
        ),
        (
            "deleteOrganizationMembership",
            json!({"organizationId": "org_a", "userId": "user_x"}),
        ),
        (
            "getOrganizationInvitationList",
            json!({"organizationId": "org_a", "status": "pending"}),
        ),
        (
            "createOrganizationInvitation",
            json!({"organizationId": "org_a", "emailAddress": "n@y.test", "role": "org:member", "inviterUserId": "user_a"}),
        ),
        (
            "revokeOrganizationInvitation",
            json!({"organizationId": "org_a", "invitationId": "orginv_a", "requestingUserId": "user_a"}),
        ),
        ("getInvitationList", json!({"status": "pending"})),
        (
            "createInvitation",
            json!({"emailAddress": "n2@y.test", "notify": false}),
        ),
        ("revokeInvitation", json!({"invitationId": "inv_a"})),
        ("deleteOrganization", json!({"organizationId": "org_b"})),
    ]
}

#[test]
fn every_tool_answers_what_its_schema_says() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    let mut called = BTreeSet::new();
    for (name, arguments) in calls() {
        let answer = Value::Object(result(&toolkit, name, arguments));
        let schema = Value::Object(schema::output(toolkit.tool(name).unwrap()));
        if let Err(error) = jsonschema::validate(&schema, &answer) {
            panic!("{name}: {error} in {answer}");
        }
        // The members that the schema names are really there.
        let named = schema["properties"].as_object().unwrap();
        let given = answer.as_object().unwrap();
        let optional = ["hint", "members_count", "url"];
        for member in named
            .keys()
            .filter(|member| !optional.contains(&member.as_str()))
        {
            assert!(
                given.contains_key(member),
                "{name}: no {member} in {answer}"
            );
        }
        called.insert(name);
    }
    assert_eq!(called, operations::all().map(|row| row.name).collect());
}

fn recorded() -> Option<Value> {
    support::clerk_data("agent-toolkit-0.3.15-requests.json")
}

/// What we do differently on purpose: metadata of updateOrganization is merged, not replaced.
fn as_we_send_it(tool: &str, mut request: Value) -> Value {
    if tool == "updateOrganization" && request["method"] == "PUT" {
        request["method"] = "PATCH".into();
    }
    request
}

#[test]
fn requests_are_those_of_the_agent_toolkit() {
    let Some(recorded) = recorded() else { return };
    let rows = recorded["tools"].as_array().unwrap();
    assert_eq!(rows.len(), 19);
    for row in rows {
        let clerk = Clerk::of_toml(TEAM);
        let name = row["tool"].as_str().unwrap();
        // Whether Clerk then finds the made-up ids is not the question here.
        let _ = call(&clerk.toolkit(), name, row["arguments"].clone());
        let sent: Vec<Value> = clerk.take_sent().into_iter().map(as_recorded).collect();
        let expected: Vec<Value> = row["http"]
            .as_array()
            .unwrap()
            .iter()
            .map(|request| as_we_send_it(name, request.clone()))
            .collect();
        // Where the emulator refuses the first of two requests the second is not sent.
        assert_eq!(sent, expected, "{name}");
    }
}

fn as_recorded(sent: Sent) -> Value {
    json!({"method": sent.method, "url": sent.url, "body": sent.body, "content_type": sent.content_type})
}

#[test]
fn inputs_are_those_of_the_agent_toolkit() {
    let Some(recorded) = recorded() else { return };
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    for (name, input) in recorded["inputs"].as_object().unwrap() {
        let schema = Value::Object(schema::input(toolkit.tool(name).unwrap()));
        for (property, wanted) in input["properties"].as_object().unwrap() {
            let ours = &schema["properties"][property]["type"];
            let same = *ours == wanted["type"] || (ours == "integer" && wanted["type"] == "number");
            assert!(same, "{name}.{property}: {ours}");
        }
        let required = |schema: &Value| -> BTreeSet<String> {
            let names = schema["required"].as_array().cloned().unwrap_or_default();
            names
                .iter()
                .map(|name| name.as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(required(&schema), required(input), "{name}");
    }
}

#[test]
fn a_second_request_that_fails_is_told_apart() {
    let clerk = Clerk::of_toml(TEAM);
    clerk.fail(|sent| {
        sent.url
            .ends_with("/metadata")
            .then(|| (422, String::new()))
    });
    let arguments = json!({"organizationId": "org_a", "name": "Done", "publicMetadata": {"a": 1}});
    let error = refused(&clerk.toolkit(), "updateOrganization", arguments);
    let text = error.to_string();
    assert!(matches!(error, ToolError::Partial { .. }), "{text}");
    assert!(text.contains("UpdateOrganization was done"), "{text}");
    assert!(text.contains("MergeOrganizationMetadata was not"), "{text}");
    let organization = clerk.send("GET", "/v1/organizations/org_a", Value::Null);
    assert_eq!(organization["name"], "Done");
}

#[test]
fn metadata_is_merged() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    for metadata in [
        json!({"a": {"x": 1}, "gone": 1}),
        json!({"a": {"y": 2}, "gone": null}),
    ] {
        let arguments = json!({"organizationId": "org_a", "publicMetadata": metadata});
        result(&toolkit, "updateOrganization", arguments);
    }
    let organization = result(
        &toolkit,
        "getOrganization",
        json!({"organizationId": "org_a"}),
    );
    assert_eq!(
        organization["public_metadata"],
        json!({"a": {"x": 1, "y": 2}})
    );
}

#[test]
fn errors_keep_what_clerk_said() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    let error = refused(&toolkit, "getUser", json!({"userId": "user_none"})).to_json();
    let error = &error["error"];
    assert_eq!(
        (&error["code"], &error["status"]),
        (&json!("resource_not_found"), &json!(404))
    );
    assert!(
        error["long_message"]
            .as_str()
            .is_some_and(|text| text.contains("user_none")),
        "{error}"
    );
    assert!(
        error["clerk_trace_id"]
            .as_str()
            .is_some_and(|id| id.len() == 32),
        "{error}"
    );
    assert!(
        error["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("sk_test_")),
        "{error}"
    );
    clerk.fail(|_| {
        Some((
            429,
            json!({"errors": [{"code": "too_many_requests", "message": "slow"}]}).to_string(),
        ))
    });
    let error = refused(
        &toolkit,
        "revokeInvitation",
        json!({"invitationId": "inv_a"}),
    )
    .to_json();
    assert_eq!(error["error"]["retry_after"], 3);
}

#[test]
fn pages_say_how_to_go_on() {
    let clerk = Clerk::of_toml("[generate]\nusers = 25\n");
    let toolkit = clerk.toolkit();
    let mut seen = BTreeSet::new();
    let mut arguments = json!({"limit": 10, "fields": ["/id"]});
    loop {
        let page = result(&toolkit, "getUserList", arguments.clone());
        for user in page["data"].as_array().unwrap() {
            assert!(seen.insert(user["id"].as_str().unwrap().to_owned()));
        }
        if page["has_more"] == false {
            assert!(!page.contains_key("hint"));
            break;
        }
        let hint = page["hint"].as_str().unwrap();
        let next = hint
            .split("startingAfter=")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        arguments["startingAfter"] = next.into();
    }
    assert_eq!(seen.len(), 25);
    let page = result(&toolkit, "getUserList", json!({"limit": 25}));
    assert_eq!(page["has_more"], false);
    let page = result(
        &toolkit,
        "getUserList",
        json!({"limit": 5, "orderBy": "first_name"}),
    );
    assert!(page["hint"].as_str().unwrap().contains("offset=5"));
}

#[test]
fn fields_keep_only_what_is_asked_for() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    let fields = json!(["/id", "/email_addresses/*/email_address", "/nope"]);
    let user = result(
        &toolkit,
        "getUser",
        json!({"userId": "user_a", "fields": fields}),
    );
    let expected = json!({
        "id": "user_a",
        "email_addresses": [{"email_address": "a@x.test"}],
        "hint": "fields that match nothing: /nope",
    });
    assert_eq!(Value::Object(user), expected);
    let page = result(
        &toolkit,
        "getOrganizationList",
        json!({"fields": ["/name"], "limit": 1}),
    );
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    assert_eq!(page["data"][0].as_object().unwrap().len(), 1);
    assert_eq!(
        (&page["total_count"], &page["has_more"]),
        (&json!(2), &json!(true))
    );
}

#[test]
fn results_are_cut_at_a_row_below_100_kilobytes() {
    let clerk = Clerk::of_toml("[generate]\nusers = 400\n");
    let toolkit = clerk.toolkit();
    let page = result(&toolkit, "getUserList", json!({"limit": 400}));
    let size = serde_json::to_string(&page).unwrap().len();
    assert!((50_000..=102_400).contains(&size), "{size}");
    let kept = page["data"].as_array().unwrap().len();
    assert!(kept < 400);
    assert_eq!(page["has_more"], true);
    let hint = page["hint"].as_str().unwrap();
    assert!(
        hint.contains(&format!("cut after {kept} rows")) && hint.contains("startingAfter="),
        "{hint}"
    );
}

#[test]
fn times_are_dates_spans_or_milliseconds() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    for (time, sent) in [
        (json!("7d"), "1789395200000"),
        (json!("2026-05-12"), "1778544000000"),
        (json!(1_778_544_000_123_u64), "1778544000123"),
    ] {
        result(
            &toolkit,
            "getUserList",
            json!({"createdAtAfter": time, "lastActiveAtBefore": time}),
        );
        let url = clerk.take_sent().pop().unwrap().url;
        assert!(url.contains(&format!("created_at_after={sent}")), "{url}");
        assert!(
            url.contains(&format!("last_active_at_before={sent}")),
            "{url}"
        );
    }
}

#[test]
fn what_is_not_clerk_is_said_to_be_so() {
    let clerk = Clerk::of_toml(TEAM);
    clerk.fail(|_| Some((200, "<html>".to_owned())));
    let error = refused(&clerk.toolkit(), "getUser", json!({"userId": "user_a"}));
    assert_eq!(error.code(), "invalid_json", "{error}");
    for count in [r#"{}"#, r#"{"total_count": "many"}"#] {
        clerk.fail(move |_| Some((200, count.to_owned())));
        let error = refused(&clerk.toolkit(), "getUserCount", json!({}));
        assert_eq!(error.code(), "unexpected_answer", "{error}");
    }
    clerk.fail(|_| {
        Some((
            200,
            r#"{"data": [{"id": "a"}, {"id": "b"}], "total_count": 2}"#.to_owned(),
        ))
    });
    let page = result(&clerk.toolkit(), "getUserList", json!({"limit": 1}));
    assert_eq!(
        (page["data"].as_array().unwrap().len(), &page["has_more"]),
        (1, &json!(true))
    );
    let found = result(
        &clerk.toolkit(),
        "findUsers",
        json!({"where": [{"pointer": "/id", "equals": "b"}], "startingAfter": "user_a"}),
    );
    assert_eq!(found["scanned"], 2);
    clerk.fail(|_| Some((200, "[]".to_owned())));
    let error = refused(&clerk.toolkit(), "getUser", json!({"userId": "user_a"}));
    assert_eq!(error.code(), "unexpected_answer", "{error}");
    assert!(
        error.to_json()["error"]
            .as_object()
            .is_some_and(|e: &Map<_, _>| e.contains_key("hint"))
    );
}
