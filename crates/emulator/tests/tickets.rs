//! Actor tokens and sign-in tokens, and the Frontend API that takes them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::browser::{Browser, Page, claims};
use common::{AVA, DAY, FJORD, Fixture, LIAM, NOAH, NORTHWIND, PRIYA};
use http::Method;
use serde_json::{Value, json};

fn actor_token(fixture: &Fixture) -> Value {
    let body = json!({ "user_id": AVA, "actor": { "sub": PRIYA, "reason": "ticket 7" } });
    fixture.post("/v1/actor_tokens", body).ok()
}

/// A native application: the header is its only memory.
struct Native<'a>(Browser<'a>, std::cell::RefCell<String>);

impl Native<'_> {
    #[track_caller]
    fn send(&self, method: Method, path: &str, body: &str) -> Page {
        let uri = format!("{path}?_is_native=1");
        let token = self.1.borrow().clone();
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let page = self.0.send(method, &uri, body, &headers);
        assert!(page.headers.get("set-cookie").is_none());
        if let Some(token) = page.headers.get("authorization") {
            *self.1.borrow_mut() = token.to_str().unwrap().to_owned();
        }
        page
    }

    #[track_caller]
    fn post(&self, path: &str, body: &str) -> Page {
        self.send(Method::POST, path, body)
    }
}

fn native(fixture: &Fixture) -> Native<'_> {
    Native(Browser::plain(fixture), std::cell::RefCell::default())
}

#[test]
fn an_actor_token_starts_a_session_that_names_the_actor() {
    let fixture = Fixture::new();
    let made = actor_token(&fixture);
    assert_eq!(made["object"], "actor_token");
    assert_eq!(made["status"], "pending");
    assert_eq!(made["actor"]["sub"], PRIYA);
    let ticket = made["token"].as_str().unwrap();
    assert!(
        made["url"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/v1/tickets/accept?ticket={ticket}"))
    );

    let app = native(&fixture);
    let body = format!("strategy=ticket&ticket={ticket}");
    let signed_in = app.post("/v1/client/sign_ins", &body).ok();
    assert_eq!(signed_in["response"]["status"], "complete");
    assert_eq!(
        signed_in["response"]["identifier"],
        "ava.mitchell@northwind.example"
    );
    let id = signed_in["response"]["created_session_id"]
        .as_str()
        .unwrap();
    let session = &signed_in["client"]["sessions"][0];
    assert_eq!(session["id"], id);
    assert_eq!(session["actor"]["reason"], "ticket 7");
    assert_eq!(session["user"]["id"], AVA);
    assert!(session["user"].get("private_metadata").is_none());
    let jwt = session["last_active_token"]["jwt"].as_str().unwrap();
    assert_eq!(claims(jwt)["act"]["sub"], PRIYA);

    let path = format!("/v1/client/sessions/{id}");
    let token = app.post(&format!("{path}/tokens"), "").ok();
    assert_eq!(
        claims(token["jwt"].as_str().unwrap())["act"]["reason"],
        "ticket 7"
    );
    assert_eq!(claims(token["jwt"].as_str().unwrap())["sub"], AVA);
    app.post(&format!("{path}/tokens/missing"), "")
        .clerk_refused(404, "resource_not_found");
    assert_eq!(
        fixture.get(&format!("/v1/sessions/{id}")).ok()["actor"]["sub"],
        PRIYA
    );

    // Used once, it is used up, and cannot be revoked.
    native(&fixture)
        .post("/v1/client/sign_ins", &body)
        .clerk_refused(400, "actor_token_already_used_code");
    let uri = format!("/v1/actor_tokens/{}/revoke", made["id"].as_str().unwrap());
    fixture
        .post(&uri, json!({}))
        .refused(400, "actor_token_already_used_code");
    // The Backend API ends the session.
    fixture
        .post(&format!("/v1/sessions/{id}/revoke"), json!({}))
        .ok();
    app.post(&format!("{path}/tokens"), "")
        .clerk_refused(404, "resource_not_found");
}

#[test]
fn an_impersonation_ends_by_itself() {
    let fixture = Fixture::new();
    let sign_in = |app: &Native<'_>| {
        let made = actor_token(&fixture);
        let body = format!("strategy=ticket&ticket={}", made["token"].as_str().unwrap());
        let answer = app.post("/v1/client/sign_ins", &body).ok();
        answer["response"]["created_session_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let idle = native(&fixture);
    let id = sign_in(&idle);
    fixture.advance(600_000);
    idle.post(&format!("/v1/client/sessions/{id}/tokens"), "")
        .clerk_refused(404, "resource_not_found");

    let busy = native(&fixture);
    let id = sign_in(&busy);
    for _ in 0..3 {
        fixture.advance(540_000);
        let touched = busy
            .post(&format!("/v1/client/sessions/{id}/touch"), "")
            .ok();
        assert_eq!(touched["response"]["status"], "active");
    }
    fixture.advance(180_000);
    busy.post(&format!("/v1/client/sessions/{id}/touch"), "")
        .clerk_refused(404, "resource_not_found");
    assert_eq!(
        fixture.get(&format!("/v1/sessions/{id}")).ok()["status"],
        "expired"
    );
}

#[test]
fn tickets_are_refused_with_a_reason() {
    let fixture = Fixture::new();
    let app = native(&fixture);
    let try_it = |ticket: &Value| {
        app.post(
            "/v1/client/sign_ins",
            &format!("strategy=ticket&ticket={}", ticket.as_str().unwrap()),
        )
    };
    let revoked = actor_token(&fixture);
    let uri = format!(
        "/v1/actor_tokens/{}/revoke",
        revoked["id"].as_str().unwrap()
    );
    let answer = fixture.post(&uri, json!({})).ok();
    assert_eq!(answer["status"], "revoked");
    assert!(answer.get("token").is_none());
    fixture
        .post(&uri, json!({}))
        .refused(400, "actor_token_revoked_code");
    fixture
        .post("/v1/actor_tokens/act_nothing/revoke", json!({}))
        .refused(404, "resource_not_found");
    try_it(&revoked["token"]).clerk_refused(400, "actor_token_revoked_code");
    let late = actor_token(&fixture);
    fixture.advance(3_600_000);
    try_it(&late["token"]).clerk_refused(400, "ticket_expired_code");
    try_it(&json!("nonsense")).clerk_refused(400, "ticket_invalid_code");
    app.post("/v1/client/sign_ins", "")
        .clerk_refused(422, "form_param_missing");
    app.post("/v1/client/sign_ins", "strategy=password")
        .clerk_refused(422, "form_param_value_invalid");
    app.post("/v1/client/sign_ins", "strategy=ticket")
        .clerk_refused(422, "form_param_missing");

    let banned = fixture
        .post("/v1/sign_in_tokens", json!({ "user_id": LIAM }))
        .ok();
    try_it(&banned["token"]).clerk_refused(403, "user_banned");
    for (body, code) in [
        (json!({ "actor": { "sub": PRIYA } }), "form_param_missing"),
        (json!({ "user_id": AVA }), "form_param_missing"),
        (json!({ "user_id": AVA, "actor": {} }), "form_param_missing"),
        (
            json!({ "user_id": "user_nobody", "actor": { "sub": PRIYA } }),
            "form_resource_not_found",
        ),
        (
            json!({ "user_id": AVA, "actor": { "sub": PRIYA }, "expires_in_seconds": 0 }),
            "form_param_value_invalid",
        ),
    ] {
        fixture.post("/v1/actor_tokens", body).refused(422, code);
    }
}

#[test]
fn a_sign_in_token_signs_in_and_may_choose_the_organization() {
    let fixture = Fixture::new();
    let made = fixture
        .post(
            "/v1/sign_in_tokens",
            json!({ "user_id": PRIYA, "org_id": NORTHWIND }),
        )
        .ok();
    assert_eq!(made["object"], "sign_in_token");
    let app = native(&fixture);
    fixture.advance(29 * DAY);
    let body = format!("strategy=ticket&ticket={}", made["token"].as_str().unwrap());
    let signed_in = app.post("/v1/client/sign_ins", &body).ok();
    let session = &signed_in["client"]["sessions"][0];
    assert_eq!(session["actor"], Value::Null);
    assert_eq!(session["last_active_organization_id"], NORTHWIND);
    let id = session["id"].as_str().unwrap();
    let path = format!("/v1/client/sessions/{id}");
    let left = app
        .post(&format!("{path}/touch"), "active_organization_id=")
        .ok();
    assert_eq!(left["response"]["last_active_organization_id"], Value::Null);
    let other = format!("active_organization_id={FJORD}");
    app.post(&format!("{path}/touch"), &other)
        .clerk_refused(404, "organization_not_found_or_unauthorized");
    let token = app
        .post(
            &format!("{path}/tokens"),
            &format!("organization_id={NORTHWIND}"),
        )
        .ok();
    assert_eq!(claims(token["jwt"].as_str().unwrap())["o"]["id"], NORTHWIND);

    let client = app.send(Method::GET, "/v1/client", "").ok();
    assert_eq!(client["response"]["last_active_session_id"], id);
    let ended = app.post(&format!("{path}/end"), "").ok();
    assert_eq!(ended["response"]["status"], "ended");
    assert_eq!(ended["client"]["sessions"], json!([]));
    let revoked = fixture
        .post("/v1/sign_in_tokens", json!({ "user_id": PRIYA }))
        .ok();
    let uri = format!(
        "/v1/sign_in_tokens/{}/revoke",
        revoked["id"].as_str().unwrap()
    );
    assert_eq!(fixture.post(&uri, json!({})).ok()["status"], "revoked");
    fixture
        .post(
            "/v1/sign_in_tokens",
            json!({ "user_id": PRIYA, "org_id": FJORD }),
        )
        .refused(404, "organization_not_found_or_unauthorized");
}

#[test]
fn a_sign_in_token_is_no_second_factor_and_an_actor_token_needs_none() {
    let fixture = Fixture::new();
    let made = fixture
        .post("/v1/sign_in_tokens", json!({ "user_id": AVA }))
        .ok();
    let ticket = made["token"].as_str().unwrap();
    let app = native(&fixture);
    let body = format!("strategy=ticket&ticket={ticket}");
    let asked = app.post("/v1/client/sign_ins", &body).ok();
    let sign_in = &asked["response"];
    assert_eq!(sign_in["status"], "needs_second_factor");
    assert_eq!(
        sign_in["supported_second_factors"],
        json!([{ "strategy": "totp" }])
    );
    assert_eq!(sign_in["created_session_id"], Value::Null);
    let path = format!("/v1/sessions?user_id={AVA}&status=active");
    let sessions = fixture.get(&path).ok();
    let own = sessions.as_array().unwrap().len();
    app.post("/v1/client/sign_ins", &body)
        .clerk_refused(400, "sign_in_token_already_used_code");

    let acting = actor_token(&fixture);
    let body = format!(
        "strategy=ticket&ticket={}",
        acting["token"].as_str().unwrap()
    );
    let signed_in = app.post("/v1/client/sign_ins", &body).ok();
    assert_eq!(signed_in["response"]["status"], "complete");
    let sessions = fixture.get(&path).ok();
    assert_eq!(sessions.as_array().unwrap().len(), own + 1);
}

#[test]
fn nobody_else_uses_a_clients_sessions() {
    let fixture = Fixture::new();
    let made = fixture
        .post("/v1/sign_in_tokens", json!({ "user_id": NOAH }))
        .ok();
    let app = native(&fixture);
    let body = format!("strategy=ticket&ticket={}", made["token"].as_str().unwrap());
    let signed_in = app.post("/v1/client/sign_ins", &body).ok();
    let path = format!(
        "/v1/client/sessions/{}/tokens",
        signed_in["response"]["created_session_id"]
            .as_str()
            .unwrap()
    );
    let stranger = native(&fixture);
    stranger
        .post(&path, "")
        .clerk_refused(401, "authentication_invalid");
    assert_eq!(
        stranger.send(Method::GET, "/v1/client", "").ok()["response"],
        Value::Null
    );
    let other = fixture
        .post("/v1/sign_in_tokens", json!({ "user_id": PRIYA }))
        .ok();
    stranger
        .post(
            "/v1/client/sign_ins",
            &format!(
                "strategy=ticket&ticket={}",
                other["token"].as_str().unwrap()
            ),
        )
        .ok();
    stranger
        .post(&path, "")
        .clerk_refused(404, "resource_not_found");
}

#[test]
fn what_an_impersonator_grants_names_the_actor() {
    let fixture = Fixture::new();
    let made = actor_token(&fixture);
    let browser = Browser::new(&fixture);
    let (_, path) = made["url"].as_str().unwrap().split_once("8789").unwrap();
    let to_sign_in = browser.get(path);
    let page = browser.get(to_sign_in.location());
    browser.submit("/sign-in", &page, &[]);
    let tokens = browser.tokens("openid offline_access", AVA);
    let refreshed = browser.refresh(tokens["refresh_token"].as_str().unwrap());
    for tokens in [&tokens, &refreshed.ok()] {
        for name in ["access_token", "id_token"] {
            let claims = claims(tokens[name].as_str().unwrap());
            assert_eq!(claims["act"]["sub"], PRIYA, "{name}");
            assert_eq!(claims["sub"], AVA, "{name}");
        }
    }
    let verify = |token: &Value| {
        let body = json!({ "access_token": token });
        let uri = "/v1/oauth_applications/access_tokens/verify";
        fixture.post(uri, body).ok()
    };
    assert_eq!(verify(&tokens["access_token"])["act"]["sub"], PRIYA);
    let settings = json!({ "oauth_jwt_access_tokens": false });
    fixture
        .patch("/v1/instance/oauth_application_settings", settings)
        .ok();
    let opaque = browser.tokens("openid", AVA)["access_token"].clone();
    assert_eq!(verify(&opaque)["act"]["sub"], PRIYA);
    let own = Browser::new(&fixture).tokens("openid", AVA)["access_token"].clone();
    assert_eq!(verify(&own).get("act"), None);
}

#[test]
fn the_link_of_a_ticket_works_in_a_browser() {
    let fixture = Fixture::new();
    let made = actor_token(&fixture);
    let browser = Browser::new(&fixture);
    let (_, path) = made["url"].as_str().unwrap().split_once("8789").unwrap();
    let to_sign_in = browser.get(path);
    assert!(
        to_sign_in
            .location()
            .starts_with("/sign-in?__clerk_ticket=")
    );
    let page = browser.get(to_sign_in.location());
    // Looking at it uses nothing up.
    browser.get(to_sign_in.location());
    assert_eq!(browser.submit("/sign-in", &page, &[]).location(), "/");
    assert!(browser.get("/").text.contains("Ava Mitchell"));
    assert_eq!(
        claims(&browser.cookie("__session").unwrap())["act"]["sub"],
        PRIYA
    );
    assert_eq!(browser.get(path).status, 400);
}
