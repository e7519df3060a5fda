//! The key that tokens are signed with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// The modulus of [`EMULATOR_ONLY_KEY`], in base64url.
const MODULUS: &str = "p4erbhFpcsVZCz8Tqd-nAzgcscMRFN86E56qOAAUR3RZ4e09E2QaTmbf5iq8t9JSczneIyi1OunySpIK1QKmIOnrxwHzdQELBghEVMRV1ppnRso6I_eAKX-fHCCbCK56vUVJLj0WhyPFQE28-pZjlFN_vJS9Thpvo_dpSlJ4LoBFpBVeQAUTCvofid61SlwBcna_-h7mksfyYXhkl2yHvaMwa-IZzfWykc0QDwHf9l-7I50jM4PAUIfN7UXdnekO_fsDbY2_zpxnIzgtPeJxFi0TMm0slkY_CUKO93iXOAhbLVPZMczdCTK2JdQEYf550jEtOmy9UDqfI31IrImDMQ";

/// An RSA key of 2048 bits, in DER (PKCS #1) and base64. It is public and protects nothing: it is
/// here so that tokens of the emulator verify against the same JWKS in every run.
const EMULATOR_ONLY_KEY: &str = "\
MIIEpQIBAAKCAQEAp4erbhFpcsVZCz8Tqd+nAzgcscMRFN86E56qOAAUR3RZ4e09E2QaTmbf5iq8t9JSczneIyi1Ouny\
SpIK1QKmIOnrxwHzdQELBghEVMRV1ppnRso6I/eAKX+fHCCbCK56vUVJLj0WhyPFQE28+pZjlFN/vJS9Thpvo/dpSlJ4\
LoBFpBVeQAUTCvofid61SlwBcna/+h7mksfyYXhkl2yHvaMwa+IZzfWykc0QDwHf9l+7I50jM4PAUIfN7UXdnekO/fsD\
bY2/zpxnIzgtPeJxFi0TMm0slkY/CUKO93iXOAhbLVPZMczdCTK2JdQEYf550jEtOmy9UDqfI31IrImDMQIDAQABAoIB\
ADhnGGPbz904rRR4vZWNO2z9iMeebZNR3ns5iYSGHk26UgKa/VuYcbTgtNQIonXfBSxPGMdMjsuRdSX/Ck+R7z2Yk+1x\
7jX/zmbPBLZnTaENZeTy8+UlEEyob3ioT5n6KE+t0ogTQBDqjZ/rLEtPs6H+BL0IdL2lb93Lz/KaVmUM9jBMtm1tF8DX\
FSQl4Kj95MguEEGkIBMMZDHVkgrPOzbcBwW3oBRXfsVcVc4hkOOF+qixRCGqVjrUr0iGSX+Cvg4xc1nd719elwCYvgPQ\
7raRXCCg3awS6nf9ZGIDDZQqd0ntFKw5kzj9uCyzX/lmtrcIGBQDTInT+8AsonqxgPsCgYEA0ZH+XzOsxPBg0+ZqDbkW\
ijGV5uy/0+/dN/qLC49sVEjsQY6inP1Czb9n2l2JwmnHK9jv5Dim7LOOAmBrKdvccn0FfSYxpUtO9gAB6qSoilOJDuox\
7Jf2+5vR/joRwt9udQ1lcidg3MBcwoWFIERWUln5vY3nhSJXPUs+d6nJbdsCgYEAzKVQK4Yyx/Dg8K9dgpYkylq5bfu/\
sFhX3OA1jnGtduHEnpE+v1N5SuyXm8DxQtgKryHiPeVaKwGEU2lJV4cJdGme8oHvzHXbFzeZqXba1lTV0Uo7oR4KgGec\
c+dAiO2k99THUCPShSLs/fQGOrZqv1XvDzvkW6zXQcAzalT7buMCgYEAzJ+WFXKpQOnMQVp7NscAARMFYKLNcqyD/YJ+\
fV0e0vUY6bHRiSOoNKitSIOIXPFXbbK2GMpQAlIXWK64M/jeuFLmJxpB4zky8fNz6522ismhy5RUBsUifO3aDja43OO4\
QEZCRUG5zBFvAOfJ4oWXG3WK6dBCvLWZJNnxNnnrmX0CgYEAqD7hAmd6KFcpF7eVMV8vMA4WlQ18MwbudXD/lvRuoGZM\
t/DBnZqLBcYtfqfJsiLb5c/9qNV+pAzDNbBB0+v5IfQT8VxSQc5DKXtUobZNhBiLEV3uWC/Sgm6seb2NmQWHsxkEJCbP\
VRW5sa+Fz49Zg6SqveOHgrc+4ZearbjgXfECgYEAlEIJYvyp+t+eMO+CkhUleABoMh7JqvOhGNhANM6F+5orZhVtxPFQ\
w4OvaUnPRxDT5P2FTQ4Ki1iOnqRsCsuYJfNBplKNQVk1bf7C9phW0mRqZfnIs4vJ5ywJABUW49Es3uM/ejWU+Lfcp3Fc\
9SWGIp/8x6j9pJbCbysy7w1XM4Q=";

/// What the header of a token says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// No more than `typ: JWT`.
    Plain,
    /// Clerk's `cat`, such as that of session tokens.
    Category(&'static str),
    /// Another `typ`, such as `at+jwt`.
    Type(&'static str),
}

/// Signs tokens. The key is parsed when the first token is signed.
#[derive(Default)]
pub(crate) struct SigningKey {
    parsed: OnceLock<Option<EncodingKey>>,
}

impl SigningKey {
    /// A signed token, or nothing if the signing library refuses the key.
    pub(crate) fn sign(&self, kid: &str, kind: Kind, claims: &Value) -> Option<String> {
        let key = self.parsed.get_or_init(|| {
            let der = STANDARD.decode(EMULATOR_ONLY_KEY).ok()?;
            Some(EncodingKey::from_rsa_der(&der))
        });
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(kid.to_owned());
        match kind {
            Kind::Plain => {}
            Kind::Category(category) => {
                header.extras.insert("cat".to_owned(), category.to_owned());
            }
            Kind::Type(kind) => header.typ = Some(kind.to_owned()),
        }
        jsonwebtoken::encode(&header, claims, key.as_ref()?).ok()
    }
}

/// The type and the claims of a token that this key has signed, whatever its times say.
pub(crate) fn read(token: &str) -> Option<(String, Value)> {
    let token = decode(token)?;
    Some((token.header.typ.unwrap_or_default(), token.claims))
}

/// The claims of a token of a category that this key has signed, whatever its times say.
pub(crate) fn read_category(token: &str, category: &str) -> Option<Value> {
    let token = decode(token)?;
    let found = token.header.extras.inner().get("cat")?;
    (found.as_str()? == category).then_some(token.claims)
}

fn decode(token: &str) -> Option<TokenData<Value>> {
    let key = DecodingKey::from_rsa_components(MODULUS, "AQAB").ok()?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(token, &key, &validation).ok()
}

/// The public half, as a JSON Web Key Set.
pub(crate) fn key_set(kid: &str) -> Value {
    json!({
        "keys": [{
            "use": "sig",
            "kty": "RSA",
            "kid": kid,
            "alg": "RS256",
            "n": MODULUS,
            "e": "AQAB",
        }]
    })
}
