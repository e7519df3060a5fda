//! The OAuth provider: authorization, tokens, and what is done with them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod authorize;
mod clients;
#[path = "../common/mod.rs"]
mod common;
mod tokens;

use common::browser::{Browser, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

const ALL: &str = "openid profile email offline_access user:org:read public_metadata";

/// Verifies a token by the published key set.
#[track_caller]
fn verify(browser: &Browser<'_>, token: &str) -> Value {
    let keys = browser.get("/.well-known/jwks.json").ok();
    let key = &keys["keys"][0];
    assert_eq!(header(token)["kid"], key["kid"]);
    let text = |name: &str| key[name].as_str().unwrap();
    let key = DecodingKey::from_rsa_components(text("n"), text("e")).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<Value>(token, &key, &validation)
        .unwrap()
        .claims
}
