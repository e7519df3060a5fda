//! Organizations, memberships, organization invitations, roles, permissions and settings.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{AVA, DAY, FJORD, Fixture, NOAH, NORTHWIND, PRIYA, RUBY, pluck};
use serde_json::{Value, json};

fn code_of(fixture: &Fixture, uri: &str, body: Value, status: u16) -> String {
    let response = fixture.post(uri, body);
    assert_eq!(response.status, status, "{}", response.text);
    response.json["errors"][0]["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn an_organization_is_found_by_id_and_by_slug() {
    let fixture = Fixture::new();
    let by_id = fixture
        .get(&format!(
            "/v1/organizations/{NORTHWIND}?include_members_count=true"
        ))
        .ok();
    assert_eq!(by_id["members_count"], 4);
    assert_eq!(by_id["pending_invitations_count"], 1);
    let by_slug = fixture.get("/v1/organizations/northwind-metrics").ok();
    assert_eq!(by_slug["id"], NORTHWIND);
    assert!(by_slug.get("members_count").is_none());
    fixture
        .get("/v1/organizations/nowhere")
        .refused(404, "resource_not_found");
}

#[test]
fn organizations_are_searched_and_ordered() {
    let fixture = Fixture::new();
    let all = fixture.get("/v1/organizations").ok();
    assert_eq!(all["total_count"], 5);
    assert_eq!(all["data"][0]["slug"], "tidepool-labs");
    let named = fixture.get("/v1/organizations?order_by=name&limit=2").ok();
    assert_eq!(pluck(&named, "slug"), ["fjord-logistics", "lumen-studio"]);
    assert_eq!(named["total_count"], 5);
    let big = fixture
        .get("/v1/organizations?order_by=-members_count&limit=1&include_members_count=true")
        .ok();
    assert_eq!(big["data"][0]["members_count"], 4);
    assert_eq!(
        pluck(&fixture.get("/v1/organizations?query=QUARRY").ok(), "slug"),
        ["quarry-and-sons"]
    );
    let of_ava = fixture
        .get(&format!("/v1/organizations?user_id={AVA}"))
        .ok();
    assert_eq!(
        pluck(&of_ava, "slug"),
        ["quarry-and-sons", "northwind-metrics"]
    );
    let not_ava = fixture
        .get(&format!("/v1/organizations?user_id=-{AVA}"))
        .ok();
    assert_eq!(not_ava["total_count"], 3);
    fixture
        .get("/v1/organizations?order_by=size")
        .refused(422, "form_param_value_invalid");
    fixture
        .get("/v1/organizations?limit=0")
        .refused(422, "form_param_value_invalid");
    fixture
        .get("/v1/organizations?limit=501")
        .refused(422, "form_param_value_too_large");
    fixture
        .get("/v1/organizations?limit=ten")
        .refused(422, "form_param_type_invalid");
}

#[test]
fn the_creator_becomes_administrator() {
    let fixture = Fixture::new();
    let body = json!({ "name": "Oak & Ash", "created_by": RUBY, "public_metadata": { "a": 1 } });
    let organization = fixture.post("/v1/organizations", body.clone()).ok();
    assert_eq!(organization["slug"], "oak-ash");
    assert_eq!(organization["max_allowed_memberships"], 5);
    let memberships = fixture
        .get(&format!("/v1/users/{RUBY}/organization_memberships"))
        .ok();
    assert_eq!(memberships["data"][0]["role"], "org:admin");
    assert_eq!(
        memberships["data"][0]["organization"]["id"],
        organization["id"]
    );
    let second = fixture.post("/v1/organizations", body).ok();
    assert!(second["slug"].as_str().unwrap().starts_with("oak-ash-"));
}

#[test]
fn creating_an_organization_refuses_wrong_parameters() {
    let fixture = Fixture::new();
    let cases = [
        (json!({}), 422, "form_param_missing"),
        (json!({ "name": " " }), 422, "form_param_nil"),
        (
            json!({ "name": "x".repeat(257) }),
            422,
            "form_param_max_length_exceeded",
        ),
        (
            json!({ "name": "see https://spam.example" }),
            422,
            "form_param_value_invalid",
        ),
        (json!({ "name": "<b>" }), 422, "form_param_value_invalid"),
        (
            json!({ "name": "A", "slug": "Not A Slug" }),
            422,
            "form_param_format_invalid",
        ),
        (
            json!({ "name": "A", "slug": "lumen-studio" }),
            422,
            "form_identifier_exists",
        ),
        (
            json!({ "name": "A", "max_allowed_memberships": -1 }),
            422,
            "form_param_value_invalid",
        ),
        (
            json!({ "name": "A", "created_by": "user_nobody" }),
            400,
            "organization_creator_not_found",
        ),
    ];
    for (body, status, code) in cases {
        assert_eq!(code_of(&fixture, "/v1/organizations", body, status), code);
    }
}

#[test]
fn an_organization_is_updated_and_deleted() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}");
    let changed = fixture
        .patch(&uri, json!({ "name": "Northwind", "slug": "northwind" }))
        .ok();
    assert_eq!(
        (changed["name"].as_str(), changed["slug"].as_str()),
        (Some("Northwind"), Some("northwind"))
    );
    fixture
        .get("/v1/organizations/northwind-metrics")
        .refused(404, "resource_not_found");
    fixture
        .patch(&uri, json!({ "slug": "lumen-studio" }))
        .refused(422, "form_identifier_exists");
    fixture
        .patch(&uri, json!({ "colour": "red" }))
        .refused(422, "form_param_unknown");
    let metadata = json!({ "public_metadata": {} });
    fixture
        .patch(&uri, metadata.clone())
        .refused(422, "form_param_deprecated");

    let session = json!({ "user_id": AVA, "active_organization_id": NORTHWIND });
    let session = fixture.post("/v1/sessions", session).ok();
    let deleted = fixture.delete(&uri).ok();
    assert_eq!(deleted["deleted"], true);
    fixture.get(&uri).refused(404, "resource_not_found");
    let session = fixture
        .get(&format!("/v1/sessions/{}", session["id"].as_str().unwrap()))
        .ok();
    assert_eq!(session["last_active_organization_id"], Value::Null);
    assert_eq!(
        fixture
            .get(&format!("/v1/users/{AVA}/organization_memberships"))
            .ok()["total_count"],
        1
    );
    let invitations = fixture.get("/v1/organization_invitations").ok();
    assert_eq!(invitations["total_count"], 2);
    let older = Fixture::new().with_header("clerk-api-version", "2024-10-01");
    assert_eq!(
        older.patch(&uri, metadata).ok()["public_metadata"],
        json!({})
    );
}

#[test]
fn metadata_of_organizations_is_merged_or_replaced() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/metadata");
    let merged = fixture
        .patch(
            &uri,
            json!({ "public_metadata": { "region": null, "seats": 9 } }),
        )
        .ok();
    assert_eq!(
        merged["public_metadata"],
        json!({ "plan": "enterprise", "seats": 9 })
    );
    let replaced = fixture
        .put(&uri, json!({ "private_metadata": { "x": 1 } }))
        .ok();
    assert_eq!(replaced["private_metadata"], json!({ "x": 1 }));
    assert_eq!(replaced["public_metadata"], merged["public_metadata"]);
}

#[test]
fn members_are_listed_by_role_and_by_who_they_are() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/memberships");
    let all = fixture.get(&uri).ok();
    assert_eq!(all["total_count"], 4);
    assert!(all["data"][0]["public_user_data"]["identifier"].is_string());
    let user = |list: Value| -> Vec<String> {
        let rows = list["data"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| {
                row["public_user_data"]["user_id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(
        user(fixture.get(&format!("{uri}?role=org:billing")).ok()),
        [PRIYA]
    );
    assert_eq!(
        user(fixture.get(&format!("{uri}?query=tanaka")).ok()),
        [NOAH]
    );
    let by_name = user(fixture.get(&format!("{uri}?order_by=last_name")).ok());
    assert_eq!(by_name[1], AVA);
    assert_eq!(
        fixture.get("/v1/organization_memberships?limit=500").ok()["total_count"],
        17
    );
}

#[test]
fn memberships_are_made_changed_and_ended() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/memberships");
    let body = json!({ "user_id": RUBY, "role": "org:billing" });
    let membership = fixture.post(&uri, body.clone()).ok();
    assert_eq!(membership["role_name"], "Billing");
    assert!(
        membership["permissions"]
            .as_array()
            .unwrap()
            .contains(&json!("org:invoices:manage"))
    );
    assert_eq!(
        code_of(&fixture, &uri, body, 400),
        "already_a_member_in_organization"
    );

    let member = format!("{uri}/{RUBY}");
    assert_eq!(
        fixture.patch(&member, json!({ "role": "org:admin" })).ok()["role"],
        "org:admin"
    );
    fixture
        .patch(&member, json!({ "role": "org:king" }))
        .refused(404, "resource_not_found");
    fixture
        .patch(&member, json!({}))
        .refused(422, "form_param_missing");
    let metadata = json!({ "public_metadata": { "desk": 4 } });
    let changed = fixture.patch(&format!("{member}/metadata"), metadata).ok();
    assert_eq!(changed["public_metadata"], json!({ "desk": 4 }));
    assert_eq!(fixture.delete(&member).ok()["id"], membership["id"]);
    fixture.delete(&member).refused(404, "resource_not_found");
}

#[test]
fn creating_a_membership_refuses_what_does_not_exist() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/memberships");
    let nobody = json!({ "user_id": "user_nobody", "role": "org:member" });
    assert_eq!(code_of(&fixture, &uri, nobody, 404), "resource_not_found");
    let no_role = json!({ "user_id": RUBY, "role": "org:king" });
    assert_eq!(code_of(&fixture, &uri, no_role, 404), "resource_not_found");
    assert_eq!(
        code_of(&fixture, &uri, json!({ "role": "org:member" }), 422),
        "form_param_missing"
    );
    let nowhere = json!({ "user_id": RUBY, "role": "org:member" });
    let uri = "/v1/organizations/org_none/memberships";
    assert_eq!(code_of(&fixture, uri, nowhere, 404), "resource_not_found");
}

#[test]
fn a_full_organization_takes_nobody_else() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{FJORD}/memberships");
    let body = json!({ "user_id": RUBY, "role": "org:member" });
    let code = "organization_membership_quota_exceeded";
    assert_eq!(code_of(&fixture, &uri, body.clone(), 403), code);
    let invitation = json!({ "email_address": "x@example.com", "role": "org:member" });
    let invitations = format!("/v1/organizations/{FJORD}/invitations");
    assert_eq!(code_of(&fixture, &invitations, invitation, 403), code);
    fixture
        .patch(
            &format!("/v1/organizations/{FJORD}"),
            json!({ "max_allowed_memberships": 0 }),
        )
        .ok();
    fixture.post(&uri, body).ok();
}

#[test]
fn the_last_administrator_stays() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/memberships");
    let code = "organization_minimum_permissions_needed";
    fixture.delete(&format!("{uri}/{AVA}")).refused(400, code);
    fixture
        .patch(&format!("{uri}/{AVA}"), json!({ "role": "org:member" }))
        .refused(400, code);
    fixture
        .patch(&format!("{uri}/{NOAH}"), json!({ "role": "org:admin" }))
        .ok();
    fixture.delete(&format!("{uri}/{AVA}")).ok();
    let missing = "include_missing_member_with_elevated_permissions=true";
    let organization = fixture
        .get(&format!("/v1/organizations/{NORTHWIND}?{missing}"))
        .ok();
    assert_eq!(
        organization["missing_member_with_elevated_permissions"],
        false
    );
}

#[test]
fn invitations_to_an_organization_live_and_end() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/invitations");
    let body = json!({
        "email_address": "Guest@Example.com",
        "role": "org:member",
        "inviter_user_id": AVA,
        "expires_in_days": 2,
        "public_metadata": { "team": "blue" },
    });
    let invitation = fixture.post(&uri, body.clone()).ok();
    assert_eq!(invitation["status"], "pending");
    assert_eq!(invitation["public_inviter_data"]["user_id"], AVA);
    assert!(
        invitation["url"]
            .as_str()
            .unwrap()
            .contains("/v1/tickets/accept?ticket=")
    );
    assert_eq!(
        code_of(&fixture, &uri, body.clone(), 400),
        "organization_invitation_not_unique"
    );

    let id = invitation["id"].as_str().unwrap();
    let one = format!("{uri}/{id}");
    assert_eq!(fixture.get(&one).ok(), invitation);
    assert_eq!(
        fixture.get(&format!("{uri}/pending")).ok()["total_count"],
        2
    );
    fixture.advance(2 * DAY);
    assert_eq!(fixture.get(&one).ok()["status"], "expired");
    fixture
        .post(&format!("{one}/revoke"), json!({}))
        .refused(400, "organization_invitation_not_pending");
    let again = fixture.post(&uri, body).ok();
    let revoke = format!("{uri}/{}/revoke", again["id"].as_str().unwrap());
    let by_ava = json!({ "requesting_user_id": AVA });
    assert_eq!(fixture.post(&revoke, by_ava).ok()["status"], "revoked");
    fixture
        .get(&format!("{uri}/orginv_none"))
        .refused(404, "resource_not_found");
}

#[test]
fn inviting_needs_a_member_who_may() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/invitations");
    let body = |inviter: &str| json!({ "email_address": "x@example.com", "role": "org:member", "inviter_user_id": inviter });
    assert_eq!(
        code_of(&fixture, &uri, body(RUBY), 403),
        "not_a_member_in_organization"
    );
    assert_eq!(
        code_of(&fixture, &uri, body(NOAH), 403),
        "missing_organization_permission"
    );
    assert_eq!(
        code_of(&fixture, &uri, body("user_nobody"), 404),
        "resource_not_found"
    );
    let member = json!({ "email_address": "noah.tanaka@northwind.example", "role": "org:member" });
    assert_eq!(
        code_of(&fixture, &uri, member, 400),
        "already_a_member_in_organization"
    );
    let wrong = json!({ "email_address": "x", "role": "org:member" });
    assert_eq!(
        code_of(&fixture, &uri, wrong, 422),
        "form_param_format_invalid"
    );
    let long =
        json!({ "email_address": "x@example.com", "role": "org:member", "expires_in_days": 366 });
    assert_eq!(
        code_of(&fixture, &uri, long, 422),
        "form_param_value_too_large"
    );
}

#[test]
fn many_are_invited_at_once_or_none() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/invitations/bulk");
    let to = |address: &str| json!({ "email_address": address, "role": "org:member" });
    let both = fixture
        .post(&uri, json!([to("a@example.com"), to("b@example.com")]))
        .ok();
    assert_eq!(both["total_count"], 2);
    let one_again = json!([to("c@example.com"), to("a@example.com")]);
    assert_eq!(
        code_of(&fixture, &uri, one_again, 400),
        "organization_invitation_not_unique"
    );
    let eleven: Vec<Value> = (0..11)
        .map(|number| to(&format!("n{number}@example.com")))
        .collect();
    assert_eq!(
        code_of(&fixture, &uri, json!(eleven), 400),
        "bulk_size_exceeded"
    );
    assert_eq!(
        code_of(&fixture, &uri, json!({}), 400),
        "request_body_invalid"
    );
}

#[test]
fn organization_invitations_are_listed_everywhere() {
    let fixture = Fixture::new();
    let uri = format!("/v1/organizations/{NORTHWIND}/invitations");
    assert_eq!(fixture.get(&uri).ok()["total_count"], 4);
    assert_eq!(
        fixture
            .get(&format!("{uri}?status=revoked&status=expired"))
            .ok()["total_count"],
        2
    );
    assert_eq!(
        fixture
            .get(&format!("{uri}?email_address=CONTRACTOR@example.net"))
            .ok()["total_count"],
        1
    );
    fixture
        .get(&format!("{uri}?status=lost"))
        .refused(422, "form_param_value_invalid");
    let instance = fixture
        .get("/v1/organization_invitations?query=elif&order_by=email_address")
        .ok();
    assert_eq!(
        instance["data"][0]["public_organization_data"]["slug"],
        "tidepool-labs"
    );
    let elif = "user_2EmuElifDemir00000000000000";
    let own = fixture
        .get(&format!(
            "/v1/users/{elif}/organization_invitations?status=pending"
        ))
        .ok();
    assert_eq!(own["total_count"], 1);
}

#[test]
fn roles_and_permissions_are_read() {
    let fixture = Fixture::new();
    let roles = fixture.get("/v1/organization_roles?order_by=key").ok();
    assert_eq!(
        pluck(&roles, "key"),
        ["org:admin", "org:billing", "org:member"]
    );
    let id = roles["data"][1]["id"].as_str().unwrap();
    let role = fixture.get(&format!("/v1/organization_roles/{id}")).ok();
    assert_eq!(role["permissions"].as_array().unwrap().len(), 5);
    fixture
        .get("/v1/organization_roles/role_none")
        .refused(404, "resource_not_found");
    let permissions = fixture
        .get("/v1/organization_permissions?query=invoices&order_by=key")
        .ok();
    assert_eq!(
        pluck(&permissions, "key"),
        ["org:invoices:manage", "org:invoices:read"]
    );
    let id = permissions["data"][0]["id"].as_str().unwrap();
    assert_eq!(
        fixture
            .get(&format!("/v1/organization_permissions/{id}"))
            .ok()["type"],
        "user"
    );
    fixture
        .get("/v1/organization_permissions/perm_none")
        .refused(404, "resource_not_found");
}

#[test]
fn settings_of_the_instance() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.get("/v1/instance").ok()["environment_type"],
        "development"
    );
    let uri = "/v1/instance/organization_settings";
    assert_eq!(fixture.get(uri).ok()["creator_role"], "org:admin");
    let changed = fixture
        .patch(
            uri,
            json!({ "max_allowed_memberships": 7, "slug_disabled": true }),
        )
        .ok();
    assert_eq!(changed["max_allowed_memberships"], 7);
    let body = json!({ "name": "A", "slug": "a" });
    assert_eq!(
        code_of(&fixture, "/v1/organizations", body, 422),
        "form_param_unknown"
    );
    let roles = fixture.get("/v1/organization_roles?query=org:member").ok();
    let member = json!({ "creator_role_id": roles["data"][0]["id"] });
    fixture
        .patch(uri, member)
        .refused(422, "organization_missing_creator_role_permissions");
    fixture
        .patch(uri, json!({ "creator_role_id": "role_none" }))
        .refused(404, "resource_not_found");
    fixture
        .patch(uri, json!({ "domains_enrollment_modes": ["magic"] }))
        .refused(422, "form_param_value_invalid");
    fixture.patch(uri, json!({ "enabled": false })).ok();
    let response = fixture.get("/v1/organizations");
    response.refused(403, "organization_not_enabled_in_instance");
}
