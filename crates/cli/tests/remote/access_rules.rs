//! Who sees and calls which tools.

use std::time::Duration;

use serde_json::json;

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, LUCAS, NOAH, PRIYA, tokens};
use crate::support::mcp::{call, call_stateless, initialize, is_refused, result, tool_names};
use crate::support::server::{CONFIG, Server, shared};

#[test]
fn a_tool_for_others_is_not_listed_and_calling_it_is_refused_and_audited() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let nobody = client.connect(NOAH);
    let session = initialize(server, &nobody.access);
    let names = tool_names(server, &nobody.access, &session);
    assert!(names.iter().any(|name| name == "userInfo"), "{names:?}");
    for (tool, arguments) in [
        ("generateImage", json!({ "prompt": "a boat" })),
        ("getUserList", json!({})),
        ("findUsers", json!({})),
        (
            "updateUserMetadata",
            json!({ "userId": NOAH, "publicMetadata": { "role": "admin" } }),
        ),
    ] {
        assert!(!names.iter().any(|name| name == tool), "{tool} is listed");
        for response in [
            call(server, &nobody.access, &session, tool, &arguments),
            call_stateless(server, &nobody.access, tool, &arguments),
        ] {
            assert!(is_refused(&response), "{tool}: {}", response.brief());
        }
        let rows = server.audited(|row| row["tool"] == tool && row["client_id"] == *client.id);
        assert!(!rows.is_empty(), "{tool}: the refusal is not audited");
        assert!(
            rows.iter()
                .all(|row| row["outcome"] != "ok" && row["user_id"] == NOAH),
            "{rows:?}"
        );
    }
    let noah = server.clerk_api("GET", &format!("/users/{NOAH}"), &json!({}));
    assert_ne!(noah.json()["public_metadata"]["role"], "admin");
}

#[test]
fn roles_open_what_their_rules_say() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let premium = client.connect(LUCAS);
    let session = initialize(server, &premium.access);
    let names = tool_names(server, &premium.access, &session);
    assert!(
        names.iter().any(|name| name == "generateImage"),
        "{names:?}"
    );
    assert!(!names.iter().any(|name| name == "getUserList"), "{names:?}");
    let admin = client.connect(AVA);
    let session = initialize(server, &admin.access);
    let names = tool_names(server, &admin.access, &session);
    assert!(names.iter().any(|name| name == "getUserList"), "{names:?}");
    let users = call(server, &admin.access, &session, "getUserCount", &json!({}));
    assert!(
        result(&users).to_string().contains("30"),
        "{}",
        users.brief()
    );
    let rows =
        server.audited(|row| row["tool"] == "getUserCount" && row["client_id"] == *client.id);
    assert_eq!(rows[0]["outcome"], "ok", "{rows:?}");
}

#[test]
fn a_person_reaches_nobody_but_themselves() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let own = client.connect(NOAH);
    let session = initialize(server, &own.access);
    let user = call(server, &own.access, &session, "getUser", &json!({}));
    assert!(result(&user).to_string().contains(NOAH), "{}", user.brief());
    for arguments in [json!({ "userId": AVA }), json!({ "user_id": AVA })] {
        let response = call(server, &own.access, &session, "getUser", &arguments);
        assert!(is_refused(&response), "{arguments}: {}", response.brief());
        assert!(!response.text().contains("ava@"), "{}", response.brief());
    }
    // An organization that Noah is in, but does not manage, and one that he is not in.
    for organization in [
        "org_2EmuNorthwindMetrics0000000",
        "org_2EmuLumenStudio000000000000",
    ] {
        let arguments = json!({ "organizationId": organization, "name": "Taken over" });
        let response = call(
            server,
            &own.access,
            &session,
            "updateOrganization",
            &arguments,
        );
        assert!(
            is_refused(&response),
            "{organization}: {}",
            response.brief()
        );
    }
}

#[test]
fn a_role_given_or_taken_away_counts_within_a_minute() {
    let server = Server::start("roles", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(PRIYA);
    let session = initialize(&server, &own.access);
    let sees = |token: &str| {
        let names = tool_names(&server, token, &session);
        names.iter().any(|name| name == "generateImage")
    };
    assert!(!sees(&own.access));
    server.set_role(PRIYA, Some("premium"));
    server.advance(Duration::from_secs(61));
    assert!(sees(&own.access), "the role was given a minute ago");
    // The facts are most of a minute old when another token is looked at for the first time.
    server.advance(Duration::from_secs(50));
    let second = tokens(&client.redeem(&client.code(PRIYA)));
    assert!(sees(&second.access));
    server.set_role(PRIYA, None);
    server.advance(Duration::from_secs(55));
    // Read anew by nobody but a token that was looked at late: still one minute, not two.
    let _ = sees(&second.access);
    server.advance(Duration::from_secs(6));
    for token in [&own.access, &second.access] {
        assert!(!sees(token), "the role was taken away a minute ago");
        let image = call(
            &server,
            token,
            &session,
            "generateImage",
            &json!({ "prompt": "a boat" }),
        );
        assert!(is_refused(&image), "{}", image.brief());
    }
}

#[test]
fn read_only_wins_over_every_rule() {
    let config = format!("{CONFIG}\n[policy]\nread_only = true\n");
    let server = Server::start("read-only", &config);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let admin = client.connect(AVA);
    let session = initialize(&server, &admin.access);
    let names = tool_names(&server, &admin.access, &session);
    assert!(names.iter().any(|name| name == "getUserList"), "{names:?}");
    for tool in ["updateUser", "createOrganization", "deleteOrganization"] {
        assert!(!names.iter().any(|name| name == tool), "{tool} is listed");
        let response = call(
            &server,
            &admin.access,
            &session,
            tool,
            &json!({ "name": "X" }),
        );
        assert!(
            response.status >= 400 || is_refused(&response),
            "{tool}: {}",
            response.brief()
        );
    }
}
