//! Machines and their tokens.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::browser::{claims, header};
use common::{Fixture, NOW, Response, pluck};
use http::Method;
use serde_json::{Value, json};

const HOUR: u64 = 3_600_000;

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

#[track_caller]
fn machine(fixture: &Fixture, name: &str, scopes: &[&str]) -> (String, String) {
    let body = json!({ "name": name, "scoped_machines": scopes });
    let made = fixture.post("/v1/machines", body).ok();
    (text(&made, "id"), text(&made, "secret_key"))
}

/// Two machines, of which the first may talk to the second, and one that nobody may talk to.
struct Three {
    fixture: Fixture,
    sender: (String, String),
    receiver: (String, String),
    stranger: (String, String),
}

fn three() -> Three {
    let fixture = Fixture::new();
    let receiver = machine(&fixture, "billing", &[]);
    let stranger = machine(&fixture, "stranger", &[]);
    let sender = machine(&fixture, "orders", &[&receiver.0]);
    Three {
        fixture,
        sender,
        receiver,
        stranger,
    }
}

#[track_caller]
fn send(fixture: &Fixture, key: &str, method: Method, uri: &str, body: &Value) -> Response {
    fixture.send_as(key, method, uri, body.to_string())
}

#[track_caller]
fn made(response: Response) -> Value {
    assert_eq!(response.status, 201, "{}", response.text);
    response.json
}

impl Three {
    #[track_caller]
    fn create(&self, body: Value) -> Response {
        send(
            &self.fixture,
            &self.sender.1,
            Method::POST,
            "/m2m_tokens",
            &body,
        )
    }

    #[track_caller]
    fn verify(&self, key: &str, token: &str) -> Response {
        let body = json!({ "token": token });
        send(
            &self.fixture,
            key,
            Method::POST,
            "/m2m_tokens/verify",
            &body,
        )
    }
}

#[test]
fn machines_are_created_found_changed_and_deleted() {
    let Three {
        fixture,
        sender,
        receiver,
        ..
    } = three();
    let uri = format!("/v1/machines/{}", sender.0);
    let read = fixture.get(&uri).ok();
    assert_eq!(read["default_token_ttl"], 3600);
    assert_eq!(pluck(&read["scoped_machines"], "id"), [receiver.0.as_str()]);
    assert!(read.get("secret_key").is_none());
    assert_eq!(fixture.get("/v1/machines").ok()["total_count"], 3);
    let by_name = fixture.get("/v1/machines?order_by=name").ok();
    assert_eq!(pluck(&by_name, "name"), ["billing", "orders", "stranger"]);
    let found = fixture.get("/v1/machines?query=ORD").ok();
    assert_eq!(pluck(&found, "name"), ["orders"]);
    let found = fixture
        .get(&format!("/v1/machines?query={}", sender.0))
        .ok();
    assert_eq!(found["total_count"], 1);

    let changed = json!({ "name": "Orders", "default_token_ttl": 60 });
    let changed = fixture.patch(&uri, changed).ok();
    assert_eq!(
        (&changed["name"], &changed["default_token_ttl"]),
        (&json!("Orders"), &json!(60))
    );
    for (body, code) in [
        (json!({}), "form_param_missing"),
        (json!({ "name": "" }), "form_param_nil"),
        (
            json!({ "name": "x".repeat(256) }),
            "form_param_max_length_exceeded",
        ),
        (
            json!({ "name": "x", "default_token_ttl": 0 }),
            "form_param_value_invalid",
        ),
        (
            json!({ "name": "x", "scoped_machines": ["mch_no"] }),
            "form_resource_not_found",
        ),
        (
            json!({ "name": "x", "scoped_machines": [receiver.0, receiver.0] }),
            "form_param_duplicate",
        ),
    ] {
        fixture.post("/v1/machines", body).refused(422, code);
    }
    let deleted = fixture.delete(&format!("/v1/machines/{}", receiver.0)).ok();
    assert_eq!(deleted["deleted"], true);
    assert_eq!(fixture.get(&uri).ok()["scoped_machines"], json!([]));
    fixture
        .get(&format!("/v1/machines/{}", receiver.0))
        .refused(404, "resource_not_found");
}

#[test]
fn scopes_come_and_go() {
    let Three {
        fixture,
        sender,
        stranger,
        ..
    } = three();
    let uri = format!("/v1/machines/{}/scopes", sender.0);
    let scope = json!({ "to_machine_id": stranger.0 });
    let made = fixture.post(&uri, scope.clone()).ok();
    assert_eq!(made["object"], "machine_scope");
    assert_eq!(made["from_machine_id"], sender.0);
    fixture
        .post(&uri, scope)
        .refused(409, "machine_scope_already_exists");
    let unknown = json!({ "to_machine_id": "mch_nothing" });
    fixture
        .post(&uri, unknown)
        .refused(422, "form_resource_not_found");
    let one = format!("{uri}/{}", stranger.0);
    assert_eq!(fixture.delete(&one).ok()["deleted"], true);
    fixture.delete(&one).refused(404, "resource_not_found");
}

#[test]
fn an_opaque_token_is_verified_by_the_machines_it_is_for() {
    let three = three();
    let token = made(three.create(json!({ "claims": { "tier": 1 } })));
    assert_eq!(token["subject"], three.sender.0);
    assert_eq!(token["scopes"], json!([three.receiver.0]));
    assert_eq!(token["expiration"], NOW + HOUR);
    let secret = text(&token, "token");
    assert!(secret.starts_with("mt_"));

    let verified = three.verify(&three.receiver.1, &secret).ok();
    assert_eq!(verified["id"], token["id"]);
    assert_eq!(verified["claims"], json!({ "tier": 1 }));
    assert_eq!(verified["last_used_at"], NOW);
    assert!(verified.get("token").is_none());
    // The instance verifies all of them, at the address with the version too.
    let body = json!({ "token": secret });
    let fixture = &three.fixture;
    fixture.post("/v1/m2m_tokens/verify", body).ok();
    three
        .verify(&three.stranger.1, &secret)
        .refused(404, "resource_not_found");
    three
        .verify(&three.receiver.1, "mt_guess")
        .refused(404, "resource_not_found");
    three
        .verify("ak_guess", &secret)
        .refused(401, "clerk_key_invalid");

    fixture.advance(HOUR);
    three
        .verify(&three.receiver.1, &secret)
        .refused(404, "resource_not_found");
}

#[test]
fn a_revoked_token_is_not_found() {
    let three = three();
    let token = made(three.create(json!({})));
    let uri = format!("/m2m_tokens/{}/revoke", text(&token, "id"));
    let reason = json!({ "revocation_reason": "leaked" });
    let fixture = &three.fixture;
    send(fixture, &three.receiver.1, Method::POST, &uri, &reason)
        .refused(404, "resource_not_found");
    let revoked = send(fixture, &three.sender.1, Method::POST, &uri, &reason).ok();
    assert_eq!(revoked["revocation_reason"], "leaked");
    three
        .verify(&three.receiver.1, &text(&token, "token"))
        .refused(404, "resource_not_found");

    let list = format!("/m2m_tokens?subject={}", three.sender.0);
    assert_eq!(fixture.get(&list).ok()["total_count"], 0);
    let all = fixture.get(&format!("{list}&revoked=true")).ok();
    assert_eq!(all["m2m_tokens"][0]["id"], token["id"]);
    let own = send(fixture, &three.sender.1, Method::GET, &list, &Value::Null).ok();
    assert_eq!(own["total_count"], 0);
    send(fixture, &three.receiver.1, Method::GET, &list, &Value::Null)
        .refused(403, "authorization_invalid");
    fixture.get("/m2m_tokens").refused(400, "bad_request");
    fixture
        .get("/m2m_tokens?subject=mch_no")
        .refused(404, "resource_not_found");
    fixture
        .get(&format!("{list}&limit=101"))
        .refused(400, "bad_request");
}

#[test]
fn a_token_with_time_left_is_reused_where_asked_for() {
    let three = three();
    let first = made(three.create(json!({ "claims": [1] })));
    let again = json!({ "claims": [1], "min_remaining_ttl_seconds": 600 });
    assert_eq!(made(three.create(again.clone()))["token"], first["token"]);
    let other = json!({ "claims": [2], "min_remaining_ttl_seconds": 600 });
    assert_ne!(made(three.create(other))["token"], first["token"]);
    assert_ne!(
        made(three.create(json!({ "claims": [1] })))["token"],
        first["token"]
    );
    three.fixture.advance(HOUR - 60_000);
    assert_ne!(made(three.create(again))["token"], first["token"]);
    let too_long = json!({ "min_remaining_ttl_seconds": 60, "seconds_until_expiration": 60 });
    three.create(too_long).refused(400, "bad_request");
}

#[test]
fn a_jwt_is_signed_and_kept_nowhere() {
    let three = three();
    let body = json!({
        "token_format": "jwt",
        "seconds_until_expiration": 90,
        "claims": { "tier": 1, "sub": "mch_other" },
    });
    let token = made(three.create(body));
    let jwt = text(&token, "token");
    assert_eq!(header(&jwt)["cat"], "cl_B7d4PD333AAA");
    assert_eq!(claims(&jwt)["sub"], three.sender.0);
    assert_eq!(claims(&jwt)["jti"], token["id"]);
    assert_eq!(claims(&jwt)["exp"], NOW / 1000 + 90);
    assert_eq!(token["claims"], json!({ "tier": 1 }));
    let verified = three.verify(&three.receiver.1, &jwt).ok();
    assert_eq!(verified["subject"], three.sender.0);
    let list = format!("/v1/m2m_tokens?subject={}", three.sender.0);
    assert_eq!(three.fixture.get(&list).ok()["total_count"], 0);
    let uri = format!("/m2m_tokens/{}/revoke", text(&token, "id"));
    three
        .fixture
        .post(&uri, json!({}))
        .refused(404, "resource_not_found");
    three.fixture.advance(90_000);
    three
        .verify(&three.receiver.1, &jwt)
        .refused(404, "resource_not_found");
}

#[test]
fn only_machines_make_tokens_and_wrong_wishes_are_refused() {
    let three = three();
    let with_instance_key = three.fixture.post("/m2m_tokens", json!({}));
    with_instance_key.refused(401, "machine_secret_key_invalid");
    let elsewhere = send(
        &three.fixture,
        &three.sender.1,
        Method::GET,
        "/v1/users",
        &Value::Null,
    );
    elsewhere.refused(401, "clerk_key_invalid");
    for body in [
        json!({ "token_format": "paseto" }),
        json!({ "token_format": "jwt", "claims": [1] }),
        json!({ "seconds_until_expiration": 0 }),
        json!({ "seconds_until_expiration": "60" }),
        json!({ "scopes": [] }),
    ] {
        three.create(body).refused(400, "bad_request");
    }
    let half = made(three.create(json!({ "seconds_until_expiration": 0.5 })));
    assert_eq!(half["expiration"], NOW + 500);
}

#[test]
fn a_rotated_key_is_good_for_as_long_as_asked() {
    let three = three();
    let fixture = &three.fixture;
    let uri = format!("/v1/machines/{}/secret_key", three.sender.0);
    assert_eq!(fixture.get(&uri).ok()["secret"], three.sender.1);
    let rotate = format!("{uri}/rotate");
    fixture
        .post(&rotate, json!({}))
        .refused(422, "form_param_missing");
    let too_long = json!({ "previous_token_ttl": 28_801 });
    fixture
        .post(&rotate, too_long)
        .refused(422, "form_param_value_too_large");
    let rotated = fixture
        .post(&rotate, json!({ "previous_token_ttl": 60 }))
        .ok();
    assert_ne!(rotated["secret"], three.sender.1);
    assert_eq!(fixture.get(&uri).ok()["secret"], rotated["secret"]);
    made(three.create(json!({})));
    fixture.advance(60_000);
    three.create(json!({})).refused(401, "clerk_key_invalid");
    let new_key = text(&rotated, "secret");
    made(send(
        fixture,
        &new_key,
        Method::POST,
        "/v1/m2m_tokens",
        &json!({}),
    ));
}
