//! API keys.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{AVA, Fixture, NORTHWIND, NOW, PRIYA, pluck};
use http::Method;
use serde_json::{Value, json};

fn create(fixture: &Fixture, body: Value) -> Value {
    fixture.post("/api_keys", body).ok()
}

#[track_caller]
fn verify(fixture: &Fixture, key: &Value) -> common::Response {
    fixture.post("/api_keys/verify", json!({ "secret": key["secret"] }))
}

fn uri(key: &Value) -> String {
    format!("/v1/api_keys/{}", key["id"].as_str().unwrap())
}

#[test]
fn a_key_is_created_verified_changed_and_deleted() {
    let fixture = Fixture::new();
    let wanted = json!({
        "name": "CI", "subject": AVA,
    });
    fixture
        .post("/api_keys", wanted)
        .refused(400, "bad_request");
    let key = create(
        &fixture,
        json!({
            "name": "CI key", "subject": AVA, "description": "for builds", "scopes": ["read", "write"],
            "claims": { "team": 7 }, "created_by": PRIYA, "seconds_until_expiration": 3600,
        }),
    );
    assert_eq!(key["type"], "api_key");
    assert_eq!(key["expiration"], NOW + 3_600_000);
    let verified = verify(&fixture, &key).ok();
    assert_eq!(verified["subject"], AVA);
    assert_eq!(verified["scopes"], json!(["read", "write"]));
    assert_eq!(verified["claims"], json!({ "team": 7 }));
    assert_eq!(verified["last_used_at"], NOW);
    assert!(verified.get("secret").is_none());
    let secret = fixture.get(&format!("{}/secret", uri(&key))).ok();
    assert_eq!(secret, json!({ "secret": key["secret"] }));

    let change = json!({ "scopes": [], "claims": null, "subject": NORTHWIND, "seconds_until_expiration": null });
    let changed = fixture.patch(&uri(&key), change).ok();
    assert_eq!(changed["claims"], Value::Null);
    assert_eq!(changed["scopes"], json!([]));
    assert_eq!(changed["subject"], NORTHWIND);
    assert_eq!(changed["expiration"], Value::Null);
    assert_eq!(changed["description"], "for builds");
    assert_eq!(fixture.get(&uri(&key)).ok()["subject"], NORTHWIND);

    assert_eq!(fixture.delete(&uri(&key)).ok()["deleted"], true);
    verify(&fixture, &key).refused(404, "resource_not_found");
    fixture.get(&uri(&key)).refused(404, "resource_not_found");
}

#[test]
fn revoked_and_expired_keys_are_not_found() {
    let fixture = Fixture::new();
    let revoked = create(&fixture, json!({ "name": "first", "subject": AVA }));
    let expiring = create(
        &fixture,
        json!({ "name": "second", "subject": AVA, "seconds_until_expiration": 60 }),
    );
    let why = json!({ "revocation_reason": "leaked" });
    let answer = fixture.post(&format!("{}/revoke", uri(&revoked)), why).ok();
    assert_eq!(answer["revoked"], true);
    assert_eq!(answer["revocation_reason"], "leaked");
    verify(&fixture, &revoked).refused(404, "resource_not_found");
    verify(&fixture, &expiring).ok();
    let list = format!("/api_keys?subject={AVA}");
    assert_eq!(pluck(&fixture.get(&list).ok(), "name"), ["second"]);
    fixture.advance(60_000);
    verify(&fixture, &expiring).refused(404, "resource_not_found");
    assert_eq!(fixture.get(&list).ok()["total_count"], 0);
    let all = fixture
        .get(&format!("{list}&include_invalid=true&query=FIR"))
        .ok();
    assert_eq!(pluck(&all, "name"), ["first"]);
    assert_eq!(all["data"][0]["expired"], false);
}

#[test]
fn a_key_does_not_outlive_its_owner() {
    let fixture = Fixture::new();
    let key = create(&fixture, json!({ "name": "a key", "subject": PRIYA }));
    verify(&fixture, &key).ok();
    fixture.delete(&format!("/v1/users/{PRIYA}")).ok();
    verify(&fixture, &key).refused(404, "resource_not_found");
}

#[test]
fn wrong_wishes_are_refused() {
    let fixture = Fixture::new();
    let with = |member: &str, value: Value| {
        let mut body = json!({ "name": "a key", "subject": AVA });
        body[member] = value;
        body
    };
    for body in [
        json!({ "name": "a key" }),
        json!({ "subject": AVA }),
        with("name", json!(" x ")),
        with("subject", json!("user_nobody")),
        with("created_by", json!("user_nobody")),
        with("type", json!("k")),
        with("description", json!("x".repeat(256))),
        with("scopes", json!("read")),
        with("seconds_until_expiration", json!(-1)),
        with("secret", json!("mine")),
    ] {
        fixture
            .post("/v1/api_keys", body)
            .refused(400, "bad_request");
    }
    fixture.get("/v1/api_keys").refused(400, "bad_request");
    fixture
        .post("/v1/api_keys/verify", json!({}))
        .refused(400, "bad_request");
    let key = create(&fixture, json!({ "name": "a key", "subject": AVA }));
    fixture
        .patch(&uri(&key), json!({ "name": "other" }))
        .refused(400, "bad_request");
    // The secret of a key is no secret key of the instance.
    let secret = key["secret"].as_str().unwrap();
    fixture
        .send_as(secret, Method::GET, "/v1/users", "")
        .refused(401, "clerk_key_invalid");
}
