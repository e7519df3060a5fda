//! Attacks on the tools themselves, by people who are signed in: each of the checklist's rules for tools,
//! tried at the endpoint.

use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, NOAH, PRIYA, Tokens};
use crate::support::mcp::{
    at_mcp, call, call_message, call_stateless, initialize, is_refused, result,
};
use crate::support::server::{CONFIG, Server, shared};

/// Noah is a member of it, and no more.
const NORTHWIND: &str = "org_2EmuNorthwindMetrics0000000";
/// Noah is not in it.
const LUMEN: &str = "org_2EmuLumenStudio000000000000";
const TIDEPOOL: &str = "org_2EmuTidepoolLabs00000000000";

/// The whole text of a call's answers, in a session and alone.
fn said(server: &Server, own: &Tokens, session: &str, tool: &str, arguments: &Value) -> String {
    let answers = [
        call(server, &own.access, session, tool, arguments),
        call_stateless(server, &own.access, tool, arguments),
    ];
    for answer in &answers {
        assert!(
            !is_refused(answer),
            "{tool} {arguments}: {}",
            answer.brief()
        );
    }
    answers.map(|answer| answer.text()).concat()
}

#[test]
fn nobody_raises_a_role_or_reaches_another_organization() {
    let server = shared();
    let own = Client::public(server, HTTPS_CALLBACK).connect(NOAH);
    let session = initialize(server, &own.access);
    let memberships = || {
        [NORTHWIND, LUMEN].map(|organization| {
            let path = format!("/organizations/{organization}/memberships?limit=100");
            let list = server.clerk_api("GET", &path, &json!({})).json();
            let roles = list["data"].as_array().unwrap().iter().map(|membership| {
                let user = membership["public_user_data"]["user_id"].to_string();
                (user, membership["role"].to_string())
            });
            let mut roles: Vec<(String, String)> = roles.collect();
            roles.sort();
            roles
        })
    };
    let before = memberships();
    assert!(!before[0].is_empty() && !before[1].is_empty());
    for organization in [NORTHWIND, LUMEN] {
        for (tool, arguments) in [
            (
                "updateOrganizationMembership",
                json!({ "userId": NOAH, "role": "org:admin" }),
            ),
            (
                "updateOrganizationMembership",
                json!({ "userId": AVA, "role": "org:member" }),
            ),
            (
                "createOrganizationMembership",
                json!({ "userId": NOAH, "role": "org:admin" }),
            ),
            (
                "createOrganizationInvitation",
                json!({ "emailAddress": "n@example.com", "role": "org:admin" }),
            ),
            ("deleteOrganizationMembership", json!({ "userId": AVA })),
            ("deleteOrganization", json!({})),
        ] {
            let mut arguments = arguments;
            arguments["organizationId"] = organization.into();
            for answer in [
                call(server, &own.access, &session, tool, &arguments),
                call_stateless(server, &own.access, tool, &arguments),
            ] {
                assert!(
                    is_refused(&answer),
                    "{tool} {arguments}: {}",
                    answer.brief()
                );
            }
        }
    }
    assert_eq!(memberships(), before);
}

#[test]
fn private_metadata_reaches_nobody_by_any_way() {
    let server = Server::start("private", CONFIG);
    let metadata = json!({ "private_metadata": { "deep": [{ "secret": "HIDDEN-1" }] } });
    server.clerk_api("PATCH", &format!("/users/{PRIYA}/metadata"), &metadata);
    server.clerk_api(
        "PATCH",
        &format!("/organizations/{NORTHWIND}/metadata"),
        &metadata,
    );
    let admin = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let session = initialize(&server, &admin.access);
    for (tool, arguments) in [
        ("getUser", json!({ "userId": PRIYA })),
        (
            "getUser",
            json!({ "userId": PRIYA, "fields": ["/private_metadata", "/private_metadata/deep/0/secret"] }),
        ),
        ("getUserList", json!({ "limit": 100 })),
        (
            "getUserOrganizationMembershipList",
            json!({ "userId": PRIYA }),
        ),
        ("getOrganization", json!({ "organizationId": NORTHWIND })),
        (
            "getOrganizationMembershipList",
            json!({ "organizationId": NORTHWIND }),
        ),
    ] {
        let text = said(&server, &admin, &session, tool, &arguments);
        assert!(!text.contains("HIDDEN-1"), "{tool} {arguments}: {text}");
    }
}

#[test]
fn ids_that_are_paths_are_refused_with_the_argument_that_is_wrong() {
    let server = shared();
    let admin = Client::public(server, HTTPS_CALLBACK).connect(AVA);
    let session = initialize(server, &admin.access);
    for id in [
        "",
        ".",
        "..",
        "/",
        "user_a/../user_b",
        "user_a%2f..%2fuser_b",
        "user_%2e%2e",
        "user_a?x=1",
        "user_a#x",
        "../organizations",
        "user_a\u{0}",
        "user_a\n",
    ] {
        let arguments = json!({ "userId": id });
        for answer in [
            call(server, &admin.access, &session, "getUser", &arguments),
            call_stateless(server, &admin.access, "getUser", &arguments),
        ] {
            assert!(is_refused(&answer), "{id:?}: {}", answer.brief());
            assert!(
                answer.text().contains("userId"),
                "{id:?}: {}",
                answer.brief()
            );
        }
    }
}

#[test]
fn what_people_write_of_themselves_cannot_deceive_the_eye() {
    let server = Server::start("deceive", CONFIG);
    let name = json!({ "first_name": "No\u{202e}ah\u{200b}\u{7}" });
    server.clerk_api("PATCH", &format!("/users/{NOAH}"), &name);
    let own = Client::public(&server, HTTPS_CALLBACK).connect(NOAH);
    let session = initialize(&server, &own.access);
    let answer = call(&server, &own.access, &session, "getUser", &json!({}));
    let text = answer.rpc()["result"]["content"][0]["text"].to_string();
    let first_name = result(&answer)["first_name"].as_str().unwrap().to_owned();
    assert_eq!(first_name, r"No\u{202e}ah\u{200b}\u{7}");
    assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{7}']), "{text}");
}

#[test]
fn tickets_are_hidden_and_a_marker_is_written_nowhere() {
    let server = Server::start("tickets", CONFIG);
    let admin = Client::public(&server, HTTPS_CALLBACK).connect(AVA);
    let session = initialize(&server, &admin.access);
    let invite = json!({ "emailAddress": "new@example.com" });
    let invited = call(
        &server,
        &admin.access,
        &session,
        "createInvitation",
        &invite,
    );
    assert_eq!(result(&invited)["url"], "[redacted by clerk-mcp]");
    let listed = call(
        &server,
        &admin.access,
        &session,
        "getInvitationList",
        &json!({}),
    );
    for answer in [&invited, &listed] {
        assert!(!is_refused(answer), "{}", answer.brief());
        assert!(!answer.text().contains("ticket="), "{}", answer.brief());
    }
    let marker = json!({ "userId": PRIYA, "publicMetadata": { "url": "[redacted by clerk-mcp]" } });
    let written = call(
        &server,
        &admin.access,
        &session,
        "updateUserMetadata",
        &marker,
    );
    assert!(is_refused(&written), "{}", written.brief());
    let priya = server.clerk_api("GET", &format!("/users/{PRIYA}"), &json!({}));
    assert!(!priya.text().contains("redacted by"), "{}", priya.text());
}

/// A call of revision 2026-07-28 whose client can be asked, with more parameters.
fn confirmable(
    server: &Server,
    own: &Tokens,
    organization: &str,
    more: &[(&str, &Value)],
) -> Value {
    let tool = "deleteOrganization";
    let mut call = call_message(tool, &json!({ "organizationId": organization }));
    call["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } },
    });
    for (name, value) in more {
        call["params"][*name] = (*value).clone();
    }
    let request = at_mcp(server, "POST", &own.access)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    request.json(&call).send().rpc()["result"].clone()
}

#[test]
fn a_confirmation_is_for_one_call_of_one_person_once() {
    let server = Server::start("confirmation", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let (own, other_client) = (client.connect(AVA), Client::public(&server, HTTPS_CALLBACK));
    let asked = confirmable(&server, &own, TIDEPOOL, &[]);
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let state = &asked["requestState"];
    let yes = json!({ "confirmation": { "action": "accept", "content": { "confirm": true } } });
    let confirmed = |own: &Tokens, organization: &str, state: &Value| {
        let more = [("requestState", state), ("inputResponses", &yes)];
        confirmable(&server, own, organization, &more)
    };
    let mut changed = state.as_str().unwrap().to_owned();
    let last = changed.pop().unwrap();
    changed.push(if last == 'A' { 'B' } else { 'A' });
    let elsewhere = other_client.connect(AVA);
    for (who, refused) in [
        ("another organization", confirmed(&own, LUMEN, state)),
        ("a forged state", confirmed(&own, TIDEPOOL, &json!(changed))),
        ("no state", confirmed(&own, TIDEPOOL, &Value::Null)),
        ("another client's", confirmed(&elsewhere, TIDEPOOL, state)),
    ] {
        assert_ne!(
            refused["structuredContent"]["deleted"], true,
            "{who}: {refused}"
        );
    }
    for organization in [TIDEPOOL, LUMEN] {
        server.clerk_api("GET", &format!("/organizations/{organization}"), &json!({}));
    }
    let deleted = confirmed(&own, TIDEPOOL, state);
    assert_eq!(deleted["structuredContent"]["deleted"], true, "{deleted}");
    let again = confirmed(&own, TIDEPOOL, state);
    assert_eq!(again["isError"], true, "{again}");
}
