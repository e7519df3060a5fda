//! The pages of the emulator: signing in and out, the inbox, and doing without.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use clerk_mcp_emulator::Answer;
use common::browser::{Browser, authorize_uri, request};
use common::{AVA, Fixture, LIAM, LUCAS, OLIVER};
use http::Method;
use serde_json::{Value, json};

const AVA_EMAIL: &str = "ava.mitchell@northwind.example";

/// The newest code of the inbox.
fn inbox_code(fixture: &Fixture) -> String {
    let inbox = fixture.get("/_emulator/inbox").ok();
    inbox["data"][0]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_person_is_picked() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let page = browser.get("/sign-in?redirect_url=%2F");
    assert!(page.text.contains("Ava Mitchell") && page.text.contains("admin"));
    assert!(!page.text.contains("<script"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let back = browser.submit("/sign-in", &page, &[("user_id", AVA)]);
    assert_eq!(back.location(), "/");
    assert!(browser.get("/").text.contains("Ava Mitchell"));
    assert!(browser.cookie("__client").is_some() && browser.cookie("__session").is_some());
    let sessions = fixture.get(&format!("/v1/sessions?user_id={AVA}")).ok();
    assert_eq!(sessions.as_array().unwrap().len(), 1);
}

#[test]
fn a_code_arrives_in_the_inbox() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let page = browser.get("/sign-in?redirect_url=%2Foauth%2Fauthorize%3Fa%3Db");
    let sent = browser.submit("/sign-in", &page, &[("email_address", AVA_EMAIL)]);
    let page = browser.get(sent.location());
    assert!(page.text.contains(AVA_EMAIL));
    let wrong = browser.submit("/sign-in/code", &page, &[("code", "wrong")]);
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("Incorrect code") && wrong.text.contains("role=\"alert\""));
    let code = inbox_code(&fixture);
    assert_eq!(code.len(), 6);
    let inbox = browser.get("/_emulator/inbox");
    assert!(inbox.text.contains("<h1>Inbox</h1>") && inbox.text.contains(&code));
    let back = browser.submit("/sign-in/code", &page, &[("code", &code)]);
    assert_eq!(back.location(), "/oauth/authorize?a=b");
    assert!(browser.get("/").text.contains("Ava Mitchell"));
    // A code is good once.
    assert_eq!(
        browser
            .submit("/sign-in/code", &page, &[("code", &code)])
            .status,
        404
    );
    assert_eq!(fixture.delete("/_emulator/inbox").ok()["total_count"], 0);
}

#[test]
fn codes_end_with_time_and_with_guesses() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    let start = || {
        let sent = browser.post("/sign-in", &[("email_address", AVA_EMAIL)]);
        sent.answer()["sign_in_id"].clone()
    };
    let attempt =
        |id: &str, code: &str| browser.post("/sign-in/code", &[("sign_in_id", id), ("code", code)]);
    let id = start();
    for _ in 0..5 {
        attempt(&id, "nope").clerk_refused(422, "form_code_incorrect");
    }
    attempt(&id, &inbox_code(&fixture)).clerk_refused(400, "verification_failed");
    let id = start();
    fixture.advance(600_000);
    attempt(&id, &inbox_code(&fixture)).clerk_refused(400, "verification_expired");
    attempt("sia_nothing", "1").clerk_refused(404, "resource_not_found");
    for address in ["nobody@example.com", "mateo.garcia@lumen.example"] {
        let fields = [("email_address", address)];
        browser
            .post("/sign-in", &fields)
            .clerk_refused(422, "form_identifier_not_found");
    }
}

#[test]
fn test_addresses_take_clerks_test_code() {
    let fixture = Fixture::new();
    let address = "jane+clerk_test@example.com";
    fixture
        .post(
            "/v1/users",
            json!({ "email_address": [address], "skip_password_requirement": true }),
        )
        .ok();
    let browser = Browser::plain(&fixture);
    let id = browser
        .post("/sign-in", &[("email_address", address)])
        .answer()["sign_in_id"]
        .clone();
    let done = browser.post("/sign-in/code", &[("sign_in_id", &id), ("code", "424242")]);
    assert_eq!(done.location(), "/");
    assert_eq!(fixture.get("/_emulator/inbox").ok()["total_count"], 0);
}

#[test]
fn banned_and_locked_people_stay_outside() {
    let fixture = Fixture::new();
    let plain = Browser::plain(&fixture);
    plain
        .post("/sign-in", &[("user_id", LIAM)])
        .clerk_refused(403, "user_banned");
    plain
        .post("/sign-in", &[("user_id", OLIVER)])
        .clerk_refused(403, "user_locked");
    plain
        .post("/sign-in", &[("user_id", "user_nobody")])
        .clerk_refused(404, "resource_not_found");
    plain
        .post("/sign-in", &[])
        .clerk_refused(422, "form_param_missing");
    assert!(plain.cookie("__client").is_none());
    let browser = Browser::new(&fixture);
    let page = browser.post("/sign-in", &[("user_id", LIAM)]);
    assert_eq!(page.status, 403);
    assert!(page.text.contains("You have been banned"));

    // Whoever is banned while signed in is signed out.
    browser.post("/sign-in", &[("user_id", AVA)]);
    fixture
        .post(&format!("/v1/users/{AVA}/ban"), json!({}))
        .ok();
    assert!(browser.get("/").text.contains("Nobody is signed in"));
    assert!(
        browser
            .get(&authorize_uri(&request("profile")))
            .location()
            .starts_with("/sign-in")
    );
}

#[test]
fn several_people_share_a_browser() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    browser.post("/sign-in", &[("user_id", AVA)]);
    browser.post("/sign-in", &[("user_id", LUCAS)]);
    browser.post("/sign-in", &[("user_id", AVA)]);
    let page = browser.get("/sign-in");
    assert!(
        page.text.contains("Continue as Ava Mitchell")
            && page.text.contains("Continue as Lucas Moreau")
    );
    let sessions = fixture
        .get(&format!("/v1/sessions?user_id={LUCAS}&status=active"))
        .ok();
    let id = sessions[0]["id"].as_str().unwrap();
    assert_eq!(
        browser
            .submit("/sign-in", &page, &[("session_id", id)])
            .location(),
        "/"
    );
    let to_consent = browser.get(&authorize_uri(&request("profile")));
    assert!(
        browser
            .get(to_consent.location())
            .text
            .contains("Signed in as Lucas Moreau")
    );

    browser.post("/sign-out", &[("session_id", id)]);
    assert!(!browser.get("/").text.contains("Lucas"));
    let to_consent = browser.get(&authorize_uri(&request("profile")));
    assert!(
        browser
            .get(to_consent.location())
            .text
            .contains("Signed in as Ava Mitchell")
    );
    browser.post("/sign-out", &[]);
    assert!(browser.get("/").text.contains("Nobody is signed in"));
    assert!(browser.cookie("__session").is_none());
    // Another browser has nothing to do with it.
    let other = Browser::plain(&fixture);
    other
        .post("/sign-in", &[("session_id", id)])
        .clerk_refused(404, "resource_not_found");
}

#[test]
fn forms_of_other_origins_and_places_elsewhere_are_refused() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:8788"] {
        let page = browser.post_with("/sign-in", &[("user_id", AVA)], &[("origin", origin)]);
        page.clerk_refused(403, "origin_invalid");
    }
    let own = [("origin", "http://127.0.0.1:8789")];
    assert_eq!(
        browser
            .post_with("/sign-in", &[("user_id", AVA)], &own)
            .status,
        303
    );
    for elsewhere in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:1",
    ] {
        let fields = [("user_id", AVA), ("redirect_url", elsewhere)];
        assert_eq!(browser.post("/sign-in", &fields).location(), "/");
    }
    let fields = [
        ("user_id", AVA),
        ("redirect_url", "http://127.0.0.1:8789/sign-in"),
    ];
    assert_eq!(browser.post("/sign-in", &fields).location(), "/sign-in");
}

#[test]
fn tests_sign_in_without_a_page() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    let uri = authorize_uri(&request("profile user:org:read"));
    assert!(browser.get(&uri).location().starts_with("/sign-in"));
    fixture
        .post("/_emulator/auto_sign_in", json!({ "user_id": AVA }))
        .ok();
    assert!(browser.get(&uri).answer().contains_key("code"));
    fixture
        .post("/_emulator/auto_sign_in", json!({ "user_id": LIAM }))
        .ok();
    assert_eq!(browser.get(&uri).answer()["error"], "access_denied");
    assert_eq!(fixture.get("/_emulator/auto_sign_in").ok()["user_id"], LIAM);
    assert_eq!(
        fixture.delete("/_emulator/auto_sign_in").ok()["user_id"],
        Value::Null
    );
    assert!(browser.get(&uri).location().starts_with("/sign-in"));
    let unknown = fixture.post(
        "/_emulator/auto_sign_in",
        json!({ "user_id": "user_nobody" }),
    );
    assert_eq!(unknown.status, 422);
}

#[test]
fn faults_and_the_log_know_the_new_operations() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let rule = json!({ "operation": "getOAuthToken", "status": 503, "retry_after": 2, "times": 1 });
    fixture.post("/_emulator/faults", rule).ok();
    let code = browser.code("openid", AVA);
    assert_eq!(browser.exchange(&code).status, 503);
    let tokens = browser.exchange(&code).ok();
    let rule = json!({ "operation": "SignInPage", "status": 500, "times": 1 });
    fixture.post("/_emulator/faults", rule).ok();
    let page = browser.get("/sign-in");
    assert!(
        page.status == 500 && page.text.contains("internal_clerk_error"),
        "{}",
        page.text
    );
    let uri = "/.well-known/openid-configuration";
    let rule = json!({ "path": uri, "drop_connection": true, "times": 1 });
    fixture.post("/_emulator/faults", rule).ok();
    let reply = fixture.reply(Method::GET, uri, bytes::Bytes::new());
    assert!(matches!(reply.answer, Answer::DropConnection));

    browser
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .ok();
    let log = fixture.get("/_emulator/requests").ok();
    let text = log.to_string();
    assert!(text.contains("\"operation\":\"getOAuthToken\"") && text.contains("refresh_token"));
    for secret in [
        &code,
        tokens["refresh_token"].as_str().unwrap(),
        "emulated-client-secret",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(
        text.contains(AVA),
        "the fields that are no secrets are there"
    );
}

#[test]
fn clerks_limits_of_signing_in_hold_while_a_rate_limit_is_on() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    for _ in 0..8 {
        assert_eq!(browser.post("/sign-in", &[("user_id", AVA)]).status, 303);
    }
    fixture.emulator.set_rate_limit(100, 10_000);
    for _ in 0..5 {
        assert_eq!(browser.post("/sign-in", &[("user_id", AVA)]).status, 303);
    }
    let refused = browser.post("/sign-in", &[("user_id", AVA)]);
    assert_eq!(refused.headers["retry-after"], "10");
    refused.clerk_refused(429, "too_many_requests");
    for _ in 0..3 {
        browser
            .post("/sign-in/code", &[("code", "1")])
            .clerk_refused(404, "resource_not_found");
    }
    browser
        .post("/sign-in/code", &[("code", "1")])
        .clerk_refused(429, "too_many_requests");
    fixture.advance(10_000);
    assert_eq!(browser.post("/sign-in", &[("user_id", AVA)]).status, 303);
}

#[test]
fn a_forged_cookie_signs_nobody_in() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    browser.post("/sign-in", &[("user_id", AVA)]);
    let cookie = browser.cookie("__client").unwrap();
    let other = Browser::new(&fixture);
    let look = |cookie: &str| {
        let header = format!("theme=dark; __client={cookie}");
        other
            .send(Method::GET, "/", "", &[("cookie", &header)])
            .text
    };
    assert!(look(&cookie).contains("Ava Mitchell"));
    assert!(!look(&cookie[..cookie.len() - 4]).contains("Ava Mitchell"));
    assert!(!look(&browser.cookie("__session").unwrap()).contains("Ava Mitchell"));
}
