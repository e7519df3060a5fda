//! Invitations to the application.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{DAY, Fixture, NOW, pluck};
use serde_json::{Value, json};

#[test]
fn an_invitation_lives_and_ends() {
    let fixture = Fixture::new();
    let body = json!({ "email_address": "Guest@Example.com", "public_metadata": { "a": 1 } });
    let invitation = fixture.post("/v1/invitations", body.clone()).ok();
    assert_eq!(invitation["status"], "pending");
    assert_eq!(invitation["expires_at"], NOW + 30 * DAY);
    let url = invitation["url"].as_str().unwrap();
    assert!(
        url.starts_with("http://127.0.0.1:8789/v1/tickets/accept?ticket="),
        "{url}"
    );
    let error = fixture
        .post("/v1/invitations", body)
        .refused(400, "duplicate_record");
    assert_eq!(
        error["meta"]["email_addresses"],
        json!(["guest@example.com"])
    );

    let revoke = format!(
        "/v1/invitations/{}/revoke",
        invitation["id"].as_str().unwrap()
    );
    assert_eq!(fixture.post(&revoke, json!({})).ok()["revoked"], true);
    fixture
        .post(&revoke, json!({}))
        .refused(400, "invitation_already_revoked");
}

#[test]
fn what_cannot_be_invited() {
    let fixture = Fixture::new();
    let refused = |body: Value, status, code: &str| {
        fixture.post("/v1/invitations", body).refused(status, code);
    };
    refused(json!({}), 422, "form_param_missing");
    refused(
        json!({ "email_address": "x" }),
        422,
        "form_param_format_invalid",
    );
    refused(
        json!({ "email_address": "x@example.com", "role": "a" }),
        422,
        "form_param_unknown",
    );
    let member = "ava.mitchell@northwind.example";
    refused(
        json!({ "email_address": member }),
        422,
        "form_identifier_exists",
    );
    refused(
        json!({ "email_address": "x@example.com", "expires_in_days": 0 }),
        422,
        "form_param_value_invalid",
    );
    refused(
        json!({ "email_address": "x@example.com", "template_slug": "magic" }),
        422,
        "form_param_value_invalid",
    );
    refused(
        json!({ "email_address": "x@example.com", "redirect_url": "/here" }),
        422,
        "form_param_format_invalid",
    );
    let anyway = json!({ "email_address": member, "ignore_existing": true });
    fixture.post("/v1/invitations", anyway).ok();
}

#[test]
fn the_list_leaves_revoked_ones_out() {
    let fixture = Fixture::new();
    let list = fixture.get("/v1/invitations").ok();
    assert_eq!(list.as_array().unwrap().len(), 4);
    let revoked = fixture
        .get("/v1/invitations?status=revoked&paginated=true")
        .ok();
    assert_eq!(revoked["total_count"], 1);
    let found = fixture.get("/v1/invitations?query=HIRE").ok();
    assert_eq!(
        pluck(&found, "email_address"),
        ["new.hire@northwind.example"]
    );
    let ordered = fixture
        .get("/v1/invitations?order_by=email_address&limit=1")
        .ok();
    assert_eq!(
        pluck(&ordered, "email_address"),
        ["beta.tester@example.com"]
    );
    fixture
        .get("/v1/invitations?order_by=colour")
        .refused(422, "form_param_value_invalid");
}

#[test]
fn accepted_invitations_stay_and_pending_ones_expire() {
    let fixture = Fixture::new();
    let accepted = format!("inv_{:0<27}", "2EmuInvited2");
    fixture
        .post(&format!("/v1/invitations/{accepted}/revoke"), json!({}))
        .refused(400, "invitation_already_accepted");
    fixture
        .post("/v1/invitations/inv_none/revoke", json!({}))
        .refused(404, "resource_not_found");
    assert_eq!(
        fixture
            .get("/v1/invitations?status=pending")
            .ok()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    fixture.advance(30 * DAY);
    assert_eq!(
        fixture
            .get("/v1/invitations?status=expired")
            .ok()
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn many_are_invited_at_once_or_none() {
    let fixture = Fixture::new();
    let to = |address: &str| json!({ "email_address": address });
    let both = fixture
        .post(
            "/v1/invitations/bulk",
            json!([to("a@example.com"), to("b@example.com")]),
        )
        .ok();
    assert_eq!(both.as_array().unwrap().len(), 2);
    fixture
        .post(
            "/v1/invitations/bulk",
            json!([to("c@example.com"), to("C@example.com")]),
        )
        .refused(400, "duplicate_record");
    let member =
        json!([{ "email_address": "ava.mitchell@northwind.example", "ignore_existing": true }]);
    fixture
        .post("/v1/invitations/bulk", member)
        .refused(422, "form_identifier_exists");
    let eleven: Vec<Value> = (0..11)
        .map(|number| to(&format!("n{number}@example.com")))
        .collect();
    fixture
        .post("/v1/invitations/bulk", json!(eleven))
        .refused(400, "bulk_size_exceeded");
}
