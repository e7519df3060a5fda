//! What the client sends, when it sends it again, and how it shares the rate limit.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use clerk_mcp_clerk::{
    ApiUrl, ApiVersion, Client, InstanceKind, Priority, RateLimit, Request, RetryPolicy,
    TransportErrorKind,
};
use http::Method;
use serde_json::{Value, json};
use support::{DEVELOPMENT_KEY, PRODUCTION_KEY, World, answer, clerk_error, failure, get, post};

#[tokio::test]
async fn a_read_has_clerks_headers_and_no_body() {
    let world = World::new([answer(200, &[], r#"{"id":"user_1"}"#)]);
    world
        .client
        .send(&get().query("limit", "10"))
        .await
        .unwrap();
    let sent = world.transport.sent.lock().unwrap();
    let request = &sent[0].1;
    assert_eq!(request.method(), Method::GET);
    assert_eq!(
        request.uri(),
        "https://api.clerk.com/v1/users/user_1?limit=10"
    );
    assert!(request.body().is_empty());
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!(header("authorization"), format!("Bearer {DEVELOPMENT_KEY}"));
    assert!(request.headers()["authorization"].is_sensitive());
    assert_eq!(header("clerk-api-version"), "2026-05-12");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("accept"), "application/json");
    assert!(header("user-agent").starts_with("clerk-mcp/"));
    assert_eq!(request.headers().len(), 5);
}

#[tokio::test]
async fn a_write_has_its_json_body() {
    let world = World::with(PRODUCTION_KEY, [answer(200, &[], "{}")], |builder| {
        builder
            .api_url(ApiUrl::parse("http://127.0.0.1:8789/v1/").unwrap())
            .api_version(ApiVersion::parse("2025-11-10").unwrap())
            .user_agent("my agent/1\r\nX-Evil: 1".to_owned())
    });
    world.client.send(&post()).await.unwrap();
    let sent = world.transport.sent.lock().unwrap();
    let request = &sent[0].1;
    assert_eq!(request.uri(), "http://127.0.0.1:8789/v1/users");
    assert_eq!(request.body(), r#"{"first_name":"Ada"}"#);
    assert_eq!(request.headers()["clerk-api-version"], "2025-11-10");
    assert_eq!(request.headers()["user-agent"], "my agent/1X-Evil: 1");
    assert_eq!(world.client.instance(), InstanceKind::Production);
    assert_eq!(world.client.api_url().as_str(), "http://127.0.0.1:8789");
}

#[tokio::test]
async fn an_answer_keeps_fields_nobody_knows() {
    let body = json!({"id": "user_1", "brand_new": {"strategy": "telepathy"}});
    let world = World::new([answer(200, &[("cf-ray", "ray_1")], &body.to_string())]);
    let response = world.client.send(&get()).await.unwrap();
    assert_eq!((response.status, response.body), (200, body));
    assert_eq!(response.trace_id.as_deref(), Some("ray_1"));
}

#[tokio::test]
async fn an_empty_answer_is_null() {
    for (status, body) in [(204, ""), (200, " \n"), (200, "null")] {
        let world = World::new([answer(status, &[], body)]);
        let response = world.client.send(&post()).await.unwrap();
        assert_eq!((response.status, response.body), (status, Value::Null));
    }
}

#[tokio::test]
async fn a_read_is_sent_three_times_with_growing_jitter() {
    let world = World::new([clerk_error(503, "unavailable", "later")]);
    world
        .env
        .random
        .store(150, std::sync::atomic::Ordering::SeqCst);
    let error = world.client.send(&get()).await.unwrap_err();
    assert_eq!(error.status(), Some(503));
    assert_eq!(world.tries(), 3);
    assert_eq!(
        world.sleeps(),
        [Duration::from_millis(150), Duration::from_millis(150)]
    );
}

#[tokio::test]
async fn a_read_succeeds_in_the_end() {
    let world = World::new([
        failure(TransportErrorKind::Interrupted),
        clerk_error(500, "internal", "oops"),
        answer(200, &[], "[1]"),
    ]);
    assert_eq!(world.client.send(&get()).await.unwrap().body, json!([1]));
    let sent = world.transport.sent.lock().unwrap();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|(_, request)| {
        request.uri() == sent[0].1.uri() && request.headers() == sent[0].1.headers()
    }));
}

#[tokio::test]
async fn a_write_is_sent_again_only_when_it_surely_did_not_run() {
    let cases = [
        (failure(TransportErrorKind::Connect), 3),
        (clerk_error(429, "too_many_requests", "slow down"), 3),
        (failure(TransportErrorKind::Timeout), 1),
        (failure(TransportErrorKind::Interrupted), 1),
        (failure(TransportErrorKind::BodyTooLarge), 1),
        (clerk_error(500, "internal", "oops"), 1),
        (clerk_error(503, "unavailable", "later"), 1),
        (answer(200, &[], "<html>"), 1),
    ];
    for (script, tries) in cases {
        let name = format!("{script:?}");
        let world = World::new([script]);
        world.client.send(&post()).await.unwrap_err();
        assert_eq!(world.tries(), tries, "{name}");
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let limited = answer(429, &[("retry-after", "7")], "{}");
    let world = World::new([limited, answer(200, &[], "{}")]);
    world.client.send(&post()).await.unwrap();
    assert_eq!(world.sleeps(), [Duration::from_secs(7)]);
}

#[tokio::test]
async fn a_long_retry_after_is_given_back() {
    let world = World::new([answer(429, &[("retry-after", "3600")], "{}")]);
    let error = world.client.send(&get()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(3600));
    assert_eq!((world.tries(), world.sleeps().len()), (1, 0));
}

#[tokio::test]
async fn retries_can_be_turned_off() {
    let policy = RetryPolicy {
        attempts: 1,
        ..RetryPolicy::default()
    };
    let script = [failure(TransportErrorKind::Connect)];
    let world = World::with(DEVELOPMENT_KEY, script, |builder| builder.retry(policy));
    world.client.send(&get()).await.unwrap_err();
    assert_eq!(world.tries(), 1);
}

#[tokio::test]
async fn interactive_requests_never_wait() {
    let world = World::new([answer(200, &[], "{}")]);
    for _ in 0..150 {
        world.client.send(&get()).await.unwrap();
    }
    assert!(world.sleeps().is_empty());
}

#[tokio::test]
async fn bulk_requests_keep_to_four_fifths_of_the_instances_limit() {
    for (key, per_window) in [(DEVELOPMENT_KEY, 80), (PRODUCTION_KEY, 800)] {
        let world = World::with(key, [answer(200, &[], "{}")], |builder| builder);
        let request = get().priority(Priority::Bulk);
        for _ in 0..per_window {
            world.client.send(&request).await.unwrap();
        }
        assert!(world.sleeps().is_empty());
        world.client.clone().send(&request).await.unwrap();
        assert_eq!(
            world.sleeps(),
            [Duration::from_secs(10)],
            "clones share the budget"
        );
    }
}

#[tokio::test]
async fn the_limit_can_be_set() {
    let limit = RateLimit {
        requests: 5,
        per: Duration::from_secs(60),
    };
    let world = World::with(DEVELOPMENT_KEY, [answer(200, &[], "{}")], |builder| {
        builder.rate_limit(limit)
    });
    world.client.send(&get()).await.unwrap();
    for _ in 0..4 {
        world
            .client
            .send(&get().priority(Priority::Bulk))
            .await
            .unwrap();
    }
    assert_eq!(
        world.sleeps(),
        [Duration::from_secs(60)],
        "interactive requests count, too"
    );
}

#[tokio::test]
async fn after_a_429_other_bulk_requests_wait() {
    let limited = answer(429, &[("retry-after", "30")], "{}");
    let world = World::new([limited, answer(200, &[], "{}")]);
    world.client.send(&get()).await.unwrap_err();
    world.client.send(&get()).await.unwrap();
    assert!(world.sleeps().is_empty(), "interactive requests do not");
    world
        .client
        .send(&get().priority(Priority::Bulk))
        .await
        .unwrap();
    assert_eq!(world.sleeps(), [Duration::from_secs(10)], "at most 10 s");
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_not_sent() {
    let world = World::new([answer(200, &[], "{}")]);
    let incomplete = Request::new("getUser", Method::GET, "/users/{user_id}");
    let error = world.client.send(&incomplete).await.unwrap_err();
    assert_eq!(error.code(), "invalid_request");
    let endless = Request::new("getUserList", Method::GET, "/users").query("q", "x".repeat(70_000));
    let error = world.client.send(&endless).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "getUserList: path and query make no valid address\nhint: give fewer or shorter values"
    );
    assert_eq!(world.tries(), 0);
}

#[test]
fn a_sending_client_moves_between_threads() {
    fn moves<T: Send + Sync>() {}
    fn future_moves<T: Send>(_: T) {}
    moves::<Client>();
    let world = World::new([answer(200, &[], "{}")]);
    future_moves(world.client.send(&get()));
}
