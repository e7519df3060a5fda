//! What checking a client's assertion needs of the machine: its keys, fetched, and signatures, checked.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, DecodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use oauth::{BoxFuture, ClientKeys, FetchFault, FetchedDocument, PublicKey};
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
