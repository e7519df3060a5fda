//! Sessions by tickets where Clerk is the authorization server: of a person and their client, and ended
//! with their token, with the server, and after a crash.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api_credentials::{
    AT_ONCE, asked, claims, fault, forget, only, order, order_tool, orders_at_once, sessions,
};
use crate::support::actors::{AVA, LUCAS, NOAH, PRIYA};
use crate::support::api::Api;
use crate::support::clerk::{Application, CONFIG, MACHINES, machine_token, sign_tokens};
use crate::support::http::get;
use crate::support::server::{Server, folder};

const SCOPES: &str = "openid profile email offline_access";

/// One tool with this credential, for everybody; `more` is in `[sign_in]`.
fn config(api: &Api, credential: &str, more: &str) -> String {
    let sign_in = format!("audience = \"resource\"\nsession = \"ticket\"\n{more}");
    let rest = CONFIG.replace("audience = \"resource\"", &sign_in);
    rest + &order_tool(api, credential)
}

/// Waits for something that the server does by itself: every 15 seconds it looks whether what it knows of a
/// token is a minute old.
#[track_caller]
fn by_itself(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(90), "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The session that the token which the API was sent is of.
#[track_caller]
fn session_of(server: &Server, api: &Api, token: &str) -> String {
    assert_eq!(order(server, token).status, 200);
    let sent = only(&api.tokens(), 1);
    claims(&sent)["sid"].as_str().unwrap().to_owned()
}

#[test]
fn a_session_is_started_once_for_a_person_and_client_and_revoked_with_their_token() {
    let api = Api::start();
    let server = Server::start_in(
        folder("token-session"),
        &config(&api, "\"session\"", ""),
        "debug",
    );
    sign_tokens(&server, false);
    let client = Application::new(&server, SCOPES);
    let first = client.connect(PRIYA);
    let before = sessions(&server, PRIYA, "active");
    forget(&server);
    orders_at_once(&server, &first);
    let sent = only(&api.tokens(), AT_ONCE);
    assert_eq!(claims(&sent)["sub"], PRIYA);
    for operation in ["CreateSignInToken", "createSignIn", "CreateSessionToken"] {
        assert_eq!(asked(&server, operation), 1, "{operation}");
    }
    let session = claims(&sent)["sid"].as_str().unwrap().to_owned();
    assert!(!before.contains(&session), "one that was there before");

    // Another token of theirs with this client is the same sign-in; with another client it is another.
    let second = client.connect(PRIYA);
    assert_eq!(session_of(&server, &api, &second), session);
    let elsewhere = Application::new(&server, SCOPES).connect(PRIYA);
    let other = session_of(&server, &api, &elsewhere);
    assert_ne!(other, session);
    assert_eq!(asked(&server, "CreateSignInToken"), 2);

    server.never_writes(&[&sent, &first, &second, &elsewhere]);
    // Nobody calls: the server looks.
    client.revoke(&second);
    server.advance(Duration::from_secs(60));
    by_itself("the session is revoked with the token", || {
        sessions(&server, PRIYA, "revoked").contains(&session)
    });
    assert!(sessions(&server, PRIYA, "active").contains(&other));
    assert_eq!(session_of(&server, &api, &elsewhere), other);
}

#[test]
fn a_session_ends_when_a_signed_token_expires() {
    let api = Api::start();
    let server = Server::start("token-expiry", &config(&api, "\"session\"", ""));
    let client = Application::new(&server, SCOPES);
    let [noah, priya] = [NOAH, PRIYA].map(|person| client.connect(person));
    let [of_noah, of_priya] = [&noah, &priya].map(|token| session_of(&server, &api, token));
    let revoked =
        |person: &str, session: &String| sessions(&server, person, "revoked").contains(session);
    server.advance(Duration::from_secs(24 * 60 * 60 + 10));
    // Refused, it ends at once; the other one is found.
    assert_eq!(order(&server, &noah).status, 401);
    by_itself("the session is revoked", || revoked(NOAH, &of_noah));
    by_itself("the session is revoked", || revoked(PRIYA, &of_priya));
    assert!(api.heads().is_empty());
}

#[test]
fn a_second_factor_is_not_got_round_with_clerks_tokens_either() {
    let api = Api::start();
    let server = Server::start("token-factor", &config(&api, "\"session\"", ""));
    let ava = Application::new(&server, SCOPES).connect(AVA);
    forget(&server);
    for _ in 0..2 {
        let (code, text) = fault(&order(&server, &ava));
        assert_eq!(code, "second_factor_needed", "{text}");
    }
    assert_eq!(asked(&server, "createSignIn"), 1);
    assert!(api.heads().is_empty());
}

#[test]
fn a_jwt_template_is_minted_for_a_person_and_a_machine_gets_none() {
    const SEED: &str = r#"
[[users]]
id = "user_2EmuNoahTanaka0000000000000"
email_addresses = ["noah@example.com"]
"#;
    let api = Api::start();
    let folder = folder("token-template");
    std::fs::write(folder.join("seed.toml"), format!("{SEED}{MACHINES}")).unwrap();
    let config = config(
        &api,
        "{ jwt_template = \"orders\" }",
        "machine = \"mch_2EmuServer00000000000000000\"",
    );
    let rule = "[[access]]\nmachine = \"mch_2EmuOrders00000000000000000\"\ntools = [\"api.*\"]\n";
    let server = Server::start_in(folder, &format!("{config}\n{rule}"), "warn");
    let template = json!({ "name": "orders", "claims": { "aud": "orders" }, "lifetime": 600 });
    server.clerk_api("POST", "/jwt_templates", &template);
    let noah = Application::new(&server, SCOPES).connect(NOAH);
    assert_eq!(order(&server, &noah).status, 200);
    let sent = claims(&only(&api.tokens(), 1));
    assert_eq!(
        (&sent["aud"], &sent["sub"]),
        (&json!("orders"), &json!(NOAH))
    );

    forget(&server);
    let machine = machine_token(&server, "ak_orders", "jwt");
    let (code, text) = fault(&order(&server, &machine));
    assert_eq!(code, "no_person", "{text}");
    assert_eq!(asked(&server, "CreateSignInToken"), 0);
    assert!(api.heads().is_empty());
}

#[test]
fn a_session_ends_with_the_server_and_after_a_crash() {
    let api = Api::start();
    let config = config(&api, "\"session\"", "");
    let server = Server::start("token-stops", &config);
    // Each process of `dev` has another Clerk, by its address.
    let noah = |server: &Server| Application::new(server, SCOPES).connect(NOAH);
    let first = session_of(&server, &api, &noah(&server));
    let server = server.start_again(&config, "warn");
    assert!(sessions(&server, NOAH, "revoked").contains(&first));

    let second = session_of(&server, &api, &noah(&server));
    assert_ne!(second, first);
    // Long enough that no other process at the same file can be looking after it.
    server.advance(Duration::from_secs(16 * 60));
    let kept = server.folder.join("state/clerk.json");
    by_itself("Clerk has written it down", || {
        let kept: Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
        let has = kept["state"].to_string().contains(&second);
        has && kept["state"]["clock_offset"].as_i64() >= Some(16 * 60 * 1_000)
    });
    let server = server.kill_and_start_again(&config);
    by_itself("what the crash left is revoked", || {
        sessions(&server, NOAH, "revoked").contains(&second)
    });
    let third = session_of(&server, &api, &noah(&server));
    assert_ne!(third, second);
}

/// Whether this server, and not Clerk by itself, has ended the session.
fn was_revoked_by_the_server(server: &Server, session: &str) -> bool {
    let log = get(&format!("{}/_emulator/requests", server.clerk)).send();
    let log = log.json();
    let path = format!("/sessions/{session}/revoke");
    let mut all = log["data"].as_array().unwrap().iter();
    all.any(|request| request["url"].as_str().unwrap().ends_with(&path))
}

#[test]
fn a_session_ends_when_its_person_is_banned_or_deleted() {
    let api = Api::start();
    let server = Server::start("token-banned", &config(&api, "\"session\"", ""));
    // Signed tokens: only their person can end them.
    let client = Application::new(&server, SCOPES);
    let [noah, lucas, priya] = [NOAH, LUCAS, PRIYA].map(|person| client.connect(person));
    let of_noah = session_of(&server, &api, &noah);
    let of_lucas = session_of(&server, &api, &lucas);
    let of_priya = session_of(&server, &api, &priya);
    forget(&server);
    server.clerk_api("POST", &format!("/users/{NOAH}/ban"), &json!({}));
    server.clerk_api("DELETE", &format!("/users/{LUCAS}"), &json!({}));
    server.advance(Duration::from_secs(60));
    // Refused, it ends at once; the other one is found, though nobody calls.
    assert_eq!(order(&server, &lucas).status, 401);
    for session in [&of_lucas, &of_noah] {
        by_itself("the session is revoked", || {
            was_revoked_by_the_server(&server, session)
        });
    }
    assert!(!sessions(&server, NOAH, "active").contains(&of_noah));
    assert_eq!(order(&server, &noah).status, 401);
    assert!(api.heads().is_empty(), "the API has heard of neither");

    // Others go on, and who may come back gets another session.
    assert_eq!(session_of(&server, &api, &priya), of_priya);
    assert!(!was_revoked_by_the_server(&server, &of_priya));
    server.clerk_api("POST", &format!("/users/{NOAH}/unban"), &json!({}));
    server.advance(Duration::from_secs(60));
    assert_ne!(session_of(&server, &api, &noah), of_noah);
}
