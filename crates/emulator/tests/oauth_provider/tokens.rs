//! What clients get for a code, and what is done with it.

use crate::common::browser::{
    Browser, CALLBACK, CLIENT_ID, CLIENT_SECRET, VERIFIER, authorize_uri, challenge, request,
};
use crate::common::{AVA, DAY, Fixture, NORTHWIND, TestRandom};
use clerk_mcp_emulator::Emulator;
use serde_json::{Value, json};

use crate::ALL;

#[test]
fn public_clients_need_pkce() {
    let fixture = Fixture::new();
    let made = fixture.post("/v1/oauth_applications", json!({
        "name": "Public", "redirect_uris": [CALLBACK], "public": true, "scopes": "openid profile",
    })).ok();
    let id = made["client_id"].as_str().unwrap();
    let browser = Browser::new(&fixture);
    let mut parameters = request("openid");
    parameters[1].1 = id;
    assert_eq!(
        browser.get(&authorize_uri(&parameters)).answer()["error"],
        "invalid_request"
    );
    let value = challenge(VERIFIER);
    parameters.extend([
        ("code_challenge", value.as_str()),
        ("code_challenge_method", "S256"),
    ]);
    let exchange = |code: &str, verifier: Option<&str>| {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("client_id", id),
        ];
        fields.extend(verifier.map(|text| ("code_verifier", text)));
        browser.post("/oauth/token", &fields)
    };
    let code = browser.authorize(&parameters, AVA).answer()["code"].clone();
    exchange(&code, None).refused(400, "invalid_grant");
    exchange(&code, Some("another-verifier-another-verifier-another-v"))
        .refused(400, "invalid_grant");
    let tokens = exchange(&code, Some(VERIFIER)).ok();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("client_id", id),
    ];
    browser.post("/oauth/token", &fields).ok();
    // A refresh token is of its client.
    browser.refresh(refresh).refused(400, "invalid_grant");
}

#[test]
fn confidential_clients_authenticate_in_the_header_or_in_the_form() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let fields = |code: &str| -> Vec<(String, String)> {
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    let with = |code: &str, more: &[(&str, &str)], headers: &[(&str, &str)]| {
        let fields = fields(code);
        let mut all: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.extend_from_slice(more);
        browser.post_with("/oauth/token", &all, headers)
    };
    let code = browser.code("profile", AVA);
    with(&code, &[], &[]).refused(401, "invalid_client");
    with(&code, &[("client_id", CLIENT_ID)], &[]).refused(401, "invalid_client");
    with(
        &code,
        &[("client_id", CLIENT_ID), ("client_secret", "wrong")],
        &[],
    )
    .refused(401, "invalid_client");
    with(
        &code,
        &[("client_id", "nobody"), ("client_secret", CLIENT_SECRET)],
        &[],
    )
    .refused(401, "invalid_client");
    with(&code, &[], &[("authorization", "Bearer x")]).refused(401, "invalid_client");
    let in_form = with(&code, &[("client_id", CLIENT_ID)], &[]);
    assert!(in_form.headers.get("www-authenticate").is_none());
    let in_header = with(&code, &[], &[("authorization", "Basic eDp5")]);
    assert!(in_header.headers.contains_key("www-authenticate"));
    let right = "Basic Y2xlcmtfbWNwX2VtdWxhdGVkOmVtdWxhdGVkLWNsaWVudC1zZWNyZXQ=";
    with(
        &code,
        &[("client_secret", CLIENT_SECRET)],
        &[("authorization", right)],
    )
    .refused(400, "invalid_request");
    with(
        &code,
        &[("client_id", "other")],
        &[("authorization", right)],
    )
    .refused(400, "invalid_request");
    with(
        &code,
        &[("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)],
        &[],
    )
    .ok();
    let code = browser.code("profile", AVA);
    with(&code, &[], &[("authorization", right)]).ok();
}

#[test]
fn a_code_is_good_once_for_ten_minutes_at_one_place() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let code = browser.code("profile", AVA);
    let elsewhere = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", "http://localhost:8788/callback"),
    ];
    browser
        .as_client("/oauth/token", &elsewhere)
        .refused(400, "invalid_grant");
    browser
        .as_client("/oauth/token", &elsewhere[..2])
        .refused(400, "invalid_grant");
    let tokens = browser.exchange(&code).ok();
    browser.exchange(&code).refused(400, "invalid_grant");
    // The second try ended the grant.
    browser
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .refused(400, "invalid_grant");

    let late = browser.code("profile", AVA);
    fixture.advance(600_000);
    browser.exchange(&late).refused(400, "invalid_grant");
    browser
        .exchange("clk_code_made_up")
        .refused(400, "invalid_grant");
    let in_time = browser.code("profile", AVA);
    fixture.advance(599_000);
    browser.exchange(&in_time).ok();
}

#[test]
fn the_token_endpoint_says_what_is_wrong() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    browser
        .as_client("/oauth/token", &[])
        .refused(400, "invalid_request");
    browser
        .as_client("/oauth/token", &[("grant_type", "password")])
        .refused(401, "unsupported_grant_type");
    browser
        .as_client("/oauth/token", &[("grant_type", "authorization_code")])
        .refused(400, "invalid_request");
    browser
        .as_client("/oauth/token", &[("grant_type", "refresh_token")])
        .refused(400, "invalid_request");
    let twice = [
        ("grant_type", "refresh_token"),
        ("grant_type", "refresh_token"),
    ];
    browser
        .as_client("/oauth/token", &twice)
        .refused(400, "invalid_request");
}

#[test]
fn refresh_tokens_never_expire_and_one_lost_answer_does_no_harm() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let first = browser.tokens("openid profile", AVA);
    let first = first["refresh_token"].as_str().unwrap();
    fixture.advance(4_000 * DAY);
    let lost = browser.refresh(first).ok();
    let second = browser.refresh(first).ok();
    assert!(second["id_token"].is_string());
    browser
        .refresh(lost["refresh_token"].as_str().unwrap())
        .refused(400, "invalid_grant");
    let third = browser
        .refresh(second["refresh_token"].as_str().unwrap())
        .ok();
    // The successor was used: the first is used up.
    browser.refresh(first).refused(400, "invalid_grant");
    let third = third["refresh_token"].as_str().unwrap();
    let fewer = [
        ("grant_type", "refresh_token"),
        ("refresh_token", third),
        ("scope", "profile"),
    ];
    let fewer = browser.as_client("/oauth/token", &fewer).ok();
    assert_eq!(fewer["scope"], "profile");
    assert!(fewer.get("id_token").is_none());
    let more = [
        ("grant_type", "refresh_token"),
        ("refresh_token", third),
        ("scope", "profile email"),
    ];
    browser
        .as_client("/oauth/token", &more)
        .refused(400, "invalid_scope");
}

#[test]
fn banned_and_deleted_people_lose_what_they_granted_and_locked_ones_do_not() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let tokens = browser.tokens("profile", AVA);
    let (access, refresh) = (
        tokens["access_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
    );
    fixture
        .post(&format!("/v1/users/{AVA}/lock"), json!({}))
        .ok();
    let tokens = browser.refresh(refresh).ok();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    fixture
        .post(&format!("/v1/users/{AVA}/ban"), json!({}))
        .ok();
    browser.refresh(refresh).refused(400, "invalid_grant");
    browser
        .userinfo(access)
        .clerk_refused(401, "oauth_token_invalid");
    fixture
        .post(&format!("/v1/users/{AVA}/unban"), json!({}))
        .ok();
    let tokens = browser.refresh(refresh).ok();
    fixture.delete(&format!("/v1/users/{AVA}")).ok();
    browser
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .refused(400, "invalid_grant");
    browser
        .userinfo(tokens["access_token"].as_str().unwrap())
        .clerk_refused(401, "oauth_token_invalid");
}

#[test]
fn userinfo_wants_a_live_access_token() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let plain = Browser::plain(&fixture);
    let tokens = browser.tokens("openid", AVA);
    let access = tokens["access_token"].as_str().unwrap();
    let posted = plain
        .post("/oauth/userinfo", &[("access_token", access)])
        .ok();
    assert_eq!(posted["sub"], AVA);
    let without = plain.get("/oauth/userinfo");
    assert_eq!(
        without.headers["www-authenticate"],
        "Bearer error=\"invalid_token\""
    );
    without.clerk_refused(401, "oauth_token_invalid");
    for wrong in [
        tokens["id_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
        "oat_",
        "ö",
    ] {
        if wrong.is_ascii() {
            plain
                .userinfo(wrong)
                .clerk_refused(401, "oauth_token_invalid");
        }
    }
    let forged = format!("{}x", access.strip_suffix(|_: char| true).unwrap());
    plain
        .userinfo(&forged)
        .clerk_refused(401, "oauth_token_invalid");
    fixture.advance(DAY);
    plain
        .userinfo(access)
        .clerk_refused(401, "oauth_token_invalid");
}

#[test]
fn clients_introspect_and_revoke_their_tokens() {
    let fixture = Fixture::new();
    fixture
        .patch(
            "/v1/instance/oauth_application_settings",
            json!({ "oauth_jwt_access_tokens": false }),
        )
        .ok();
    let browser = Browser::new(&fixture);
    let tokens = browser.tokens("openid email user:org:read", AVA);
    let access = tokens["access_token"].as_str().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert!(access.starts_with("oat_") && !access.contains('.'));
    assert_eq!(browser.userinfo(access).ok()["sub"], AVA);
    let look = |token: &str| {
        browser
            .as_client("/oauth/token_info", &[("token", token)])
            .ok()
    };
    for token in [access, refresh] {
        let info = look(token);
        assert_eq!(info["active"], true);
        assert_eq!(info["client_id"], CLIENT_ID);
        assert_eq!(info["sub"], AVA);
        assert_eq!(info["scope"], "openid email user:org:read");
        assert_eq!(info["org_id"], NORTHWIND);
    }
    assert_eq!(look("made up"), json!({ "active": false }));
    browser
        .post("/oauth/token_info", &[("token", access)])
        .refused(401, "invalid_client");
    browser
        .as_client("/oauth/token_info", &[])
        .refused(400, "invalid_request");

    let revoke = |token: &str| browser.as_client("/oauth/token/revoke", &[("token", token)]);
    assert_eq!(revoke("made up").status, 200);
    assert_eq!(look(access)["active"], true);
    assert_eq!(revoke(access).status, 200);
    assert_eq!(look(access), json!({ "active": false }));
    assert_eq!(look(refresh), json!({ "active": false }));
    browser.refresh(refresh).refused(400, "invalid_grant");
    browser
        .userinfo(access)
        .clerk_refused(401, "oauth_token_invalid");
}

#[test]
fn a_jwt_cannot_be_revoked_and_its_refresh_token_can() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let tokens = browser.tokens("profile", AVA);
    let access = tokens["access_token"].as_str().unwrap();
    let revoke = |token: &Value| {
        browser.as_client("/oauth/token/revoke", &[("token", token.as_str().unwrap())])
    };
    revoke(&tokens["access_token"]).refused(400, "unsupported_token_type");
    assert_eq!(revoke(&tokens["refresh_token"]).status, 200);
    assert_eq!(browser.userinfo(access).status, 200);
    browser
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .refused(400, "invalid_grant");
}

#[test]
fn a_snapshot_keeps_codes_tokens_and_who_is_signed_in() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let tokens = browser.tokens("openid", AVA);
    let code = browser.code("openid", AVA);
    let snapshot = fixture.emulator.snapshot();
    let emulator = Emulator::restore(
        snapshot.clone(),
        fixture.clock.clone(),
        Box::new(TestRandom::new()),
    )
    .unwrap();
    assert_eq!(emulator.snapshot(), snapshot);
    let restored = Fixture::around(emulator, fixture.clock.clone());
    let browser = Browser::new(&restored);
    browser.exchange(&code).ok();
    browser
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .ok();
}

#[test]
fn a_state_of_before_the_provider_is_restored() {
    let fixture = Fixture::new();
    let mut snapshot = fixture.emulator.snapshot();
    let state = snapshot["state"].as_object_mut().unwrap();
    state.remove("oauth").unwrap();
    state.remove("browser").unwrap();
    let emulator =
        Emulator::restore(snapshot, fixture.clock.clone(), Box::new(TestRandom::new())).unwrap();
    emulator
        .ensure_oauth_application(CLIENT_ID, Some(CLIENT_SECRET), &[CALLBACK])
        .unwrap();
    let restored = Fixture::around(emulator, fixture.clock.clone());
    Browser::new(&restored).tokens(ALL, AVA);
}
