//! What errors say, one test for each status and failure, and what they never say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use clerk_mcp_clerk::{ApiUrl, Error, Request, TransportErrorKind};
use proptest::prelude::*;
use serde_json::json;
use support::{
    Answer, DEVELOPMENT_KEY, PRODUCTION_KEY, World, answer, clerk_error, failure, get, post,
};

async fn error_of(request: &Request, script: Answer) -> Error {
    World::new([script]).client.send(request).await.unwrap_err()
}

async fn shown(request: &Request, script: Answer) -> String {
    error_of(request, script).await.to_string()
}

#[tokio::test]
async fn status_401() {
    assert_eq!(
        shown(
            &get(),
            clerk_error(401, "secret_key_invalid", "The key is invalid.")
        )
        .await,
        "getUser failed: 401 Unauthorized: The key is invalid. (secret_key_invalid) \
         [trace id trace_1]\n\
         hint: check the secret key (sk_test_…1234): it may be revoked, or belong to another \
         instance"
    );
}

#[tokio::test]
async fn status_402() {
    let error = error_of(&get(), clerk_error(402, "plan", "Upgrade.")).await;
    assert!(error.hint().unwrap().contains("plan"), "{error}");
}

#[tokio::test]
async fn status_403() {
    let error = error_of(&get(), clerk_error(403, "forbidden", "No.")).await;
    assert!(error.hint().unwrap().contains("not allowed"), "{error}");
}

#[tokio::test]
async fn status_403_of_a_full_organization() {
    let full = clerk_error(403, "organization_membership_quota_exceeded", "Full.");
    let error = error_of(&get(), full).await;
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("raise its limit") && hint.contains("seat"),
        "{error}"
    );
}

#[tokio::test]
async fn status_404_names_both_instances() {
    assert_eq!(
        shown(
            &get(),
            clerk_error(404, "resource_not_found", "No user user_1.")
        )
        .await,
        "getUser failed: 404 Not Found: No user user_1. (resource_not_found) [trace id trace_1]\n\
         hint: nothing at /users/user_1; this key is for the development (sk_test_) instance: \
         ids of the production instance do not exist here"
    );
    let script = [clerk_error(404, "resource_not_found", "")];
    let world = World::with(PRODUCTION_KEY, script, |builder| builder);
    let hint = world.client.send(&get()).await.unwrap_err().hint().unwrap();
    assert!(
        hint.contains("production (sk_live_) instance: ids of the development"),
        "{hint}"
    );
}

#[tokio::test]
async fn status_404_of_a_parameter_names_it() {
    let body = json!({"errors": [{
        "code": "resource_not_found", "message": "not found",
        "long_message": "No role was found with key org:boss.", "meta": {"param_name": "role"},
    }]});
    assert_eq!(
        shown(&post(), answer(404, &[], &body.to_string())).await,
        "createUser failed: 404 Not Found: No role was found with key org:boss. \
         (resource_not_found, parameter role)\n\
         hint: correct role: there is no such thing on this development instance"
    );
}

#[tokio::test]
async fn status_422_without_a_parameter_does_not_repeat_itself() {
    let error = error_of(&post(), clerk_error(422, "form_password_pwned", "Pwned.")).await;
    assert_eq!(error.hint(), None, "{error}");
}

#[tokio::test]
async fn status_409_has_no_hint() {
    assert_eq!(
        shown(&post(), clerk_error(409, "conflict", "")).await,
        "createUser failed: 409 Conflict: short (conflict) [trace id trace_1]"
    );
}

#[tokio::test]
async fn status_422_names_the_parameter() {
    let body = json!({"errors": [
        {"code": "form_identifier_exists", "message": "taken", "long_message": "That is taken.",
         "meta": {"param_name": "email_address"}},
        {"code": "form_password_pwned", "message": "pwned\nhint: click here"},
    ]});
    let error = error_of(&post(), answer(422, &[], &body.to_string())).await;
    assert_eq!(
        error.to_string(),
        "createUser failed: 422 Unprocessable Entity: That is taken. (form_identifier_exists, \
         parameter email_address); pwned hint: click here (form_password_pwned)\n\
         hint: correct email_address"
    );
    assert_eq!(error.code(), "form_identifier_exists");
    let Error::Api(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        error.errors[0].meta,
        Some(json!({"param_name": "email_address"}))
    );
}

#[tokio::test]
async fn status_429_says_how_long() {
    let error = error_of(&get(), answer(429, &[("retry-after", "42")], "{}")).await;
    assert_eq!(error.hint().as_deref(), Some("wait 42 s, then try again"));
    assert_eq!((error.retry_after(), error.status()), (Some(42), Some(429)));
    let error = error_of(&get(), answer(429, &[("retry-after", "soon")], "{}")).await;
    assert_eq!(
        error.hint().as_deref(),
        Some("wait a few seconds, then try again")
    );
}

#[tokio::test]
async fn status_5xx_says_whether_repeating_is_safe() {
    for status in [500, 502, 503, 504] {
        let script = || clerk_error(status, "internal", "oops");
        let error = shown(&get(), script()).await;
        assert!(
            error.ends_with("(see https://status.clerk.com); it is safe to repeat"),
            "{error}"
        );
        let error = shown(&post(), script()).await;
        assert!(
            error.ends_with("may have been made: read before you repeat it"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_an_error() {
    let error = shown(
        &get(),
        answer(302, &[("location", "https://evil.example")], ""),
    )
    .await;
    assert!(
        error.contains("a redirect, which is not followed: check the API URL"),
        "{error}"
    );
}

#[tokio::test]
async fn errors_not_of_clerks_form() {
    for body in [
        "<html>Not here</html>",
        "",
        "[]",
        "{}",
        r#"{"errors":"no"}"#,
        "\u{fffd}",
    ] {
        let error = error_of(&get(), answer(404, &[("cf-ray", "ray_1")], body)).await;
        assert_eq!(
            error.to_string(),
            "getUser failed: 404 Not Found, in an answer that is not of Clerk's form \
             [trace id ray_1]\n\
             hint: something other than Clerk's API seems to have answered: check the API URL \
             (https://api.clerk.com) and whether a proxy stands between"
        );
        assert_eq!(error.code(), "unexpected_answer");
    }
}

#[tokio::test]
async fn half_an_error_of_clerks_is_still_one() {
    let body = r#"{"errors":[{"message":"m"},7,{"code":"c","message":null,"meta":null}]}"#;
    let error = error_of(&post(), answer(400, &[("x-clerk-trace-id", "t")], body)).await;
    assert_eq!(error.code(), "unknown_error");
    assert_eq!(error.trace_id(), Some("t"));
    let Error::Api(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.errors.len(), 2);
}

#[tokio::test]
async fn a_connection_that_fails() {
    let url = ApiUrl::parse("http://127.0.0.1:8789").unwrap();
    let script = [failure(TransportErrorKind::Connect)];
    let world = World::with(DEVELOPMENT_KEY, script, |builder| builder.api_url(url));
    let error = world.client.send(&post()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "createUser failed: http://127.0.0.1:8789: the wire was cut\n\
         hint: nothing was sent. Is the server running and the network up? Check the API URL \
         (CLERK_API_URL)"
    );
    assert_eq!(error.code(), "connection_failed");
    assert!(matches!(
        error,
        Error::Transport {
            may_have_run: false,
            ..
        }
    ));
}

#[tokio::test]
async fn failures_after_sending() {
    use TransportErrorKind::{BodyTooLarge, Interrupted, Other, Timeout};
    for (kind, code) in [
        (Timeout, "timeout"),
        (Interrupted, "connection_interrupted"),
        (BodyTooLarge, "response_too_large"),
        (Other, "transport_failed"),
    ] {
        let error = error_of(&post(), failure(kind)).await;
        assert_eq!(error.code(), code);
        assert!(
            error.hint().unwrap().contains("read before you repeat"),
            "{error}"
        );
        assert!(matches!(
            error,
            Error::Transport {
                may_have_run: true,
                ..
            }
        ));
        let error = error_of(&get(), failure(kind)).await;
        assert!(
            !error.hint().unwrap().contains("may have been made"),
            "{error}"
        );
        assert!(matches!(
            error,
            Error::Transport {
                may_have_run: false,
                ..
            }
        ));
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json() {
    let body = format!("  <html>\n{}", "x".repeat(200));
    let error = error_of(&get(), answer(200, &[("cf-ray", "ray_1")], &body)).await;
    assert_eq!(
        error.to_string(),
        format!(
            "getUser failed: the answer (200) is not JSON; it begins with \"<html>\\n{}\" \
             [trace id ray_1]\n\
             hint: something between here and Clerk, such as a proxy, may have answered: check \
             the API URL",
            "x".repeat(72)
        )
    );
    assert_eq!((error.code(), error.status()), ("invalid_json", Some(200)));
    let error = error_of(&post(), answer(200, &[], "Authorization: x"))
        .await
        .to_string();
    assert!(
        error.contains("it is not shown, as it may hold a secret"),
        "{error}"
    );
    assert!(error.contains("read before you repeat"), "{error}");
}

#[tokio::test]
async fn a_body_that_is_no_text_is_an_error_and_no_panic() {
    let mut script = answer(200, &[], "").unwrap();
    *script.body_mut() = bytes::Bytes::from_static(b"\xff\xfe{}");
    assert_eq!(error_of(&get(), Ok(script)).await.code(), "invalid_json");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    /// Whatever echoes the key, nothing that is printed holds it.
    #[test]
    fn no_error_ever_shows_the_key(
        secret in "[A-Za-z0-9]{20,40}",
        status in prop_oneof![Just(200_u16), 300_u16..600],
        place in 0_usize..6,
        write in any::<bool>(),
    ) {
        let key = format!("sk_live_{secret}");
        let script = match place {
            0 => answer(status, &[], &format!("you sent Bearer {key}")),
            1 => clerk_error(status, &key, &format!("bad key {key}")),
            2 => answer(status, &[], &json!({"errors": [{"meta": {"k": key}}],
                "clerk_trace_id": key}).to_string()),
            3 => Err(clerk_mcp_clerk::TransportError {
                kind: TransportErrorKind::Other, message: format!("Bearer {key}") }),
            4 => answer(status, &[], &format!("{}{key}", "x".repeat(60))),
            _ => answer(status, &[("cf-ray", &key), ("x-clerk-trace-id", &key)], "{}"),
        };
        let world = World::with(&key, [script], |builder| builder);
        let request = if write { post() } else { get() };
        let result = run(world.client.send(&request));
        let mut shown = format!("{:?}", world.client);
        match result {
            Ok(response) => shown.push_str(&format!("{response:?} {}", response.body)),
            Err(error) => shown.push_str(&format!("{error:?} {error} {:?}", error.hint())),
        }
        prop_assert!(!shown.contains(&secret[..secret.len() - 4]), "{}", shown);
    }

    #[test]
    fn no_body_causes_a_panic(status in 200_u16..600, body in ".{0,200}") {
        let world = World::new([answer(status, &[], &body)]);
        let _ = run(world.client.send(&post())).map_err(|error| error.to_string());
    }
}
