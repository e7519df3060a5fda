//! Session tokens signed by hand.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of it"
)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

pub const PUBLIC_PEM: &str = include_str!("keys/session.pub.pem");
pub const JWKS: &str = include_str!("keys/session.jwks.json");
pub const NEXT_JWKS: &str = include_str!("keys/next.jwks.json");
pub const PRIVATE_PEM: &str = include_str!("keys/session.pem");
const NEXT_PRIVATE_PEM: &str = include_str!("keys/next.pem");

/// The time of these tests, in Unix seconds.
pub const AT: u64 = 1_790_000_000;
pub const AT_MS: u64 = AT * 1_000;

pub fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "ins_test", "cat": "cl_B7d4PD111AAA"})
}

pub fn claims() -> Value {
    json!({
        "v": 2, "sub": "user_a", "sid": "sess_a", "sts": "active",
        "iss": "https://clerk.test", "azp": "https://app.test",
        "iat": AT, "nbf": AT - 10, "exp": AT + 60,
    })
}

/// `value` with these members; `null` takes one away.
pub fn with(mut value: Value, changes: Value) -> Value {
    let object = value.as_object_mut().unwrap();
    for (name, change) in changes.as_object().unwrap() {
        if change.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), change.clone());
        }
    }
    value
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn sign_with(pem: &str, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    let body: String = pem
        .lines()
        .filter(|line| !line.contains(['-', ' ']))
        .collect();
    let key = EncodingKey::from_rsa_der(&STANDARD.decode(body).unwrap());
    let message = message(header, claims);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A token signed with RS256 by the instance's key, whatever its header says.
pub fn sign(header: &Value, claims: &Value) -> String {
    sign_with(PRIVATE_PEM, Algorithm::RS256, header, claims)
}

/// A token signed with RS384 by the instance's key.
pub fn sign_rs384(header: &Value, claims: &Value) -> String {
    sign_with(PRIVATE_PEM, Algorithm::RS384, header, claims)
}

/// A token signed by a key that the instance got later.
pub fn sign_next(claims: &Value) -> String {
    let header = with(header(), json!({"kid": "ins_next"}));
    sign_with(NEXT_PRIVATE_PEM, Algorithm::RS256, &header, claims)
}

/// A token signed by a foreign key under the instance's key id.
pub fn sign_foreign(header: &Value, claims: &Value) -> String {
    sign_with(NEXT_PRIVATE_PEM, Algorithm::RS256, header, claims)
}

/// A token signed with HMAC, whose secret is this text.
pub fn sign_hmac(secret: &str, header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// A token without a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.", message(header, claims))
}
