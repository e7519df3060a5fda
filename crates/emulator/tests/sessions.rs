//! Sessions, session tokens and e-mail addresses.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{AVA, DAY, Fixture, NOAH, NORTHWIND, NOW, PRIYA, pluck};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

/// The header and the claims of a token whose signature the key set confirms.
fn verified(fixture: &Fixture, jwt: &str) -> (Value, Value) {
    let keys: JwkSet = serde_json::from_value(fixture.get("/v1/jwks").ok()).unwrap();
    let header = jsonwebtoken::decode_header(jwt).unwrap();
    let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let token =
        jsonwebtoken::decode::<Value>(jwt, &DecodingKey::from_jwk(key).unwrap(), &validation);
    (
        serde_json::to_value(&header).unwrap(),
        token.unwrap().claims,
    )
}

fn session(fixture: &Fixture, user: &str) -> String {
    let body = json!({ "user_id": user, "active_organization_id": NORTHWIND });
    fixture.post("/v1/sessions", body).ok()["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_token_says_who_and_where() {
    let fixture = Fixture::new();
    let id = session(&fixture, PRIYA);
    let token = fixture
        .post(&format!("/v1/sessions/{id}/tokens"), json!({}))
        .ok();
    let (header, claims) = verified(&fixture, token["jwt"].as_str().unwrap());
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("RS256"), &json!("JWT"))
    );
    assert_eq!(header["cat"], "cl_B7d4PD111AAA");
    assert_eq!(claims["sub"], PRIYA);
    assert_eq!(claims["sid"], json!(id));
    assert_eq!(claims["iss"], "http://127.0.0.1:8789");
    assert_eq!(claims["v"], 2);
    assert_eq!(claims["sts"], "active");
    assert_eq!(claims["iat"], NOW / 1000);
    assert_eq!(claims["exp"], NOW / 1000 + 60);
    assert_eq!(claims["fva"], json!([0, -1]));
    let expected = json!({
        "id": NORTHWIND,
        "slg": "northwind-metrics",
        "rol": "billing",
        "per": "manage,read",
        "fpm": "3,0",
    });
    assert_eq!(claims["o"], expected);
    assert_eq!(claims["fea"], "o:invoices,o:reports");
}

#[test]
fn a_token_lives_as_long_as_asked() {
    let fixture = Fixture::new();
    let uri = format!("/v1/sessions/{}/tokens", session(&fixture, AVA));
    let token = fixture
        .post(&uri, json!({ "expires_in_seconds": 3600 }))
        .ok();
    let (_, claims) = verified(&fixture, token["jwt"].as_str().unwrap());
    assert_eq!(claims["exp"], NOW / 1000 + 3600);
    fixture
        .post(&uri, json!({ "expires_in_seconds": 29 }))
        .refused(422, "form_param_value_invalid");
    let error = fixture
        .post(&format!("{uri}/supabase"), json!({}))
        .refused(404, "resource_not_found");
    assert_eq!(
        error["long_message"],
        "No JWT template exists with name: supabase"
    );
}

#[test]
fn sessions_are_listed_revoked_and_expire() {
    let fixture = Fixture::new();
    let first = session(&fixture, AVA);
    let second = session(&fixture, NOAH);
    let uri = format!("/v1/sessions?user_id={AVA}");
    assert_eq!(pluck(&fixture.get(&uri).ok(), "id"), [first.as_str()]);
    assert_eq!(
        fixture.get(&format!("{uri}&paginated=true")).ok()["total_count"],
        1
    );
    let revoked = fixture
        .post(&format!("/v1/sessions/{first}/revoke"), json!({}))
        .ok();
    assert_eq!(revoked["status"], "revoked");
    fixture
        .post(&format!("/v1/sessions/{first}/tokens"), json!({}))
        .refused(404, "resource_not_found");
    assert_eq!(
        pluck(&fixture.get("/v1/sessions?status=active").ok(), "id"),
        [second.as_str()]
    );
    fixture.advance(7 * DAY);
    assert_eq!(
        fixture.get(&format!("/v1/sessions/{second}")).ok()["status"],
        "expired"
    );
    fixture
        .get("/v1/sessions?status=asleep")
        .refused(422, "form_param_value_invalid");
    fixture
        .get("/v1/sessions/sess_none")
        .refused(404, "resource_not_found");
}

#[test]
fn a_session_is_of_a_user_and_of_their_organization() {
    let fixture = Fixture::new();
    fixture
        .post("/v1/sessions", json!({}))
        .refused(422, "form_param_missing");
    fixture
        .post("/v1/sessions", json!({ "user_id": "user_nobody" }))
        .refused(404, "resource_not_found");
    let elsewhere = json!({ "user_id": NOAH, "active_organization_id": "org_none" });
    fixture
        .post("/v1/sessions", elsewhere)
        .refused(404, "organization_not_found_or_unauthorized");
}

#[test]
fn email_addresses_are_added_verified_and_removed() {
    let fixture = Fixture::new();
    let body = json!({ "user_id": AVA, "email_address": "Ava@Home.example", "verified": true });
    let email = fixture.post("/v1/email_addresses", body.clone()).ok();
    assert_eq!(email["email_address"], "ava@home.example");
    fixture
        .post("/v1/email_addresses", body)
        .refused(422, "form_identifier_exists");
    let uri = format!("/v1/email_addresses/{}", email["id"].as_str().unwrap());
    assert_eq!(fixture.get(&uri).ok(), email);
    fixture.patch(&uri, json!({ "primary": true })).ok();
    let user = fixture.get(&format!("/v1/users/{AVA}")).ok();
    assert_eq!(user["primary_email_address_id"], email["id"]);
    fixture
        .patch(&uri, json!({ "verified": false, "primary": true }))
        .refused(422, "form_verification_needed");
    assert_eq!(fixture.delete(&uri).ok()["deleted"], true);
    let user = fixture.get(&format!("/v1/users/{AVA}")).ok();
    assert_eq!(
        user["primary_email_address_id"],
        "idn_2EmuAvaMitchell000000000000"
    );
    fixture.get(&uri).refused(404, "resource_not_found");
    fixture
        .delete("/v1/email_addresses/idn_2EmuNoahTanaka0000000000000")
        .refused(400, "delete_linked_identification_disallowed");
    let nobody = json!({ "user_id": "user_nobody", "email_address": "x@example.com" });
    fixture
        .post("/v1/email_addresses", nobody)
        .refused(404, "resource_not_found");
}

#[test]
fn the_issuer_follows_the_address() {
    let fixture = Fixture::new();
    fixture.emulator.set_url("http://localhost:4000");
    let uri = format!("/v1/sessions/{}/tokens", session(&fixture, AVA));
    let token = fixture.post(&uri, json!({})).ok();
    let (_, claims) = verified(&fixture, token["jwt"].as_str().unwrap());
    assert_eq!(claims["iss"], "http://localhost:4000");
}
