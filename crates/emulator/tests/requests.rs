//! What every request must get right: key, version, route, content type, body.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{AVA, Fixture};
use http::Method;
use serde_json::json;

#[test]
fn the_key_is_checked() {
    let ask = |authorization: Option<&str>| {
        Fixture::new()
            .with_authorization(authorization)
            .get("/v1/users/count")
    };
    ask(Some("Bearer sk_test_emulate")).ok();
    ask(None).refused(401, "authentication_invalid");
    ask(Some("sk_test_emulate")).refused(401, "authorization_header_format_invalid");
    ask(Some("Basic abc")).refused(401, "authorization_header_format_invalid");
    ask(Some("Bearer sk_test_wrong")).refused(401, "clerk_key_invalid");
    let error = ask(Some("Bearer pk_test_abc")).refused(401, "clerk_key_invalid");
    assert!(
        error["long_message"]
            .as_str()
            .unwrap()
            .contains("publishable key")
    );
}

#[test]
fn a_seed_names_other_keys() {
    let seed = common::seed("instance = { secret_keys = ['sk_test_mine'] }");
    let fixture = || Fixture::seeded(&seed);
    fixture()
        .with_authorization(Some("Bearer sk_test_mine"))
        .get("/v1/users")
        .ok();
    fixture().get("/v1/users").refused(401, "clerk_key_invalid");
}

#[test]
fn the_version_is_checked() {
    for version in ["2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12"] {
        Fixture::new()
            .with_header("clerk-api-version", version)
            .get("/v1/users")
            .ok();
        Fixture::new()
            .get(&format!("/v1/users?__clerk_api_version={version}"))
            .ok();
    }
    let unknown = Fixture::new().with_header("clerk-api-version", "2019-01-01");
    unknown.get("/v1/users").refused(400, "api_version_invalid");
    let both = Fixture::new().with_header("clerk-api-version", "2026-05-12");
    both.get("/v1/users?__clerk_api_version=2026-05-12")
        .refused(400, "api_version_invalid");
}

#[test]
fn unknown_routes_are_refused_in_clerks_form() {
    let fixture = Fixture::new();
    fixture
        .get("/v1/unicorns")
        .refused(404, "resource_not_found");
    fixture.get("/users").refused(404, "resource_not_found");
    fixture
        .send(Method::DELETE, "/v1/users", "")
        .refused(404, "resource_not_found");
    let stranger = Fixture::new().with_authorization(None);
    stranger
        .get("/v1/unicorns")
        .refused(401, "authentication_invalid");
}

#[test]
fn bodies_are_json_of_bounded_size() {
    let fixture = Fixture::new();
    let send = |body: String| fixture.send(Method::POST, "/v1/users", body);
    send("{".to_owned()).refused(400, "request_body_invalid");
    send("[]".to_owned()).refused(400, "request_body_invalid");
    send("x".repeat(1024 * 1024 + 1)).refused(413, "request_body_too_large");
    let form = Fixture::new().with_header("content-type", "application/x-www-form-urlencoded");
    form.send(Method::POST, "/v1/users", "a=b")
        .refused(415, "unsupported_content_type");
    let charset = Fixture::new().with_header("content-type", "application/json; charset=utf-8");
    charset
        .post("/v1/users", json!({ "username": "with_charset" }))
        .ok();
    form.send(Method::POST, &format!("/v1/users/{AVA}/ban"), "")
        .ok();
}

#[test]
fn the_key_set_is_public_at_its_well_known_address_only() {
    let stranger = Fixture::new().with_authorization(None);
    let public = stranger.get("/.well-known/jwks.json").ok();
    stranger
        .get("/v1/jwks")
        .refused(401, "authentication_invalid");
    assert_eq!(Fixture::new().get("/v1/jwks").ok(), public);
    assert_eq!(public["keys"][0]["kty"], "RSA");
}

#[test]
fn reading_changes_nothing_and_writing_does() {
    let fixture = Fixture::new();
    fixture.get("/v1/users").ok();
    assert_eq!(fixture.emulator.revision(), 0);
    fixture
        .post("/v1/users", json!({ "username": "somebody" }))
        .ok();
    assert_eq!(fixture.emulator.revision(), 1);
}
