//! The suite that every store passes, on a file of its own for each case.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use clerk_mcp_store::SqliteStore;
use oauth::BoxFuture;
use oauth::contract::Subject;

oauth::store_contract! {
    #[tokio::test(flavor = "multi_thread")]
    subject().await
}

async fn subject() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"))
        .await
        .unwrap();
    Subject::new(Arc::new(store), together).keeping(folder)
}

fn together(futures: Vec<BoxFuture<'static, ()>>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.unwrap();
        }
    })
}
