//! Access tokens of OAuth clients, of machines, and API keys: for whom they count, and every reason to
//! refuse one.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;
#[path = "support/token.rs"]
mod token;

use std::sync::atomic::Ordering;

use clerk_mcp_clerk::TransportErrorKind;
use clerk_mcp_clerk::access_token::{
    AccessTokenClaims, AccessTokenError, AccessTokenKind, AccessTokenPolicy, NotAccepted, TokenForm,
};
use serde_json::{Value, json};
use support::{Answer, World, answer, failure};
use token::{AT, AT_MS, sign, with};

type Verified = Result<AccessTokenClaims, AccessTokenError>;

fn policy() -> AccessTokenPolicy {
    AccessTokenPolicy::new("https://clerk.test/")
}

fn for_audience() -> AccessTokenPolicy {
    policy().audiences(["https://mcp.test/mcp"])
}

fn oauth_header() -> Value {
    json!({"alg": "RS256", "typ": "at+jwt", "kid": "ins_test"})
}

fn oauth_claims() -> Value {
    json!({
        "iss": "https://clerk.test", "sub": "user_a", "client_id": "client_1",
        "aud": "https://mcp.test/mcp", "scope": "profile notes:read", "jti": "oat_1",
        "iat": AT, "nbf": AT, "exp": AT + 86_400,
    })
}

fn machine_header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "ins_test", "cat": "cl_B7d4PD333AAA"})
}

fn machine_claims() -> Value {
    json!({
        "iss": "https://clerk.test", "sub": "mch_caller", "aud": ["mch_own", "mch_other"],
        "scopes": "mch_own mch_other", "jti": "mt_1", "iat": AT, "nbf": AT - 10, "exp": AT + 3_600,
    })
}

fn world(answers: impl IntoIterator<Item = Answer>) -> World {
    let world = World::new(answers);
    world.env.time.store(AT_MS, Ordering::SeqCst);
    world
}

async fn verify_in(world: &World, token: &str, policy: &AccessTokenPolicy) -> Verified {
    let verified = world.client.verify_access_token(token, policy).await;
    if let Err(error) = &verified {
        let text = format!("{error} {error:?}");
        assert!(text.contains("\nhint: "), "{text}");
        assert!(token.is_empty() || !text.contains(token), "{text}");
    }
    verified
}

async fn verify(token: &str, policy: &AccessTokenPolicy) -> Verified {
    verify_in(&world([answer(200, &[], token::JWKS)]), token, policy).await
}

async fn oauth(changes: Value, policy: &AccessTokenPolicy) -> Verified {
    let token = sign(&oauth_header(), &with(oauth_claims(), changes));
    verify(&token, policy).await
}

async fn asked(token: &str, said: Value, policy: &AccessTokenPolicy) -> Verified {
    let world = world([answer(200, &[], &said.to_string())]);
    let verified = verify_in(&world, token, policy).await;
    assert_eq!(world.tries(), 1);
    verified
}

#[tokio::test]
async fn reads_whose_a_signed_token_is() {
    let read = oauth(json!({"org_id": "org_a"}), &for_audience())
        .await
        .unwrap();
    assert_eq!(read.kind, AccessTokenKind::Oauth);
    assert_eq!(read.subject, "user_a");
    assert_eq!(read.client_id.as_deref(), Some("client_1"));
    assert_eq!(read.scopes, ["profile", "notes:read"]);
    assert_eq!(read.organization_id.as_deref(), Some("org_a"));
    assert_eq!(read.expires_at, Some((AT + 86_400) * 1_000));
    let listed = json!({"scp": ["a", "b"], "scope": null, "aud": ["x", "https://mcp.test/mcp/"]});
    let read = oauth(listed, &for_audience()).await.unwrap();
    assert_eq!(read.scopes, ["a", "b"]);
    let long_type = with(oauth_header(), json!({"typ": "application/at+jwt"}));
    assert!(
        verify(&sign(&long_type, &oauth_claims()), &for_audience())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn without_a_policy_nothing_counts_and_nobody_is_asked() {
    let world = world([answer(200, &[], token::JWKS)]);
    let tokens = [
        (
            sign(&oauth_header(), &oauth_claims()),
            NotAccepted::OauthToken,
        ),
        ("oat_abc".to_owned(), NotAccepted::OauthToken),
        (
            sign(&machine_header(), &machine_claims()),
            NotAccepted::MachineToken,
        ),
        ("mt_abc".to_owned(), NotAccepted::MachineToken),
        ("ak_abc".to_owned(), NotAccepted::ApiKey),
    ];
    for (token, kind) in tokens {
        let refused = verify_in(&world, &token, &policy()).await;
        assert_eq!(refused, Err(AccessTokenError::NotAccepted(kind)));
    }
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn a_token_for_somebody_else_does_not_count() {
    for other in [
        json!("https://other.test/mcp"),
        json!([]),
        json!(null),
        json!(7),
        json!(""),
    ] {
        let refused = oauth(json!({ "aud": other }), &for_audience())
            .await
            .unwrap_err();
        assert!(
            matches!(refused, AccessTokenError::Audience { .. }),
            "{refused:?}"
        );
        assert!(refused.is_misdirected());
    }
    let clients = policy().clients(["client_2"]);
    let refused = oauth(json!({}), &clients).await.unwrap_err();
    assert!(
        matches!(refused, AccessTokenError::Client { .. }),
        "{refused:?}"
    );
    assert!(
        oauth(json!({"client_id": "client_2", "aud": null}), &clients)
            .await
            .is_ok()
    );
    // With both, both must hold.
    let both = for_audience().clients(["client_2"]);
    assert!(oauth(json!({}), &both).await.is_err());
    assert!(
        oauth(json!({"client_id": "client_2", "aud": "x"}), &both)
            .await
            .is_err()
    );
    assert!(oauth(json!({"client_id": "client_2"}), &both).await.is_ok());
    let any = policy().any_client();
    assert!(
        oauth(json!({"aud": null, "client_id": "client_9"}), &any)
            .await
            .is_ok()
    );
    assert!(oauth(json!({"client_id": null}), &any).await.is_err());
}

#[tokio::test]
async fn only_the_instances_own_signature_counts() {
    let genuine = sign(&oauth_header(), &oauth_claims());
    let (message, signature) = genuine.rsplit_once('.').unwrap();
    let other = sign(
        &oauth_header(),
        &with(oauth_claims(), json!({"sub": "user_b"})),
    );
    let other = other.rsplit_once('.').unwrap().0;
    let refused = verify(&format!("{other}.{signature}"), &for_audience()).await;
    assert_eq!(refused, Err(AccessTokenError::Signature));
    assert!(
        verify(&format!("{message}."), &for_audience())
            .await
            .is_err()
    );
    for alg in ["none", "HS256", "RS384", "ES256"] {
        let header = with(oauth_header(), json!({ "alg": alg }));
        let refused = verify(&sign(&header, &oauth_claims()), &for_audience())
            .await
            .unwrap_err();
        assert!(
            matches!(refused, AccessTokenError::Algorithm { .. }),
            "{alg}: {refused:?}"
        );
    }
    let header = with(oauth_header(), json!({"kid": "ins_other"}));
    let refused = verify(&sign(&header, &oauth_claims()), &for_audience())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, AccessTokenError::UnknownKey { .. }),
        "{refused:?}"
    );
    let header = with(oauth_header(), json!({"crit": ["x"]}));
    assert!(
        verify(&sign(&header, &oauth_claims()), &for_audience())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn claims_are_of_this_instance_and_in_force() {
    let refused = oauth(json!({"iss": "https://evil.test"}), &for_audience()).await;
    assert!(matches!(refused, Err(AccessTokenError::Issuer { .. })));
    assert!(oauth(json!({"iss": null}), &for_audience()).await.is_err());
    let refused = oauth(json!({"exp": AT - 5}), &for_audience()).await;
    assert_eq!(refused, Err(AccessTokenError::Expired));
    assert!(oauth(json!({"exp": null}), &for_audience()).await.is_err());
    for claim in ["nbf", "iat"] {
        let refused = oauth(json!({ claim: AT + 6 }), &for_audience()).await;
        assert_eq!(refused, Err(AccessTokenError::NotYetValid { seconds: 6 }));
        assert!(
            oauth(json!({ claim: AT + 5 }), &for_audience())
                .await
                .is_ok()
        );
    }
    for subject in [
        json!("mch_a"),
        json!("org_a"),
        json!("user_../x"),
        json!(null),
    ] {
        assert!(
            oauth(json!({ "sub": subject }), &for_audience())
                .await
                .is_err()
        );
    }
    assert!(
        oauth(json!({"org_id": "user_a"}), &for_audience())
            .await
            .is_err()
    );
    let refused = oauth(json!({"act": {"sub": "user_b"}}), &for_audience()).await;
    assert_eq!(refused, Err(AccessTokenError::Impersonated));
}

#[tokio::test]
async fn tokens_of_other_kinds_are_refused_before_any_key_is_fetched() {
    let world = world([answer(200, &[], token::JWKS)]);
    let any = policy().any_client().machine("mch_own").api_keys();
    for category in ["cl_B7d4PD111AAA", "cl_B7d4PD222AAA"] {
        for typ in ["JWT", "at+jwt"] {
            let header = with(machine_header(), json!({"cat": category, "typ": typ}));
            let refused = verify_in(&world, &sign(&header, &oauth_claims()), &any).await;
            assert_eq!(
                refused,
                Err(AccessTokenError::NotAccepted(NotAccepted::SessionToken))
            );
        }
    }
    // An ID token, and kinds that are not known.
    for header in [
        json!({"alg": "RS256", "typ": "JWT", "kid": "ins_test"}),
        json!({"alg": "RS256", "kid": "ins_test"}),
        json!({"alg": "RS256", "typ": "dpop+jwt", "kid": "ins_test"}),
        with(machine_header(), json!({"cat": "cl_unknown"})),
        with(machine_header(), json!({"typ": "at+jwt"})),
    ] {
        let refused = verify_in(&world, &sign(&header, &oauth_claims()), &any).await;
        let other = Err(AccessTokenError::NotAccepted(NotAccepted::OtherToken));
        assert_eq!(refused, other, "{header}");
    }
    for broken in [
        "",
        "x",
        "a.b",
        "a.b.c",
        "oat_a b",
        "mt_\n",
        &format!("ak_{}", "a".repeat(600)),
    ] {
        let refused = verify_in(&world, broken, &any).await;
        assert!(
            matches!(refused, Err(AccessTokenError::Malformed { .. })),
            "{broken}"
        );
    }
    assert_eq!(world.tries(), 0);
}

#[tokio::test]
async fn a_machines_token_is_for_the_machine_that_we_are() {
    let own = policy().machine("mch_own");
    let read = verify(&sign(&machine_header(), &machine_claims()), &own)
        .await
        .unwrap();
    assert_eq!(
        (read.kind, &*read.subject),
        (AccessTokenKind::Machine, "mch_caller")
    );
    assert!(read.scopes.is_empty() && read.client_id.is_none());
    let by_audience = with(machine_claims(), json!({"scopes": null}));
    assert!(
        verify(&sign(&machine_header(), &by_audience), &own)
            .await
            .is_ok()
    );
    for changes in [
        json!({"scopes": "mch_other"}),
        json!({"scopes": null, "aud": ["mch_other"]}),
        json!({"scopes": null, "aud": null}),
        json!({"sub": "user_a"}),
        json!({"iss": "https://evil.test"}),
        json!({"exp": AT - 5}),
    ] {
        let token = sign(&machine_header(), &with(machine_claims(), changes.clone()));
        assert!(verify(&token, &own).await.is_err(), "{changes}");
    }
    let said = json!({
        "id": "mt_1", "subject": "mch_caller", "scopes": ["mch_own"], "revoked": false,
        "expired": false, "expiration": AT_MS + 1,
    });
    assert!(asked("mt_secret", said.clone(), &own).await.is_ok());
    for changes in [
        json!({"scopes": ["mch_other"]}),
        json!({"scopes": []}),
        json!({"revoked": true}),
        json!({"revoked": null}),
        json!({"expired": true}),
        json!({"expiration": AT_MS}),
        json!({"subject": "user_a"}),
    ] {
        let refused = asked("mt_secret", with(said.clone(), changes.clone()), &own).await;
        assert!(refused.is_err(), "{changes}");
    }
}

#[tokio::test]
async fn clerk_says_whose_an_opaque_token_is() {
    let said = json!({
        "object": "clerk_idp_oauth_access_token", "id": "oat_1", "client_id": "client_1",
        "subject": "user_a", "scopes": ["profile"], "revoked": false, "revocation_reason": null,
        "expired": false, "expiration": AT_MS + 60_000, "aud": ["https://mcp.test/mcp"],
    });
    let read = asked("oat_secret", said.clone(), &for_audience())
        .await
        .unwrap();
    assert_eq!((&*read.subject, read.scopes.len()), ("user_a", 1));
    assert_eq!(read.expires_at, Some(AT_MS + 60_000));
    let without = with(said.clone(), json!({"aud": null}));
    assert!(
        asked("oat_secret", without.clone(), &for_audience())
            .await
            .is_err()
    );
    assert!(
        asked("oat_secret", without, &policy().clients(["client_1"]))
            .await
            .is_ok()
    );
    for changes in [
        json!({"active": false}),
        json!({"revoked": true}),
        json!({"expired": true}),
        json!({"client_id": null}),
        json!({"subject": "mch_a"}),
        json!({"act": {"sub": "user_b"}}),
    ] {
        let refused = asked(
            "oat_secret",
            with(said.clone(), changes.clone()),
            &for_audience(),
        )
        .await;
        assert!(refused.is_err(), "{changes}");
    }
    let inactive = asked("oat_secret", json!({"active": false}), &for_audience()).await;
    assert_eq!(inactive, Err(AccessTokenError::Ended));
}

#[tokio::test]
async fn an_api_key_is_its_users() {
    let keys = policy().api_keys();
    let said = json!({
        "id": "ak_0123456789abcdef0123456789abcdef", "subject": "user_a", "scopes": ["read"],
        "revoked": false, "expired": false, "expiration": null,
    });
    let read = asked("ak_secret", said.clone(), &keys).await.unwrap();
    assert_eq!(
        (read.kind, &*read.subject),
        (AccessTokenKind::ApiKey, "user_a")
    );
    assert_eq!(read.expires_at, None);
    for owner in ["org_a", "mch_a"] {
        let refused = asked(
            "ak_secret",
            with(said.clone(), json!({"subject": owner})),
            &keys,
        )
        .await;
        assert_eq!(
            refused,
            Err(AccessTokenError::NotAccepted(NotAccepted::OtherApiKey))
        );
    }
}

#[tokio::test]
async fn an_unknown_token_is_refused_and_an_unreachable_clerk_says_nothing() {
    for status in [400, 404, 422] {
        let world = world([answer(status, &[], r#"{"errors":[]}"#)]);
        let refused = verify_in(&world, "oat_secret", &for_audience()).await;
        assert_eq!(refused, Err(AccessTokenError::Ended));
    }
    for (status, headers) in [
        (401, vec![]),
        (500, vec![]),
        (429, vec![("retry-after", "60")]),
    ] {
        let world = world([answer(status, &headers, r#"{"errors":[]}"#)]);
        let unknown = verify_in(&world, "oat_secret", &for_audience())
            .await
            .unwrap_err();
        assert!(unknown.unavailable().is_some(), "{status}: {unknown:?}");
    }
    let away = world([failure(TransportErrorKind::Timeout)]);
    let token = sign(&oauth_header(), &oauth_claims());
    assert!(
        verify_in(&away, &token, &for_audience())
            .await
            .unwrap_err()
            .unavailable()
            .is_some()
    );
}

#[test]
fn what_a_token_is_by_its_looks() {
    assert_eq!(TokenForm::of("oat_abc"), Ok(TokenForm::OauthOpaque));
    assert_eq!(TokenForm::of("mt_abc"), Ok(TokenForm::MachineOpaque));
    assert_eq!(TokenForm::of("ak_abc"), Ok(TokenForm::ApiKey));
    let jwt = sign(&oauth_header(), &oauth_claims());
    assert_eq!(TokenForm::of(&jwt), Ok(TokenForm::OauthJwt));
    assert!(!TokenForm::OauthJwt.is_opaque() && TokenForm::ApiKey.is_opaque());
}
