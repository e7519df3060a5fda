//! Session tokens signed by hand, for every reason to refuse one.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

#[path = "support/token.rs"]
mod token;

use std::time::Duration;

use clerk_mcp_clerk::{
    JsonWebKeySet, JsonWebKeySetError, NotASessionToken, SessionClaims, SessionTokenError,
    SessionTokenPolicy, verify_session_token,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use token::{AT, AT_MS, claims, header, sign, with};

fn check_with(
    token: &str,
    policy: &SessionTokenPolicy,
) -> Result<SessionClaims, SessionTokenError> {
    let keys = JsonWebKeySet::parse(token::JWKS).unwrap();
    let checked = verify_session_token(token, &keys, AT_MS, policy);
    // Whatever comes out shows neither the token nor its signature.
    let (shown, signature) = (
        format!("{checked:?}"),
        token.rsplit('.').next().unwrap_or_default(),
    );
    let text = checked
        .as_ref()
        .map_or_else(ToString::to_string, |_| String::new());
    assert!(token.len() < 20 || !shown.contains(token) && !text.contains(token));
    assert!(signature.len() < 20 || !shown.contains(signature) && !text.contains(signature));
    if let Err(error) = &checked {
        assert!(text.contains("\nhint: "), "{text}");
        assert_eq!(error.status(), 401);
    }
    checked
}

fn check(token: &str) -> Result<SessionClaims, SessionTokenError> {
    check_with(token, &SessionTokenPolicy::default())
}

fn refused(token: &str) -> SessionTokenError {
    check(token).expect_err("it is refused")
}

fn refused_claims(changes: Value) -> SessionTokenError {
    refused(&sign(&header(), &with(claims(), changes)))
}

#[test]
fn a_token_is_read() {
    let organization = json!({
        "fea": "u:beta,o:dashboard,o:teams",
        "o": {"id": "org_a", "slg": "acme", "rol": "admin", "per": "manage,read", "fpm": "3,2"},
        "act": {"sub": "user_support"},
        "plan": "pro",
    });
    let read = check(&sign(&header(), &with(claims(), organization))).unwrap();
    assert_eq!(read.user_id, "user_a");
    assert_eq!(read.session_id, "sess_a");
    assert_eq!((read.issued_at, read.expires_at), (Some(AT), AT + 60));
    assert_eq!(read.issuer.as_deref(), Some("https://clerk.test"));
    assert_eq!(read.authorized_party.as_deref(), Some("https://app.test"));
    assert_eq!((read.version, &read.raw["plan"]), (2, &json!("pro")));
    assert_eq!(read.actor, Some(json!({"sub": "user_support"})));
    let organization = read.organization.unwrap();
    assert_eq!(organization.id, "org_a");
    assert_eq!(organization.slug.as_deref(), Some("acme"));
    assert_eq!(organization.role.as_deref(), Some("org:admin"));
    assert_eq!(
        organization.permissions,
        [
            "org:dashboard:manage",
            "org:dashboard:read",
            "org:teams:read"
        ]
    );
}

#[test]
fn version_1_is_read() {
    let version_1 = json!({
        "v": null, "sts": null,
        "org_id": "org_a", "org_slug": "acme", "org_role": "org:member",
        "org_permissions": ["org:reports:read"],
    });
    let old_header = with(header(), json!({"cat": null, "typ": null}));
    let read = check(&sign(&old_header, &with(claims(), version_1))).unwrap();
    assert_eq!(read.version, 1);
    let organization = read.organization.unwrap();
    assert_eq!(organization.role.as_deref(), Some("org:member"));
    assert_eq!(organization.permissions, ["org:reports:read"]);
    assert_eq!(
        check(&sign(&header(), &claims())).unwrap().organization,
        None
    );
}

#[test]
fn only_rs256_by_the_instance_is_believed() {
    let own = |algorithm: &str| with(header(), json!({"alg": algorithm}));
    let foreign_key = with(header(), json!({"kid": "ins_other"}));
    for token in [
        token::unsigned(&own("none"), &claims()),
        token::unsigned(&own("None"), &claims()),
        sign(&own("none"), &claims()),
        token::sign_hmac(token::PUBLIC_PEM, &own("HS256"), &claims()),
        token::sign_hmac(token::JWKS, &own("HS256"), &claims()),
        token::sign_rs384(&own("RS384"), &claims()),
        sign(&own("ES256"), &claims()),
    ] {
        let error = refused(&token);
        assert!(
            matches!(error, SessionTokenError::Algorithm { .. }),
            "{error}"
        );
    }
    for token in [
        token::unsigned(&header(), &claims()),
        token::sign_hmac(token::PUBLIC_PEM, &header(), &claims()),
        token::sign_rs384(&header(), &claims()),
        token::sign_foreign(&header(), &claims()),
    ] {
        assert_eq!(refused(&token), SessionTokenError::Signature);
    }
    let error = refused(&sign(&foreign_key, &claims()));
    assert!(matches!(
        error,
        SessionTokenError::UnknownKey { shown: Some(_) }
    ));
    assert!(error.hint().contains("another instance"), "{error}");
    let error = refused(&sign(&with(header(), json!({"kid": null})), &claims()));
    assert_eq!(error, SessionTokenError::UnknownKey { shown: None });
}

#[test]
fn a_changed_part_breaks_the_signature() {
    let good = sign(&header(), &claims());
    let other = sign(&header(), &with(claims(), json!({"sub": "user_b"})));
    let part = |token: &str, index: usize| token.split('.').nth(index).unwrap().to_owned();
    let mixed = format!("{}.{}.{}", part(&good, 0), part(&other, 1), part(&good, 2));
    assert_eq!(refused(&mixed), SessionTokenError::Signature);
    let other = sign(&with(header(), json!({"cat": null})), &claims());
    let mixed = format!("{}.{}.{}", part(&other, 0), part(&good, 1), part(&good, 2));
    assert_eq!(refused(&mixed), SessionTokenError::Signature);
}

#[test]
fn tokens_of_other_kinds_are_refused() {
    use NotASessionToken::{MachineToken, OauthAccessToken, Other, TemplateToken};
    for (changes, kind) in [
        (json!({"cat": "cl_B7d4PD333AAA"}), MachineToken),
        (json!({"cat": "cl_other"}), Other),
        (json!({"cat": 1}), Other),
        (json!({"typ": "at+jwt"}), OauthAccessToken),
        (json!({"typ": "application/at+jwt"}), OauthAccessToken),
        (json!({"typ": "dpop+jwt"}), Other),
        (json!({"typ": ["JWT"]}), Other),
    ] {
        let error = refused(&sign(&with(header(), changes.clone()), &claims()));
        assert_eq!(
            error,
            SessionTokenError::NotASessionToken(kind),
            "{changes}"
        );
    }
    let template = with(header(), json!({"cat": "cl_B7d4PD222AAA"}));
    assert!(check(&sign(&template, &claims())).is_ok());
    let strict = SessionTokenPolicy::default().require_session_category();
    let unnamed = with(header(), json!({"cat": null}));
    for (header, kind) in [(&template, TemplateToken), (&unnamed, Other)] {
        assert_eq!(
            check_with(&sign(header, &claims()), &strict),
            Err(SessionTokenError::NotASessionToken(kind))
        );
    }
    assert!(check_with(&sign(&header(), &claims()), &strict).is_ok());
    let error = refused(&sign(&with(header(), json!({"crit": ["b64"]})), &claims()));
    assert!(
        matches!(error, SessionTokenError::Malformed { .. }),
        "{error}"
    );
}

#[test]
fn times_are_held_within_the_skew() {
    let check_at = |now_ms: u64, policy: &SessionTokenPolicy| {
        let keys = JsonWebKeySet::parse(token::JWKS).unwrap();
        verify_session_token(&sign(&header(), &claims()), &keys, now_ms, policy)
    };
    let usual = SessionTokenPolicy::default();
    let strict = SessionTokenPolicy::default().clock_skew(Duration::ZERO);
    let expires_at = AT_MS + 60_000;
    assert!(check_at(expires_at + 4_999, &usual).is_ok());
    let expired = check_at(expires_at + 5_000, &usual).unwrap_err();
    assert_eq!(expired, SessionTokenError::Expired { seconds_ago: 5 });
    assert!(expired.hint().contains("fresh token"), "{expired}");
    assert!(check_at(expires_at - 1, &strict).is_ok());
    assert!(check_at(expires_at, &strict).is_err());
    assert!(check_at(AT_MS - 5_000, &usual).is_ok());
    let early = check_at(AT_MS - 5_001, &usual).unwrap_err();
    assert_eq!(early, SessionTokenError::NotYetValid { seconds: 6 });
    assert!(check_at(0, &usual).is_err() && check_at(u64::MAX, &usual).is_err());
    for claim in ["nbf", "iat"] {
        let error = refused_claims(json!({claim: AT + 600}));
        assert!(
            matches!(error, SessionTokenError::NotYetValid { .. }),
            "{claim}"
        );
    }
    assert!(
        check(&sign(
            &header(),
            &with(claims(), json!({"iat": null, "nbf": null}))
        ))
        .is_ok()
    );
    assert!(
        check(&sign(
            &header(),
            &with(claims(), json!({"exp": AT as f64 + 0.5}))
        ))
        .is_ok()
    );
}

#[test]
fn claims_are_held() {
    assert_eq!(
        refused_claims(json!({"sts": "pending"})),
        SessionTokenError::Pending
    );
    for (name, value) in [
        ("sub", Value::Null),
        ("sub", json!(7)),
        ("sub", json!("mch_a")),
        ("sub", json!("user_../x")),
        ("sid", Value::Null),
        ("sid", json!("")),
        ("sid", json!("user_a")),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("nbf", json!("now")),
        ("iat", json!([])),
        ("sts", json!("ended")),
        ("sts", json!(true)),
        ("azp", json!(["https://app.test"])),
        ("o", json!("org_a")),
        ("o", json!({"rol": "admin"})),
        ("o", json!({"id": "org_../x"})),
    ] {
        let error = refused_claims(json!({name: value.clone()}));
        assert!(
            matches!(error, SessionTokenError::Claim { claim, .. } if claim == name),
            "{name} {value}: {error}"
        );
    }
}

#[test]
fn issuer_and_party_are_held_where_the_policy_names_them() {
    let token = sign(&header(), &claims());
    let issuer = |issuer: &str| SessionTokenPolicy::default().issuer(issuer);
    assert!(check_with(&token, &issuer("https://clerk.test/")).is_ok());
    let error = check_with(&token, &issuer("https://clerk.other")).unwrap_err();
    assert!(matches!(error, SessionTokenError::Issuer { .. }), "{error}");
    let nobodys = sign(&header(), &with(claims(), json!({"iss": null})));
    assert!(check_with(&nobodys, &issuer("https://clerk.test")).is_err());

    let parties =
        |parties: &[&str]| SessionTokenPolicy::default().authorized_parties(parties.to_vec());
    assert!(check_with(&token, &parties(&["https://a.test", "https://app.test"])).is_ok());
    for strangers in [&["https://app.test.evil"][..], &["http://app.test"]] {
        let error = check_with(&token, &parties(strangers)).unwrap_err();
        assert!(
            matches!(error, SessionTokenError::AuthorizedParty { shown: Some(_) }),
            "{error}"
        );
    }
    for without in [json!({"azp": null}), json!({"azp": ""})] {
        let token = sign(&header(), &with(claims(), without));
        assert!(check_with(&token, &parties(&["https://app.test"])).is_ok());
        let required = parties(&["https://app.test"]).require_authorized_party();
        let error = check_with(&token, &required).unwrap_err();
        assert_eq!(error, SessionTokenError::AuthorizedParty { shown: None });
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let good = sign(&header(), &claims());
    for text in [
        String::new(),
        " ".to_owned(),
        "a.b".to_owned(),
        "..".to_owned(),
        format!("{good}.x"),
        format!("Bearer {good}"),
        format!("{good}="),
        format!(" {good}"),
        "x".repeat(20_000),
        sign(&json!([]), &claims()),
        sign(&with(header(), json!({"alg": null})), &claims()),
        sign(&header(), &json!("text")),
    ] {
        let error = refused(&text);
        assert!(
            matches!(error, SessionTokenError::Malformed { .. }),
            "{error}"
        );
    }
}

#[test]
fn keys_are_read_in_every_form() {
    let token = sign(&header(), &claims());
    let usual = SessionTokenPolicy::default();
    let one_line = token::PUBLIC_PEM.replace('\n', "\\n");
    let bare: String = token::PUBLIC_PEM
        .lines()
        .filter(|line| !line.contains('-'))
        .collect();
    for pem in [token::PUBLIC_PEM, &one_line, &bare] {
        let keys = JsonWebKeySet::from_pem(pem).unwrap();
        assert!(verify_session_token(&token, &keys, AT_MS, &usual).is_ok());
    }
    for (text, error) in [
        ("", JsonWebKeySetError::Pem),
        ("sk_test_x", JsonWebKeySetError::Pem),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            JsonWebKeySetError::Pem,
        ),
        (token::PRIVATE_PEM, JsonWebKeySetError::PrivateKey),
    ] {
        assert_eq!(JsonWebKeySet::from_pem(text).unwrap_err(), error);
    }
    assert!(JsonWebKeySet::parse("{}").is_err() && JsonWebKeySet::parse("no").is_err());
    // Keys of other kinds, and broken ones, are passed over.
    let mixed = r#"{"keys":[7,{"kty":"EC","kid":"a"},{"kty":"RSA","kid":"ins_test","n":"!","e":"AQAB"},
        {"kty":"RSA","use":"enc","kid":"ins_test","n":"AQAB","e":"AQAB"}]}"#;
    let keys = JsonWebKeySet::parse(mixed).unwrap();
    assert!(!keys.has(Some("ins_test")));
    // A key too short to be safe verifies nothing.
    let short = r#"{"keys":[{"kty":"RSA","kid":"ins_test","n":"AQAB","e":"AQAB"}]}"#;
    let keys = JsonWebKeySet::parse(short).unwrap();
    let checked = verify_session_token(&token, &keys, AT_MS, &usual);
    assert_eq!(checked.unwrap_err(), SessionTokenError::Signature);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[A-Za-z0-9_.-]{0,200}|.{0,60}") {
        prop_assert!(check(&text).is_err());
    }

    #[test]
    fn no_header_makes_it_panic(name in "alg|typ|cat|kid|crit", value in ".{0,40}") {
        let _ = check(&token::unsigned(&with(header(), json!({name: value})), &claims()));
    }
}
