//! What tools over the owner's API are sent with: whose token it is, how often Clerk is asked for one,
//! and that it ends with the sign-in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, NOAH, PRIYA, tokens};
use crate::support::api::Api;
use crate::support::http::{Response, get, post, request};
use crate::support::mcp::{at_mcp, call_stateless, initialize_message, is_refused, result};
use crate::support::patience::until;
use crate::support::server::{CONFIG, Server, folder};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// How many calls come at once.
pub(crate) const AT_ONCE: usize = 200;

/// One tool with this credential; `more` comes before it.
fn config(api: &Api, credential: &str, more: &str) -> String {
    // An access token of ours that lives as long as one of Clerk's.
    let long = "[oauth]\naccess_token_lifetime = \"24h\"";
    let rest = CONFIG.replace("[oauth]", long);
    format!("{rest}\n{more}\n{}", order_tool(api, credential))
}

/// One tool with this credential, for everybody.
pub(crate) fn order_tool(api: &Api, credential: &str) -> String {
    let port = api.port;
    format!(
        r#"
[[access]]
everyone = true
tools = ["api.*"]

[api]
base_url = "http://127.0.0.1:{port}/v1"
credential = {credential}
timeout = "60s"

[[tools]]
name = "getOrder"
description = "Reads an order."
method = "GET"
path = "/orders"
"#
    )
}

pub(crate) fn order(server: &Server, access: &str) -> Response {
    call_stateless(server, access, "getOrder", &json!({}))
}

/// Calls that come at the same moment; each must succeed.
#[track_caller]
pub(crate) fn orders_at_once(server: &Server, access: &str) {
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| order(server, access)))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for answer in answers {
        assert_eq!(result(&answer)["ok"], true);
    }
}

/// The one token that all of these requests carried.
#[track_caller]
pub(crate) fn only(tokens: &[String], count: usize) -> String {
    assert_eq!(tokens.len(), count, "{tokens:?}");
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    tokens[0].clone()
}

/// The code of a refused call, and its whole text.
#[track_caller]
pub(crate) fn fault(response: &Response) -> (String, String) {
    assert!(is_refused(response), "{}", response.brief());
    let answer = response.rpc();
    let text = answer["result"]["content"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("no text: {answer}"));
    let code = answer["result"]["structuredContent"]["error"]["code"].as_str();
    let code = code.or_else(|| {
        text.split(['"', ' ', ':', '(', ')'])
            .find(|word| word.contains('_'))
    });
    (code.unwrap_or_default().to_owned(), text.to_owned())
}

/// How often this operation was asked for at Clerk since `forget`.
pub(crate) fn asked(server: &Server, operation: &str) -> usize {
    let log = get(&format!("{}/_emulator/requests", server.clerk)).send();
    let log = log.json();
    let all = log["data"].as_array().unwrap();
    all.iter()
        .filter(|request| request["operation"] == operation)
        .count()
}

pub(crate) fn forget(server: &Server) {
    let url = format!("{}/_emulator/requests", server.clerk);
    assert_eq!(request("DELETE", &url).send().status, 200);
}

pub(crate) fn claims(jwt: &str) -> Value {
    use base64::Engine as _;
    let part = jwt.split('.').nth(1).unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&engine.decode(part).unwrap()).unwrap()
}

#[test]
fn clerks_access_token_is_lent_refreshed_once_and_kept_by_the_grant() {
    let api = Api::start();
    let config = config(&api, "\"oauth\"", "");
    let server = Server::start_in(folder("lent"), &config, "debug");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let noah = client.connect(NOAH);
    assert_eq!(result(&order(&server, &noah.access))["ok"], true);
    let first = only(&api.tokens(), 1);
    // It is Clerk's token for this person, and not the client's.
    assert_ne!(first, noah.access);
    let userinfo = get(&format!("{}/oauth/userinfo", server.clerk)).bearer(&first);
    assert_eq!(userinfo.send().json()["sub"], NOAH);

    // It is about to expire: two hundred calls, and Clerk is asked once.
    server.advance(24 * HOUR - Duration::from_secs(40));
    forget(&server);
    orders_at_once(&server, &noah.access);
    let second = only(&api.tokens(), AT_ONCE);
    assert_ne!(second, first);
    assert_eq!(asked(&server, "getOAuthToken"), 1);

    // The grant keeps what Clerk gave: a new process finds it, and asks for nothing.
    let noah = tokens(&client.refresh(&noah.refresh));
    server.never_writes(&[&first, &second, &noah.access]);
    let server = server.start_again(&config, "debug");
    assert_eq!(result(&order(&server, &noah.access))["ok"], true);
    assert_eq!(only(&api.tokens(), 1), second);
    assert_eq!(asked(&server, "getOAuthToken"), 0);
    server.never_writes(&[&first, &second, &noah.access]);
}

#[test]
fn an_access_token_that_the_api_refuses_is_renewed_once_before_anybody_is_asked_to_sign_in() {
    let api = Api::start();
    let server = Server::start("refused", &config(&api, "\"oauth\"", ""));
    let client = Client::public(&server, HTTPS_CALLBACK);
    let noah = client.connect(NOAH);
    order(&server, &noah.access);
    let first = only(&api.tokens(), 1);
    forget(&server);
    api.refuse(&first);
    orders_at_once(&server, &noah.access);
    let sent = api.tokens();
    let second = sent.iter().find(|token| **token != first).unwrap().clone();
    assert!(sent.iter().all(|token| [&first, &second].contains(&token)));
    assert_eq!(asked(&server, "getOAuthToken"), 1);

    // One as young as that is not renewed again; the person is asked.
    api.refuse_all(true);
    let (code, text) = fault(&order(&server, &noah.access));
    assert_eq!(code, "sign_in_again", "{text}");
    assert!(text.contains("oauth_token"), "{text}");
    assert!(!text.contains(&second));
    assert_eq!(asked(&server, "getOAuthToken"), 1);
    server.advance(Duration::from_secs(11));
    assert_eq!(fault(&order(&server, &noah.access)).0, "sign_in_again");
    assert_eq!(asked(&server, "getOAuthToken"), 2);
    assert_eq!(api.tokens().len(), 3);
    assert!(!api.tokens().contains(&noah.access));
}

#[test]
fn a_grant_ends_when_clerk_takes_its_refresh_token_no_more_and_not_when_clerk_is_away() {
    let api = Api::start();
    let server = Server::start("dead", &config(&api, "\"oauth\"", ""));
    let client = Client::public(&server, HTTPS_CALLBACK);
    let noah = client.connect(NOAH);
    order(&server, &noah.access);
    let first = only(&api.tokens(), 1);
    server.control("faults", &json!({ "path": "/oauth/token", "status": 503 }));
    api.refuse(&first);
    let (code, text) = fault(&order(&server, &noah.access));
    assert_eq!(code, "credential_unavailable", "{text}");
    server.clear_faults();
    server.end_grants_at_clerk(NOAH);
    let (code, text) = fault(&order(&server, &noah.access));
    assert_eq!(code, "sign_in_again", "{text}");
    // So that the client hears of it too.
    let next = at_mcp(&server, "POST", &noah.access);
    assert_eq!(next.json(&initialize_message()).send().status, 401);
    assert_eq!(
        client.refresh(&noah.refresh).error(),
        (400, "invalid_grant".to_owned())
    );
}

/// The sessions of somebody at Clerk with this status.
pub(crate) fn sessions(server: &Server, user: &str, status: &str) -> Vec<String> {
    let path = format!("/sessions?user_id={user}&status={status}&limit=100");
    let all = server.clerk_api("GET", &path, &Value::Null).json();
    let ids = all.as_array().unwrap().iter().map(|one| &one["id"]);
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

const TICKET: &str = "[sign_in]\nsession = \"ticket\"\norganizations = true\n";

#[test]
fn a_session_by_a_ticket_is_started_once_and_revoked_with_the_grant() {
    let api = Api::start();
    let server = Server::start_in(
        folder("ticket"),
        &config(&api, "\"session\"", TICKET),
        "debug",
    );
    let client = Client::public(&server, HTTPS_CALLBACK);
    let priya = client.connect(PRIYA);
    let before = sessions(&server, PRIYA, "active");
    forget(&server);
    orders_at_once(&server, &priya.access);
    let token = only(&api.tokens(), AT_ONCE);
    assert_eq!(claims(&token)["sub"], PRIYA);
    for operation in ["CreateSignInToken", "createSignIn", "CreateSessionToken"] {
        assert_eq!(asked(&server, operation), 1, "{operation}");
    }
    let session = claims(&token)["sid"].as_str().unwrap().to_owned();
    assert!(!before.contains(&session));
    assert!(sessions(&server, PRIYA, "active").contains(&session));

    // Tokens are minted anew in the same session, once each time.
    server.advance(Duration::from_secs(51));
    orders_at_once(&server, &priya.access);
    let next = only(&api.tokens(), AT_ONCE);
    assert_ne!(next, token);
    assert_eq!(claims(&next)["sid"], session.as_str());
    assert_eq!(asked(&server, "CreateSignInToken"), 1);
    assert_eq!(asked(&server, "CreateSessionToken"), 2);

    // One that is over is replaced.
    server.clerk_api("POST", &format!("/sessions/{session}/revoke"), &json!({}));
    server.advance(Duration::from_secs(51));
    orders_at_once(&server, &priya.access);
    let other = only(&api.tokens(), AT_ONCE);
    let second = claims(&other)["sid"].as_str().unwrap().to_owned();
    assert_ne!(second, session);
    assert_eq!(asked(&server, "CreateSignInToken"), 2);

    server.never_writes(&[&token, &next, &other, &priya.access]);
    assert_eq!(client.revoke(&priya.refresh).status, 200);
    until("the session is revoked with the grant", || {
        sessions(&server, PRIYA, "revoked").contains(&second)
    });
    assert_eq!(sessions(&server, PRIYA, "active"), before);
}

#[test]
fn sessions_by_tickets_end_when_the_server_stops() {
    let api = Api::start();
    let config = config(&api, "\"session\"", TICKET);
    let mut server = Server::start("stops", &config);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let noah = client.connect(NOAH);
    order(&server, &noah.access);
    let session = claims(&only(&api.tokens(), 1))["sid"].clone();
    server.terminate();
    assert!(server.wait().success());
    let kept = std::fs::read_to_string(server.folder.join("state/clerk.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let all = kept["state"]["sessions"].as_array().unwrap();
    let own = all.iter().find(|kept| kept["id"] == session).unwrap();
    assert_eq!(own["revoked"], true, "{own}");
}

#[test]
fn whoever_has_a_second_factor_is_told_so_and_clerk_is_not_asked_each_time() {
    let api = Api::start();
    let server = Server::start("second-factor", &config(&api, "\"session\"", TICKET));
    let client = Client::public(&server, HTTPS_CALLBACK);
    let ava = client.connect(AVA);
    forget(&server);
    for _ in 0..2 {
        let (code, text) = fault(&order(&server, &ava.access));
        assert_eq!(code, "second_factor_needed", "{text}");
        assert!(text.contains("second factor"), "{text}");
    }
    assert_eq!(asked(&server, "createSignIn"), 1);
    assert!(api.heads().is_empty());
}

#[test]
fn a_jwt_template_is_minted_in_the_session_by_a_ticket() {
    let api = Api::start();
    let credential = "{ jwt_template = \"orders\" }";
    let server = Server::start("template", &config(&api, credential, TICKET));
    let template = json!({ "name": "orders", "claims": { "aud": "orders" }, "lifetime": 600 });
    server.clerk_api("POST", "/jwt_templates", &template);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let noah = client.connect(NOAH);
    forget(&server);
    orders_at_once(&server, &noah.access);
    let token = only(&api.tokens(), AT_ONCE);
    assert_eq!(claims(&token)["aud"], "orders");
    assert_eq!(claims(&token)["sub"], NOAH);
    assert_eq!(asked(&server, "CreateSessionTokenFromTemplate"), 1);
    assert_eq!(asked(&server, "CreateSignInToken"), 1);
}

#[test]
fn the_machines_token_is_made_once_for_everybody_and_for_as_long_as_it_lives() {
    let api = Api::start();
    let server = Server::start("machine", &config(&api, "\"none\"", ""));
    let machine = json!({ "name": "The server", "default_token_ttl": 600 });
    let machine = server.clerk_api("POST", "/machines", &machine).json();
    let key = machine["secret_key"].as_str().unwrap();
    std::fs::write(server.folder.join("machine.secret"), key).unwrap();
    let with_machine = config(&api, "\"m2m\"", "").replace(
        "\n[[tools]]",
        "\n[api.m2m]\nsecret_file = \"machine.secret\"\n\n[[tools]]",
    );
    let server = server.start_again(&with_machine, "debug");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let noah = client.connect(NOAH);
    forget(&server);
    orders_at_once(&server, &noah.access);
    let first = only(&api.tokens(), AT_ONCE);
    assert_eq!(asked(&server, "createM2MToken"), 1);
    let verify = |token: &str| {
        let url = format!("{}/v1/m2m_tokens/verify", server.clerk);
        let response = post(&url).bearer("sk_test_emulate");
        response.json(&json!({ "token": token })).send().json()
    };
    assert_eq!(verify(&first)["subject"], machine["id"]);

    server.advance(Duration::from_secs(541));
    orders_at_once(&server, &noah.access);
    let second = only(&api.tokens(), AT_ONCE);
    assert_ne!(second, first);
    assert_eq!(asked(&server, "createM2MToken"), 2);

    // A refused one is nobody's sign-in.
    server.advance(Duration::from_secs(11));
    api.refuse_all(true);
    let (code, text) = fault(&order(&server, &noah.access));
    assert_eq!(code, "credential_refused", "{text}");
    assert_eq!(asked(&server, "createM2MToken"), 3);
    let sent = api.tokens();
    assert_eq!(sent.len(), 2);
    assert!(!sent.contains(&noah.access));
    server.never_writes(&[&first, &second, &sent[1], key, &noah.access]);
}
