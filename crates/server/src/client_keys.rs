//! What checking who a client is needs of the machine: its keys, fetched, signatures, checked, and
//! wrong secrets, counted.

use std::{net::IpAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, DecodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use oauth::{BoxFuture, ClientId, ClientKeys, FetchFault, FetchedDocument, PublicKey};
use url::Url;

use crate::app::App;

/// The keys of clients, as somebody at this address may make the server fetch them.
pub(crate) struct KeysOfClients<'a> {
    pub(crate) app: &'a App,
    pub(crate) address: IpAddr,
}

impl KeysOfClients<'_> {
    /// Counts a fetch: each may occupy a place for as long as a slow host likes.
    fn count(&self) -> Result<(), FetchFault> {
        let counted = self.app.limits.key_fetch(self.address, self.app.now());
        counted.map_err(|limited| FetchFault {
            message: limited.to_string(),
            is_temporary: true,
        })
    }
}

impl ClientKeys for KeysOfClients<'_> {
    fn presented_secret(&self, client: &ClientId, is_right: bool) -> Option<Duration> {
        let limits = &self.app.limits;
        let counted = limits.client_secret(self.address, client, is_right, self.app.now());
        counted.err().map(|limited| limited.retry_after)
    }

    fn document<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        Box::pin(async move {
            self.count()?;
            self.app.documents.fetch(url).await
        })
    }

    fn key_set<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        Box::pin(async move {
            self.count()?;
            self.app.key_sets.fetch(url).await
        })
    }

    fn has_signed<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, bool> {
        Box::pin(async move { has_signed(key, message, signature).unwrap_or(false) })
    }
}

/// `None` when the key is none. The provider is named, not looked up: a look-up panics when another
/// crate of the program turns on the library's second provider.
fn has_signed(key: &PublicKey, message: &[u8], signature: &[u8]) -> Option<bool> {
    let (algorithm, key) = match key {
        PublicKey::Rsa { n, e } => (Algorithm::RS256, DecodingKey::from_rsa_raw_components(n, e)),
        PublicKey::P256 { x, y } => {
            let [x, y] = [x, y].map(|coordinate| BASE64URL.encode(coordinate));
            let key = DecodingKey::from_ec_components(&x, &y).ok()?;
            (Algorithm::ES256, key)
        }
    };
    let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key).ok()?;
    Some(verifier.verify(message, &signature.to_vec()).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use aws_lc_rs::{
        rand::SystemRandom,
        rsa::KeySize,
        signature::{
            ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
            RSA_PKCS1_SHA512, RsaKeyPair,
        },
    };

    use super::*;

    const MESSAGE: &[u8] = b"header.claims";

    #[test]
    fn assertions_are_verified_with_rsa() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = pair.public_key();
        let key = PublicKey::Rsa {
            n: public.modulus().big_endian_without_leading_zero().to_vec(),
            e: public.exponent().big_endian_without_leading_zero().to_vec(),
        };
        let sign = |padding| {
            let mut signature = vec![0; pair.public_modulus_len()];
            let random = SystemRandom::new();
            pair.sign(padding, &random, MESSAGE, &mut signature)
                .unwrap();
            signature
        };
        let right = sign(&RSA_PKCS1_SHA256);
        assert_eq!(has_signed(&key, MESSAGE, &right), Some(true));
        assert_eq!(has_signed(&key, b"header.Claims", &right), Some(false));
        assert_eq!(
            has_signed(&key, MESSAGE, &sign(&RSA_PKCS1_SHA512)),
            Some(false)
        );
        assert_eq!(has_signed(&key, MESSAGE, &right[1..]), Some(false));
        assert_eq!(has_signed(&key, MESSAGE, &[]), Some(false));
        let nonsense = PublicKey::Rsa {
            n: vec![0xff; 256],
            e: vec![2],
        };
        assert_eq!(has_signed(&nonsense, MESSAGE, &right), Some(false));
    }

    #[test]
    fn assertions_are_verified_with_p256() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let key = PublicKey::P256 {
            x: point[1..33].try_into().unwrap(),
            y: point[33..].try_into().unwrap(),
        };
        let signed = pair.sign(&SystemRandom::new(), MESSAGE).unwrap();
        let right = signed.as_ref();
        assert_eq!(has_signed(&key, MESSAGE, right), Some(true));
        assert_eq!(has_signed(&key, b"header.Claims", right), Some(false));
        assert_eq!(has_signed(&key, MESSAGE, &right[1..]), Some(false));
        // The signature of every message, if nobody looks (CVE-2022-21449).
        assert_eq!(has_signed(&key, MESSAGE, &[0; 64]), Some(false));
        let beside_the_curve = PublicKey::P256 {
            x: [1; 32],
            y: [1; 32],
        };
        assert_ne!(has_signed(&beside_the_curve, MESSAGE, right), Some(true));
    }
}
