//! What clients publish: metadata documents and key sets.

use std::sync::LazyLock;

use oauth::{AuthorizeFault, KeySet, Parameters, PublicKey, SigningAlgorithm};
use serde_json::Value;

use crate::world::{DOCUMENT_URL, NOW, World, wait};

const CALLBACK: &str = "https://app.example.com/callback";

pub(crate) const SEEDS: &[&str] = &[
    r#"{"client_id":"https://client.example/client.json","client_name":"N","redirect_uris":["https://app.example.com/callback"],"token_endpoint_auth_method":"none"}"#,
    r#"{"client_id":"https://client.example/client.json","redirect_uris":["https://app.example.com/callback","http://127.0.0.1/cb"],"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_methods_supported":["none","private_key_jwt"],"token_endpoint_auth_signing_alg":"RS256","jwks_uri":"https://client.example/jwks.json","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"scope":"tools:read"}"#,
    r#"{"client_id":"https://client.example/client.json","redirect_uris":["https://app.example.com/callback"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc","y":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}]},"client_uri":"https://client.example","logo_uri":"http://client.example/x.png"}"#,
    r#"{"client_id":"https://other.example/client.json","redirect_uris":["javascript:alert(1)"],"client_secret":"x","token_endpoint_auth_method":"client_secret_basic"}"#,
];

pub(crate) fn run(input: &[u8]) -> bool {
    static WORLD: LazyLock<World> = LazyLock::new(|| World::new(r#"["https://x.example/"]"#));
    *WORLD.web.0.lock().unwrap() = input.to_vec();
    let query = [("client_id", DOCUMENT_URL), ("redirect_uri", CALLBACK)];
    let query: Parameters = query.into_iter().collect();
    match wait(WORLD.server.validate_authorize(&query, &WORLD.web, NOW)) {
        // The request lacks all else: its fault is told to a client that is believed.
        Err(AuthorizeFault::Redirect { location }) => {
            assert!(location.starts_with(CALLBACK), "{location}");
            believed(input);
            true
        }
        Err(AuthorizeFault::Show(_)) => false,
        other => panic!("{other:?}"),
    }
}

fn believed(document: &[u8]) {
    // Of a member that nobody reads, half a surrogate pair is as good as any text.
    let Ok(document) = serde_json::from_slice::<Value>(document) else {
        return;
    };
    assert_eq!(document["client_id"], DOCUMENT_URL);
    let listed = document["redirect_uris"].as_array().unwrap();
    assert!(listed.iter().any(|uri| uri == CALLBACK), "{document}");
    assert!(
        document.get("client_secret").is_none_or(Value::is_null),
        "{document}"
    );
    let several = document["token_endpoint_auth_methods_supported"].as_array();
    let offered = match several {
        Some(several) => several.clone(),
        None => vec![document["token_endpoint_auth_method"].clone()],
    };
    let known =
        |method: &Value| method.is_null() || method == "none" || method == "private_key_jwt";
    assert!(offered.iter().any(known), "{document}");
}

pub(crate) const KEY_SET_SEEDS: &[&str] = &[
    r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a","use":"sig","x":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc","y":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}]}"#,
    r#"{"keys":[{"kty":"RSA","alg":"RS256","e":"AQAB","n":"tZ45xaYclNX502GhEP29rZNqa7I-QvEPDuP1fWh3nmZ1OQAZJ7q4XKRluhIZ8pDI0m-KhBjTmM6c2Kd5WEc-XKfjK6Dz3P3R7caH6TeK8ShN0H9X7Uq0I3g9-vaLUqW31HAJ-d6hDykc2-_EzCOqwCyc1DHkB-vvCEQzyzCTvix6FO7fUSMwkv3GQyVBxZovTRYZE6H2X4Bm4GmDVYSP04FCc2pi6fX4HgggaiYlC3jtx3ezHCSu7wqP97qG7cnsrk5oOLMZ4jluPhT-06TU5x6QgI4A1QQwfYohh_ywPXHTsAO-DUREZTPnZCPbASGgaPo5mil18vEVWTOepC_0uQ"},{"kty":"oct","k":"c2VjcmV0"},{"kty":"EC","crv":"P-384","key_ops":["verify"]}]}"#,
    r#"{"keys":[{"kty":"EC","crv":"P-256","d":"AQAB","x":"","y":""}]}"#,
];

pub(crate) fn key_set(input: &[u8]) -> bool {
    let Ok(set) = KeySet::parse(input) else {
        return false;
    };
    let keys = || {
        SigningAlgorithm::ALL
            .into_iter()
            .flat_map(|one| set.candidates(one, None))
    };
    assert!((1..=32).contains(&keys().count()));
    for key in keys() {
        if let PublicKey::Rsa { n, e } = key {
            assert!((256..=1024).contains(&n.len()) && (1..=8).contains(&e.len()));
        }
    }
    let value: Value = serde_json::from_slice(input).unwrap();
    let published = value["keys"].as_array().unwrap();
    assert!(published.iter().all(|key| key.get("d").is_none()));
    let kept = serde_json::to_vec(&set).unwrap();
    assert_eq!(KeySet::parse(&kept), Ok(set.clone()));
    true
}
