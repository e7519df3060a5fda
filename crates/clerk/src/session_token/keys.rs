use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// The public RSA keys of an instance (RFC 7517).
#[derive(Clone)]
pub struct JsonWebKeySet {
    keys: Vec<JsonWebKey>,
}

#[derive(Clone)]
struct JsonWebKey {
    /// `None` fits every key id: a PEM names none.
    kid: Option<String>,
    key: DecodingKey,
}

/// Why a text holds no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonWebKeySetError {
    /// It is no JSON object with a list `keys`.
    #[error(
        "this is no JSON Web Key Set\n\
         hint: it is what GET /v1/jwks answers, an object with a list `keys`"
    )]
    Form,
    /// It is no PEM of a public RSA key.
    #[error(
        "this is no public RSA key in PEM\n\
         hint: copy the JWKS public key from https://dashboard.clerk.com (API keys), with its BEGIN \
         and END lines"
    )]
    Pem,
    /// It is a private key.
    #[error(
        "this is a private key\nhint: only the instance's public key is needed; keep the other away"
    )]
    PrivateKey,
}

impl JsonWebKeySet {
    /// Reads a key set as `GET /v1/jwks` and `/.well-known/jwks.json` answer it. Keys that are not
    /// for RS256 signatures are passed over.
    ///
    /// # Errors
    /// When it is no key set.
    pub fn parse(text: &str) -> Result<Self, JsonWebKeySetError> {
        let value = serde_json::from_str(text).map_err(|_| JsonWebKeySetError::Form)?;
        Self::from_json(&value)
    }

    /// [`JsonWebKeySet::parse`] of JSON that is parsed already.
    ///
    /// # Errors
    /// When it is no key set.
    pub fn from_json(value: &Value) -> Result<Self, JsonWebKeySetError> {
        let keys = value.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or(JsonWebKeySetError::Form)?;
        Ok(Self {
            keys: keys.iter().filter_map(JsonWebKey::of).collect(),
        })
    }

    /// The one key of an instance in PEM, as the dashboard shows it and `CLERK_JWT_KEY` holds it. It
    /// verifies without network. `\n` written out, as in .env files, is read as a line break.
    ///
    /// # Errors
    /// When it is no public RSA key.
    pub fn from_pem(pem: &str) -> Result<Self, JsonWebKeySetError> {
        let pem = pem.replace("\\n", "\n");
        if pem.contains("PRIVATE KEY") {
            return Err(JsonWebKeySetError::PrivateKey);
        }
        let der = der_of_pem(&pem).ok_or(JsonWebKeySetError::Pem)?;
        let components = (DEFAULT_PROVIDER
            .key_utils
            .rsa_pub_components_from_public_key)(&der);
        let (n, e) = components.map_err(|_| JsonWebKeySetError::Pem)?;
        let key = DecodingKey::from_rsa_raw_components(&n, &e);
        Ok(Self {
            keys: vec![JsonWebKey { kid: None, key }],
        })
    }

    /// Whether one of the keys has this key id.
    pub fn has(&self, kid: Option<&str>) -> bool {
        self.find(kid).is_some()
    }

    fn find(&self, kid: Option<&str>) -> Option<&JsonWebKey> {
        self.keys
            .iter()
            .find(|key| key.kid.is_none() || key.kid.as_deref() == kid)
    }

    /// Whether `signature` is RS256 over `message` by the key `kid`; `None` when there is no such
    /// key. The provider is named, not looked up: a look-up panics when another crate of the program
    /// turns on the library's second provider.
    pub(crate) fn verify(
        &self,
        kid: Option<&str>,
        message: &[u8],
        signature: &Vec<u8>,
    ) -> Option<bool> {
        let key = &self.find(kid)?.key;
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&Algorithm::RS256, key);
        Some(verifier.is_ok_and(|verifier| verifier.verify(message, signature).is_ok()))
    }
}

impl JsonWebKey {
    fn of(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let fits = |name: &str, wanted: &str| text(name).is_none_or(|found| found == wanted);
        if text("kty") != Some("RSA") || !fits("alg", "RS256") || !fits("use", "sig") {
            return None;
        }
        let number = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        Some(Self {
            kid: Some(text("kid")?.to_owned()),
            key: DecodingKey::from_rsa_raw_components(&number("n")?, &number("e")?),
        })
    }
}

impl fmt::Debug for JsonWebKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids = self.keys.iter().map(|key| key.kid.as_deref());
        f.debug_tuple("JsonWebKeySet")
            .field(&kids.collect::<Vec<_>>())
            .finish()
    }
}

/// The bytes of the first `PUBLIC KEY` or `RSA PUBLIC KEY` block; of a text without such lines, as
/// some environments hold keys, all of it.
fn der_of_pem(pem: &str) -> Option<Vec<u8>> {
    let body = match pem.split_once("PUBLIC KEY-----") {
        Some((_, rest)) => rest.split_once("-----END")?.0,
        None => pem,
    };
    let base64: String = body.split_whitespace().collect();
    STANDARD.decode(base64).ok().filter(|der| !der.is_empty())
}
