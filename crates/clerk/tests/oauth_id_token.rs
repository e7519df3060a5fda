//! ID tokens signed by hand, for every reason to refuse one.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/token.rs"]
mod token;

use clerk_mcp_clerk::JsonWebKeySet;
use clerk_mcp_clerk::oauth::{ExpectedIdToken, IdTokenClaims, IdTokenError, verify_id_token};
use serde_json::{Value, json};
use token::{AT, AT_MS, sign, with};

fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "ins_test"})
}

fn claims() -> Value {
    json!({
        "iss": "https://clerk.test", "aud": ["client_1"], "sub": "user_a", "nonce": "n-1",
        "iat": AT, "exp": AT + 60, "auth_time": AT - 5, "sid": "sess_a", "org_id": "org_a",
        "email": "ada@example.com", "email_verified": true, "name": "Ada",
    })
}

fn check_at(token: &str, now_ms: u64) -> Result<IdTokenClaims, IdTokenError> {
    let keys = JsonWebKeySet::parse(token::JWKS).unwrap();
    let expected = ExpectedIdToken {
        issuer: "https://clerk.test",
        client_id: "client_1",
        nonce: "n-1",
        leeway_ms: 5_000,
    };
    let checked = verify_id_token(&keys, token, now_ms, &expected);
    if let Err(error) = &checked {
        let text = format!("{error} {error:?}");
        assert!(text.contains("\nhint: "), "{text}");
        assert!(token.is_empty() || !text.contains(token), "{text}");
    }
    checked
}

fn check(changes: Value) -> Result<IdTokenClaims, IdTokenError> {
    check_at(&sign(&header(), &with(claims(), changes)), AT_MS)
}

#[test]
fn reads_who_signed_in() {
    let read = check(json!({})).unwrap();
    assert_eq!(read.user_id, "user_a");
    assert_eq!(read.session_id.as_deref(), Some("sess_a"));
    assert_eq!(read.organization_id.as_deref(), Some("org_a"));
    assert_eq!(read.email.as_deref(), Some("ada@example.com"));
    assert!(read.email_verified);
    assert_eq!(read.authenticated_at, Some(AT - 5));
    assert_eq!((read.issued_at, read.expires_at), (AT, AT + 60));
    assert!(!format!("{read:?}").contains("ada@"));
    let least = json!({
        "sid": null, "org_id": null, "email": null, "email_verified": null, "name": null,
        "auth_time": null, "aud": "client_1",
    });
    let read = check(least).unwrap();
    assert_eq!((read.session_id, read.email), (None, None));
    assert!(!read.email_verified);
    // Only the value `true` verifies an address.
    assert!(
        !check(json!({"email_verified": "true"}))
            .unwrap()
            .email_verified
    );
}

#[test]
fn only_rs256_by_the_key_is_believed() {
    let hmac = with(header(), json!({"alg": "HS256"}));
    let none = with(header(), json!({"alg": "none"}));
    let rs384 = with(header(), json!({"alg": "RS384"}));
    for token in [
        token::sign_hmac(token::PUBLIC_PEM, &hmac, &claims()),
        token::unsigned(&none, &claims()),
        token::sign_rs384(&rs384, &claims()),
    ] {
        let error = check_at(&token, AT_MS).unwrap_err();
        assert!(matches!(error, IdTokenError::Algorithm { .. }), "{error}");
    }
    for token in [
        token::sign_hmac(token::PUBLIC_PEM, &header(), &claims()),
        token::unsigned(&header(), &claims()),
        token::sign_rs384(&header(), &claims()),
        token::sign_foreign(&header(), &claims()),
    ] {
        assert_eq!(check_at(&token, AT_MS), Err(IdTokenError::Signature));
    }
    for kid in [json!("ins_other"), json!(null)] {
        let token = sign(&with(header(), json!({ "kid": kid })), &claims());
        let error = check_at(&token, AT_MS).unwrap_err();
        assert!(matches!(error, IdTokenError::UnknownKey { .. }), "{error}");
    }
}

#[test]
fn tokens_of_other_kinds_are_none() {
    let long = "x".repeat(20_000);
    let access = sign(&with(header(), json!({"typ": "at+jwt"})), &claims());
    let critical = sign(&with(header(), json!({"crit": ["x"]})), &claims());
    let no_algorithm = sign(&with(header(), json!({"alg": null})), &claims());
    for token in ["", "a.b", "a.b.c", &long, &access, &critical, &no_algorithm] {
        let error = check_at(token, AT_MS).unwrap_err();
        assert!(matches!(error, IdTokenError::Malformed { .. }), "{error}");
    }
}

#[test]
fn the_issuer_is_the_provider_to_the_letter() {
    for issuer in ["https://evil.test", "https://clerk.test/"] {
        let error = check(json!({ "iss": issuer })).unwrap_err();
        assert!(matches!(error, IdTokenError::Issuer { .. }), "{error}");
    }
    let error = check(json!({"iss": null})).unwrap_err();
    assert!(matches!(error, IdTokenError::Claim { claim: "iss", .. }));
}

#[test]
fn the_audience_is_this_client() {
    for refused in [
        json!({"aud": "client_2"}),
        json!({"aud": []}),
        json!({"aud": ["client_2"], "azp": "client_1"}),
        json!({"aud": ["client_1", "client_2"]}),
        json!({"aud": ["client_1", "client_2"], "azp": "client_2"}),
        json!({"azp": "client_2"}),
    ] {
        assert_eq!(
            check(refused.clone()),
            Err(IdTokenError::Audience),
            "{refused}"
        );
    }
    for accepted in [
        json!({"azp": "client_1"}),
        json!({"aud": ["client_1", "client_2"], "azp": "client_1"}),
    ] {
        assert!(check(accepted.clone()).is_ok(), "{accepted}");
    }
    let error = check(json!({"aud": null})).unwrap_err();
    assert!(matches!(error, IdTokenError::Claim { claim: "aud", .. }));
}

#[test]
fn the_nonce_is_of_this_sign_in() {
    for nonce in [json!(null), json!(""), json!("n-2")] {
        assert_eq!(check(json!({ "nonce": nonce })), Err(IdTokenError::Nonce));
    }
    // An empty expectation is fulfilled by nothing.
    let keys = JsonWebKeySet::parse(token::JWKS).unwrap();
    let expected = ExpectedIdToken {
        issuer: "https://clerk.test",
        client_id: "client_1",
        nonce: "",
        leeway_ms: 0,
    };
    let token = sign(&header(), &with(claims(), json!({"nonce": ""})));
    let checked = verify_id_token(&keys, &token, AT_MS, &expected);
    assert_eq!(checked, Err(IdTokenError::Nonce));
}

#[test]
fn times_count_within_the_leeway() {
    let token = sign(&header(), &claims());
    let expiry = AT_MS + 60_000;
    assert!(check_at(&token, expiry + 4_999).is_ok());
    let error = check_at(&token, expiry + 5_000).unwrap_err();
    assert_eq!(error, IdTokenError::Expired { seconds_ago: 5 });
    assert!(check_at(&token, AT_MS - 5_000).is_ok());
    let error = check_at(&token, AT_MS - 5_001).unwrap_err();
    assert_eq!(error, IdTokenError::NotYetValid { seconds: 6 });
    let error = check(json!({"nbf": AT + 6})).unwrap_err();
    assert!(matches!(error, IdTokenError::NotYetValid { .. }));
    for claim in ["exp", "iat"] {
        for value in [json!(null), json!("soon"), json!(-1)] {
            let mut changes = json!({});
            changes[claim] = value;
            let error = check(changes).unwrap_err();
            assert!(matches!(error, IdTokenError::Claim { claim: name, .. } if name == claim));
        }
    }
}

#[test]
fn ids_are_one_path_segment() {
    for changes in [
        json!({"sub": "user_a/../b"}),
        json!({"sub": "client_1"}),
        json!({"sub": null}),
        json!({"sub": 7}),
        json!({"sid": "a/b"}),
        json!({"org_id": "a%2fb"}),
    ] {
        let error = check(changes.clone()).unwrap_err();
        assert!(matches!(error, IdTokenError::Claim { .. }), "{changes}");
    }
}
