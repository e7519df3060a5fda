//! Seeds in their three formats, and snapshots.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use clerk_mcp_emulator::{Emulator, Seed, SeedError, SeedFormat};
use common::{AVA, Fixture, NOW, TestRandom, seed};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

const TOML: &str = r#"
[instance]
secret_keys = ["sk_test_emulate"]

[[permissions]]
key = "org:files:read"
name = "Read files"

[[roles]]
key = "org:reader"
name = "Reader"
permissions = ["org:files:read"]

[[users]]
id = "user_one"
first_name = "One"
email_addresses = ["one@example.com", { value = "1@example.com", verified = false }]
public_metadata = { plan = "pro", nested = { deep = [1, 2] } }
created_at = "-30d"

[[users]]
username = "second"
created_at = "2026-01-01T00:00:00Z"

[[organizations]]
name = "Org"
slug = "org"
created_by = "one@example.com"
members = [{ user = "user_one", role = "org:admin" }, { user = "second", role = "org:reader" }]
invitations = [{ email_address = "x@example.com", status = "revoked" }]

[[invitations]]
email_address = "y@example.com"
"#;

const YAML: &str = r#"
instance:
  secret_keys: [sk_test_emulate]
permissions:
  - { key: "org:files:read", name: Read files }
roles:
  - { key: "org:reader", name: Reader, permissions: ["org:files:read"] }
users:
  - id: user_one
    first_name: One
    email_addresses:
      - one@example.com
      - { value: 1@example.com, verified: false }
    public_metadata: { plan: pro, nested: { deep: [1, 2] } }
    created_at: -30d
  - username: second
    created_at: "2026-01-01T00:00:00Z"
organizations:
  - name: Org
    slug: org
    created_by: one@example.com
    members:
      - { user: user_one, role: "org:admin" }
      - { user: second, role: "org:reader" }
    invitations:
      - { email_address: x@example.com, status: revoked }
invitations:
  - email_address: y@example.com
"#;

fn json_text() -> String {
    json!({
        "instance": { "secret_keys": ["sk_test_emulate"] },
        "permissions": [{ "key": "org:files:read", "name": "Read files" }],
        "roles": [{ "key": "org:reader", "name": "Reader", "permissions": ["org:files:read"] }],
        "users": [
            {
                "id": "user_one",
                "first_name": "One",
                "email_addresses": ["one@example.com", { "value": "1@example.com", "verified": false }],
                "public_metadata": { "plan": "pro", "nested": { "deep": [1, 2] } },
                "created_at": "-30d",
            },
            { "username": "second", "created_at": "2026-01-01T00:00:00Z" },
        ],
        "organizations": [{
            "name": "Org",
            "slug": "org",
            "created_by": "one@example.com",
            "members": [
                { "user": "user_one", "role": "org:admin" },
                { "user": "second", "role": "org:reader" },
            ],
            "invitations": [{ "email_address": "x@example.com", "status": "revoked" }],
        }],
        "invitations": [{ "email_address": "y@example.com" }],
    })
    .to_string()
}

#[test]
fn the_three_formats_give_the_same_state() {
    let parse = |text: &str, format| Seed::parse(text, format).unwrap();
    let toml = Fixture::seeded(&parse(TOML, SeedFormat::Toml))
        .emulator
        .snapshot();
    let yaml = Fixture::seeded(&parse(YAML, SeedFormat::Yaml))
        .emulator
        .snapshot();
    let json = Fixture::seeded(&parse(&json_text(), SeedFormat::Json))
        .emulator
        .snapshot();
    assert_eq!(toml, yaml);
    assert_eq!(toml, json);
    assert_eq!(toml["state"]["users"].as_array().unwrap().len(), 2);
}

#[test]
fn the_format_is_known_by_the_extension() {
    assert_eq!(SeedFormat::from_extension("toml"), Some(SeedFormat::Toml));
    assert_eq!(SeedFormat::from_extension("YML"), Some(SeedFormat::Yaml));
    assert_eq!(SeedFormat::from_extension("json"), Some(SeedFormat::Json));
    assert_eq!(SeedFormat::from_extension("ini"), None);
}

/// Why the seed is refused.
#[track_caller]
fn problem(toml: &str) -> String {
    let clock = Fixture::new().clock;
    let made = Emulator::new(&seed(toml), clock, Box::new(TestRandom::new()));
    made.err().unwrap().to_string()
}

#[test]
fn contradictions_are_named() {
    let twice =
        "users = [{ email_addresses = ['a@b.example'] }, { email_addresses = ['A@b.example'] }]";
    assert_eq!(
        problem(twice),
        "users[1]: e-mail address \"a@b.example\" is already taken by another row"
    );
    let nobody = "organizations = [{ name = 'A', slug = 'a', members = [{ user = 'x', role = 'org:admin' }] }]";
    assert_eq!(
        problem(nobody),
        "organizations[0].members[0]: there is no user \"x\""
    );
    assert_eq!(
        problem("users = [{ email_addresses = ['a@b.example', 'A@b.example'] }]"),
        "users[0]: e-mail address \"a@b.example\" is given twice"
    );
    assert!(
        problem("users = [{ created_at = 'soon' }]")
            .starts_with("users[0]: \"soon\" is not a time")
    );
    assert!(problem("users = [{ username = 'a b' }]").contains("users[0]"));
    assert!(
        problem("invitations = [{ email_address = 'a@b.example', status = 'lost' }]")
            .contains("lost")
    );
}

#[test]
fn ids_and_keys_have_the_form_of_clerks() {
    assert_eq!(
        problem("users = [{ id = '../x' }]"),
        "users[0]: \"../x\" is not an id: write user_ and then ASCII letters, digits, `_` and `-`"
    );
    for (toml, place) in [
        ("users = [{ id = 'org_a' }]", "users[0]"),
        ("users = [{ id = 'user_' }]", "users[0]"),
        ("users = [{ id = 'user_a/../b' }]", "users[0]"),
        (
            "users = [{ email_addresses = [{ value = 'a@b.example', id = 'x' }] }]",
            "users[0]",
        ),
        (
            "organizations = [{ id = 'a', name = 'A' }]",
            "organizations[0]",
        ),
        (
            "users = [{ id = 'user_a' }]\norganizations = [{ name = 'A', members = [{ user = 'user_a', id = 'x' }] }]",
            "organizations[0].members[0]",
        ),
        (
            "organizations = [{ name = 'A', invitations = [{ email_address = 'a@b.example', id = 'x' }] }]",
            "organizations[0].invitations[0]",
        ),
        (
            "invitations = [{ email_address = 'a@b.example', id = 'x' }]",
            "invitations[0]",
        ),
        (
            "roles = [{ key = 'org:x', name = 'X', id = 'x' }]",
            "roles[0]",
        ),
        (
            "permissions = [{ key = 'org:x:y', name = 'X', id = 'x' }]",
            "permissions[0]",
        ),
        ("instance = { id = 'x' }", "instance"),
    ] {
        let text = problem(toml);
        assert!(text.starts_with(&format!("{place}: ")), "{text}");
        assert!(text.contains("is not an id"), "{text}");
    }
    for key in ["hunter22", "pk_test_a", "sk_test_", "sk_test_a b"] {
        let text = problem(&format!(
            "instance = {{ secret_keys = ['sk_live_a', '{key}'] }}"
        ));
        assert!(text.starts_with("instance.secret_keys[1]: "), "{text}");
        assert!(!text.contains(key) || key == "sk_test_", "{text}");
    }
}

#[test]
fn what_a_seed_leaves_out_has_defaults() {
    let fixture = Fixture::seeded(&seed(
        "users = [{ username = 'somebody' }]
        [[organizations]]
        name = 'Quarry & Sons'
        members = [{ user = 'somebody' }]
        invitations = [{ email_address = 'a@b.example' }]
        [[organizations]]
        name = 'quarry sons'",
    ));
    let organization = fixture.get("/v1/organizations/quarry-sons").ok();
    assert_eq!(organization["name"], "Quarry & Sons");
    fixture.get("/v1/organizations/quarry-sons-1717200000").ok();
    let id = organization["id"].as_str().unwrap();
    for list in ["memberships", "invitations"] {
        let rows = fixture.get(&format!("/v1/organizations/{id}/{list}")).ok();
        assert_eq!(rows["data"][0]["role"], "org:member", "{rows}");
    }
}

#[test]
fn errors_have_no_names_of_the_program() {
    let yaml = Seed::parse("users: [", SeedFormat::Yaml).unwrap_err();
    assert!(yaml.to_string().contains("not readable as YAML"), "{yaml}");
    for toml in [
        "users = [{ created_at = true }]",
        "users = [{ email_addresses = [1] }]",
    ] {
        let text = Seed::parse(toml, SeedFormat::Toml).unwrap_err().to_string();
        assert!(
            !text.contains("untagged") && !text.contains("enum"),
            "{text}"
        );
    }
}

#[test]
fn unknown_members_of_a_seed_are_refused() {
    let error = Seed::parse("[[user]]", SeedFormat::Toml).unwrap_err();
    assert!(matches!(error, SeedError::Syntax { .. }));
    assert!(error.to_string().contains("user"), "{error}");
}

#[test]
fn a_snapshot_restores_everything() {
    let fixture = Fixture::new();
    fixture
        .post(
            "/v1/users",
            json!({ "username": "somebody", "password": "long enough" }),
        )
        .ok();
    fixture.post("/v1/sessions", json!({ "user_id": AVA })).ok();
    fixture
        .post(
            "/v1/invitations",
            json!({ "email_address": "new@example.com" }),
        )
        .ok();
    fixture
        .post("/_emulator/clock", json!({ "advance_ms": 1000 }))
        .ok();
    let snapshot = fixture.emulator.snapshot();
    let restored = Emulator::restore(
        snapshot.clone(),
        fixture.clock.clone(),
        Box::new(TestRandom::new()),
    );
    let restored = Fixture::around(restored.unwrap(), Arc::clone(&fixture.clock));
    assert_eq!(restored.emulator.snapshot(), snapshot);
    for uri in [
        "/v1/users?limit=500",
        "/v1/sessions",
        "/v1/organization_memberships?limit=500",
        "/_emulator/clock",
    ] {
        assert_eq!(restored.get(uri).ok(), fixture.get(uri).ok(), "{uri}");
    }
    restored
        .post("/v1/users", json!({ "username": "somebody" }))
        .refused(422, "form_identifier_exists");
    restored.post("/_emulator/reset", json!({})).ok();
    assert_eq!(
        restored.emulator.snapshot(),
        Fixture::new().emulator.snapshot()
    );
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let clock = Fixture::new().clock;
    for wrong in [
        json!(null),
        json!({}),
        json!({ "snapshot": 99 }),
        json!({ "snapshot": 1, "state": {} }),
    ] {
        let made = Emulator::restore(wrong, clock.clone(), Box::new(TestRandom::new()));
        assert!(matches!(made.err(), Some(SeedError::Snapshot { .. })));
    }
}

#[test]
fn the_default_seed_is_small_and_valid() {
    let fixture = Fixture::new();
    assert_eq!(fixture.emulator.size(), (30, 5));
    let users = fixture.get("/v1/users?limit=500").ok();
    for user in users.as_array().unwrap() {
        assert_eq!(user["id"].as_str().unwrap().len(), 32);
        assert!(user["created_at"].as_u64().unwrap() < NOW);
    }
}

#[test]
fn generated_rows_are_the_same_in_every_run() {
    let toml = "generate = { users = 50, organizations = 3, members_per_organization = 10 }";
    let first = Fixture::seeded(&seed(toml));
    assert_eq!(
        first.emulator.snapshot(),
        Fixture::seeded(&seed(toml)).emulator.snapshot()
    );
    assert_eq!(
        first.get("/v1/organization_memberships?limit=500").ok()["total_count"],
        30
    );
}

proptest! {
    #[test]
    fn parsing_never_panics(text in any::<String>()) {
        for format in [SeedFormat::Toml, SeedFormat::Yaml, SeedFormat::Json] {
            let _ = Seed::parse(&text, format);
        }
    }

    #[test]
    fn broken_seeds_never_panic(cut in 0_usize..2000, insert in "[\\[\\]{}\",:\\-a-z0-9 \n]{0,8}") {
        for (text, format) in [(TOML, SeedFormat::Toml), (YAML, SeedFormat::Yaml)] {
            let cut = cut.min(text.len());
            let text = format!("{}{insert}{}", &text[..cut], &text[cut..]);
            if let Ok(seed) = Seed::parse(&text, format) {
                let clock = Fixture::new().clock;
                let _ = Emulator::new(&seed, clock, Box::new(TestRandom::new()));
            }
        }
    }
}
