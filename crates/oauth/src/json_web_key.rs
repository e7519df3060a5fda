//! Public keys with which clients' signatures are checked (RFC 7517, RFC 7518). Reading them is here;
//! the arithmetic is the caller's ([`crate::ClientKeys`]).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base64url;

/// The most keys of one set. Without a key id each of them is tried.
const MAX_KEYS: usize = 32;
/// The shortest and the longest RSA modulus, in bytes: 2048 bits (RFC 7518 section 3.3) to 8192.
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;
/// The longest RSA exponent, in bytes; 65537 has three.
const MAX_RSA_EXPONENT: usize = 8;

/// With what clients may sign (RFC 7518 section 3.1). Nothing symmetric: whoever can check such a
/// signature can make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Rs256, Self::Es256];

    /// Its name, as `alg` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// The algorithm of this name, to the letter.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// A public key. Its kind decides the algorithm, never what a signature's header says.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA of 2048 to 8192 bits: modulus and exponent, big-endian without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// A point of P-256. Whether it lies on the curve is found out where it is used.
    P256 {
        /// The first coordinate, big-endian.
        x: [u8; 32],
        /// The second coordinate, big-endian.
        y: [u8; 32],
    },
}

impl PublicKey {
    /// The one algorithm whose signatures it checks.
    pub fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Rsa { .. } => SigningAlgorithm::Rs256,
            Self::P256 { .. } => SigningAlgorithm::Es256,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.algorithm().as_str())
    }
}

/// The keys of a JSON Web Key Set that can check a signature here. Others in the set are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct KeySet {
    keys: Vec<JsonWebKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct JsonWebKey {
    /// `None` fits every key id.
    kid: Option<String>,
    key: PublicKey,
}

/// Why something is no key set of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFault {
    /// It is no JSON object with a list `keys`.
    #[error("it is no JSON Web Key Set\nhint: an object with a list `keys` (RFC 7517 section 5)")]
    Form,
    /// It has too many keys.
    #[error("it has more than 32 keys")]
    TooMany,
    /// It has a private key, which is private no more.
    #[error("it has a private key\nhint: replace that key, and publish the public part alone")]
    PrivateKey,
    /// None of its keys can be used.
    #[error(
        "none of its keys is for RS256 (RSA, 2048 to 8192 bits) or ES256 (P-256) signatures\nhint: `kty`, `use`, `key_ops` and `alg` decide"
    )]
    NoUsableKey,
}

impl KeySet {
    /// Reads a key set that is JSON.
    ///
    /// # Errors
    /// [`KeySetFault`].
    pub fn parse(json: &[u8]) -> Result<Self, KeySetFault> {
        let value: Value = serde_json::from_slice(json).map_err(|_| KeySetFault::Form)?;
        Self::from_json(&value)
    }

    /// [`KeySet::parse`] of JSON that is parsed already.
    ///
    /// # Errors
    /// [`KeySetFault`].
    pub fn from_json(value: &Value) -> Result<Self, KeySetFault> {
        let keys = value.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or(KeySetFault::Form)?;
        if keys.len() > MAX_KEYS {
            return Err(KeySetFault::TooMany);
        }
        if keys.iter().any(|key| key.get("d").is_some()) {
            return Err(KeySetFault::PrivateKey);
        }
        let keys: Vec<_> = keys.iter().filter_map(JsonWebKey::read).collect();
        match keys.is_empty() {
            true => Err(KeySetFault::NoUsableKey),
            false => Ok(Self { keys }),
        }
    }

    /// The keys that may have made a signature of this algorithm whose header names this key id. A
    /// header without one can mean each of them.
    pub fn candidates(
        &self,
        algorithm: SigningAlgorithm,
        kid: Option<&str>,
    ) -> impl Iterator<Item = &PublicKey> {
        let fits = move |key: &&JsonWebKey| {
            let named = kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid;
            named && key.key.algorithm() == algorithm
        };
        self.keys.iter().filter(fits).map(|key| &key.key)
    }
}

impl TryFrom<Value> for KeySet {
    type Error = KeySetFault;

    fn try_from(value: Value) -> Result<Self, KeySetFault> {
        Self::from_json(&value)
    }
}

impl From<KeySet> for Value {
    fn from(set: KeySet) -> Self {
        let keys: Vec<Value> = set.keys.iter().map(JsonWebKey::to_json).collect();
        json!({ "keys": keys })
    }
}

impl JsonWebKey {
    /// `None` when it cannot check a signature here.
    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let is_or_absent =
            |name: &str, wanted: &str| value.get(name).is_none_or(|found| found == wanted);
        let verifies = value.get("key_ops").is_none_or(|operations| {
            let operations = operations.as_array().into_iter().flatten();
            operations.into_iter().any(|one| one == "verify")
        });
        if !is_or_absent("use", "sig") || !verifies {
            return None;
        }
        let key = match text("kty")? {
            "RSA" => {
                let n = unsigned(text("n")?)?;
                let e = unsigned(text("e")?)?;
                let right = RSA_MODULUS.contains(&n.len()) && e.len() <= MAX_RSA_EXPONENT;
                right.then_some(PublicKey::Rsa { n, e })?
            }
            "EC" if text("crv")? == "P-256" => PublicKey::P256 {
                x: base64url::decode_array(text("x")?)?,
                y: base64url::decode_array(text("y")?)?,
            },
            _ => return None,
        };
        is_or_absent("alg", key.algorithm().as_str()).then_some(())?;
        let kid = match value.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        Some(Self { kid, key })
    }

    fn to_json(&self) -> Value {
        let mut value = match &self.key {
            PublicKey::Rsa { n, e } => json!({
                "kty": "RSA",
                "n": base64url::encode(n),
                "e": base64url::encode(e),
            }),
            PublicKey::P256 { x, y } => json!({
                "kty": "EC",
                "crv": "P-256",
                "x": base64url::encode(x),
                "y": base64url::encode(y),
            }),
        };
        if let Some(kid) = &self.kid {
            value["kid"] = kid.as_str().into();
        }
        value
    }
}

/// A number in base64url (RFC 7518 section 2), without leading zeros; `None` for zero.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = base64url::decode(text)?;
    let first = bytes.iter().position(|&byte| byte != 0)?;
    Some(bytes.get(first..)?.to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn rsa(bytes: usize) -> Value {
        json!({ "kty": "RSA", "n": base64url::encode(&vec![0xff; bytes]), "e": "AQAB" })
    }

    fn p256() -> Value {
        let coordinate = base64url::encode(&[7; 32]);
        json!({ "kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate })
    }

    fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
        key[name] = value.into();
        key
    }

    fn set(keys: &[Value]) -> Result<KeySet, KeySetFault> {
        KeySet::from_json(&json!({ "keys": keys }))
    }

    #[test]
    fn keys_that_can_check_a_signature() {
        for right in [
            rsa(256),
            rsa(1024),
            p256(),
            with(rsa(256), "use", "sig"),
            with(rsa(256), "alg", "RS256"),
            with(p256(), "alg", "ES256"),
            with(p256(), "key_ops", json!(["verify"])),
            with(p256(), "x5c", json!(["whatever"])),
        ] {
            assert!(set(std::slice::from_ref(&right)).is_ok(), "{right}");
        }
        for wrong in [
            rsa(255),
            rsa(1025),
            with(rsa(256), "e", base64url::encode(&[1; 9])),
            with(rsa(256), "e", base64url::encode(&[0])),
            with(rsa(256), "n", "not base64url!"),
            with(rsa(256), "use", "enc"),
            with(rsa(256), "alg", "PS256"),
            with(rsa(256), "alg", "ES256"),
            with(p256(), "alg", "RS256"),
            with(p256(), "alg", 1),
            with(p256(), "crv", "P-384"),
            with(p256(), "x", base64url::encode(&[7; 31])),
            with(p256(), "key_ops", json!(["sign"])),
            with(p256(), "kid", 1),
            with(p256(), "kty", "OKP"),
            json!({ "kty": "oct", "k": "c2VjcmV0" }),
            json!("RSA"),
        ] {
            let read = set(std::slice::from_ref(&wrong));
            assert_eq!(read, Err(KeySetFault::NoUsableKey), "{wrong}");
            assert!(set(&[wrong, p256()]).is_ok(), "others are passed over");
        }
    }

    #[test]
    fn what_is_no_set_of_public_keys() {
        assert_eq!(KeySet::parse(b"{"), Err(KeySetFault::Form));
        assert_eq!(KeySet::parse(b"[]"), Err(KeySetFault::Form));
        assert_eq!(KeySet::parse(br#"{"keys":{}}"#), Err(KeySetFault::Form));
        assert_eq!(set(&[]), Err(KeySetFault::NoUsableKey));
        assert_eq!(set(&vec![p256(); 33]), Err(KeySetFault::TooMany));
        assert!(set(&vec![p256(); 32]).is_ok());
        let private = with(p256(), "d", base64url::encode(&[1; 32]));
        assert_eq!(set(&[p256(), private]), Err(KeySetFault::PrivateKey));
    }

    #[test]
    fn a_key_id_chooses_and_the_kind_decides() {
        let keys = [
            with(rsa(256), "kid", "a"),
            with(p256(), "kid", "a"),
            with(p256(), "kid", "b"),
            p256(),
        ];
        let set = set(&keys).unwrap();
        let count = |algorithm, kid| set.candidates(algorithm, kid).count();
        assert_eq!(count(SigningAlgorithm::Rs256, Some("a")), 1);
        assert_eq!(count(SigningAlgorithm::Es256, Some("a")), 2);
        assert_eq!(count(SigningAlgorithm::Rs256, Some("b")), 0);
        assert_eq!(count(SigningAlgorithm::Es256, Some("unknown")), 1);
        assert_eq!(count(SigningAlgorithm::Es256, None), 3);
    }

    #[test]
    fn a_set_is_kept_as_the_json_that_it_was() {
        let zeros = base64url::encode(&[[0; 8].as_slice(), &[0xff; 256]].concat());
        let read = set(&[with(rsa(256), "n", zeros), with(p256(), "kid", "b")]).unwrap();
        let kept = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<KeySet>(&kept).unwrap(), read);
        assert_eq!(
            set(&[rsa(256), with(p256(), "kid", "b")]).unwrap(),
            read,
            "leading zeros do not count"
        );
    }
}
