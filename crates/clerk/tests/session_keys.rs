//! When a client fetches the keys of its instance, and what it makes of them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;
#[path = "support/token.rs"]
mod token;

use std::sync::atomic::Ordering;
use std::time::Duration;

use clerk_mcp_clerk::{
    JsonWebKeySet, SessionClaims, SessionTokenError, SessionTokenPolicy, TransportErrorKind,
};
use serde_json::json;
use support::{Answer, DEVELOPMENT_KEY, World, answer, failure};
use token::{AT_MS, claims, header, sign, sign_next, with};

fn world(answers: impl IntoIterator<Item = Answer>) -> World {
    let world = World::new(answers);
    world.env.time.store(AT_MS, Ordering::SeqCst);
    world
}

fn pass(world: &World, time: Duration) {
    let millis = u64::try_from(time.as_millis()).unwrap();
    world.env.time.fetch_add(millis, Ordering::SeqCst);
}

/// For years: what passes here is the time of the keys, not of the token.
fn lasting() -> serde_json::Value {
    with(claims(), json!({"exp": token::AT + 1_000_000}))
}

async fn verify(world: &World, token: &str) -> Result<SessionClaims, SessionTokenError> {
    // Every time a wide skew, for a clock that is set back.
    let policy = SessionTokenPolicy::default().clock_skew(Duration::from_secs(1_000_000));
    world.client.verify_session_token(token, &policy).await
}

#[tokio::test]
async fn keys_are_kept_for_an_hour() {
    let world = world([answer(200, &[], token::JWKS)]);
    let token = sign(&header(), &lasting());
    for _ in 0..3 {
        verify(&world, &token).await.unwrap();
    }
    pass(&world, Duration::from_secs(3_599));
    verify(&world, &token).await.unwrap();
    assert_eq!(world.tries(), 1);
    let (_, request) = &world.transport.sent.lock().unwrap()[0];
    assert_eq!(request.uri().path(), "/v1/jwks");
}

#[tokio::test]
async fn keys_older_than_an_hour_are_fetched_anew() {
    let world = world([answer(200, &[], token::JWKS)]);
    let token = sign(&header(), &lasting());
    verify(&world, &token).await.unwrap();
    pass(&world, Duration::from_secs(3_600));
    verify(&world, &token).await.unwrap();
    assert_eq!(world.tries(), 2);
    // A clock that was set back says nothing about their age.
    world.env.time.store(AT_MS - 1, Ordering::SeqCst);
    verify(&world, &token).await.unwrap();
    assert_eq!(world.tries(), 3);
}

#[tokio::test]
async fn a_new_key_is_found_at_once() {
    let world = world([
        answer(200, &[], token::JWKS),
        answer(200, &[], token::NEXT_JWKS),
    ]);
    verify(&world, &sign(&header(), &lasting())).await.unwrap();
    verify(&world, &sign_next(&lasting())).await.unwrap();
    assert_eq!(world.tries(), 2);
    // The key that was taken away is gone.
    let error = verify(&world, &sign(&header(), &lasting())).await;
    assert!(matches!(error, Err(SessionTokenError::UnknownKey { .. })));
}

#[tokio::test]
async fn unknown_keys_are_asked_for_once_a_minute() {
    let world = world([answer(200, &[], token::JWKS)]);
    let foreign = sign(&with(header(), json!({"kid": "ins_other"})), &lasting());
    let mut tries = Vec::new();
    for _ in 0..4 {
        for _ in 0..3 {
            let error = verify(&world, &foreign).await.unwrap_err();
            assert!(matches!(error, SessionTokenError::UnknownKey { .. }));
        }
        tries.push(world.tries());
        pass(&world, Duration::from_secs(30));
    }
    // Fetched at first, and once for the unknown key; then again after a minute.
    assert_eq!(tries, [2, 2, 3, 3]);
}

#[tokio::test]
async fn what_cannot_be_a_session_token_fetches_nothing() {
    let world = world([answer(200, &[], token::JWKS)]);
    let machine = with(header(), json!({"cat": "cl_B7d4PD333AAA"}));
    for token in ["", "x", "a.b.c", &sign(&machine, &claims())] {
        verify(&world, token).await.unwrap_err();
    }
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn a_given_key_needs_no_network() {
    let keys = JsonWebKeySet::from_pem(token::PUBLIC_PEM).unwrap();
    let world = World::with(
        DEVELOPMENT_KEY,
        [failure(TransportErrorKind::Connect)],
        |builder| builder.session_keys(keys),
    );
    world.env.time.store(AT_MS, Ordering::SeqCst);
    verify(&world, &sign(&header(), &claims())).await.unwrap();
    let error = verify(&world, &sign_next(&claims())).await.unwrap_err();
    assert_eq!(error, SessionTokenError::Signature);
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn without_keys_nothing_is_known_about_the_token() {
    let token = sign(&header(), &claims());
    for reply in [
        failure(TransportErrorKind::Connect),
        support::clerk_error(401, "clerk_key_invalid", "The key is invalid."),
        answer(200, &[], "{\"errors\":[]}"),
        answer(200, &[], "<html>"),
    ] {
        let world = world([reply]);
        let error = verify(&world, &token).await.unwrap_err();
        assert!(matches!(error, SessionTokenError::Keys(_)), "{error}");
        assert_eq!(error.status(), 503);
        let text = format!("{error} {error:?}");
        assert!(text.contains("hint:") && !text.contains(&token), "{text}");
    }
}

#[tokio::test]
async fn a_token_of_a_jwt_template_counts_where_one_is_asked_for() {
    let world = world([answer(200, &[], token::JWKS)]);
    let policy = SessionTokenPolicy::default()
        .issuer("https://clerk.test")
        .authorized_parties(["https://app.test"]);
    let check = async |header: &serde_json::Value, claims: &serde_json::Value| {
        let token = sign(header, claims);
        world.client.verify_template_token(&token, &policy).await
    };
    let template = with(header(), json!({"cat": "cl_B7d4PD222AAA"}));
    let own = with(
        claims(),
        json!({"sid": null, "sts": null, "v": null, "plan": "pro"}),
    );
    let found = check(&template, &own).await.unwrap();
    assert_eq!(
        (
            found.user_id.as_str(),
            &found.raw["plan"],
            found.actor.as_ref()
        ),
        ("user_a", &json!("pro"), None)
    );
    assert!(!format!("{found:?}").contains("pro\""), "{found:?}");
    let actor = json!({"act": {"sub": "user_b"}});
    let found = check(&template, &with(own.clone(), actor)).await.unwrap();
    assert_eq!(found.actor.unwrap()["sub"], "user_b");

    // A session's own token is none, nor is one that does not say what it is.
    let unnamed = with(header(), json!({"cat": null}));
    for header in [&header(), &unnamed] {
        let error = check(header, &claims()).await.unwrap_err();
        assert!(
            matches!(error, SessionTokenError::NotASessionToken(_)),
            "{error}"
        );
    }
    for (change, code) in [
        (json!({"exp": token::AT - 6}), "token_expired"),
        (json!({"nbf": token::AT + 6}), "token_not_yet_valid"),
        (json!({"iss": "https://other.test"}), "token_issuer"),
        (json!({"iss": null}), "token_claim"),
        (
            json!({"azp": "https://other.test"}),
            "token_authorized_party",
        ),
        (json!({"sub": "mch_1"}), "token_claim"),
    ] {
        let error = check(&template, &with(own.clone(), change))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code);
    }
    let foreign = token::sign_foreign(&template, &own);
    let error = world.client.verify_template_token(&foreign, &policy).await;
    assert_eq!(error.unwrap_err().code(), "token_signature");
}
