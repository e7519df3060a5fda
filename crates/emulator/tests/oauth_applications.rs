//! OAuth applications, their settings and their tokens in the Backend API.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::browser::{Browser, CALLBACK, CLIENT_ID};
use common::{AVA, DAY, Fixture, NOW, pluck};
use http::Method;
use serde_json::{Value, json};

#[test]
fn applications_are_created_read_changed_and_deleted() {
    let fixture = Fixture::new();
    let made = fixture.post("/v1/oauth_applications", json!({
        "name": "Reports", "redirect_uris": ["https://reports.example/cb"], "scopes": "openid email",
    })).ok();
    let secret = made["client_secret"].as_str().unwrap();
    assert_eq!(secret.len(), 64);
    assert_eq!(made["scopes"], "openid email");
    assert_eq!(made["consent_screen_enabled"], true);
    assert_eq!(made["public"], false);
    let uri = format!("/v1/oauth_applications/{}", made["id"].as_str().unwrap());
    let read = fixture.get(&uri).ok();
    assert!(read.get("client_secret").is_none());
    let changed = fixture.patch(&uri, json!({
        "name": "Reports 2", "redirect_uris": ["myapp://cb", "https://reports.example/cb2"], "pkce_required": true,
        "consent_screen_enabled": false, "scopes": "profile",
    })).ok();
    assert_eq!(changed["name"], "Reports 2");
    assert_eq!(changed["callback_url"], "myapp://cb");
    assert_eq!(changed["pkce_required"], true);
    assert_eq!(changed["consent_screen_enabled"], false);
    assert_eq!(changed["scopes"], "profile");
    assert!(changed.get("client_secret").is_none());

    let rotated = fixture
        .post(&format!("{uri}/rotate_secret"), json!({}))
        .ok();
    assert_ne!(rotated["client_secret"], secret);
    let list = fixture.get("/v1/oauth_applications?order_by=name").ok();
    assert_eq!(pluck(&list, "name"), ["Reports 2", "clerk-mcp"]);
    assert!(!list.to_string().contains("client_secret"));
    let found = fixture
        .get(&format!("/v1/oauth_applications?name_query={CLIENT_ID}"))
        .ok();
    assert_eq!(pluck(&found, "client_id"), [CLIENT_ID]);

    fixture.patch(&uri, json!({ "public": true })).ok();
    assert_eq!(
        fixture
            .post(&format!("{uri}/rotate_secret"), json!({}))
            .ok()["client_secret"],
        ""
    );
    assert_eq!(fixture.delete(&uri).ok()["deleted"], true);
    fixture.get(&uri).refused(404, "resource_not_found");
    fixture.delete(&uri).refused(404, "resource_not_found");
}

#[test]
fn wrong_applications_are_refused() {
    let fixture = Fixture::new();
    for (body, code) in [
        (json!({ "redirect_uris": [CALLBACK] }), "form_param_missing"),
        (json!({ "name": "x" }), "form_param_missing"),
        (
            json!({ "name": "x", "redirect_uris": ["no url"] }),
            "form_param_format_invalid",
        ),
        (
            json!({ "name": "x", "redirect_uris": ["https://x.example/#fragment"] }),
            "form_param_format_invalid",
        ),
        (
            json!({ "name": "x".repeat(257), "redirect_uris": [CALLBACK] }),
            "form_param_max_length_exceeded",
        ),
        (
            json!({ "name": "x", "redirect_uris": [CALLBACK], "scopes": "a\"b" }),
            "form_param_value_invalid",
        ),
        (
            json!({ "name": "x", "redirect_uris": [CALLBACK], "public": "yes" }),
            "form_param_type_invalid",
        ),
    ] {
        fixture
            .post("/v1/oauth_applications", body)
            .refused(422, code);
    }
    let list = fixture.get("/v1/oauth_applications").ok();
    let uri = format!(
        "/v1/oauth_applications/{}",
        list["data"][0]["id"].as_str().unwrap()
    );
    fixture
        .patch(&uri, json!({ "unknown": 1 }))
        .refused(422, "form_param_unknown");
    fixture
        .patch(&uri, json!({ "redirect_uris": [] }))
        .refused(422, "form_param_nil");
    let keyless = Fixture::new().with_authorization(None);
    keyless
        .get("/v1/oauth_applications")
        .refused(401, "authentication_invalid");
}

#[test]
fn settings_are_switched_one_by_one() {
    let fixture = Fixture::new();
    let uri = "/v1/instance/oauth_application_settings";
    let before = fixture.get(uri).ok();
    assert_eq!(before["dynamic_oauth_client_registration"], false);
    assert_eq!(before["oauth_jwt_access_tokens"], true);
    let after = fixture.patch(uri, json!({ "default_scopes": ["openid", "openid", "email"], "oauth_jwt_access_tokens": null })).ok();
    assert_eq!(after["default_scopes"], json!(["openid", "email"]));
    assert_eq!(after["oauth_jwt_access_tokens"], true);
    let reset = fixture.patch(uri, json!({ "default_scopes": null })).ok();
    assert_eq!(reset["default_scopes"], Value::Null);
    fixture
        .patch(uri, json!({ "default_scopes": [""] }))
        .refused(422, "form_param_value_invalid");
    fixture
        .patch(uri, json!({ "nonsense": true }))
        .refused(422, "form_param_unknown");
}

#[test]
fn access_tokens_are_verified_with_and_without_the_version() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let tokens = browser.tokens("openid email", AVA);
    let access = &tokens["access_token"];
    for uri in [
        "/v1/oauth_applications/access_tokens/verify",
        "/oauth_applications/access_tokens/verify",
    ] {
        let token = fixture.post(uri, json!({ "access_token": access })).ok();
        assert_eq!(token["object"], "clerk_idp_oauth_access_token");
        assert_eq!(token["client_id"], CLIENT_ID);
        assert_eq!(token["subject"], AVA);
        assert_eq!(token["scopes"], json!(["openid", "email"]));
        assert_eq!(token["expired"], false);
        assert_eq!(token["expiration"], NOW + DAY);
        fixture.post(uri, json!({ "secret": access })).ok();
        fixture
            .post(uri, json!({ "access_token": "oat_nothing" }))
            .refused(404, "resource_not_found");
        fixture
            .post(uri, json!({ "access_token": tokens["refresh_token"] }))
            .refused(404, "resource_not_found");
        fixture
            .post(uri, json!({ "access_token": tokens["id_token"] }))
            .refused(404, "resource_not_found");
    }
    fixture.advance(DAY);
    let uri = "/oauth_applications/access_tokens/verify";
    assert_eq!(
        fixture.post(uri, json!({ "access_token": access })).ok(),
        json!({ "active": false })
    );
}

#[test]
fn opaque_tokens_expire_and_are_revoked() {
    let fixture = Fixture::new();
    fixture
        .patch(
            "/v1/instance/oauth_application_settings",
            json!({ "oauth_jwt_access_tokens": false }),
        )
        .ok();
    let browser = Browser::new(&fixture);
    let tokens = browser.tokens("openid", AVA);
    let uri = "/v1/oauth_applications/access_tokens/verify";
    let verify = || {
        fixture
            .post(uri, json!({ "access_token": tokens["access_token"] }))
            .ok()
    };
    assert_eq!(verify()["revoked"], false);
    fixture.advance(DAY);
    assert_eq!(verify()["expired"], true);
    let list = fixture.get("/v1/oauth_applications").ok();
    let id = list["data"][0]["id"].as_str().unwrap().to_owned();
    let revoke = |token: &Value| {
        let uri = format!("/v1/oauth_applications/{id}/revoke_token");
        fixture.reply(
            Method::POST,
            &uri,
            json!({ "token": token }).to_string().into(),
        )
    };
    let status = |token: &Value| match revoke(token).answer {
        clerk_mcp_emulator::Answer::Response(response) => response.status().as_u16(),
        clerk_mcp_emulator::Answer::DropConnection => 0,
    };
    assert_eq!(status(&json!("made up")), 404);
    assert_eq!(status(&tokens["refresh_token"]), 204);
    assert_eq!(verify()["revoked"], true);
    assert_eq!(status(&tokens["refresh_token"]), 404);
}

#[test]
fn a_deleted_application_takes_its_tokens_along() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let tokens = browser.tokens("openid", AVA);
    let list = fixture.get("/v1/oauth_applications").ok();
    fixture
        .delete(&format!(
            "/v1/oauth_applications/{}",
            list["data"][0]["id"].as_str().unwrap()
        ))
        .ok();
    browser
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .refused(401, "invalid_client");
    browser
        .userinfo(tokens["access_token"].as_str().unwrap())
        .clerk_refused(401, "oauth_token_invalid");
}
