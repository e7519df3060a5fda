//! How a person signs in and allows, and what comes back to the client.

use crate::common::browser::{
    Browser, CALLBACK, CLIENT_ID, STATE, VERIFIER, authorize_uri, challenge, claims, header,
    request,
};
use crate::common::{AVA, Fixture, LUCAS, NORTHWIND, QUARRY, RUBY};
use clerk_mcp_emulator::DEFAULT_URL;
use serde_json::Value;

use crate::{ALL, verify};

#[test]
fn a_person_signs_in_allows_and_the_client_gets_tokens() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let mut parameters = request(ALL);
    parameters.push(("nonce", "nonce-1"));

    let to_sign_in = browser.get(&authorize_uri(&parameters));
    assert!(
        to_sign_in
            .location()
            .starts_with("/sign-in?redirect_url=%2Foauth%2Fauthorize%3F")
    );
    let page = browser.get(to_sign_in.location());
    assert_eq!(page.status, 200);
    let back = browser.submit("/sign-in", &page, &[("user_id", AVA)]);
    let to_consent = browser.get(back.location());
    assert!(to_consent.location().starts_with("/oauth/consent?"));
    let page = browser.get(to_consent.location());
    for shown in [
        "clerk-mcp wants access",
        "Ava Mitchell",
        "Northwind Metrics",
        "Quarry &amp; Sons",
        CALLBACK,
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let answer = browser.submit(
        "/oauth/consent",
        &page,
        &[("decision", "allow"), ("organization_id", QUARRY)],
    );
    assert!(answer.location().starts_with(&format!("{CALLBACK}?code=")));
    assert_eq!(answer.answer()["state"], STATE);
    assert_eq!(answer.answer()["iss"], DEFAULT_URL);

    let response = browser.exchange(&answer.answer()["code"]);
    assert_eq!(response.headers["cache-control"], "no-store");
    let tokens = response.ok();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 86_400);
    assert_eq!(tokens["scope"], ALL);

    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(header(access)["typ"], "at+jwt");
    let claims = verify(&browser, access);
    assert_eq!(claims["iss"], DEFAULT_URL);
    assert_eq!(claims["client_id"], CLIENT_ID);
    assert_eq!(claims["sub"], AVA);
    assert_eq!(claims["scope"], ALL);
    assert_eq!(claims["org_id"], QUARRY);
    assert!(claims["jti"].as_str().unwrap().starts_with("oat_"));
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        86_400
    );

    let id_token = tokens["id_token"].as_str().unwrap();
    let claims = verify(&browser, id_token);
    assert_eq!(claims["iss"], DEFAULT_URL);
    assert_eq!(claims["aud"], CLIENT_ID);
    assert_eq!(claims["sub"], AVA);
    assert_eq!(claims["nonce"], "nonce-1");
    assert_eq!(claims["email"], "ava.mitchell@northwind.example");
    assert_eq!(claims["org_id"], QUARRY);

    let info = browser.userinfo(access).ok();
    assert_eq!(info["object"], "oauth_user_info");
    assert_eq!(info["name"], "Ava Mitchell");
    assert_eq!(info["email_verified"], true);
    assert_eq!(info["public_metadata"]["role"], "admin");
    assert_eq!(info["org_slug"], "quarry-and-sons");
    assert!(info.get("private_metadata").is_none());
}

#[test]
fn scopes_decide_what_is_told() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let tokens = browser.tokens("email", AVA);
    assert!(tokens.get("id_token").is_none());
    let info = browser
        .userinfo(tokens["access_token"].as_str().unwrap())
        .ok();
    let mut names: Vec<&str> = info
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "email",
            "email_verified",
            "instance_id",
            "object",
            "sub",
            "user_id"
        ]
    );

    let parameters = [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("state", STATE),
    ];
    let code = browser.authorize(&parameters, AVA).answer()["code"].clone();
    assert_eq!(browser.exchange(&code).ok()["scope"], "profile email");
}

#[test]
fn the_organization_is_one_of_the_persons_own() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let page = browser.authorize_in(&request("user:org:read"), LUCAS, Some(NORTHWIND));
    assert_eq!(page.status, 404, "{}", page.text);
    assert!(page.text.contains("organization_not_found_or_unauthorized"));

    let alone = Browser::new(&fixture);
    let tokens = alone.tokens("openid user:org:read", RUBY);
    assert!(
        claims(tokens["access_token"].as_str().unwrap())
            .get("org_id")
            .is_none()
    );

    let member = Browser::new(&fixture);
    let answer = member
        .authorize_in(&request("user:org:read"), AVA, Some(QUARRY))
        .answer();
    let tokens = member.exchange(&answer["code"]).ok();
    assert_eq!(
        claims(tokens["access_token"].as_str().unwrap())["org_id"],
        QUARRY
    );
    fixture
        .delete(&format!("/v1/organizations/{QUARRY}/memberships/{AVA}"))
        .ok();
    let tokens = member
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .ok();
    assert!(
        claims(tokens["access_token"].as_str().unwrap())
            .get("org_id")
            .is_none()
    );
}

#[test]
fn denying_goes_back_to_the_client() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    browser.post("/sign-in", &[("user_id", AVA)]);
    let mut fields = request("profile");
    fields.push(("decision", "deny"));
    let answer = browser.post("/oauth/consent", &fields).answer();
    assert_eq!(answer["error"], "access_denied");
    assert_eq!(answer["state"], STATE);
    assert_eq!(answer["iss"], DEFAULT_URL);
    assert!(!answer.contains_key("code"));
}

#[test]
fn what_was_allowed_is_not_asked_again() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    browser.code("openid profile", AVA);
    let straight = browser.get(&authorize_uri(&request("profile")));
    assert!(straight.answer().contains_key("code"));
    let more = browser.get(&authorize_uri(&request("profile email")));
    assert!(more.location().starts_with("/oauth/consent?"));
    let mut forced = request("profile");
    forced.push(("prompt", "consent"));
    assert!(
        browser
            .get(&authorize_uri(&forced))
            .location()
            .starts_with("/oauth/consent?")
    );
    // Another person has not allowed anything.
    browser.post("/sign-in", &[("user_id", LUCAS)]);
    let other = browser.get(&authorize_uri(&request("profile")));
    assert!(other.location().starts_with("/oauth/consent?"));
}

#[test]
fn prompts_are_followed() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let with = |prompt| {
        let mut parameters = request("profile");
        parameters.push(("prompt", prompt));
        browser.get(&authorize_uri(&parameters))
    };
    assert_eq!(with("none").answer()["error"], "login_required");
    browser.post("/sign-in", &[("user_id", AVA)]);
    assert_eq!(with("none").answer()["error"], "consent_required");
    assert!(with("login").location().starts_with("/sign-in?"));
    assert_eq!(with("none login").answer()["error"], "invalid_request");
    browser.code("profile", AVA);
    assert!(with("none").answer().contains_key("code"));
}

#[test]
fn a_request_without_a_known_place_to_answer_is_shown_and_never_redirected() {
    let fixture = Fixture::new();
    for (change, code) in [
        (("client_id", "nobody"), "invalid_client"),
        (
            ("redirect_uri", "http://127.0.0.1:8788/callback/"),
            "invalid_request",
        ),
        (
            ("redirect_uri", "https://evil.example/callback"),
            "invalid_request",
        ),
        (("redirect_uri", ""), "invalid_request"),
        (("client_id", ""), "invalid_request"),
    ] {
        let mut parameters = request("profile");
        for parameter in &mut parameters {
            if parameter.0 == change.0 {
                *parameter = change;
            }
        }
        let page = Browser::plain(&fixture).get(&authorize_uri(&parameters));
        assert!(page.headers.get("location").is_none());
        assert_eq!(page.json["error"], code, "{change:?}");
        let page = Browser::new(&fixture).get(&authorize_uri(&parameters));
        assert!(
            matches!(page.status, 400 | 401) && page.text.contains("<h1>"),
            "{}",
            page.text
        );
    }
    let twice = format!(
        "{}&client_id={CLIENT_ID}",
        authorize_uri(&request("profile"))
    );
    Browser::plain(&fixture)
        .get(&twice)
        .refused(400, "invalid_request");
}

#[test]
fn other_mistakes_go_back_to_the_client() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let short = "x".repeat(42);
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "unsupported_response_mode"),
        (("state", "short"), "invalid_state"),
        (("scope", "private_metadata"), "invalid_scope"),
        (("scope", "made:up"), "invalid_scope"),
        (("prompt", "create"), "invalid_request"),
        (("code_challenge", "x"), "invalid_request"),
        (("code_challenge_method", "S256"), "invalid_request"),
        (("code_challenge", &short), "invalid_request"),
    ] {
        let mut parameters = request("profile");
        parameters.retain(|(name, _)| *name != change.0);
        parameters.push(change);
        let answer = browser.get(&authorize_uri(&parameters)).answer();
        assert_eq!(answer["error"], error, "{change:?}: {answer:?}");
        assert_eq!(answer["iss"], DEFAULT_URL);
    }
    let mut plain = request("profile");
    let value = challenge(VERIFIER);
    plain.extend([
        ("code_challenge", value.as_str()),
        ("code_challenge_method", "plain"),
    ]);
    assert_eq!(
        browser.get(&authorize_uri(&plain)).answer()["error"],
        "invalid_request"
    );
}

#[test]
fn the_answer_can_be_posted_by_a_form() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let mut parameters = request("profile");
    parameters.push(("response_mode", "form_post"));
    let page = browser.authorize(&parameters, AVA);
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains(&format!("action=\"{CALLBACK}\"")),
        "{}",
        page.text
    );
    for name in ["code", "state", "iss"] {
        assert!(
            page.text
                .contains(&format!("type=\"hidden\" name=\"{name}\""))
        );
    }
    let posted = browser.post("/oauth/authorize", &request("profile"));
    assert!(posted.answer().contains_key("code"));
}

#[test]
fn a_consent_page_of_ones_own_uses_the_frontend_api() {
    let fixture = Fixture::new();
    let plain = Browser::plain(&fixture);
    let uri = format!("/v1/me/oauth/consent/{CLIENT_ID}");
    plain.get(&uri).clerk_refused(401, "authentication_invalid");
    plain.post("/sign-in", &[("user_id", AVA)]);
    let info = plain.get(&format!("{uri}?scope=openid%20email")).ok();
    assert_eq!(info["oauth_application_name"], "clerk-mcp");
    assert_eq!(info["scopes"].as_array().unwrap().len(), 2);
    assert_eq!(info["redirect_domain"], Value::Null);
    plain
        .get("/v1/me/oauth/consent/nobody")
        .clerk_refused(404, "resource_not_found");

    let mut fields = request("user:org:read");
    fields.remove(1);
    fields.extend([("consented", "true"), ("organization_id", QUARRY)]);
    let answer = plain.post(&uri, &fields).answer();
    let tokens = plain.exchange(&answer["code"]).ok();
    assert_eq!(
        claims(tokens["access_token"].as_str().unwrap())["org_id"],
        QUARRY
    );
    fields.retain(|(name, _)| *name != "consented");
    assert_eq!(plain.post(&uri, &fields).answer()["error"], "access_denied");
}
