//! Machines and API keys of seeds.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use clerk_mcp_emulator::Emulator;
use common::{Fixture, TestRandom, pluck, seed};
use http::Method;
use serde_json::json;

const SEED: &str = r#"
[[users]]
id = "user_2xhFjEI5X2qWRvtV13BzSj8H6Dk"
email_addresses = ["one@example.com"]

[[organizations]]
name = "Org"
slug = "org"

[[machines]]
name = "orders"
secret_key = "ak_orders"
scopes = ["billing"]
default_token_ttl = 60

[[machines]]
name = "billing"
secret_key = "ak_billing"

[[api_keys]]
name = "CI key"
subject = "one@example.com"
secret = "ak_ci"
scopes = ["read"]
claims = { team = 7 }
expires_at = "+1d"

[[api_keys]]
name = "Old key"
subject = "org"
revoked = true
"#;

#[test]
fn machines_of_a_seed_talk_to_each_other() {
    let fixture = Fixture::seeded(&seed(SEED));
    let made = fixture.send_as("ak_orders", Method::POST, "/m2m_tokens", "{}");
    assert_eq!(made.status, 201);
    let body = json!({ "token": made.json["token"] }).to_string();
    let verified = fixture.send_as("ak_billing", Method::POST, "/m2m_tokens/verify", body);
    let verified = verified.ok();
    assert_eq!(verified["subject"], made.json["subject"]);
    assert_eq!(verified["expiration"], common::NOW + 60_000);
}

#[test]
fn keys_of_a_seed_are_verified() {
    let fixture = Fixture::seeded(&seed(SEED));
    let body = json!({ "secret": "ak_ci" });
    let key = fixture.post("/v1/api_keys/verify", body).ok();
    assert_eq!(key["subject"], "user_2xhFjEI5X2qWRvtV13BzSj8H6Dk");
    assert_eq!(key["claims"], json!({ "team": 7 }));
    assert_eq!(key["scopes"], json!(["read"]));
    let organization = fixture.get("/v1/organizations/org").ok()["id"].clone();
    let organization = organization.as_str().unwrap();
    let list = format!("/v1/api_keys?subject={organization}&include_invalid=true");
    assert_eq!(pluck(&fixture.get(&list).ok(), "name"), ["Old key"]);
}

#[test]
fn wrong_machines_and_keys_are_refused() {
    for (wrong, expected) in [
        ("[[machines]]\nname = ''", "the name is empty"),
        (
            "[[machines]]\nname = 'a'\nsecret_key = 'sk_test_x'",
            "a secret_key is ak_",
        ),
        ("[[machines]]\nname = 'a'\nscopes = ['b']", "no machine"),
        (
            "[[machines]]\nname = 'a'\ndefault_token_ttl = 0",
            "1 to 315360000",
        ),
        (
            "[[machines]]\nname = 'a'\n[[machines]]\nname = 'a'",
            "already taken",
        ),
        ("[[api_keys]]\nname = 'key'\nsubject = 'nobody'", "no user"),
        (
            "[[users]]\nid = 'user_1'\n[[api_keys]]\nname = 'k'\nsubject = 'user_1'",
            "fewer than 3",
        ),
        (
            "[[users]]\nid = 'user_1'\n[[api_keys]]\nname = 'key'\nid = 'ak_1'\nsubject = 'user_1'",
            "32 hexadecimal",
        ),
    ] {
        let made = Emulator::new(
            &seed(wrong),
            Fixture::new().clock,
            Box::new(TestRandom::new()),
        );
        let error = made.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("sk_test_x"), "{error}");
    }
}
