//! Users: reading, creating, updating, deleting, standing, passwords, metadata.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{AVA, DAY, Fixture, NOAH, NORTHWIND, NOW, RUBY, pluck};
use serde_json::json;

#[test]
fn a_user_has_every_member_of_clerks_schema() {
    let user = Fixture::new().get(&format!("/v1/users/{AVA}")).ok();
    assert_eq!(user["first_name"], "Ava");
    assert_eq!(
        user["email_addresses"][0]["email_address"],
        "ava.mitchell@northwind.example"
    );
    assert_eq!(
        user["primary_email_address_id"],
        user["email_addresses"][0]["id"]
    );
    assert_eq!(user["created_at"], NOW - 364 * DAY);
    assert_eq!(user["public_metadata"]["role"], "admin");
    assert_eq!(user["password_enabled"], true);
}

#[test]
fn an_unknown_user_is_not_found() {
    let error = Fixture::new()
        .get("/v1/users/user_nobody")
        .refused(404, "resource_not_found");
    assert_eq!(
        error["long_message"],
        "No user was found with id user_nobody"
    );
}

#[test]
fn a_user_is_created_and_found_again() {
    let fixture = Fixture::new();
    let body = json!({
        "external_id": "crm-9",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email_address": ["Ada@Example.com", "ada@lovelace.example"],
        "email_address_identification_status": ["verified", "reserved"],
        "phone_number": ["+1 (415) 555-0177"],
        "username": "ada_l",
        "password": "analytical engine",
        "public_metadata": { "plan": "pro" },
        "created_at": "2020-01-02T03:04:05Z",
    });
    let user = fixture.post("/v1/users", body).ok();
    assert_eq!(
        user["email_addresses"][0]["email_address"],
        "ada@example.com"
    );
    assert_eq!(
        user["email_addresses"][0]["verification"]["strategy"],
        "admin"
    );
    assert_eq!(user["email_addresses"][1]["reserved"], true);
    assert_eq!(user["phone_numbers"][0]["phone_number"], "+14155550177");
    assert_eq!(user["created_at"], 1_577_934_245_000_u64);
    let id = user["id"].as_str().unwrap();
    assert_eq!(id.len(), 32);
    assert_eq!(fixture.get(&format!("/v1/users/{id}")).ok(), user);
    assert_eq!(
        pluck(
            &fixture.get("/v1/users?email_address=ADA@example.com").ok(),
            "id"
        ),
        [id]
    );
    assert_eq!(
        pluck(&fixture.get("/v1/users?external_id=crm-9").ok(), "id"),
        [id]
    );
}

#[test]
fn what_is_unique_is_refused_twice() {
    let fixture = Fixture::new();
    let taken = [
        ("email_address", json!(["AVA.mitchell@northwind.example"])),
        ("phone_number", json!(["+14155550101"])),
        (
            "web3_wallet",
            json!(["0x52908400098527886e0f7030069857d2e4169ee7"]),
        ),
        ("username", json!("Ava_Mitchell")),
    ];
    for (param, value) in taken {
        let error = fixture
            .post("/v1/users", json!({ param: value }))
            .refused(422, "form_identifier_exists");
        assert_eq!(error["meta"]["param_name"], param);
    }
    let body = json!({ "external_id": "crm-1001", "username": "someone" });
    fixture
        .post("/v1/users", body)
        .refused(422, "form_identifier_exists");
    fixture
        .patch(
            &format!("/v1/users/{RUBY}"),
            json!({ "username": "ava_mitchell" }),
        )
        .refused(422, "form_identifier_exists");
}

#[test]
fn creating_refuses_wrong_parameters() {
    let fixture = Fixture::new();
    let cases = [
        (json!({}), "form_data_missing"),
        (json!({ "email": "a@b.example" }), "form_param_unknown"),
        (
            json!({ "email_address": "a@b.example" }),
            "form_param_type_invalid",
        ),
        (json!({ "email_address": null }), "form_param_nil"),
        (
            json!({ "email_address": ["nonsense"] }),
            "form_param_format_invalid",
        ),
        (
            json!({ "email_address": ["a@b.example", "A@b.example"] }),
            "form_param_duplicate",
        ),
        (
            json!({ "phone_number": ["12"] }),
            "form_param_format_invalid",
        ),
        (
            json!({ "web3_wallet": ["0x1"] }),
            "form_param_format_invalid",
        ),
        (json!({ "username": "abc" }), "form_username_invalid_length"),
        (
            json!({ "username": "with space" }),
            "form_username_invalid_character",
        ),
        (
            json!({ "username": "123456" }),
            "form_username_needs_non_number_char",
        ),
        (
            json!({ "username": "+14155550199" }),
            "form_username_cannot_be_phone_number",
        ),
        (
            json!({ "username": "valid", "locale": "english" }),
            "form_param_format_invalid",
        ),
        (
            json!({ "username": "valid", "first_name": "x".repeat(257) }),
            "form_param_max_length_exceeded",
        ),
        (
            json!({ "username": "valid", "password": "short" }),
            "form_password_length_too_short",
        ),
        (
            json!({ "username": "valid", "password": "x".repeat(73) }),
            "form_password_length_too_long",
        ),
        (
            json!({ "username": "valid", "password": "password123" }),
            "form_password_pwned",
        ),
        (
            json!({ "username": "valid", "password_digest": "abc" }),
            "form_conditional_param_missing",
        ),
        (
            json!({ "username": "valid", "password_digest": "abc", "password_hasher": "rot13" }),
            "form_param_value_invalid",
        ),
        (
            json!({ "username": "valid", "password_digest": "abc", "password_hasher": "sha256" }),
            "form_password_digest_invalid_code",
        ),
        (
            json!({ "username": "valid", "password": "long enough", "password_digest": "abc" }),
            "form_conditional_param_disallowed",
        ),
        (
            json!({ "username": "valid", "created_at": "yesterday" }),
            "form_param_invalid_time",
        ),
        (
            json!({ "username": "valid", "created_at": "2040-01-01T00:00:00Z" }),
            "form_disallow_future_date",
        ),
        (
            json!({ "username": "valid", "public_metadata": { "a": "x".repeat(9000) } }),
            "form_param_exceeds_allowed_size",
        ),
    ];
    for (body, code) in cases {
        fixture.post("/v1/users", body).refused(422, code);
    }
    assert_eq!(fixture.emulator.revision(), 0);
}

#[test]
fn updating_changes_what_is_given() {
    let fixture = Fixture::new();
    let uri = format!("/v1/users/{AVA}");
    let user = fixture
        .patch(
            &uri,
            json!({ "first_name": "Eva", "username": null, "locale": "de-DE" }),
        )
        .ok();
    assert_eq!(user["first_name"], "Eva");
    assert_eq!(user["last_name"], "Mitchell");
    assert_eq!(user["username"], json!(null));
    assert_eq!(user["updated_at"], NOW);
    fixture
        .patch(&uri, json!({ "nickname": "E" }))
        .refused(422, "form_param_unknown");
    fixture
        .patch(&uri, json!({ "primary_email_address_id": "idn_none" }))
        .refused(422, "form_resource_not_found");
    fixture
        .patch(&uri, json!({ "sign_out_of_other_sessions": true }))
        .refused(422, "form_conditional_param_missing");
    fixture
        .patch("/v1/users/user_nobody", json!({}))
        .refused(404, "resource_not_found");
    let unverified = "user_2EmuMateoGarcia000000000000";
    fixture
        .patch(
            &format!("/v1/users/{unverified}"),
            json!({ "primary_email_address_id": "idn_2EmuMateoGarcia000000000000" }),
        )
        .refused(422, "form_verification_needed");
}

#[test]
fn metadata_left_the_update_of_users_with_version_2026_05_12() {
    let uri = format!("/v1/users/{AVA}");
    let body = json!({ "public_metadata": { "plan": "free" } });
    let error = Fixture::new()
        .patch(&uri, body.clone())
        .refused(422, "form_param_deprecated");
    assert_eq!(error["meta"]["param_name"], "public_metadata");
    let older = Fixture::new().with_header("clerk-api-version", "2025-11-10");
    assert_eq!(
        older.patch(&uri, body).ok()["public_metadata"],
        json!({ "plan": "free" })
    );
}

#[test]
fn metadata_is_merged_or_replaced() {
    let fixture = Fixture::new();
    let uri = format!("/v1/users/{AVA}/metadata");
    let merge = json!({ "public_metadata": { "plan": null, "team": { "size": 3 } } });
    let user = fixture.patch(&uri, merge).ok();
    assert_eq!(
        user["public_metadata"],
        json!({ "role": "admin", "team": { "size": 3 } })
    );
    let city = json!({ "public_metadata": { "team": { "city": "Oslo" } } });
    let user = fixture.patch(&uri, city).ok();
    assert_eq!(
        user["public_metadata"]["team"],
        json!({ "size": 3, "city": "Oslo" })
    );
    let user = fixture
        .put(&uri, json!({ "public_metadata": { "only": 1 } }))
        .ok();
    assert_eq!(user["public_metadata"], json!({ "only": 1 }));
    assert_eq!(
        user["private_metadata"]["stripe_customer_id"],
        "cus_EmuAvaMitchell"
    );
    fixture
        .patch(&uri, json!({ "metadata": {} }))
        .refused(422, "form_param_unknown");
    let big = json!({ "private_metadata": { "a": "x".repeat(8200) } });
    fixture
        .patch(&uri, big.clone())
        .refused(422, "form_param_exceeds_allowed_size");
    fixture
        .put(&uri, big)
        .refused(422, "form_param_exceeds_allowed_size");
    fixture
        .patch("/v1/users/user_nobody/metadata", json!({}))
        .refused(404, "resource_not_found");
}

#[test]
fn deleting_a_user_takes_memberships_and_sessions_along() {
    let fixture = Fixture::new();
    let session = fixture
        .post("/v1/sessions", json!({ "user_id": NOAH }))
        .ok();
    let deleted = fixture.delete(&format!("/v1/users/{NOAH}")).ok();
    let expected =
        json!({ "object": "user", "id": NOAH, "deleted": true, "external_id": "crm-1002" });
    assert_eq!(deleted, expected);
    fixture
        .get(&format!("/v1/users/{NOAH}"))
        .refused(404, "resource_not_found");
    fixture
        .get(&format!("/v1/sessions/{}", session["id"].as_str().unwrap()))
        .refused(404, "resource_not_found");
    let members = fixture
        .get(&format!("/v1/organizations/{NORTHWIND}/memberships"))
        .ok();
    assert_eq!(members["total_count"], 3);
    fixture
        .post("/v1/users", json!({ "username": "noah_t" }))
        .ok();
}

#[test]
fn banning_revokes_sessions() {
    let fixture = Fixture::new();
    let session = fixture
        .post("/v1/sessions", json!({ "user_id": NOAH }))
        .ok();
    assert_eq!(
        fixture
            .post(&format!("/v1/users/{NOAH}/ban"), json!({}))
            .ok()["banned"],
        true
    );
    let session = fixture
        .get(&format!("/v1/sessions/{}", session["id"].as_str().unwrap()))
        .ok();
    assert_eq!(session["status"], "revoked");
    fixture
        .post("/v1/sessions", json!({ "user_id": NOAH }))
        .refused(403, "user_banned");
    assert_eq!(
        fixture
            .post(&format!("/v1/users/{NOAH}/unban"), json!({}))
            .ok()["banned"],
        false
    );
    fixture
        .post("/v1/users/user_nobody/ban", json!({}))
        .refused(404, "resource_not_found");
}

#[test]
fn many_users_are_banned_at_once_or_none() {
    let fixture = Fixture::new();
    let users = fixture
        .post("/v1/users/ban", json!({ "user_ids": [AVA, NOAH] }))
        .ok();
    assert!(
        users
            .as_array()
            .unwrap()
            .iter()
            .all(|user| user["banned"] == true)
    );
    fixture
        .post("/v1/users/unban", json!({ "user_ids": [AVA, NOAH] }))
        .ok();
    let one_wrong = json!({ "user_ids": [AVA, "user_nobody"] });
    fixture
        .post("/v1/users/ban", one_wrong)
        .refused(404, "resource_not_found");
    assert_eq!(
        fixture.get(&format!("/v1/users/{AVA}")).ok()["banned"],
        false
    );
    fixture
        .post("/v1/users/ban", json!({ "user_ids": [] }))
        .refused(422, "form_param_missing");
    let many = json!({ "user_ids": vec![AVA; 51] });
    fixture
        .post("/v1/users/ban", many)
        .refused(400, "bulk_size_exceeded");
}

#[test]
fn a_lock_ends_by_itself() {
    let fixture = Fixture::new();
    let user = fixture
        .post(&format!("/v1/users/{AVA}/lock"), json!({}))
        .ok();
    assert_eq!(user["locked"], true);
    assert_eq!(user["lockout_expires_in_seconds"], 3600);
    assert_eq!(user["verification_attempts_remaining"], 0);
    fixture.advance(3_600_000);
    let user = fixture.get(&format!("/v1/users/{AVA}")).ok();
    assert_eq!(user["locked"], false);
    assert_eq!(user["lockout_expires_in_seconds"], json!(null));
    fixture
        .post(&format!("/v1/users/{AVA}/lock"), json!({}))
        .ok();
    assert_eq!(
        fixture
            .post(&format!("/v1/users/{AVA}/unlock"), json!({}))
            .ok()["locked"],
        false
    );
}

#[test]
fn passwords_are_verified() {
    let fixture = Fixture::new();
    let uri = format!("/v1/users/{AVA}/verify_password");
    let right = json!({ "password": "correct horse battery staple" });
    assert_eq!(
        fixture.post(&uri, right.clone()).ok(),
        json!({ "verified": true })
    );
    fixture
        .post(&uri, json!({ "password": "wrong" }))
        .refused(422, "incorrect_password");
    fixture
        .post(&uri, json!({}))
        .refused(422, "form_param_missing");
    fixture
        .post(&format!("/v1/users/{NOAH}/verify_password"), right.clone())
        .refused(400, "no_password_set");
    fixture
        .post("/v1/users/user_nobody/verify_password", right)
        .refused(404, "resource_not_found");
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let body = json!({ "password_digest": digest, "password_hasher": "sha256" });
    fixture.patch(&format!("/v1/users/{NOAH}"), body).ok();
    fixture
        .post(
            &format!("/v1/users/{NOAH}/verify_password"),
            json!({ "password": "test" }),
        )
        .ok();
}
