//! Sign-in through the owner's application, attacked: what is no session token of the person in front of
//! the browser signs nobody in.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::actors::{AVA, Client, HTTPS_CALLBACK, NOAH, callback_of_app};
use crate::support::browser::Browser;
use crate::support::clerk::{api_key, machine, machine_token, session_token, signed_again, text};
use crate::support::http::{encode, parameter};
use crate::support::server::{Server, folder};

fn start(name: &str) -> Server {
    Server::start_with(folder(name), &["--sign-in", "app"], "warn")
}

/// Follows the callback to where it ends: the code that the client gets, if any.
fn code_at_the_end(server: &Server, browser: &mut Browser, callback: String) -> Option<String> {
    parameter(&at_the_end(server, browser, callback)?, "code")
}

/// The address at the client where the callback ends, or nothing if it ends at a page here.
fn at_the_end(server: &Server, browser: &mut Browser, callback: String) -> Option<String> {
    let mut at = callback;
    for _ in 0..4 {
        let answer = browser.get(&at);
        if !(300..400).contains(&answer.status) {
            return None;
        }
        at = answer.location();
        if at.starts_with('/') {
            at = server.at(&at);
        }
        assert!(
            !at.contains("clerk_token"),
            "the token stays in the address: {at}"
        );
        if !at.starts_with(&server.url) {
            return Some(at);
        }
    }
    panic!("the callback leads nowhere: {at}");
}

#[test]
fn tokens_that_are_no_good_session_tokens_sign_nobody_in() {
    let server = start("app-tokens");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let good = session_token(&server, NOAH);
    let old = session_token(&server, NOAH);
    server.advance(Duration::from_secs(10 * 60));
    let revoked = session_token(&server, NOAH);
    let claims = URL_SAFE_NO_PAD.decode(revoked.split('.').nth(1).unwrap());
    let claims: serde_json::Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    let path = format!("/sessions/{}/revoke", text(&claims, "sid"));
    server.clerk_api("POST", &path, &json!({}));

    let fresh = session_token(&server, AVA);
    let mut parts = fresh.split('.');
    let [head, body, signature] = [(); 3].map(|()| parts.next().unwrap());
    let other_body = good.split('.').nth(1).unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let (_, key) = machine(&server, "a machine", &[]);
    for (what, token) in [
        ("nothing", String::new()),
        ("no token", "eyJ.x.y".to_owned()),
        ("an old token", old),
        ("a token of a session that was revoked", revoked),
        ("another body", format!("{head}.{other_body}.{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("no algorithm", format!("{none}.{body}.")),
        ("a machine's token", machine_token(&server, &key, "jwt")),
        (
            "a machine's opaque token",
            machine_token(&server, &key, "opaque"),
        ),
        ("an API key", api_key(&server, AVA, &[]).1),
        ("the secret key", "sk_test_emulate".to_owned()),
        ("a good token", fresh.clone()),
    ] {
        let mut browser = client.browser();
        let callback = callback_of_app(&server, &mut browser, &client.authorize_url(), AVA);
        let state = parameter(&callback, "state").unwrap();
        let query = encode(&[("state", &state), ("clerk_token", &token)]);
        let callback = server.at(&format!("/callback?{query}"));
        let code = code_at_the_end(&server, &mut browser, callback);
        assert_eq!(code.is_some(), what == "a good token", "{what}: {code:?}");
    }
    server.never_writes(&["eyJ"]);
}

#[test]
fn a_token_for_another_site_and_one_of_a_pending_session_sign_nobody_in() {
    let server = start("app-parties");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let app = &server.app;
    let beside = format!("{app}.evil.example");
    // What becomes of each: a code, or the error that the client is told.
    for (changes, outcome) in [
        (json!({ "azp": app }), Ok(())),
        (json!({ "sts": "active" }), Ok(())),
        (
            json!({ "azp": "https://evil.example" }),
            Err("server_error"),
        ),
        (json!({ "azp": beside }), Err("server_error")),
        (json!({ "azp": "http://127.0.0.1:1" }), Err("server_error")),
        (json!({ "azp": "null" }), Err("server_error")),
        (json!({ "sts": "pending" }), Err("access_denied")),
        (
            json!({ "azp": app, "sts": "pending" }),
            Err("access_denied"),
        ),
        (json!({ "sts": "something" }), Err("server_error")),
    ] {
        let token = signed_again(&session_token(&server, AVA), &changes);
        let mut browser = client.browser();
        let callback = callback_of_app(&server, &mut browser, &client.authorize_url(), AVA);
        let state = parameter(&callback, "state").unwrap();
        let query = encode(&[("state", &state), ("clerk_token", &token)]);
        let back = at_the_end(
            &server,
            &mut browser,
            server.at(&format!("/callback?{query}")),
        );
        let back = back.unwrap_or_else(|| panic!("{changes}: the client hears nothing"));
        assert!(back.starts_with(HTTPS_CALLBACK), "{changes}: {back}");
        assert_eq!(
            parameter(&back, "code").is_some(),
            outcome.is_ok(),
            "{changes}: {back}"
        );
        let error = parameter(&back, "error");
        assert_eq!(error.as_deref(), outcome.err(), "{changes}: {back}");
    }
    // Whoever runs it is told which site, and what to do if it is theirs.
    server.logs("https://evil.example");
    server.logs("sign_in.authorized_parties");
    assert!(!server.log().contains("eyJ"), "{}", server.log());
}

#[test]
fn the_answer_of_the_application_is_worth_nothing_in_another_browser() {
    let server = start("app-browser");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let callback = callback_of_app(&server, &mut browser, &client.authorize_url(), AVA);
    let mut strangers = [client.browser(), client.browser()];
    // One that never was here, and one that has begun a sign-in of its own.
    let _ = callback_of_app(&server, &mut strangers[1], &client.authorize_url(), NOAH);
    for stranger in &mut strangers {
        let code = code_at_the_end(&server, stranger, callback.clone());
        assert_eq!(code, None);
    }
    let code = code_at_the_end(&server, &mut browser, callback);
    assert!(code.is_some(), "the one that began signs in");
}
