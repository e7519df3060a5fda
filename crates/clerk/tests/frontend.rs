//! The Frontend API's calls, against a script.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use clerk_mcp_clerk::frontend::{FrontendClient, FrontendError};
use clerk_mcp_clerk::oauth::{FrontendApi, Secret};
use clerk_mcp_clerk::{Transport, TransportErrorKind};
use serde_json::{Value, json};
use support::{Answer, World, answer, clerk_error, failure};

const TICKET: &str = "ticket-that-nobody-else-may-see";

fn frontend(world: &World) -> FrontendClient {
    let api = FrontendApi::parse("https://a.clerk.accounts.dev").unwrap();
    FrontendClient::new(api, Arc::clone(&world.transport) as Arc<dyn Transport>)
}

fn signed_in() -> Value {
    json!({
        "response": { "status": "complete", "created_session_id": "sess_2" },
        "client": { "sessions": [
            { "id": "sess_1", "user": { "id": "user_other" }, "actor": null },
            { "id": "sess_2", "user": { "id": "user_1" }, "actor": { "sub": "user_2" } },
        ] },
    })
}

fn first(body: &Value) -> Answer {
    answer(200, &[("authorization", "client-1")], &body.to_string())
}

/// What was sent: address, client token, body.
fn sent(world: &World, index: usize) -> (String, String, String) {
    let sent = world.transport.sent.lock().unwrap();
    let request = &sent[index].1;
    assert_eq!(request.method(), "POST");
    assert!(request.headers()["authorization"].is_sensitive());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        request.uri().to_string(),
        text(request.headers()["authorization"].as_bytes()),
        text(request.body()),
    )
}

#[tokio::test]
async fn a_ticket_becomes_a_session_whose_client_token_rotates() {
    let world = World::new([
        first(&signed_in()),
        answer(
            200,
            &[("authorization", "Bearer client-2")],
            r#"{"jwt":"one"}"#,
        ),
        answer(200, &[], r#"{"object":"token","jwt":"two"}"#),
        answer(200, &[], "{}"),
    ]);
    let session = frontend(&world)
        .sign_in_with_ticket(&Secret::new(TICKET))
        .await
        .unwrap();
    assert_eq!((session.id(), session.user_id()), ("sess_2", "user_1"));
    assert_eq!(session.actor(), Some(&json!({ "sub": "user_2" })));
    assert_eq!(session.token(None).await.unwrap().expose(), "one");
    assert_eq!(session.token(Some("a b")).await.unwrap().expose(), "two");
    session.touch().await.unwrap();
    session.end().await.unwrap();

    let base = "https://a.clerk.accounts.dev/v1/client";
    let native = "?_is_native=1";
    assert_eq!(
        sent(&world, 0),
        (
            format!("{base}/sign_ins{native}"),
            String::new(),
            format!("strategy=ticket&ticket={TICKET}")
        )
    );
    for (index, path, token) in [
        (1, "tokens", "client-1"),
        (2, "tokens/a%20b", "client-2"),
        (3, "touch", "client-2"),
        (4, "end", "client-2"),
    ] {
        let address = format!("{base}/sessions/sess_2/{path}{native}");
        assert_eq!(
            sent(&world, index),
            (address, token.to_owned(), String::new())
        );
    }
    let shown = format!("{session:?} {:?}", frontend(&world));
    assert!(!shown.contains("client-2"), "{shown}");
}

#[tokio::test]
async fn a_sign_in_that_is_not_complete_is_none() {
    let body = json!({ "response": { "status": "needs_second_factor" }, "client": {} });
    let error = refused(first(&body)).await;
    assert_eq!(error.code(), "sign_in_incomplete");
    assert!(error.to_string().contains("second factor"), "{error}");

    let mut broken = signed_in();
    for pointer in [
        "/client/sessions/1/user/id",
        "/client/sessions/1/id",
        "/response/status",
    ] {
        *broken.pointer_mut(pointer).unwrap() = Value::Null;
        let error = refused(first(&broken)).await;
        assert_eq!(error.code(), "unexpected_answer", "{pointer}");
    }
    // Without the client's token nobody could go on.
    let error = refused(answer(200, &[], &signed_in().to_string())).await;
    assert!(error.to_string().contains("no client token"), "{error}");
    let error = refused(answer(200, &[], "<html>")).await;
    assert_eq!(error.code(), "unexpected_answer");
}

#[tokio::test]
async fn refusals_name_the_reason_and_never_the_ticket() {
    let echo = format!("No ticket {TICKET} here");
    let error = refused(clerk_error(400, "ticket_invalid_code", &echo)).await;
    assert_eq!(error.code(), "ticket_invalid_code");
    assert!(error.hint().contains("must belong together"), "{error}");
    assert!(!format!("{error} {error:?}").contains(TICKET));

    let error = refused(clerk_error(403, "user_banned", "No\nway")).await;
    assert!(
        error.message().contains("403: No way (user_banned)"),
        "{error}"
    );
    let error = refused(answer(429, &[("retry-after", "7")], "")).await;
    assert_eq!(
        (error.code(), &*error.hint()),
        ("clerk_unavailable", "wait 7 s, then try again")
    );
    let error = refused(failure(TransportErrorKind::Connect)).await;
    assert!(error.message().contains("the wire was cut"), "{error}");
    let error = refused(answer(404, &[], "not found")).await;
    assert_eq!(error.code(), "unexpected_answer");
}

#[tokio::test]
async fn an_ended_session_says_so() {
    let world = World::new([
        first(&signed_in()),
        clerk_error(404, "resource_not_found", "gone"),
    ]);
    let session = frontend(&world)
        .sign_in_with_ticket(&Secret::new(TICKET))
        .await
        .unwrap();
    assert!(session.token(None).await.unwrap_err().is_ended_session());
    // A missing template is no end.
    assert!(
        !session
            .token(Some("x"))
            .await
            .unwrap_err()
            .is_ended_session()
    );
    let error = session.token(Some("../end")).await.unwrap_err();
    assert_eq!(error.code(), "invalid_template");
    assert_eq!(world.tries(), 3);
}

/// What signing in comes to with this answer.
async fn refused(answer: Answer) -> FrontendError {
    let world = World::new([answer]);
    let signed_in = frontend(&world)
        .sign_in_with_ticket(&Secret::new(TICKET))
        .await;
    assert_eq!(world.tries(), 1, "nothing is sent twice");
    signed_in.unwrap_err()
}
