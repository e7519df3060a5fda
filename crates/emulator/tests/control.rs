//! The control API: clock, faults, request log, rate limit, reset.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use bytes::Bytes;
use clerk_mcp_emulator::Answer;
use common::{AVA, DAY, Fixture, NOW};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn web_pages_are_refused() {
    let page = Fixture::new().with_header("origin", "https://evil.example");
    assert_eq!(page.post("/_emulator/reset", json!({})).status, 403);
    assert_eq!(page.get("/_emulator/requests").status, 403);
}

#[test]
fn other_host_names_are_refused() {
    for (host, allowed) in [
        ("localhost", true),
        ("LocalHost:8789", true),
        ("127.0.0.1", true),
        ("192.168.1.5:80", true),
        ("[::1]", true),
        ("[::1]:8789", true),
        ("evil.example", false),
        ("evil.example:8789", false),
        ("localhost.evil.example", false),
        ("127.0.0.1.evil.example:8789", false),
        ("localhost@evil.example", false),
    ] {
        let fixture = Fixture::new().with_header("host", host);
        let response = fixture.post("/_emulator/reset", json!({}));
        let expected = if allowed { 200 } else { 403 };
        assert_eq!(response.status, expected, "{host}: {}", response.text);
        assert_eq!(response.text.contains("hint:"), !allowed, "{host}");
        assert_eq!(fixture.get("/v1/users/count").status, 200, "{host}");
    }
}

#[test]
fn the_clock_moves_and_things_expire() {
    let fixture = Fixture::new();
    let pending = |expected: usize| {
        let list = fixture.get("/v1/invitations?status=pending").ok();
        assert_eq!(list.as_array().unwrap().len(), expected);
    };
    pending(2);
    let clock = fixture
        .post("/_emulator/clock", json!({ "advance_ms": 60 * DAY }))
        .ok();
    assert_eq!(
        clock,
        json!({ "now_ms": NOW + 60 * DAY, "offset_ms": 60 * DAY })
    );
    pending(0);
    let clock = fixture
        .post("/_emulator/clock", json!({ "set_ms": NOW - DAY }))
        .ok();
    assert_eq!(clock["now_ms"], NOW - DAY);
    assert_eq!(fixture.get("/_emulator/clock").ok(), clock);
    assert_eq!(fixture.post("/_emulator/clock", json!({})).status, 400);
    assert_eq!(
        fixture
            .post("/_emulator/clock", json!({ "tick": 1 }))
            .status,
        400
    );
}

#[test]
fn a_reset_starts_over() {
    let fixture = Fixture::new();
    let before = fixture.emulator.snapshot();
    fixture.delete(&format!("/v1/users/{AVA}")).ok();
    fixture
        .post("/_emulator/clock", json!({ "advance_ms": 5 }))
        .ok();
    fixture
        .post("/_emulator/faults", json!({ "status": 500 }))
        .ok();
    fixture
        .get("/v1/users")
        .refused(500, "internal_clerk_error");
    let revision = fixture.emulator.revision();
    fixture.post("/_emulator/reset", json!({})).ok();
    assert_eq!(fixture.emulator.snapshot(), before);
    assert!(fixture.emulator.revision() > revision);
    fixture.get("/v1/users").ok();
}

#[test]
fn faults_refuse_so_many_times() {
    let fixture = Fixture::new();
    let rule = json!({ "operation": "GetUser", "status": 429, "retry_after": 7, "times": 2 });
    fixture.post("/_emulator/faults", rule).ok();
    let uri = format!("/v1/users/{AVA}");
    for _ in 0..2 {
        let response = fixture.get(&uri);
        assert_eq!(response.headers["retry-after"], "7");
        response.refused(429, "too_many_requests");
        fixture.get("/v1/users").ok();
    }
    fixture.get(&uri).ok();
    assert_eq!(fixture.get("/_emulator/faults").ok()["total_count"], 0);
}

#[test]
fn faults_match_method_path_and_chance() {
    let fixture = Fixture::new();
    fixture
        .post(
            "/_emulator/faults",
            json!({ "method": "post", "path": "/v1/users", "status": 503 }),
        )
        .ok();
    fixture.get("/v1/users").ok();
    fixture
        .post("/v1/users", json!({ "username": "somebody" }))
        .refused(503, "internal_clerk_error");
    fixture.delete("/_emulator/faults").ok();
    fixture
        .post("/v1/users", json!({ "username": "somebody" }))
        .ok();
    fixture
        .post(
            "/_emulator/faults",
            json!({ "probability": 0.5, "status": 500 }),
        )
        .ok();
    let failed = (0..200)
        .filter(|_| fixture.get("/v1/users/count").status == 500)
        .count();
    assert!((60..140).contains(&failed), "{failed}");
}

#[test]
fn faults_delay_drop_and_break() {
    let fixture = Fixture::new();
    let ask = || fixture.reply(Method::GET, "/v1/users/count", Bytes::new());
    fixture
        .post("/_emulator/faults", json!({ "latency_ms": 250 }))
        .ok();
    assert_eq!(ask().delay, Duration::from_millis(250));
    fixture
        .post("/_emulator/faults", json!({ "drop_connection": true }))
        .ok();
    let reply = ask();
    assert!(matches!(reply.answer, Answer::DropConnection));
    assert_eq!(reply.delay, Duration::from_millis(250));
    fixture.delete("/_emulator/faults").ok();
    fixture
        .post("/_emulator/faults", json!({ "invalid_json": true }))
        .ok();
    let Answer::Response(response) = ask().answer else {
        panic!("dropped")
    };
    assert!(serde_json::from_slice::<Value>(response.body()).is_err());
}

#[test]
fn an_answer_is_lost_after_the_operation_ran() {
    let fixture = Fixture::new();
    let rule =
        json!({ "operation": "DeleteUser", "status": 500, "after_running": true, "times": 1 });
    fixture.post("/_emulator/faults", rule).ok();
    fixture
        .delete(&format!("/v1/users/{AVA}"))
        .refused(500, "internal_clerk_error");
    fixture
        .get(&format!("/v1/users/{AVA}"))
        .refused(404, "resource_not_found");
}

#[test]
fn senseless_rules_are_refused() {
    let fixture = Fixture::new();
    let rules = [
        json!({}),
        json!({ "status": 200 }),
        json!({ "status": 500, "drop_connection": true }),
        json!({ "status": 500, "probability": 2 }),
        json!({ "status": 500, "colour": "red" }),
    ];
    for rule in rules {
        assert_eq!(fixture.post("/_emulator/faults", rule).status, 400);
    }
    assert_eq!(fixture.get("/_emulator/unicorns").status, 404);
    assert_eq!(fixture.get("/_emulator/reset").status, 405);
}

#[test]
fn unknown_operations_are_named() {
    let fixture = Fixture::new();
    let problem = |operation: &str| {
        let rule = json!({ "operation": operation, "status": 500 });
        let response = fixture.post("/_emulator/faults", rule);
        assert_eq!(response.status, 422, "{}", response.text);
        response.json["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        problem("getuser"),
        "there is no operation \"getuser\"\nhint: did you mean GetUser?"
    );
    assert!(problem("CreateUsr").ends_with("did you mean CreateUser?"));
    assert!(problem("Teleport").contains("GetUserList, CreateUser"));
    assert!(problem(&"x".repeat(10_000)).contains("CreateUser"));
    assert_eq!(fixture.get("/_emulator/faults").ok()["total_count"], 0);
}

#[test]
fn a_latency_has_a_limit() {
    let fixture = Fixture::new();
    let add = |ms: u64| fixture.post("/_emulator/faults", json!({ "latency_ms": ms }));
    add(600_000).ok();
    let refused = add(600_001);
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("600000"), "{}", refused.text);
}

#[test]
fn the_rate_limit_is_a_sliding_window() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.get("/_emulator/rate_limit").ok()["rate_limit"],
        Value::Null
    );
    fixture
        .post(
            "/_emulator/rate_limit",
            json!({ "requests": 2, "per_ms": 10_000 }),
        )
        .ok();
    fixture.get("/v1/users").ok();
    fixture.advance(4_000);
    fixture.get("/v1/users").ok();
    let response = fixture.get("/v1/users");
    assert_eq!(response.headers["retry-after"], "6");
    response.refused(429, "too_many_requests");
    fixture.advance(6_000);
    fixture.get("/v1/users").ok();
    assert_eq!(
        fixture
            .post(
                "/_emulator/rate_limit",
                json!({ "requests": 0, "per_ms": 1 })
            )
            .status,
        400
    );
    fixture.delete("/_emulator/rate_limit").ok();
    fixture.get("/v1/users").ok();
}

#[test]
fn the_log_keeps_requests_without_secrets() {
    let fixture = Fixture::new();
    let body = json!({ "username": "somebody", "password": "hunter22 hunter22", "private_metadata": { "api_secret": "s3" } });
    fixture.post("/v1/users?ticket=abc&limit=1", body).ok();
    let log = fixture.get("/_emulator/requests").ok();
    assert_eq!(log["total_count"], 1);
    let entry = &log["data"][0];
    assert_eq!(entry["method"], "POST");
    assert_eq!(entry["operation"], "CreateUser");
    assert_eq!(entry["url"], "/v1/users?ticket=***&limit=1");
    assert_eq!(entry["content_type"], "application/json");
    assert_eq!(entry["body"]["username"], "somebody");
    let text = log.to_string();
    for secret in ["hunter22", "sk_test_emulate", "s3", "abc"] {
        assert!(!text.contains(secret), "{text}");
    }
    fixture.delete("/_emulator/requests").ok();
    for _ in 0..300 {
        fixture.get("/v1/users/count").ok();
    }
    assert_eq!(fixture.get("/_emulator/requests").ok()["total_count"], 200);
}
