//! The ends of tokens whose issuer tells nobody when it ends them: they are looked at now and then for
//! as long as somebody is served by them, so that streams end too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use clerk::BoxFuture;
use oauth::{PlainToken, TokenHash};
use tokio_util::sync::CancellationToken;

use crate::ended::GrantEnd;

/// How often. What is known of a person may be half a minute old (`people`): in all that is less than
/// a minute.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15);

/// Looks at a token again.
pub(crate) trait LookAgain: Send + Sync + 'static {
    /// Whether it has surely ended. While Clerk cannot be asked, it has not.
    fn has_ended<'a>(&'a self, token: &'a PlainToken) -> BoxFuture<'a, bool>;
    /// The ends, to take this one out.
    fn ends(&self) -> &TokenEnds;
}

/// The ends of the tokens that are being used.
#[derive(Debug, Default)]
pub(crate) struct TokenEnds(Mutex<HashMap<TokenHash, Weak<CancellationToken>>>);

impl TokenEnds {
    /// The end of this token, which `watcher` looks at from now on.
    pub(crate) fn of<W: LookAgain>(&self, token: &PlainToken, watcher: Weak<W>) -> GrantEnd {
        let mut ends = self.lock();
        let known = ends.get(&token.hash()).and_then(Weak::upgrade);
        if let Some(end) = known.filter(|end| !end.is_cancelled()) {
            return end;
        }
        let end = GrantEnd::default();
        ends.insert(token.hash(), Arc::downgrade(&end));
        tokio::spawn(watch(watcher, token.clone(), Arc::downgrade(&end)));
        end
    }

    /// Ends it for everybody who is served by it: it was just refused.
    pub(crate) fn end(&self, token: &TokenHash) {
        if let Some(end) = self.lock().remove(token).and_then(|end| end.upgrade()) {
            end.cancel();
        }
    }

    /// Takes out an end that nobody listens for any more, or that was told.
    fn forget(&self, token: &PlainToken, end: &Weak<CancellationToken>) {
        let mut ends = self.lock();
        if ends
            .get(&token.hash())
            .is_some_and(|known| known.ptr_eq(end))
        {
            ends.remove(&token.hash());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Weak<CancellationToken>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn watch<W: LookAgain>(watcher: Weak<W>, token: PlainToken, end: Weak<CancellationToken>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(watcher) = watcher.upgrade() else {
            return;
        };
        if end.strong_count() > 0 && watcher.has_ended(&token).await {
            if let Some(end) = end.upgrade() {
                end.cancel();
            }
        } else if end.strong_count() > 0 {
            continue;
        }
        watcher.ends().forget(&token, &end);
        return;
    }
}
