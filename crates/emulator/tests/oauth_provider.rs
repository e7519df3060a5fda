//! The OAuth provider: authorization, tokens, and what is done with them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use clerk_mcp_emulator::{DEFAULT_URL, Emulator};
use common::browser::{
    Browser, CALLBACK, CLIENT_ID, CLIENT_SECRET, STATE, VERIFIER, authorize_uri, challenge, claims,
    header, request,
};
use common::{AVA, DAY, Fixture, LUCAS, NORTHWIND, OLIVER, QUARRY, RUBY, TestRandom, seed};
use http::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

const ALL: &str = "openid profile email offline_access user:org:read public_metadata";

/// Verifies a token by the published key set.
#[track_caller]
fn verify(browser: &Browser<'_>, token: &str) -> Value {
    let keys = browser.get("/.well-known/jwks.json").ok();
    let key = &keys["keys"][0];
    assert_eq!(header(token)["kid"], key["kid"]);
    let text = |name: &str| key[name].as_str().unwrap();
    let key = DecodingKey::from_rsa_components(text("n"), text("e")).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<Value>(token, &key, &validation)
        .unwrap()
        .claims
}

#[test]
fn clients_discover_the_endpoints() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    let document = browser.get("/.well-known/openid-configuration").ok();
    assert_eq!(document["issuer"], DEFAULT_URL);
    assert_eq!(
        document["token_endpoint"],
        format!("{DEFAULT_URL}/oauth/token")
    );
    assert_eq!(
        document["code_challenge_methods_supported"],
        json!(["S256"])
    );
    let document = browser.get("/.well-known/oauth-authorization-server").ok();
    assert_eq!(document["issuer"], DEFAULT_URL);
    assert!(document.get("registration_endpoint").is_none());
    assert!(
        document["scopes_supported"]
            .as_array()
            .unwrap()
            .contains(&json!("user:org:read"))
    );

    fixture.patch(
        "/v1/instance/oauth_application_settings",
        json!({ "dynamic_oauth_client_registration": true, "client_id_metadata_documents_advertised": true }),
    ).ok();
    fixture
        .patch(
            "/v1/instance/organization_settings",
            json!({ "enabled": false }),
        )
        .ok();
    let document = browser.get("/.well-known/oauth-authorization-server").ok();
    assert_eq!(
        document["registration_endpoint"],
        format!("{DEFAULT_URL}/oauth/register")
    );
    assert_eq!(document["client_id_metadata_document_supported"], true);
    assert!(
        !document["scopes_supported"]
            .as_array()
            .unwrap()
            .contains(&json!("user:org:read"))
    );
}

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
fn clients_register_themselves_where_the_instance_lets_them() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let plain = Browser::plain(&fixture);
    let register = |body: Value| {
        let headers = [("content-type", "application/json")];
        plain.send(Method::POST, "/oauth/register", &body.to_string(), &headers)
    };
    let public = json!({
        "redirect_uris": ["http://127.0.0.1:9000/cb"], "client_name": "<b>Inspector</b>",
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"],
    });
    register(public.clone()).clerk_refused(422, "dynamic_client_registration_disabled");
    fixture
        .patch(
            "/v1/instance/oauth_application_settings",
            json!({ "dynamic_oauth_client_registration": true }),
        )
        .ok();
    let made = register(public);
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.json.get("client_secret").is_none());
    assert_eq!(made.json["scope"], "profile email");
    let confidential =
        register(json!({ "redirect_uris": ["https://example.com/cb"], "scope": "openid" }));
    assert_eq!(
        confidential.json["token_endpoint_auth_method"],
        "client_secret_basic"
    );
    assert!(confidential.json["client_secret"].is_string());
    register(json!({})).refused(400, "invalid_redirect_uri");
    register(json!({ "redirect_uris": ["nonsense"] })).refused(400, "invalid_redirect_uri");
    register(json!({ "redirect_uris": ["javascript:alert(1)"] }))
        .refused(400, "invalid_redirect_uri");
    register(json!({ "redirect_uris": 7 })).refused(400, "invalid_client_metadata");
    let bad = json!({ "redirect_uris": ["https://example.com/cb"], "scope": "made:up" });
    register(bad).refused(400, "invalid_client_metadata");
    let bad = json!({ "redirect_uris": ["https://example.com/cb"], "token_endpoint_auth_method": "private_key_jwt" });
    register(bad).refused(400, "invalid_client_metadata");

    // Consent is always asked, and says that nobody checked the name.
    let id = made.json["client_id"].as_str().unwrap();
    let mut parameters = request("profile");
    parameters[1].1 = id;
    parameters[2].1 = "http://127.0.0.1:9000/cb";
    assert!(
        browser
            .authorize(&parameters, AVA)
            .answer()
            .contains_key("code")
    );
    let again = browser.get(&authorize_uri(&parameters));
    let page = browser.get(again.location());
    assert!(page.text.contains("registered itself"));
    assert!(page.text.contains("&lt;b&gt;Inspector&lt;/b&gt;") && !page.text.contains("<b>"));
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

#[test]
fn browsers_may_call_the_endpoints_from_other_origins() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    let question = browser.send(
        Method::OPTIONS,
        "/oauth/token",
        "",
        &[("origin", "http://localhost:6274")],
    );
    assert_eq!(question.status, 204);
    assert_eq!(question.headers["access-control-allow-origin"], "*");
    let refused = browser.post("/oauth/token", &[]);
    assert_eq!(refused.headers["access-control-allow-origin"], "*");
    let pages = browser.get("/sign-in");
    assert!(pages.headers.get("access-control-allow-origin").is_none());
}

#[test]
fn the_server_beside_the_emulator_brings_its_own_redirect_uri() {
    let fixture = Fixture::new();
    let emulator = &fixture.emulator;
    assert_eq!(emulator.publishable_key(), "pk_test_MTI3LjAuMC4xOjg3ODkk");
    let uri = "http://127.0.0.1:9999/callback";
    emulator
        .ensure_oauth_application(CLIENT_ID, Some("another-secret"), &[uri])
        .unwrap();
    emulator
        .ensure_oauth_application("mine", None, &[uri])
        .unwrap();
    let found = fixture
        .get(&format!("/v1/oauth_applications?name_query={CLIENT_ID}"))
        .ok();
    assert_eq!(found["total_count"], 1);
    assert_eq!(
        found["data"][0]["redirect_uris"].as_array().unwrap().len(),
        3
    );
    let mine = fixture.get("/v1/oauth_applications?name_query=mine").ok();
    assert_eq!(mine["data"][0]["public"], true);
    fixture.post("/_emulator/reset", json!({})).ok();
    let mine = fixture.get("/v1/oauth_applications?name_query=mine").ok();
    assert_eq!(
        mine["data"][0]["redirect_uris"],
        json!([uri]),
        "a reset keeps it"
    );
    let wrong = emulator
        .ensure_oauth_application("bad", None, &["nonsense"])
        .unwrap_err();
    assert!(wrong.to_string().contains("nonsense"));

    let people = emulator.people();
    assert_eq!(people.len(), 30);
    assert_eq!(people[0].user_id, AVA);
    assert_eq!(people[0].name, "Ava Mitchell");
    assert_eq!(people[0].role.as_deref(), Some("admin"));
    let premium = people
        .iter()
        .find(|person| person.role.as_deref() == Some("premium"));
    assert_eq!(premium.unwrap().user_id, LUCAS);
    assert!(
        people
            .iter()
            .find(|person| person.user_id == OLIVER)
            .unwrap()
            .barred
    );
}

#[test]
fn seeds_describe_applications_and_switches() {
    let fixture = Fixture::seeded(&seed(
        r#"
        [instance]
        dynamic_oauth_client_registration = true
        oauth_jwt_access_tokens = false
        auto_sign_in = "ada@example.com"
        [[users]]
        email_addresses = ["ada@example.com"]
        [[oauth_applications]]
        name = "Mine"
        client_id = "mine"
        redirect_uris = ["http://127.0.0.1:8788/callback"]
        scopes = ["openid", "tasks:read"]
        "#,
    ));
    let settings = fixture.get("/v1/instance/oauth_application_settings").ok();
    assert_eq!(settings["dynamic_oauth_client_registration"], true);
    assert_eq!(settings["oauth_jwt_access_tokens"], false);
    let browser = Browser::new(&fixture);
    let mut parameters = request("openid tasks:read");
    parameters[1].1 = "mine";
    let value = challenge(VERIFIER);
    parameters.extend([
        ("code_challenge", value.as_str()),
        ("code_challenge_method", "S256"),
    ]);
    let answer = browser.get(&authorize_uri(&parameters)).answer();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &*answer["code"]),
        ("redirect_uri", CALLBACK),
        ("client_id", "mine"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(
        browser.post("/oauth/token", &fields).ok()["scope"],
        "openid tasks:read"
    );
}

#[test]
fn seeds_of_applications_that_cannot_be_are_named() {
    for (text, part) in [
        (
            "client_id = \"a b\"\nredirect_uris = [\"https://x.example/\"]",
            "client_id",
        ),
        ("client_id = \"a\"\nredirect_uris = []", "redirect URI"),
        (
            "client_id = \"a\"\nredirect_uris = [\"nonsense\"]",
            "nonsense",
        ),
        (
            "client_id = \"a\"\nredirect_uris = [\"https://x.example/\"]\nclient_secret = \"\"",
            "client_secret",
        ),
        (
            "client_id = \"a\"\nredirect_uris = [\"https://x.example/\"]\nscopes = [\"a b\"]",
            "scope",
        ),
    ] {
        let seed = seed(&format!("[[oauth_applications]]\nname = \"x\"\n{text}"));
        let clock = Fixture::new().clock;
        let refused = Emulator::new(&seed, clock, Box::new(TestRandom::new()))
            .err()
            .unwrap()
            .to_string();
        assert!(
            refused.contains("oauth_applications[0]") && refused.contains(part),
            "{refused}"
        );
    }
}
