//! Sign-in `clerk-tokens`: Clerk issues the tokens, and only those meant for this server count.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::api_credentials::{asked, forget};
use crate::support::actors::{AVA, LUCAS, NOAH, PRIYA};
use crate::support::clerk::{
    Application, CONFIG, MACHINES, api_key, machine, machine_token, session_token, sign_tokens,
    text,
};
use crate::support::http::{Response, get, post, request};
use crate::support::mcp::{
    at_mcp, call, call_stateless, initialize, initialize_message, is_refused, result, tool_names,
};
use crate::support::patience::until;
use crate::support::server::{Server, folder};

const SCOPES: &str = "openid profile email offline_access";
/// Facts about people and what follows from them are this old at most.
const MINUTE: Duration = Duration::from_secs(60);

#[track_caller]
fn status(server: &Server, token: &str) -> u16 {
    call_stateless(server, token, "add", &json!({ "a": 1, "b": 2 })).status
}

#[track_caller]
fn refused(server: &Server, token: &str, what: &str) -> Response {
    let response = at_mcp(server, "POST", token)
        .json(&initialize_message())
        .send();
    assert_eq!(response.status, 401, "{what}: {}", response.brief());
    let challenge = response.header("www-authenticate");
    let metadata = server.at("/.well-known/oauth-protected-resource/mcp");
    let address = format!("resource_metadata=\"{metadata}\"");
    assert!(challenge.contains(&address), "{what}: {challenge}");
    assert!(
        challenge.contains("error=\"invalid_token\""),
        "{what}: {challenge}"
    );
    assert!(!challenge.contains(token), "{what}: {challenge}");
    response
}

/// `CONFIG` with more in `[sign_in]`, and more rules.
fn config(sign_in: &str, more: &str) -> String {
    let config = CONFIG.replace("audience = \"resource\"", sign_in);
    format!("{config}\n{more}")
}

#[test]
fn clerk_is_named_and_there_is_no_authorization_server_here() {
    let server = Server::start("clerk-metadata", CONFIG);
    for path in ["", "/mcp"] {
        let url = server.at(&format!("/.well-known/oauth-protected-resource{path}"));
        let answer = get(&url)
            .header("origin", "https://inspector.example")
            .send();
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let metadata = answer.json();
        assert_eq!(metadata["resource"], server.mcp());
        assert_eq!(metadata["authorization_servers"], json!([server.clerk]));
        assert!(metadata.get("scopes_supported").is_none(), "{metadata}");
    }
    let gone = [
        ("GET", "/authorize"),
        ("GET", "/authorize/consent"),
        ("POST", "/authorize/consent"),
        ("GET", "/callback"),
        ("POST", "/callback"),
        ("POST", "/token"),
        ("POST", "/revoke"),
        ("POST", "/register"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/oauth-authorization-server/mcp"),
        ("GET", "/.well-known/openid-configuration"),
    ];
    for (method, path) in gone {
        let answer = request(method, &server.at(path)).send();
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.brief());
    }
    let home = get(&server.at("/")).header("accept", "text/html").send();
    assert!(home.status == 200 && home.text().contains("at Clerk"));
    // Without a token there is no error to tell, and no scope to ask for.
    let challenge = post(&server.mcp()).json(&initialize_message()).send();
    assert_eq!(challenge.status, 401);
    let challenge = challenge.header("www-authenticate").to_owned();
    assert!(
        challenge.starts_with("Bearer resource_metadata="),
        "{challenge}"
    );
    assert!(server.is_ready());
}

#[test]
fn a_token_for_this_server_is_its_person_and_client() {
    let server = Server::start("clerk-principal", CONFIG);
    let first = Application::new(&server, SCOPES);
    let second = Application::new(&server, SCOPES);
    let token = first.connect(AVA);
    let session = initialize(&server, &token);
    let names = tool_names(&server, &token, &session);
    let has = |name: &str| names.iter().any(|known| known == name);
    assert!(has("generateImage") && has("updateUser"), "{names:?}");
    let info = result(&call(&server, &token, &session, "userInfo", &json!({})));
    assert_eq!(info["user_id"], AVA);
    assert_eq!(info["client_id"], *first.client_id);
    assert_eq!(info["scopes"], json!(["openid", "profile"]), "Clerk's");
    let own = result(&call(&server, &token, &session, "getUser", &json!({})));
    assert_eq!(own["id"], AVA);
    let rows = server.audited(|row| row["tool"] == "getUser");
    assert_eq!(rows[0]["user_id"], AVA, "{rows:?}");
    assert_eq!(rows[0]["client_id"], *first.client_id, "{rows:?}");
    // Another token of the same person and client goes on with the session; nobody else does.
    let again = first.connect(AVA);
    assert_ne!(again, token);
    assert_eq!(
        call(&server, &again, &session, "userInfo", &json!({})).status,
        200
    );
    for stranger in [first.connect(NOAH), second.connect(AVA)] {
        let names = call(&server, &stranger, &session, "userInfo", &json!({}));
        assert_eq!(names.status, 404, "{}", names.brief());
    }
    let noah = first.connect(NOAH);
    let names = tool_names(&server, &noah, &initialize(&server, &noah));
    assert!(
        !names.iter().any(|name| name == "generateImage"),
        "{names:?}"
    );
}

#[test]
fn tokens_that_are_not_for_this_server_are_refused() {
    let server = Server::start("clerk-foreign", CONFIG);
    let client = Application::new(&server, SCOPES);
    let resource = server.mcp();
    let given = client.tokens(NOAH, "openid profile", Some(&resource));
    let good = text(&given, "access_token");
    assert_eq!(status(&server, &good), 200);

    refused(&server, &session_token(&server, NOAH), "a session token");
    refused(&server, &text(&given, "id_token"), "an ID token");
    refused(&server, &text(&given, "refresh_token"), "a refresh token");
    let none = client.tokens(NOAH, "openid profile", None);
    refused(&server, &text(&none, "access_token"), "a token for nobody");
    let other = client.tokens(NOAH, "openid profile", Some("https://other.example/mcp"));
    refused(
        &server,
        &text(&other, "access_token"),
        "a token for another server",
    );

    // Not configured here.
    let (receiver, _) = machine(&server, "receiver", &[]);
    let (_, key) = machine(&server, "sender", &[&receiver]);
    for format in ["opaque", "jwt"] {
        refused(&server, &machine_token(&server, &key, format), format);
    }
    refused(&server, &key, "a machine's secret key");
    refused(&server, &api_key(&server, NOAH, &[]).1, "an API key");
    refused(&server, "sk_test_emulate", "the secret key");
    refused(
        &server,
        "cma_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "one of ours, made up",
    );

    // The same instance elsewhere, with the same key: only the issuer differs.
    let elsewhere = Server::start("clerk-elsewhere", CONFIG);
    let theirs = Application::new(&elsewhere, SCOPES);
    let theirs = theirs.tokens(NOAH, "openid profile", Some(&elsewhere.mcp()));
    refused(&server, &text(&theirs, "access_token"), "another issuer");

    // In the query it is refused even beside a good header.
    let url = format!("{}?access_token={good}", server.mcp());
    let beside = post(&url).bearer(&good).json(&initialize_message()).send();
    assert_eq!(beside.status, 401, "{}", beside.brief());
    for header in [
        format!("Basic {good}"),
        format!("Bearer {good} {good}"),
        good.clone(),
    ] {
        let answer = post(&server.mcp()).header("authorization", &header);
        assert_eq!(
            answer.json(&initialize_message()).send().status,
            401,
            "{header}"
        );
    }
    assert_eq!(status(&server, &good), 200);
    server.advance(Duration::from_secs(24 * 60 * 60 + 10));
    refused(&server, &good, "an expired token");
    server.never_writes(&[&good, &key, &text(&given, "id_token")]);
}

#[test]
fn forged_tokens_are_refused() {
    let server = Server::start("clerk-forged", CONFIG);
    let good = Application::new(&server, SCOPES).connect(NOAH);
    let parts: Vec<&str> = good.split('.').collect();
    let decoded = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = |alg: &str| {
        let mut header = decoded(parts[0]);
        header["alg"] = json!(alg);
        encoded(&header)
    };
    let mut as_admin = decoded(parts[1]);
    as_admin["sub"] = json!(AVA);
    let as_admin = encoded(&as_admin);
    for forged in [
        format!("{}.{as_admin}.{}", parts[0], parts[2]),
        format!("{}.{as_admin}.", parts[0]),
        format!("{}.{}.", header("none"), parts[1]),
        format!("{}.{as_admin}.", header("none")),
        format!("{}.{as_admin}.", header("NONE")),
        // The public key as a shared secret would sign this one; no secret is tried.
        format!(
            "{}.{as_admin}.{}",
            header("HS256"),
            URL_SAFE_NO_PAD.encode([7; 32])
        ),
        format!("{}.{}.{}", header("RS512"), parts[1], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}."),
        format!("{good}.{}", parts[2]),
        good[..good.len() - 8].to_owned(),
        "a".repeat(20_000),
        "oat_0123456789abcdef0123456789abcdefguess".to_owned(),
        "eyJ9.e30.AA".to_owned(),
    ] {
        refused(&server, &forged, &forged);
    }
    assert_eq!(status(&server, &good), 200);
}

#[test]
fn who_may_not_be_signed_in_any_more_is_refused_within_a_minute() {
    let server = Server::start("clerk-banned", CONFIG);
    let client = Application::new(&server, SCOPES);
    let tokens = [NOAH, PRIYA, LUCAS, AVA].map(|person| client.connect(person));
    let [banned, locked, deleted, kept] = &tokens;
    assert!(tokens.iter().all(|token| status(&server, token) == 200));
    server.clerk_api("POST", &format!("/users/{NOAH}/ban"), &json!({}));
    server.clerk_api("POST", &format!("/users/{PRIYA}/lock"), &json!({}));
    server.clerk_api("DELETE", &format!("/users/{LUCAS}"), &json!({}));
    server.advance(MINUTE);
    refused(&server, banned, "a banned user");
    refused(&server, deleted, "a deleted user");
    let later = call_stateless(&server, locked, "add", &json!({ "a": 1, "b": 2 }));
    assert_eq!((later.status, later.header("retry-after")), (503, "60"));
    assert_eq!(status(&server, kept), 200);
    server.clerk_api("POST", &format!("/users/{PRIYA}/unlock"), &json!({}));
    server.advance(MINUTE);
    assert_eq!(status(&server, locked), 200, "it passes");
    // A role that was taken away ends as soon.
    server.set_role(AVA, None);
    server.advance(MINUTE);
    let image = call_stateless(
        &server,
        kept,
        "generateImage",
        &json!({ "prompt": "a boat" }),
    );
    assert!(is_refused(&image), "{}", image.brief());
    // While Clerk cannot be asked, nobody is known.
    server.advance(MINUTE);
    let away = json!({ "operation": "GetUser", "status": 503, "retry_after": 30 });
    server.control("faults", &away);
    let later = call_stateless(&server, kept, "add", &json!({ "a": 1, "b": 2 }));
    assert_eq!((later.status, later.header("retry-after")), (503, "30"));
    server.clear_faults();
    assert_eq!(status(&server, kept), 200);
}

#[test]
fn a_deleted_persons_token_asks_clerk_no_more_often_than_a_good_one() {
    let server = Server::start("clerk-deleted", CONFIG);
    let client = Application::new(&server, SCOPES);
    let token = client.connect(NOAH);
    let session = initialize(&server, &token);
    let mut stream = at_mcp(&server, "GET", &token)
        .header("mcp-session-id", &session)
        .open();
    assert_eq!(stream.status, 200);
    server.clerk_api("DELETE", &format!("/users/{NOAH}"), &json!({}));
    // Who finds out first is the server, which looks after the person of a waiting stream, or a request.
    forget(&server);
    server.advance(MINUTE);
    for _ in 0..20 {
        refused(&server, &token, "a deleted user");
    }
    assert_eq!(asked(&server, "GetUser"), 1);
    while stream.piece().is_some() {}
}

#[test]
fn opaque_tokens_count_until_clerk_says_no() {
    let server = Server::start("clerk-opaque", CONFIG);
    sign_tokens(&server, false);
    let client = Application::new(&server, SCOPES);
    let token = client.connect(NOAH);
    assert!(token.starts_with("oat_"), "{token}");
    let session = initialize(&server, &token);
    let info = call(&server, &token, &session, "userInfo", &json!({}));
    assert_eq!(result(&info)["client_id"], *client.client_id);
    let other = client.tokens(NOAH, "profile", Some("https://other.example/mcp"));
    refused(
        &server,
        &text(&other, "access_token"),
        "a token for another server",
    );
    // What Clerk said counts for half a minute.
    client.revoke(&token);
    server.advance(Duration::from_secs(30));
    refused(&server, &token, "a revoked token");
    server.never_writes(&[&token]);

    let token = client.connect(PRIYA);
    let away = json!({ "operation": "verifyOAuthAccessToken", "status": 503, "retry_after": 30 });
    server.control("faults", &away);
    let later = call_stateless(&server, &token, "add", &json!({ "a": 1, "b": 2 }));
    assert_eq!((later.status, later.header("retry-after")), (503, "30"));
    server.clear_faults();
    assert_eq!(status(&server, &token), 200);
}

#[test]
fn what_clerk_says_counts_from_when_it_was_asked() {
    let server = Server::start("clerk-slow", CONFIG);
    sign_tokens(&server, false);
    let client = Application::new(&server, SCOPES);
    let token = client.connect(NOAH);
    forget(&server);
    // Clerk knows the token, and then takes its time to say who the person is.
    let slow = json!({ "operation": "GetUser", "latency_ms": 4_000 });
    server.control("faults", &slow);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| status(&server, &token));
        until("the token is looked at", || {
            asked(&server, "verifyOAuthAccessToken") > 0
        });
        client.revoke(&token);
        server.advance(Duration::from_secs(30));
        assert_eq!(first.join().unwrap(), 200);
    });
    server.clear_faults();
    refused(&server, &token, "a revoked token");
}

#[test]
fn clerk_is_not_asked_about_any_number_of_guesses() {
    let server = Server::start("clerk-guesses", CONFIG);
    sign_tokens(&server, false);
    let good = Application::new(&server, SCOPES).connect(NOAH);
    assert_eq!(status(&server, &good), 200);
    let guess = |number: u32| {
        at_mcp(&server, "POST", &format!("oat_{number:032x}guess"))
            .header("x-forwarded-for", "203.0.113.9")
            .json(&initialize_message())
            .send()
    };
    for number in 0..20 {
        assert_eq!(guess(number).status, 401, "{number}");
    }
    // Thirty at once, and one more every 0.8 s: of so many at the same moment, most are too many.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (20..120)
            .map(|number| scope.spawn(move || guess(number).status))
            .collect();
        guesses.into_iter().map(|one| one.join().unwrap()).collect()
    });
    // Where all of them came before the first was refused, the next one is too much.
    assert!(
        statuses.contains(&429) || guess(120).status == 429,
        "{statuses:?}"
    );
    // Others are let in.
    assert_eq!(status(&server, &good), 200);
}

#[test]
fn only_clients_that_are_named_are_let_in() {
    let folder = folder("clerk-clients");
    let named = config("client_ids = [\"client_known\"]", "");
    let server = Server::start_in(folder, &named, "warn");
    let client = Application::new(&server, SCOPES);
    let token = client.connect(NOAH);
    refused(&server, &token, "another client's token");
    // Whoever runs it is told.
    server.logs(&client.client_id);
    drop(server);
    // Anybody's client, once that is somebody's decision.
    let server = Server::start("clerk-any-client", &config("any_client = true", ""));
    let client = Application::new(&server, SCOPES);
    let token = text(&client.tokens(NOAH, "profile", None), "access_token");
    assert_eq!(status(&server, &token), 200);
    refused(&server, &session_token(&server, NOAH), "a session token");
    server.logs("every OAuth client of the instance");
}

#[test]
fn a_token_for_the_address_of_http_sse_counts_where_that_is_on() {
    let at_sse = |server: &Server| {
        let client = Application::new(server, SCOPES);
        let given = client.tokens(NOAH, "openid profile", Some(&server.at("/sse")));
        text(&given, "access_token")
    };
    let open = |server: &Server, token: &str| {
        get(&server.at("/sse"))
            .bearer(token)
            .header("accept", "text/event-stream")
            .open()
            .status
    };
    let server = Server::start("clerk-sse", CONFIG);
    let metadata = get(&server.at("/.well-known/oauth-protected-resource/sse")).send();
    assert_eq!(metadata.json()["resource"], server.at("/sse"));
    assert_eq!(
        metadata.json()["authorization_servers"],
        json!([server.clerk])
    );
    let token = at_sse(&server);
    assert_eq!(open(&server, &token), 200);
    // Both are addresses of one endpoint.
    assert_eq!(status(&server, &token), 200);
    let off = format!("{CONFIG}\n[transports]\nsse = false\n");
    let server = Server::start("clerk-no-sse", &off);
    refused(
        &server,
        &at_sse(&server),
        "for an address that is none here",
    );
    // An audience that is written out is what it says.
    let named = config("audience = \"https://mcp.example.com/mcp\"", "");
    let server = Server::start("clerk-named", &named);
    refused(
        &server,
        &at_sse(&server),
        "for an audience that is not named",
    );
}

#[test]
fn scopes_of_clerks_stand_for_ours_where_they_are_mapped() {
    let mapped = "audience = \"resource\"\nread_scopes = [\"notes:read\"]\n\
                  write_scopes = [\"notes:read\", \"notes:write\"]\napi_keys = true";
    let server = Server::start("clerk-scopes", &config(mapped, ""));
    let url = server.at("/.well-known/oauth-protected-resource/mcp");
    let supported = &get(&url).send().json()["scopes_supported"];
    assert_eq!(*supported, json!(["notes:read", "notes:write"]));
    let challenge = post(&server.mcp()).json(&initialize_message()).send();
    let challenge = challenge.header("www-authenticate").to_owned();
    assert!(challenge.contains("scope=\"notes:read\""), "{challenge}");

    let client = Application::new(&server, "profile notes:read notes:write tools:write");
    let rename = json!({ "firstName": "Noa" });
    // A scope that is called like ours at Clerk gives nothing.
    let reader = client.connect_for(NOAH, "profile notes:read tools:write");
    assert_eq!(status(&server, &reader), 200);
    let lacking = call_stateless(&server, &reader, "updateUser", &rename);
    assert_eq!(lacking.status, 403, "{}", lacking.brief());
    let challenge = lacking.header("www-authenticate");
    assert!(
        challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    let asked = "scope=\"profile notes:read tools:write notes:write\"";
    assert!(challenge.contains(asked), "{challenge}");
    let rows = server.audited(|row| row["outcome"] == "insufficient_scope");
    assert_eq!(rows.len(), 1, "{rows:?}");
    let nothing = client.connect_for(PRIYA, "profile");
    assert_eq!(status(&server, &nothing), 403);
    let writer = client.connect_for(NOAH, "notes:read notes:write");
    let renamed = call_stateless(&server, &writer, "updateUser", &rename);
    assert_eq!(result(&renamed)["first_name"], "Noa");

    // API keys have scopes too, and are clients by themselves.
    let (id, key) = api_key(&server, PRIYA, &["notes:read"]);
    assert_eq!(status(&server, &key), 200);
    assert_eq!(
        call_stateless(&server, &key, "updateUser", &rename).status,
        403
    );
    let info = result(&call_stateless(&server, &key, "userInfo", &json!({})));
    assert_eq!(
        (&info["user_id"], &info["client_id"]),
        (&json!(PRIYA), &json!(id))
    );
    let (_, bare) = api_key(&server, PRIYA, &[]);
    assert_eq!(status(&server, &bare), 403);
    let (_, of_organization) = api_key(&server, "org_2EmuNorthwindMetrics0000000", &["notes:read"]);
    refused(&server, &of_organization, "an organization's key");
    server.clerk_api("POST", &format!("/api_keys/{id}/revoke"), &json!({}));
    server.advance(Duration::from_secs(30));
    refused(&server, &key, "a revoked key");
}

#[test]
fn a_machine_calls_what_its_rule_names() {
    const SEED: &str = r#"
[[users]]
id = "user_2EmuNoahTanaka0000000000000"
email_addresses = ["noah@example.com"]

[[machines]]
name = "stranger"
secret_key = "ak_stranger"
scopes = ["orders"]
"#;
    let rules = r#"
[[access]]
machine = "mch_2EmuOrders00000000000000000"
tools = ["add", "getUserCount"]
clerk = "instance"
"#;
    let sign_in = "audience = \"resource\"\nmachine = \"mch_2EmuServer00000000000000000\"";
    let folder = folder("clerk-machines");
    std::fs::write(folder.join("seed.toml"), format!("{MACHINES}{SEED}")).unwrap();
    let server = Server::start_in(folder, &config(sign_in, rules), "warn");
    for format in ["opaque", "jwt"] {
        let token = machine_token(&server, "ak_orders", format);
        let session = initialize(&server, &token);
        let mut names = tool_names(&server, &token, &session);
        names.sort();
        assert_eq!(names, ["add", "getUserCount"], "nothing of people's");
        let sum = call(&server, &token, &session, "add", &json!({ "a": 1, "b": 2 }));
        assert_eq!(result(&sum)["sum"], 3);
        let count = call(&server, &token, &session, "getUserCount", &json!({}));
        assert_eq!(result(&count)["total_count"], 1);
        for tool in ["userInfo", "getUser", "updateUser", "generateImage"] {
            let answer = call(&server, &token, &session, tool, &json!({}));
            assert!(is_refused(&answer), "{tool}: {}", answer.brief());
        }
        // Everybody is every person: a machine that no rule names has no tool.
        let other = machine_token(&server, "ak_billing", format);
        let other_session = initialize(&server, &other);
        assert!(tool_names(&server, &other, &other_session).is_empty());
        let taken = call(&server, &other, &session, "add", &json!({}));
        assert_eq!(taken.status, 404, "{}", taken.brief());
        refused(
            &server,
            &machine_token(&server, "ak_stranger", format),
            "for another machine",
        );
    }
    let rows = server.audited(|row| row["tool"] == "getUserCount" && row["outcome"] == "ok");
    assert_eq!(
        rows[0]["client_id"], "mch_2EmuOrders00000000000000000",
        "{rows:?}"
    );
    assert!(rows[0].get("user_id").is_none(), "{rows:?}");
}

#[test]
fn a_stream_ends_when_its_token_does() {
    let server = Server::start("clerk-stream", CONFIG);
    sign_tokens(&server, false);
    let client = Application::new(&server, SCOPES);
    let token = client.connect(NOAH);
    let session = initialize(&server, &token);
    let mut stream = at_mcp(&server, "GET", &token)
        .header("mcp-session-id", &session)
        .header("mcp-protocol-version", "2025-11-25")
        .open();
    assert_eq!(stream.status, 200);
    client.revoke(&token);
    // What is known of it is a minute old at once; that is looked at every 15 seconds, for less than a read
    // here waits.
    server.advance(MINUTE);
    while stream.piece().is_some() {}
    refused(&server, &token, "a revoked token");
}
