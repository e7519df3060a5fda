//! Where clients' keys come from, and for how long they are believed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::ClientId;
use crate::client_authentication::ClientAuthFault;
use crate::client_metadata::ClientMetadataFault;
use crate::client_metadata_document::{FetchFault, FetchedDocument, freshness, is_json};
use crate::environment::BoxFuture;
use crate::json_web_key::{KeySet, PublicKey, SigningAlgorithm};
use crate::time::Timestamp;

/// The largest key set that is read.
pub const MAX_KEY_SET_BYTES: usize = 32 * 1024;
const MAX_URL_BYTES: usize = 2048;
/// Keys are not asked for again before this, however new the key is that an assertion names: nobody
/// can make this server call a host more often.
pub(crate) const SHORTEST_FRESH: Duration = Duration::from_secs(30);
/// The time for a key set whose host says nothing about caching.
const FRESH_BY_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// The longest time for which a key set is believed without asking again: a key that was withdrawn
/// is out after it.
const LONGEST_FRESH: Duration = Duration::from_secs(60 * 60);
/// For how long what went stale is believed while its host does not answer: a client goes on while its
/// host is down, and withdrawn keys do not live on for ever.
pub(crate) const BELIEVED_UNANSWERED: Duration = Duration::from_secs(24 * 60 * 60);
/// How many key sets are kept, each at most some 30 KB.
const MOST_KEY_SETS: usize = 256;

/// What checking who a client is needs of the machine.
pub trait ClientKeys: Send + Sync {
    /// Counts a secret that was presented for this client, which has one: `Some` with how long to wait
    /// where there were too many wrong ones, whether this one `is_right` or not. A secret that its owner
    /// chose may be guessed, unlike codes and tokens.
    fn presented_secret(&self, client: &ClientId, is_right: bool) -> Option<Duration>;

    /// Fetches a client's metadata document, as [`crate::FetchDocument`].
    fn document<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>>;

    /// Fetches a client's key set by the same rules, of at most [`MAX_KEY_SET_BYTES`].
    fn key_set<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>>;

    /// Whether `signature` is of `message` by this key, with the key's one algorithm
    /// ([`PublicKey::algorithm`]). A key that is none (a point beside the curve) has signed nothing.
    fn has_signed<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, bool>;
}

/// With what a client's assertions are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionKeys {
    /// Where its keys are.
    pub source: KeySource,
    /// The algorithms that it may sign with; at least one.
    pub algorithms: Vec<SigningAlgorithm>,
}

/// Where a client's keys are (RFC 7591 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySource {
    /// In its metadata.
    #[serde(rename = "jwks")]
    Inline(KeySet),
    /// At an `https` URL.
    #[serde(rename = "jwks_uri", with = "url_as_text")]
    At(Url),
}

impl KeySource {
    /// The keys at the URL that this text is.
    ///
    /// # Errors
    /// [`ClientMetadataFault::KeySetUrl`] unless it is `https`, without user name and fragment, and of
    /// at most 2,048 bytes.
    pub fn at(text: &str) -> Result<Self, ClientMetadataFault> {
        let right = |url: &Url| {
            url.scheme() == "https"
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
                && text.len() <= MAX_URL_BYTES
        };
        let url = Url::parse(text).ok().filter(right);
        url.map(Self::At).ok_or(ClientMetadataFault::KeySetUrl)
    }
}

mod url_as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        let text = String::deserialize(deserializer)?;
        Url::parse(&text).map_err(D::Error::custom)
    }
}

/// The key sets that were fetched. They are this process' own: another one, or the next, fetches
/// them anew.
#[derive(Default)]
pub(crate) struct KeySets {
    kept: Mutex<HashMap<Url, KeptKeySet>>,
}

/// A key set as it was fetched.
#[derive(Clone)]
pub(crate) struct KeptKeySet {
    pub(crate) keys: Arc<KeySet>,
    pub(crate) fetched_at: Timestamp,
    fresh_until: Timestamp,
}

impl KeptKeySet {
    /// Whether it may be fetched again at `now`, for a key that it lacks.
    pub(crate) fn may_be_renewed(&self, now: Timestamp) -> bool {
        may_be_renewed(self.fetched_at, now)
    }
}

/// Whether what was fetched then may be fetched again before its time. A clock that was set back
/// allows it.
pub(crate) fn may_be_renewed(fetched_at: Timestamp, now: Timestamp) -> bool {
    fetched_at > now || fetched_at.after(SHORTEST_FRESH).has_passed(now)
}

impl KeySets {
    /// The key set at `url`, fetched if it is not kept or not fresh.
    pub(crate) async fn get(
        &self,
        url: &Url,
        machine: &dyn ClientKeys,
        now: Timestamp,
    ) -> Result<KeptKeySet, ClientAuthFault> {
        let kept = self.lock().get(url).cloned();
        let kept = kept.filter(|kept| kept.fetched_at <= now);
        if let Some(kept) = kept
            .clone()
            .filter(|kept| !kept.fresh_until.has_passed(now))
        {
            return Ok(kept);
        }
        let renewed = self.renew(url, machine, now).await;
        match (renewed, kept) {
            (Err(ClientAuthFault::KeysUnavailable { .. }), Some(kept))
                if !kept.fresh_until.after(BELIEVED_UNANSWERED).has_passed(now) =>
            {
                Ok(kept)
            }
            (renewed, _) => renewed,
        }
    }

    /// Fetches the key set at `url`.
    pub(crate) async fn renew(
        &self,
        url: &Url,
        machine: &dyn ClientKeys,
        now: Timestamp,
    ) -> Result<KeptKeySet, ClientAuthFault> {
        let fetched = machine.key_set(url).await?;
        let kept = read(&fetched, now)?;
        let mut all = self.lock();
        if all.len() >= MOST_KEY_SETS && !all.contains_key(url) {
            let stalest = all.iter().min_by_key(|(_, kept)| kept.fresh_until);
            if let Some(stalest) = stalest.map(|(url, _)| url.clone()) {
                all.remove(&stalest);
            }
        }
        all.insert(url.clone(), kept.clone());
        Ok(kept)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Url, KeptKeySet>> {
        // The map is whole after a panic too.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeySets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeySets").finish_non_exhaustive()
    }
}

fn read(fetched: &FetchedDocument, now: Timestamp) -> Result<KeptKeySet, ClientAuthFault> {
    let refused = |problem: String| ClientAuthFault::Keys { problem };
    if fetched.body.len() > MAX_KEY_SET_BYTES {
        return Err(refused("it is larger than 32 KB".to_owned()));
    }
    if !fetched.content_type.as_deref().is_some_and(is_json) {
        return Err(refused("it is not served as JSON".to_owned()));
    }
    let keys = KeySet::parse(&fetched.body).map_err(|fault| refused(fault.to_string()))?;
    let fresh = freshness(
        fetched.cache_control.as_deref(),
        FRESH_BY_DEFAULT,
        LONGEST_FRESH,
    );
    Ok(KeptKeySet {
        keys: Arc::new(keys),
        fetched_at: now,
        fresh_until: now.after(fresh.max(SHORTEST_FRESH)),
    })
}

/// A failed fetch: the client's fault, or a matter of time.
impl From<FetchFault> for ClientAuthFault {
    fn from(fault: FetchFault) -> Self {
        match fault.is_temporary {
            true => Self::KeysUnavailable {
                problem: fault.message,
            },
            false => Self::Keys {
                problem: fault.message,
            },
        }
    }
}
