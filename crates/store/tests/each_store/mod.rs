//! The same cases for each implementation of a store.

use std::{any::Any, sync::Arc};

use clerk_mcp_store::SqliteStore;

use super::support::Place;

/// An empty store, and what must live as long.
pub(crate) struct Subject<S: ?Sized> {
    pub(crate) store: Arc<S>,
    _kept: Box<dyn Any + Send + Sync>,
}

impl<S: ?Sized> Subject<S> {
    pub(crate) fn in_memory(store: Arc<S>) -> Self {
        Self {
            store,
            _kept: Box::new(()),
        }
    }

    /// A store in a file of its own.
    pub(crate) async fn in_sqlite(as_store: impl FnOnce(SqliteStore) -> Arc<S>) -> Self {
        let place = Place::new();
        Self {
            store: as_store(place.open().await),
            _kept: Box::new(place),
        }
    }
}

/// Makes a test of each case for each store: `store` is a function that makes a [`Subject`], and the
/// cases are functions that are given it.
macro_rules! for_each_store {
    ($($store:ident)* : $cases:tt) => {
        $(mod $store { crate::for_each_store! { @ $store $cases } })*
    };
    (@ $store:ident { $($case:ident,)* }) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$case(&super::$store().await).await;
            }
        )*
    };
}
pub(crate) use for_each_store;
