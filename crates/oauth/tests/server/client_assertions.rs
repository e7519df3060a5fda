//! Clients that prove who they are by an assertion (`private_key_jwt`).

use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_mcp_oauth::{
    AssertionFault, AssertionKeys, AuthorizationServer, AuthorizeFault, Client, ClientAuthFault,
    ClientAuthMethod, ClientId, ClientMetadataFault, ClientOrigin, DocumentFault, FetchedDocument,
    GrantType, KeySet, KeySource, MemoryStore, PlainToken, SettingsError, ShownFault,
    SigningAlgorithm, TokenError, TokenResponse,
};
use serde_json::{Value, json};

use crate::world::{
    CALLBACK, DAY, ISSUER, START, VERIFIER, World, form, refresh_token, refusal, seconds, settings,
    toy_signature,
};

const URL: &str = "https://app.example.com/oauth/client.json";
const KEYS: &str = "https://keys.example.com/jwks.json";
const OTHER_URL: &str = "https://other.example.com/client.json";
const TOKEN_ENDPOINT: &str = "https://mcp.example.com/token";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A key of the signature scheme of these tests.
#[derive(Clone, Copy)]
struct Key {
    kid: &'static str,
    alg: &'static str,
    material: u8,
}

const RSA: Key = Key {
    kid: "one",
    alg: "RS256",
    material: 200,
};
const P256: Key = Key {
    kid: "two",
    alg: "ES256",
    material: 2,
};
const NEW: Key = Key {
    kid: "new",
    alg: "ES256",
    material: 3,
};

impl Key {
    fn bytes(self) -> Vec<u8> {
        let length = if self.alg == "RS256" { 256 } else { 32 };
        vec![self.material; length]
    }

    fn jwk(self) -> Value {
        let text = URL_SAFE_NO_PAD.encode(self.bytes());
        match self.alg {
            "RS256" => json!({ "kty": "RSA", "kid": self.kid, "n": text, "e": "AQAB" }),
            _ => json!({ "kty": "EC", "crv": "P-256", "kid": self.kid, "x": text, "y": text }),
        }
    }

    fn sign(self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = toy_signature(&self.bytes(), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn header(self) -> Value {
        json!({ "alg": self.alg, "kid": self.kid, "typ": "JWT" })
    }
}

fn jwks(keys: &[Key]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys })
}

/// A document that demands assertions, with its keys at [`KEYS`].
fn document() -> Value {
    json!({
        "client_id": URL,
        "client_name": "The app",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": KEYS,
    })
}

/// One that offers both, as a large client publishes it.
fn either() -> Value {
    let mut document = document();
    document["token_endpoint_auth_methods_supported"] = json!(["none", "private_key_jwt"]);
    document["token_endpoint_auth_signing_alg"] = "RS256".into();
    document
}

fn world_of(document: &Value, keys: &[Key]) -> World {
    let world = World::new();
    world.web.serve(URL, None, document);
    world.web.serve(KEYS, None, &jwks(keys));
    world
}

fn claims(world: &World, jti: &str) -> Value {
    let now = world.now().seconds();
    json!({
        "iss": URL,
        "sub": URL,
        "aud": ISSUER,
        "jti": jti,
        "iat": now,
        "exp": now + 300,
    })
}

fn assertion(world: &World, key: Key, jti: &str) -> String {
    key.sign(&key.header(), &claims(world, jti))
}

fn changed(mut value: Value, name: &str, to: Option<Value>) -> Value {
    match to {
        Some(to) => value[name] = to,
        None => drop(value.as_object_mut().unwrap().remove(name)),
    }
    value
}

/// A refresh or redemption with an assertion, and without `client_id`.
async fn with_assertion(
    world: &World,
    pairs: &[(&str, &str)],
    assertion: &str,
) -> Result<TokenResponse, TokenError> {
    let mut pairs = pairs.to_vec();
    pairs.extend([
        ("client_assertion", assertion),
        ("client_assertion_type", TYPE),
    ]);
    world.token(&pairs).await
}

async fn refresh(
    world: &World,
    tokens: &TokenResponse,
    assertion: &str,
) -> Result<TokenResponse, TokenError> {
    let token = refresh_token(tokens).reveal();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
    with_assertion(world, &pairs, assertion).await
}

async fn redeem(world: &World, assertion: &str) -> Result<TokenResponse, TokenError> {
    let code = world.code(&ClientId(URL.to_owned())).await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    with_assertion(world, &pairs, assertion).await
}

/// Signed in with the first assertion.
async fn signed_in(world: &World, key: Key) -> TokenResponse {
    redeem(world, &assertion(world, key, "the first"))
        .await
        .unwrap()
}

#[track_caller]
fn fault<T: std::fmt::Debug>(answer: Result<T, TokenError>) -> AssertionFault {
    match answer {
        Err(TokenError::Client(ClientAuthFault::Assertion(fault))) => {
            let error = TokenError::Client(fault.into());
            assert_eq!(refusal::<()>(Err(error)), (401, "invalid_client"));
            fault
        }
        other => panic!("no fault of the assertion: {other:?}"),
    }
}

fn key_sets_fetched(world: &World) -> u64 {
    world.web.key_sets_fetched.load(Ordering::Relaxed)
}

fn documents_fetched(world: &World) -> u64 {
    world.web.fetched.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_document_that_demands_assertions_gets_nothing_without() {
    for key in [RSA, P256] {
        let world = world_of(&document(), &[RSA, P256]);
        let client = ClientId(URL.to_owned());
        let code = world.code(&client).await;
        let bare = world.redeem(&client, &code).await;
        assert_eq!(refusal(bare), (401, "invalid_client"));

        let tokens = signed_in(&world, key).await;
        let bare = world.refresh(&client, refresh_token(&tokens)).await;
        assert_eq!(refusal(bare), (401, "invalid_client"));
        let token = refresh_token(&tokens).reveal();
        let pairs = [("client_id", URL), ("token", token)];
        let revoke = |pairs: &[(&str, &str)]| {
            let form = form(pairs);
            let world = &world;
            async move {
                let server = &world.server;
                server.revoke(&form, None, &world.web, world.now()).await
            }
        };
        assert_eq!(refusal(revoke(&pairs).await), (401, "invalid_client"));

        let refreshed = refresh(&world, &tokens, &assertion(&world, key, "2")).await;
        assert!(refreshed.is_ok());
        let third = assertion(&world, key, "3");
        let proof = [
            ("client_assertion", third.as_str()),
            ("client_assertion_type", TYPE),
        ];
        let pairs = [pairs.as_slice(), &proof].concat();
        assert_eq!(revoke(&pairs).await, Ok(Some(tokens.grant.id.clone())));
        assert_eq!(fault(revoke(&pairs).await), AssertionFault::Replayed);
        assert_eq!(key_sets_fetched(&world), 1, "one for all");
    }
}

#[tokio::test]
async fn a_document_that_offers_both_may_use_either_and_a_failed_assertion_is_never_nothing() {
    let world = world_of(&either(), &[RSA, P256]);
    let client = ClientId(URL.to_owned());
    let code = world.code(&client).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    let tokens = refresh(&world, &tokens, &assertion(&world, RSA, "1"))
        .await
        .unwrap();
    let wrong = [
        assertion(&world, RSA, "1"),
        Key { material: 9, ..RSA }.sign(&RSA.header(), &claims(&world, "2")),
        assertion(&world, P256, "3"),
        "".to_owned(),
        "x".to_owned(),
    ];
    for wrong in &wrong {
        let token = refresh_token(&tokens).reveal();
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", URL),
        ];
        let answer = with_assertion(&world, &pairs, wrong).await;
        assert_eq!(refusal(answer), (401, "invalid_client"), "{wrong}");
    }
    assert!(world.refresh(&client, refresh_token(&tokens)).await.is_ok());
}

#[tokio::test]
async fn claims_of_an_assertion() {
    let world = world_of(&document(), &[RSA]);
    let tokens = signed_in(&world, RSA).await;
    let fetched = key_sets_fetched(&world);
    let now = world.now().seconds();
    for (name, value, expected) in [
        (
            "iss",
            json!("https://other.example.com/"),
            AssertionFault::OtherClient,
        ),
        ("sub", json!("somebody"), AssertionFault::OtherClient),
        ("iss", json!(null), AssertionFault::Claim("iss")),
        (
            "aud",
            json!("https://evil.example.com"),
            AssertionFault::Audience,
        ),
        (
            "aud",
            json!("https://mcp.example.com/"),
            AssertionFault::Audience,
        ),
        (
            "aud",
            json!("https://mcp.example.com/mcp"),
            AssertionFault::Audience,
        ),
        (
            "aud",
            json!([ISSUER, "https://evil.example.com"]),
            AssertionFault::Audience,
        ),
        ("aud", json!([]), AssertionFault::Audience),
        ("aud", json!([1]), AssertionFault::Audience),
        ("aud", json!({}), AssertionFault::Claim("aud")),
        ("exp", json!(now - 60), AssertionFault::Expired),
        ("exp", json!(0), AssertionFault::Expired),
        ("exp", json!(now + 661), AssertionFault::TooLong),
        ("exp", json!(1e300), AssertionFault::Claim("exp")),
        ("exp", json!(-1), AssertionFault::Claim("exp")),
        ("exp", json!("soon"), AssertionFault::Claim("exp")),
        ("nbf", json!(now + 61), AssertionFault::NotYetValid),
        ("nbf", json!(true), AssertionFault::Claim("nbf")),
        ("iat", json!(now + 61), AssertionFault::NotYetValid),
        ("iat", json!(now - 661), AssertionFault::TooLong),
        ("jti", json!(""), AssertionFault::Claim("jti")),
        ("jti", json!(7), AssertionFault::Claim("jti")),
    ] {
        let claims = changed(claims(&world, "wrong"), name, Some(value.clone()));
        let answer = refresh(&world, &tokens, &RSA.sign(&RSA.header(), &claims)).await;
        assert_eq!(fault(answer), expected, "{name} {value}");
    }
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        let claims = changed(claims(&world, "wrong"), name, None);
        let answer = refresh(&world, &tokens, &RSA.sign(&RSA.header(), &claims)).await;
        assert_eq!(fault(answer), AssertionFault::Claim(name), "{name}");
    }
    assert_eq!(key_sets_fetched(&world), fetched, "no key is asked for");
    for (index, (name, value)) in [
        ("aud", Some(json!(TOKEN_ENDPOINT))),
        ("aud", Some(json!([ISSUER]))),
        ("aud", Some(json!([ISSUER, TOKEN_ENDPOINT]))),
        ("exp", Some(json!(now - 59))),
        ("exp", Some(json!(now + 660))),
        ("exp", Some(json!(now as f64 + 0.5))),
        ("nbf", Some(json!(now + 60))),
        ("iat", Some(json!(now + 60))),
        ("iat", Some(json!(now - 660))),
        ("iat", None),
        ("more", Some(json!({ "of": "them" }))),
    ]
    .into_iter()
    .enumerate()
    {
        let claims = changed(
            claims(&world, &format!("right {index}")),
            name,
            value.clone(),
        );
        let answer = refresh(&world, &tokens, &RSA.sign(&RSA.header(), &claims)).await;
        assert!(answer.is_ok(), "{name} {value:?}: {answer:?}");
    }
}

#[tokio::test]
async fn headers_of_an_assertion() {
    let world = world_of(&document(), &[RSA, P256]);
    let tokens = signed_in(&world, RSA).await;
    for (name, value, expected) in [
        ("alg", json!("none"), AssertionFault::Algorithm),
        ("alg", json!("HS256"), AssertionFault::Algorithm),
        ("alg", json!("PS256"), AssertionFault::Algorithm),
        ("alg", json!("rs256"), AssertionFault::Algorithm),
        ("alg", json!(["RS256"]), AssertionFault::Algorithm),
        // The key decides: an RSA key checks no ES256, whatever the header says.
        ("alg", json!("ES256"), AssertionFault::Signature),
        ("kid", json!("two"), AssertionFault::Signature),
        ("kid", json!("nobody's"), AssertionFault::Signature),
        ("jwk", RSA.jwk(), AssertionFault::Header("jwk")),
        (
            "jku",
            json!("https://evil.example/jwks"),
            AssertionFault::Header("jku"),
        ),
        (
            "x5u",
            json!("https://evil.example/pem"),
            AssertionFault::Header("x5u"),
        ),
        ("x5c", json!(["MII"]), AssertionFault::Header("x5c")),
        ("crit", json!(["exp"]), AssertionFault::Header("crit")),
        ("b64", json!(false), AssertionFault::Header("b64")),
        ("typ", json!("at+jwt"), AssertionFault::Type),
        ("typ", json!(1), AssertionFault::Type),
    ] {
        let header = changed(RSA.header(), name, Some(value.clone()));
        let assertion = RSA.sign(&header, &claims(&world, "wrong"));
        let answer = refresh(&world, &tokens, &assertion).await;
        assert_eq!(fault(answer), expected, "{name} {value}");
    }
    let header = changed(RSA.header(), "alg", None);
    let without = RSA.sign(&header, &claims(&world, "wrong"));
    let answer = refresh(&world, &tokens, &without);
    assert_eq!(fault(answer.await), AssertionFault::Algorithm);
    for (index, (name, value)) in [
        ("kid", None),
        ("typ", None),
        ("typ", Some(json!("application/jwt"))),
        ("typ", Some(json!("client-authentication+jwt"))),
        ("x5t", Some(json!("thumbprint"))),
    ]
    .into_iter()
    .enumerate()
    {
        let header = changed(RSA.header(), name, value.clone());
        let assertion = RSA.sign(&header, &claims(&world, &format!("right {index}")));
        let answer = refresh(&world, &tokens, &assertion).await;
        assert!(answer.is_ok(), "{name} {value:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_assertion_of_the_newer_type_names_the_issuer_alone() {
    let world = world_of(&document(), &[RSA]);
    let tokens = signed_in(&world, RSA).await;
    let header = changed(
        RSA.header(),
        "typ",
        Some(json!("application/client-authentication+JWT")),
    );
    for wrong in [json!(TOKEN_ENDPOINT), json!([ISSUER, TOKEN_ENDPOINT])] {
        let claims = changed(claims(&world, "1"), "aud", Some(wrong));
        let answer = refresh(&world, &tokens, &RSA.sign(&header, &claims)).await;
        assert_eq!(fault(answer), AssertionFault::Audience);
    }
    let right = RSA.sign(&header, &claims(&world, "1"));
    assert!(refresh(&world, &tokens, &right).await.is_ok());
}

#[tokio::test]
async fn what_is_no_assertion() {
    let world = world_of(&document(), &[RSA]);
    let tokens = signed_in(&world, RSA).await;
    let right = assertion(&world, RSA, "1");
    let (message, signature) = right.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    for wrong in [
        "x".to_owned(),
        "..".to_owned(),
        message.to_owned(),
        format!("{right}.{signature}"),
        format!("{message}."),
        format!("{message}.?"),
        format!("{message}.{signature}="),
        format!("{claims}.{header}.{signature}"),
        format!("W10.{claims}.{signature}"),
        format!("{header}.W10.{signature}"),
        "x".repeat(8 * 1024 + 1),
    ] {
        let answer = refresh(&world, &tokens, &wrong).await;
        let fault = fault(answer);
        let expected = match wrong.strip_prefix(message) {
            Some(".") => matches!(fault, AssertionFault::Signature),
            _ if wrong.starts_with(claims) => matches!(fault, AssertionFault::Algorithm),
            _ => matches!(fault, AssertionFault::Malformed(_)),
        };
        assert!(expected, "{wrong}: {fault:?}");
    }
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token(&tokens).reveal()),
        ("client_assertion", right.as_str()),
    ];
    assert_eq!(
        fault(world.token(&pairs).await),
        AssertionFault::AssertionType
    );
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let pairs = [pairs.as_slice(), &[("client_assertion_type", saml)]].concat();
    assert_eq!(
        fault(world.token(&pairs).await),
        AssertionFault::AssertionType
    );
    let alone = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token(&tokens).reveal()),
        ("client_id", URL),
        ("client_assertion_type", TYPE),
    ];
    let missing = fault(world.token(&alone).await);
    assert!(matches!(missing, AssertionFault::Malformed(_)));
    assert!(refresh(&world, &tokens, &right).await.is_ok());
}

#[tokio::test]
async fn an_assertion_works_once_and_only_its_client_uses_it_up() {
    let world = world_of(&document(), &[RSA]);
    let tokens = signed_in(&world, RSA).await;
    // Somebody without the key cannot use an identifier up.
    let forged = Key { material: 9, ..RSA }.sign(&RSA.header(), &claims(&world, "1"));
    let answer = refresh(&world, &tokens, &forged).await;
    assert_eq!(fault(answer), AssertionFault::Signature);
    let right = assertion(&world, RSA, "1");
    assert!(refresh(&world, &tokens, &right).await.is_ok());
    for _ in 0..2 {
        let answer = refresh(&world, &tokens, &right).await;
        assert_eq!(fault(answer), AssertionFault::Replayed);
        // Nor does another assertion with the same identifier work.
        world.wait(seconds(30));
        let answer = refresh(&world, &tokens, &assertion(&world, RSA, "1")).await;
        assert_eq!(fault(answer), AssertionFault::Replayed);
    }
    // Another client may use the same identifier.
    let mut other = document();
    other["client_id"] = OTHER_URL.into();
    world.web.serve(OTHER_URL, None, &other);
    let client = ClientId(OTHER_URL.to_owned());
    let code = world.code(&client).await;
    let mut claims = claims(&world, "1");
    (claims["iss"], claims["sub"]) = (OTHER_URL.into(), OTHER_URL.into());
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let answer = with_assertion(&world, &pairs, &RSA.sign(&RSA.header(), &claims)).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn an_assertion_is_noticed_again_until_it_cannot_be_valid() {
    let world = world_of(&document(), &[RSA]);
    let tokens = signed_in(&world, RSA).await;
    let right = assertion(&world, RSA, "1");
    assert!(refresh(&world, &tokens, &right).await.is_ok());
    for (wait, expected) in [
        (seconds(300 + 59), AssertionFault::Replayed),
        (seconds(1), AssertionFault::Expired),
    ] {
        world.wait(wait);
        let store = world.server.store();
        store.sweep(world.now()).await.unwrap();
        assert_eq!(fault(refresh(&world, &tokens, &right).await), expected);
    }
}

#[tokio::test]
async fn an_assertion_of_another_client_is_refused() {
    let world = world_of(&document(), &[RSA]);
    let tokens = signed_in(&world, RSA).await;
    let token = refresh_token(&tokens).reveal();
    let mut other = document();
    other["client_id"] = OTHER_URL.into();
    world.web.serve(OTHER_URL, None, &other);
    let request = World::request(&ClientId(OTHER_URL.to_owned()), &[]);
    world.authorize(&request).await.unwrap();
    let mut claims = claims(&world, "1");
    (claims["iss"], claims["sub"]) = (OTHER_URL.into(), OTHER_URL.into());
    let theirs = RSA.sign(&RSA.header(), &claims);
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", URL),
    ];
    let answer = with_assertion(&world, &pairs, &theirs).await;
    assert_eq!(fault(answer), AssertionFault::OtherClient);
    // In its own name it is believed, but the token is not its own.
    let answer = with_assertion(&world, &pairs[..2], &theirs).await;
    assert_eq!(refusal(answer), (400, "invalid_grant"));
    assert!(world.lets_in(&tokens.access_token).await);
}

#[tokio::test]
async fn two_ways_of_saying_who_calls_are_refused() {
    let world = world_of(&either(), &[RSA]);
    let client = ClientId(URL.to_owned());
    let code = world.code(&client).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    let right = assertion(&world, RSA, "1");
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token(&tokens).reveal()),
        ("client_assertion", right.as_str()),
        ("client_assertion_type", TYPE),
    ];
    let with_secret = [pairs.as_slice(), &[("client_secret", "guess")]].concat();
    let answer = world.token(&with_secret).await;
    assert_eq!(refusal(answer), (400, "invalid_request"));
    let answer = world.token_with(&pairs, Some("Basic eDp5")).await;
    assert_eq!(refusal(answer), (400, "invalid_request"));
    let twice = [pairs.as_slice(), &[("client_assertion", right.as_str())]].concat();
    assert_eq!(refusal(world.token(&twice).await), (400, "invalid_request"));
    assert!(world.token(&pairs).await.is_ok(), "nothing was used up");
}

#[tokio::test]
async fn clients_that_do_not_offer_assertions_cannot_use_one() {
    let world = world_of(&document(), &[RSA]);
    let mut plain = document();
    plain["token_endpoint_auth_method"] = "none".into();
    world.web.serve(URL, None, &plain);
    let answer = redeem(&world, &assertion(&world, RSA, "1")).await;
    assert_eq!(fault(answer), AssertionFault::NotOffered);
    let registered = world.register().await;
    let mut claims = claims(&world, "1");
    (claims["iss"], claims["sub"]) = (registered.as_str().into(), registered.as_str().into());
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let answer = with_assertion(&world, &pairs, &RSA.sign(&RSA.header(), &claims)).await;
    assert_eq!(fault(answer), AssertionFault::NotOffered);
    // Nobody becomes known at the token endpoint.
    let world = world_of(&document(), &[RSA]);
    let answer = with_assertion(&world, &pairs, &assertion(&world, RSA, "1")).await;
    assert_eq!(refusal(answer), (401, "invalid_client"));
    assert_eq!(
        (documents_fetched(&world), key_sets_fetched(&world)),
        (0, 0)
    );
}

#[tokio::test]
async fn a_rotated_key_is_fetched_at_once_but_not_more_than_every_half_minute() {
    let world = world_of(&document(), &[RSA]);
    let tokens = signed_in(&world, RSA).await;
    world.web.serve(KEYS, None, &jwks(&[NEW]));
    let unknown = refresh(&world, &tokens, &assertion(&world, NEW, "1")).await;
    assert_eq!(fault(unknown), AssertionFault::Signature);
    assert_eq!(key_sets_fetched(&world), 1, "it was fetched just now");
    world.wait(seconds(30));
    let answer = refresh(&world, &tokens, &assertion(&world, NEW, "2")).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(key_sets_fetched(&world), 2);
    // The old key is out with that, and asking for it fetches nothing before the next half minute.
    for _ in 0..3 {
        world.wait(seconds(9));
        let answer = refresh(&world, &tokens, &assertion(&world, RSA, "3")).await;
        assert_eq!(fault(answer), AssertionFault::Signature);
    }
    assert_eq!(key_sets_fetched(&world), 2);
    world.wait(seconds(3));
    let answer = refresh(&world, &tokens, &assertion(&world, RSA, "3")).await;
    assert_eq!(fault(answer), AssertionFault::Signature);
    assert_eq!(key_sets_fetched(&world), 3);
}

#[tokio::test]
async fn keys_are_believed_by_cache_control_within_bounds() {
    for (cache_control, believed) in [
        (None, seconds(15 * 60)),
        (Some("max-age=120"), seconds(120)),
        (Some("max-age=604800"), seconds(60 * 60)),
        (Some("no-store"), seconds(30)),
    ] {
        let world = world_of(&document(), &[RSA]);
        // The document itself stays fresh.
        world.web.serve(URL, Some("max-age=86400"), &document());
        world.web.serve(KEYS, cache_control, &jwks(&[RSA]));
        let tokens = signed_in(&world, RSA).await;
        world.web.serve(KEYS, cache_control, &jwks(&[NEW]));
        world.wait(believed - seconds(1));
        let answer = refresh(&world, &tokens, &assertion(&world, RSA, "1")).await;
        assert!(answer.is_ok(), "{cache_control:?}");
        world.wait(seconds(1));
        let answer = refresh(&world, &tokens, &assertion(&world, RSA, "2")).await;
        assert_eq!(
            fault(answer),
            AssertionFault::Signature,
            "{cache_control:?}"
        );
    }
}

#[tokio::test]
async fn a_client_whose_host_is_down_goes_on_for_a_day() {
    let world = world_of(&document(), &[RSA]);
    let mut tokens = signed_in(&world, RSA).await;
    world.web.is_down.store(true, Ordering::Relaxed);
    for (wait, jti) in [(60, "1"), (20 * 60, "2"), (2 * 3600, "3")] {
        world.wait(seconds(wait));
        tokens = refresh(&world, &tokens, &assertion(&world, RSA, jti))
            .await
            .unwrap();
    }
    // A key that is not among those kept may be a new one: nobody can tell now.
    let answer = refresh(&world, &tokens, &assertion(&world, NEW, "4")).await;
    assert_eq!(refusal(answer), (503, "temporarily_unavailable"));
    world.wait(DAY);
    let answer = refresh(&world, &tokens, &assertion(&world, RSA, "5")).await;
    assert_eq!(refusal(answer), (503, "temporarily_unavailable"));
    // Nothing has ended by it.
    world.web.is_down.store(false, Ordering::Relaxed);
    let answer = refresh(&world, &tokens, &assertion(&world, RSA, "5")).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn keys_in_the_document_are_rotated_with_it() {
    let inline = |keys: &[Key]| {
        let document = changed(document(), "jwks_uri", None);
        changed(document, "jwks", Some(jwks(keys)))
    };
    let world = world_of(&inline(&[RSA]), &[]);
    let tokens = signed_in(&world, RSA).await;
    world.web.serve(URL, None, &inline(&[NEW]));
    let fetched = documents_fetched(&world);
    let answer = refresh(&world, &tokens, &assertion(&world, NEW, "1")).await;
    assert_eq!(fault(answer), AssertionFault::Signature);
    assert_eq!(
        documents_fetched(&world),
        fetched,
        "it was fetched just now"
    );
    world.wait(seconds(30));
    let answer = refresh(&world, &tokens, &assertion(&world, NEW, "1")).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(documents_fetched(&world), fetched + 1);
    // A document that is not fresh is asked for before its keys count.
    world.web.serve(URL, None, &inline(&[P256]));
    world.wait(seconds(3600));
    let answer = refresh(&world, &tokens, &assertion(&world, NEW, "2")).await;
    assert_eq!(fault(answer), AssertionFault::Signature);
    let answer = refresh(&world, &tokens, &assertion(&world, P256, "2")).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(key_sets_fetched(&world), 0);
    // And one that allows no assertions any more ends them.
    let plain = changed(
        document(),
        "token_endpoint_auth_method",
        Some(json!("none")),
    );
    world.web.serve(URL, None, &plain);
    world.wait(seconds(3600));
    let answer = refresh(&world, &tokens, &assertion(&world, P256, "3")).await;
    assert_eq!(fault(answer), AssertionFault::NotOffered);
}

#[tokio::test]
async fn key_sets_that_cannot_be_used() {
    let right = jwks(&[RSA]).to_string().into_bytes();
    let mut large = right.clone();
    large.resize(32 * 1024 + 1, b' ');
    let private = changed(RSA.jwk(), "d", Some(json!("AQAB")));
    let private = json!({ "keys": [private] }).to_string().into_bytes();
    let json = "application/jwk-set+json";
    for (content_type, body) in [
        (json, large),
        ("text/html", right.clone()),
        (json, b"{}".to_vec()),
        (json, b"[".to_vec()),
        (json, br#"{"keys":[]}"#.to_vec()),
        (json, private),
    ] {
        let world = world_of(&document(), &[]);
        let served = FetchedDocument {
            content_type: Some(content_type.to_owned()),
            cache_control: None,
            body,
        };
        world.web.put(KEYS, served);
        let answer = redeem(&world, &assertion(&world, RSA, "1")).await;
        let refused = answer.unwrap_err();
        let expected = TokenError::Client(ClientAuthFault::Keys {
            problem: String::new(),
        });
        assert_eq!(
            std::mem::discriminant(&refused),
            std::mem::discriminant(&expected)
        );
        assert_eq!(refusal::<()>(Err(refused)), (401, "invalid_client"));
    }
    let world = world_of(&document(), &[]);
    let served = FetchedDocument {
        content_type: Some(json.to_owned()),
        cache_control: None,
        body: right,
    };
    world.web.put(KEYS, served);
    assert!(redeem(&world, &assertion(&world, RSA, "1")).await.is_ok());
    world.web.documents.lock().unwrap().remove(KEYS);
    world.wait(seconds(3600));
    let gone = redeem(&world, &assertion(&world, RSA, "2")).await;
    assert_eq!(refusal(gone), (401, "invalid_client"), "404 is no outage");
}

#[tokio::test]
async fn what_a_document_with_assertions_may_say() {
    let refused = async |document: &Value| {
        let world = world_of(document, &[RSA]);
        let request = World::request(&ClientId(URL.to_owned()), &[]);
        match world.authorize(&request).await {
            Ok(_) => None,
            Err(AuthorizeFault::Show(ShownFault::Document(DocumentFault::Metadata(fault)))) => {
                Some(fault)
            }
            other => panic!("{other:?}"),
        }
    };
    let document = |name: &str, value: Option<Value>| changed(document(), name, value);
    let both = jwks(&[RSA]);
    let private = changed(RSA.jwk(), "d", Some(json!("AQAB")));
    let inline = |keys: Value| changed(document("jwks_uri", None), "jwks", Some(keys));
    for (wrong, expected) in [
        (document("jwks_uri", None), ClientMetadataFault::KeySource),
        (
            document("jwks", Some(both.clone())),
            ClientMetadataFault::KeySource,
        ),
        (
            document("jwks_uri", Some(json!("http://keys.example.com/"))),
            ClientMetadataFault::KeySetUrl,
        ),
        (
            document("jwks_uri", Some(json!("https://me@keys.example.com/"))),
            ClientMetadataFault::KeySetUrl,
        ),
        (
            document("jwks_uri", Some(json!("https://keys.example.com/#x"))),
            ClientMetadataFault::KeySetUrl,
        ),
        (
            document("jwks_uri", Some(json!("keys.json"))),
            ClientMetadataFault::KeySetUrl,
        ),
        (
            document("token_endpoint_auth_signing_alg", Some(json!("HS256"))),
            ClientMetadataFault::SigningAlgorithm,
        ),
        (
            document(
                "token_endpoint_auth_signing_alg_values_supported",
                Some(json!(["PS256"])),
            ),
            ClientMetadataFault::SigningAlgorithm,
        ),
        (
            inline(json!({})),
            ClientMetadataFault::KeySet(clerk_mcp_oauth::KeySetFault::Form),
        ),
        (
            inline(json!({ "keys": [private] })),
            ClientMetadataFault::KeySet(clerk_mcp_oauth::KeySetFault::PrivateKey),
        ),
        (
            document(
                "token_endpoint_auth_methods_supported",
                Some(json!(["client_secret_jwt"])),
            ),
            ClientMetadataFault::AuthMethod {
                hint: "`none` or `private_key_jwt`",
            },
        ),
    ] {
        assert_eq!(refused(&wrong).await, Some(expected), "{wrong}");
    }
    for right in [
        document("x", None),
        inline(both),
        document("token_endpoint_auth_signing_alg", Some(json!("ES256"))),
        either(),
        // Public all the same, where its assertions cannot be checked here.
        changed(either(), "jwks_uri", None),
        changed(
            either(),
            "token_endpoint_auth_signing_alg",
            Some(json!("EdDSA")),
        ),
    ] {
        assert_eq!(refused(&right).await, None, "{right}");
    }
    // The list says what the client can do; the single method is for those who know no list.
    let world = world_of(
        &document(
            "token_endpoint_auth_methods_supported",
            Some(json!(["none", "other"])),
        ),
        &[RSA],
    );
    let client = ClientId(URL.to_owned());
    let code = world.code(&client).await;
    assert!(world.redeem(&client, &code).await.is_ok());
    let answer = redeem(&world, &assertion(&world, RSA, "1")).await;
    assert_eq!(fault(answer), AssertionFault::NotOffered);
}

fn configured() -> Client {
    Client {
        id: ClientId("configured".to_owned()),
        origin: ClientOrigin::Configured,
        name: Some("Configured".to_owned()),
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        redirect_uris: vec![CALLBACK.to_owned()],
        auth: ClientAuthMethod::PrivateKeyJwt,
        assertion_keys: Some(AssertionKeys {
            source: KeySource::Inline(KeySet::from_json(&jwks(&[P256])).unwrap()),
            algorithms: SigningAlgorithm::ALL.to_vec(),
        }),
        secret: None,
        scope: None,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        created_at: START,
        expires_at: None,
    }
}

#[tokio::test]
async fn a_configured_client_may_authenticate_by_assertion() {
    let mut settings = settings();
    settings.clients.push(configured());
    let world = World::with(settings);
    let client = ClientId("configured".to_owned());
    let code = world.code(&client).await;
    assert_eq!(
        refusal(world.redeem(&client, &code).await),
        (401, "invalid_client")
    );
    let mut claims = claims(&world, "1");
    (claims["iss"], claims["sub"]) = ("configured".into(), "configured".into());
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let forged = NEW.sign(&NEW.header(), &claims);
    let answer = with_assertion(&world, &pairs, &forged).await;
    assert_eq!(fault(answer), AssertionFault::Signature);
    let right = P256.sign(&P256.header(), &claims);
    assert!(with_assertion(&world, &pairs, &right).await.is_ok());
}

#[test]
fn configured_keys_are_checked() {
    let refused = |change: &dyn Fn(&mut Client)| {
        let mut settings = settings();
        let mut client = configured();
        change(&mut client);
        settings.clients.push(client);
        let store = std::sync::Arc::new(MemoryStore::new());
        AuthorizationServer::new(settings, store).err()
    };
    assert_eq!(refused(&|_| {}), None);
    for wrong in [
        (|client: &mut Client| client.assertion_keys = None) as fn(&mut Client),
        |client| client.secret = Some(PlainToken::presented("x").hash()),
        |client| client.auth = ClientAuthMethod::ClientSecretPost,
    ] {
        assert!(matches!(
            refused(&wrong),
            Some(SettingsError::ClientSecret(_))
        ));
    }
}

#[test]
fn metadata_says_whether_assertions_are_taken() {
    let methods = |settings| {
        let metadata = World::with(settings).server.metadata();
        for endpoint in ["token", "revocation"] {
            let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
            let algorithms =
                &metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
            let listed = methods.as_array().unwrap();
            let listed = listed.contains(&json!("private_key_jwt"));
            assert_eq!(listed, *algorithms == json!(["RS256", "ES256"]));
            assert_eq!(listed, !algorithms.is_null());
        }
        metadata["token_endpoint_auth_methods_supported"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(methods(settings()), 4);
    let mut without = settings();
    without.client_documents = false;
    assert_eq!(methods(without.clone()), 3);
    without.clients.push(configured());
    assert_eq!(methods(without), 4);
}
