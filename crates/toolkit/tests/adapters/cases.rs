//! What holds for every adapter. An adapter's test gives one function: how its example agent, whose
//! model asks for these calls in one turn, goes through.

use std::sync::Arc;

use clerk_mcp_toolkit::{AuthContext, ClerkToolkit, text};
use serde_json::{Value, json};

use crate::support::{Clerk, TEAM, call};

/// What the model was given back for one call.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub text: String,
    /// Where the API tells results from errors.
    pub is_error: Option<bool>,
}

/// What the model saw in one conversation.
#[derive(Debug)]
pub struct Seen {
    /// `[name, description, schema]` of each tool.
    pub definitions: Vec<Value>,
    pub answers: Vec<Answer>,
}

/// Lets the adapter's agent talk to a model that makes `calls` in its first turn.
pub type Conversation = fn(&ClerkToolkit, &[(&str, Value)]) -> Seen;

/// Runs a future that talks to a scripted model; agents run theirs on any thread.
pub fn wait<T>(future: impl Future<Output = T> + Send) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// The text and the error flag that any adapter must give for a call.
pub fn direct(toolkit: &ClerkToolkit, name: &str, arguments: Value) -> (String, bool) {
    match call(toolkit, name, arguments) {
        Ok(outcome) => (Value::Object(outcome.structured).to_string(), false),
        Err(error) => {
            let mut value = Value::Object(error.to_json());
            text::escape_invisible(&mut value);
            (value.to_string(), true)
        }
    }
}

/// The model's tools are the toolkit's.
pub fn definitions_are_the_toolkits(converse: Conversation) {
    for toolkit in [
        Clerk::of_toml(TEAM).toolkit(),
        Clerk::of_toml(TEAM).toolkit_of(in_a("user_a")),
    ] {
        let expected: Vec<Value> = toolkit
            .tools()
            .iter()
            .map(|tool| {
                json!([
                    tool.name(),
                    tool.operation().description,
                    tool.input_schema()
                ])
            })
            .collect();
        assert_eq!(converse(&toolkit, &[]).definitions, expected);
    }
}

/// Every tool sends the same requests and gives the same bytes as the toolkit itself.
pub fn every_tool_answers_like_the_toolkit(converse: Conversation) {
    let (one, two) = (Clerk::of_toml(TEAM), Clerk::of_toml(TEAM));
    let (toolkit, same) = (one.toolkit(), two.toolkit());
    let mut called: Vec<&str> = Vec::new();
    for (name, arguments) in calls() {
        let (text, failed) = direct(&toolkit, name, arguments.clone());
        assert!(!failed, "{name}: {text}");
        let seen = converse(&same, &[(name, arguments)]);
        let [answer] = &seen.answers[..] else {
            panic!("{name}: {:?}", seen.answers)
        };
        assert_eq!(answer.text, text, "{name}");
        assert_ne!(answer.is_error, Some(true), "{name}");
        assert_eq!(one.take_sent(), two.take_sent(), "{name}");
        called.push(name);
    }
    for tool in toolkit.tools() {
        assert!(
            called.contains(&tool.name()),
            "{} is not called",
            tool.name()
        );
    }
}

/// Attacks on a bound session: refused with code and hint, and nothing is changed.
pub fn attacks_are_refused(converse: Conversation) {
    for (session, name, arguments, code) in attacks() {
        let clerk = Clerk::of_toml(TEAM);
        let toolkit = clerk.toolkit_of(session.clone());
        let seen = converse(&toolkit, &[(name, arguments.clone())]);
        assert!(
            clerk.take_sent().iter().all(|sent| sent.method == "GET"),
            "{name} {arguments} changed something"
        );
        let toolkit = Clerk::of_toml(TEAM).toolkit_of(session);
        let (text, _) = direct(&toolkit, name, arguments.clone());
        let [answer] = &seen.answers[..] else {
            panic!("{name}: {:?}", seen.answers)
        };
        assert_eq!(answer.text, text, "{name} {arguments}");
        assert_ne!(answer.is_error, Some(false), "{name} {arguments}");
        let error: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(error["error"]["code"], code, "{name} {arguments}");
        if code == "not_permitted" {
            assert!(error["error"]["hint"].is_string(), "{error}");
        }
    }
}

/// What Clerk refuses reaches the model with Clerk's code, and the loop goes on.
pub fn an_error_of_clerks_is_a_result(converse: Conversation) {
    let clerk = Clerk::of_toml(TEAM);
    let asked = ("getUser", json!({"userId": "user_none"}));
    let seen = converse(
        &clerk.toolkit(),
        &[asked.clone(), ("getUserCount", json!({}))],
    );
    let error: Value = serde_json::from_str(&seen.answers[0].text).unwrap();
    assert_eq!(error["error"]["code"], "resource_not_found");
    assert_eq!(error["error"]["status"], 404);
    assert!(error["error"]["clerk_trace_id"].is_string());
    assert_eq!(
        seen.answers[1].text,
        r#"{"object":"total_count","total_count":5}"#
    );
}

/// What Clerk quotes from users cannot hide or reorder text.
pub fn invisible_characters_of_errors_are_written_out(converse: Conversation) {
    let clerk = Clerk::of_toml(TEAM);
    clerk.fail(|_| {
        let error = json!({"code": "form_param_invalid", "message": "a\u{202e}b\u{200b}c"});
        Some((422, json!({"errors": [error]}).to_string()))
    });
    let seen = converse(&clerk.toolkit(), &[("getUserCount", json!({}))]);
    let text = &seen.answers[0].text;
    assert!(!text.contains(['\u{202e}', '\u{200b}']), "{text}");
    assert!(text.contains(r"a\\u{202e}b\\u{200b}c"), "{text}");
}

/// Arguments that are no JSON are told to the model; nothing is sent.
pub fn malformed_arguments_are_a_result(converse: Conversation) {
    arguments_are_refused(converse, &json!("{\"userId\": "), "are not JSON");
}

/// So is JSON that is no object,
pub fn other_json_is_a_result(converse: Conversation) {
    arguments_are_refused(converse, &json!("[1]"), "expected an object, got a list");
    arguments_are_refused(
        converse,
        &json!("\"user_a\""),
        "expected an object, got text",
    );
}

/// and an object that is not what the tool takes.
pub fn mistyped_arguments_are_a_result(converse: Conversation) {
    let arguments = json!({"userId": 7, "nothing": null});
    arguments_are_refused(converse, &arguments, "`nothing` is unknown");
    arguments_are_refused(converse, &arguments, "`userId`: expected an id");
}

fn arguments_are_refused(converse: Conversation, arguments: &Value, fault: &str) {
    let clerk = Clerk::of_toml(TEAM);
    let seen = converse(&clerk.toolkit(), &[("updateUser", arguments.clone())]);
    let error: Value = serde_json::from_str(&seen.answers[0].text).unwrap();
    assert_eq!(error["error"]["code"], "invalid_arguments", "{arguments}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains(fault), "{arguments}: {message}");
    assert!(clerk.take_sent().is_empty());
}

/// A tool that the toolkit does not have is told to the model.
pub fn an_unknown_tool_is_a_result(converse: Conversation) {
    let toolkit = Clerk::of_toml(TEAM).builder().read_only(true).build();
    let seen = converse(
        &toolkit.unwrap(),
        &[("deleteUniverse", json!({})), ("updateUser", json!({}))],
    );
    for answer in &seen.answers {
        let error: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(error["error"]["code"], "unknown_tool");
        assert!(error["error"]["hint"].is_string());
    }
    assert_eq!(seen.answers.len(), 2);
}

/// The results that the model of the example gets, and its last word.
pub fn the_example_is_true(conversation: &[Value], last: &Value) {
    let text: String = conversation.iter().map(Value::to_string).collect();
    for part in [
        "Northwind Metrics",
        "org:billing",
        "dana@example.com",
        "is decided by the session and cannot be given",
        "invalid_arguments",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let last = last.to_string();
    assert!(last.contains("Dana is invited."), "{last}");
}

pub fn in_a(user: &str) -> AuthContext {
    let session = AuthContext::new(user).unwrap();
    session.with_organization("org_a").unwrap()
}

/// Which requests were sent, in order.
pub fn sent(clerk: &Arc<Clerk>) -> Vec<String> {
    let sent = clerk.take_sent().into_iter();
    sent.map(|s| format!("{} {}", s.method, s.url)).collect()
}

fn attacks() -> Vec<(AuthContext, &'static str, Value, &'static str)> {
    let alone = AuthContext::new("user_a").unwrap();
    vec![
        // A bound argument, wrong or right.
        (
            in_a("user_a"),
            "getUser",
            json!({"userId": "user_x"}),
            "invalid_arguments",
        ),
        (
            in_a("user_a"),
            "updateUser",
            json!({"userId": "user_a", "firstName": "X"}),
            "invalid_arguments",
        ),
        (
            in_a("user_a"),
            "getOrganization",
            json!({"organizationId": "org_b"}),
            "invalid_arguments",
        ),
        (
            in_a("user_a"),
            "deleteOrganization",
            json!({"organizationId": "org_a"}),
            "invalid_arguments",
        ),
        (
            in_a("user_a"),
            "updateOrganization",
            json!({"publicMetadata": {"plan": "free"}}),
            "invalid_arguments",
        ),
        // Another organization.
        (
            alone.clone(),
            "getOrganization",
            json!({"organizationId": "org_b"}),
            "not_permitted",
        ),
        (
            alone.clone(),
            "getOrganization",
            json!({"slug": "bb"}),
            "not_permitted",
        ),
        (
            alone.clone(),
            "deleteOrganization",
            json!({"organizationId": "org_b"}),
            "not_permitted",
        ),
        (
            alone,
            "updateOrganization",
            json!({"organizationId": "org_b", "name": "Mine"}),
            "not_permitted",
        ),
        // A raised role.
        (
            in_a("user_m"),
            "updateOrganizationMembership",
            json!({"userId": "user_m", "role": "org:admin"}),
            "not_permitted",
        ),
        (
            in_a("user_m"),
            "updateOrganizationMembership",
            json!({"userId": "user_b", "role": "org:admin"}),
            "not_permitted",
        ),
        (
            in_a("user_m"),
            "createOrganizationInvitation",
            json!({"emailAddress": "m@y.test", "role": "org:admin"}),
            "not_permitted",
        ),
        (
            in_a("user_b"),
            "createOrganizationMembership",
            json!({"userId": "user_x", "role": "org:member"}),
            "not_permitted",
        ),
        (
            in_a("user_b").with_role("org:admin"),
            "deleteOrganization",
            json!({}),
            "not_permitted",
        ),
    ]
}

/// One call of each tool that succeeds on the team, in an order that lets each succeed.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("getUserId", json!({})),
        ("getUser", json!({"userId": "user_b"})),
        ("getUserCount", json!({"banned": false})),
        ("getUserList", json!({"limit": 2, "orderBy": "-created_at"})),
        (
            "findUsers",
            json!({"where": [{"pointer": "/username", "exists": true}]}),
        ),
        ("updateUser", json!({"userId": "user_b", "firstName": "Bo"})),
        (
            "updateUserMetadata",
            json!({"userId": "user_b", "publicMetadata": {"plan": "pro"}}),
        ),
        (
            "updateUserPublicMetadata",
            json!({"userId": "user_b", "metadata": {"b": {"a": 1}}}),
        ),
        (
            "updateUserUnsafeMetadata",
            json!({"userId": "user_b", "metadata": {"b": null}}),
        ),
        (
            "getUserOrganizationMembershipList",
            json!({"userId": "user_a"}),
        ),
        ("getOrganization", json!({"slug": "a"})),
        ("getOrganizationList", json!({"includeMembersCount": true})),
        (
            "createOrganization",
            json!({"name": "New", "createdBy": "user_a"}),
        ),
        (
            "updateOrganization",
            json!({"organizationId": "org_a", "name": "AA", "publicMetadata": {"plan": "pro"}}),
        ),
        (
            "updateOrganizationMetadata",
            json!({"organizationId": "org_a", "publicMetadata": {"a": 1}}),
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
            json!({"organizationId": "org_a"}),
        ),
        (
            "createOrganizationInvitation",
            json!({"organizationId": "org_a", "emailAddress": "n@y.test", "role": "org:member"}),
        ),
        (
            "revokeOrganizationInvitation",
            json!({"organizationId": "org_a", "invitationId": "orginv_a"}),
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
