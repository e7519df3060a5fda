//! JWT templates and the tokens made of them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use clerk_mcp_emulator::{Emulator, SeedError};
use common::browser::{Browser, claims, header};
use common::{AVA, Fixture, NORTHWIND, NOW, PRIYA, pluck, seed};
use serde_json::{Value, json};

fn create(fixture: &Fixture, name: &str, claims: Value) -> Value {
    let body = json!({ "name": name, "claims": claims });
    fixture.post("/v1/jwt_templates", body).ok()
}

fn session(fixture: &Fixture, organization: Option<&str>) -> String {
    let body = json!({ "user_id": AVA, "active_organization_id": organization });
    let made = fixture.post("/v1/sessions", body).ok();
    made["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn mint(fixture: &Fixture, session: &str, template: &str, body: Value) -> String {
    let uri = format!("/v1/sessions/{session}/tokens/{template}");
    let token = fixture.post(&uri, body).ok();
    assert_eq!(token["object"], "token");
    token["jwt"].as_str().unwrap().to_owned()
}

#[test]
fn templates_are_created_read_changed_and_deleted() {
    let fixture = Fixture::new();
    let made = create(&fixture, "reports", json!({ "aud": "reports" }));
    assert_eq!(made["lifetime"], 60);
    assert_eq!(made["allowed_clock_skew"], 5);
    assert_eq!(made["custom_signing_key"], false);
    assert_eq!(made["signing_algorithm"], "RS256");
    let uri = format!("/v1/jwt_templates/{}", made["id"].as_str().unwrap());
    assert_eq!(fixture.get(&uri).ok(), made);

    fixture.advance(1000);
    create(&fixture, "second", json!({}));
    let newest_first = ["second", "reports"];
    assert_eq!(
        pluck(&fixture.get("/v1/jwt_templates").ok(), "name"),
        newest_first
    );
    let page = fixture.get("/v1/jwt_templates?limit=1&paginated=true").ok();
    assert_eq!(page["total_count"], 2);

    let change = json!({ "name": "reports", "claims": { "x": 1 }, "lifetime": 300 });
    let changed = fixture.patch(&uri, change).ok();
    assert_eq!(changed["claims"], json!({ "x": 1 }));
    assert_eq!(changed["lifetime"], 300);
    assert_eq!(changed["allowed_clock_skew"], 5);
    assert_eq!(changed["updated_at"], NOW + 1000);
    let taken = json!({ "name": "second", "claims": {} });
    fixture
        .patch(&uri, taken)
        .refused(422, "form_identifier_exists");

    assert_eq!(fixture.delete(&uri).ok()["deleted"], true);
    fixture.get(&uri).refused(404, "resource_not_found");
    fixture.delete(&uri).refused(404, "resource_not_found");
}

#[test]
fn what_is_no_template_is_refused() {
    let fixture = Fixture::new();
    create(&fixture, "taken", json!({}));
    let with = |member: &str, value: Value| {
        let mut body = json!({ "name": "new", "claims": {} });
        body[member] = value;
        body
    };
    for (body, code) in [
        (json!({ "claims": {} }), "form_param_missing"),
        (json!({ "name": "new" }), "form_param_missing"),
        (with("name", json!("")), "form_param_nil"),
        (with("name", json!("a/b")), "form_param_format_invalid"),
        (with("name", json!("taken")), "form_identifier_exists"),
        (with("claims", json!([])), "form_param_type_invalid"),
        (
            with("claims", json!({ "sub": "x" })),
            "jwt_template_reserved_claim",
        ),
        (
            with("claims", json!({ "sid": "x" })),
            "jwt_template_reserved_claim",
        ),
        (with("lifetime", json!(29)), "form_param_value_invalid"),
        (
            with("lifetime", json!(315_360_001)),
            "form_param_value_too_large",
        ),
        (
            with("allowed_clock_skew", json!(301)),
            "form_param_value_too_large",
        ),
        (
            with("custom_signing_key", json!(true)),
            "form_param_value_invalid",
        ),
    ] {
        fixture.post("/v1/jwt_templates", body).refused(422, code);
    }
    assert_eq!(
        fixture
            .get("/v1/jwt_templates")
            .ok()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_token_says_what_its_template_says() {
    let fixture = Fixture::new();
    let template = json!({
        "aud": "https://my-site.example",
        "foo": { "bar": [1, 2, "{{user.id}}"] },
        "full_name": "{{user.last_name}} {{user.first_name}}",
        "email": "{{user.primary_email_address}}",
        "verified": "{{user.email_verified}}",
        "crm": "{{user.external_id}}",
        "registered": "{{user.created_at}}",
        "role": "{{user.public_metadata.role || 'none'}}",
        "plan": "{{user.public_metadata.no_plan || 'free'}}",
        "metadata": "{{user.public_metadata}}",
        "private": "{{user.private_metadata}}",
        "org": { "id": "{{org.id}}", "slug": "{{org.slug}}", "role": "{{org.role}}" },
        "orgs": "{{user.organizations}}",
        "actor": "{{session.actor}}",
    });
    create(&fixture, "site", template);
    let id = session(&fixture, Some(NORTHWIND));
    let jwt = mint(&fixture, &id, "site", json!({}));
    assert_eq!(header(&jwt)["cat"], "cl_B7d4PD222AAA");
    let token = claims(&jwt);
    assert_eq!(token["aud"], "https://my-site.example");
    assert_eq!(token["foo"], json!({ "bar": [1, 2, AVA] }));
    assert_eq!(token["full_name"], "Mitchell Ava");
    assert_eq!(token["email"], "ava.mitchell@northwind.example");
    assert_eq!(token["verified"], true);
    assert_eq!(token["crm"], "crm-1001");
    let created_at = fixture.get(&format!("/v1/users/{AVA}")).ok()["created_at"].clone();
    assert_eq!(token["registered"], created_at.as_u64().unwrap() / 1000);
    assert_eq!(token["role"], "admin");
    assert_eq!(token["plan"], "free");
    assert_eq!(token["metadata"]["role"], "admin");
    assert_eq!(token["private"], Value::Null);
    let org = json!({ "id": NORTHWIND, "slug": "northwind-metrics", "role": "org:admin" });
    assert_eq!(token["org"], org);
    assert_eq!(token["orgs"][NORTHWIND], "org:admin");
    assert_eq!(token["actor"], Value::Null);
    // Clerk's own claims; the token is not tied to the session.
    let now = NOW / 1000;
    assert_eq!(token["sub"], AVA);
    assert_eq!(token["iss"], "http://127.0.0.1:8789");
    assert_eq!(
        [&token["nbf"], &token["iat"], &token["exp"]],
        [now - 5, now, now + 60]
    );
    for absent in ["sid", "v", "azp", "fea", "o"] {
        assert_eq!(token.get(absent), None, "{absent}");
    }
    let alone = session(&fixture, None);
    let token = claims(&mint(&fixture, &alone, "site", json!({})));
    assert_eq!(
        token["org"],
        json!({ "id": null, "slug": null, "role": null })
    );
}

#[test]
fn the_template_or_the_request_sets_the_times() {
    let fixture = Fixture::new();
    let body = json!({ "name": "long", "claims": {}, "lifetime": 3600, "allowed_clock_skew": 0 });
    fixture.post("/v1/jwt_templates", body).ok();
    let id = session(&fixture, None);
    let now = NOW / 1000;
    let token = claims(&mint(&fixture, &id, "long", json!({})));
    assert_eq!([&token["nbf"], &token["exp"]], [now, now + 3600]);
    let token = claims(&mint(
        &fixture,
        &id,
        "long",
        json!({ "expires_in_seconds": 90 }),
    ));
    assert_eq!(token["exp"], now + 90);

    let uri = format!("/v1/sessions/{id}/tokens");
    fixture
        .post(&format!("{uri}/missing"), json!({}))
        .refused(404, "resource_not_found");
    fixture
        .post(&format!("/v1/sessions/{id}/revoke"), json!({}))
        .ok();
    fixture
        .post(&format!("{uri}/long"), json!({}))
        .refused(404, "resource_not_found");
}

#[test]
fn the_frontend_api_mints_them_for_its_own_sessions() {
    let fixture = Fixture::new();
    create(&fixture, "site", json!({ "by": "{{session.actor.sub}}" }));
    let actor = json!({ "user_id": AVA, "actor": { "sub": PRIYA } });
    let ticket = fixture.post("/v1/actor_tokens", actor).ok();
    let browser = Browser::plain(&fixture);
    let fields = [
        ("strategy", "ticket"),
        ("ticket", ticket["token"].as_str().unwrap()),
    ];
    let signed_in = browser.post("/v1/client/sign_ins", &fields).ok();
    let id = signed_in["response"]["created_session_id"]
        .as_str()
        .unwrap();
    let uri = format!("/v1/client/sessions/{id}/tokens");
    let from = [("origin", "http://localhost:3000")];
    let token = browser.post_with(&format!("{uri}/site"), &[], &from).ok();
    let jwt = token["jwt"].as_str().unwrap();
    assert_eq!(claims(jwt)["by"], PRIYA);
    assert_eq!(claims(jwt)["azp"], "http://localhost:3000");
    let token = browser.post_with(&uri, &[], &from).ok();
    let jwt = token["jwt"].as_str().unwrap();
    assert_eq!(claims(jwt)["azp"], "http://localhost:3000");
    browser
        .post(&format!("{uri}/missing"), &[])
        .clerk_refused(404, "resource_not_found");
    let stranger = Browser::plain(&fixture);
    stranger
        .post(&format!("{uri}/site"), &[])
        .clerk_refused(401, "authentication_invalid");
}

const SEED: &str = r#"
[[users]]
id = "user_1"
[[jwt_templates]]
name = "hasura"
lifetime = 120
[jwt_templates.claims]
who = "{{user.id}}"
"#;

#[test]
fn templates_come_from_the_seed_and_stay_in_snapshots() {
    let fixture = Fixture::seeded(&seed(SEED));
    let snapshot = fixture.emulator.snapshot();
    let restored = Emulator::restore(
        snapshot,
        fixture.clock.clone(),
        Box::new(common::TestRandom::new()),
    );
    let fixture = Fixture::around(restored.unwrap(), fixture.clock.clone());
    let made = fixture
        .post("/v1/sessions", json!({ "user_id": "user_1" }))
        .ok();
    let jwt = mint(&fixture, made["id"].as_str().unwrap(), "hasura", json!({}));
    assert_eq!(claims(&jwt)["who"], "user_1");
    assert_eq!(claims(&jwt)["exp"], NOW / 1000 + 120);
}

#[test]
fn a_seed_with_a_wrong_template_is_refused() {
    for (wrong, expected) in [
        ("name = 'a b'\nclaims = {}", "a name is"),
        ("name = 'a'\nclaims = { exp = 1 }", "\"exp\" is reserved"),
        ("name = 'a'\nclaims = {}\nlifetime = 1", "30 to 315360000"),
        (
            "name = 'a'\nclaims = {}\nallowed_clock_skew = 301",
            "0 to 300",
        ),
        (
            "name = 'a'\nclaims = {}\n[[jwt_templates]]\nname = 'a'\nclaims = {}",
            "already taken",
        ),
    ] {
        let seed = seed(&format!("[[jwt_templates]]\n{wrong}"));
        let clock = Fixture::new().clock;
        let made = Emulator::new(&seed, clock, Box::new(common::TestRandom::new()));
        let error: SeedError = made.err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().starts_with("jwt_templates["), "{error}");
    }
}
