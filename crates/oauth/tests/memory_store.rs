//! The store in memory keeps the contract.

#![allow(clippy::expect_used, reason = "tests")]
use std::sync::Arc;

use clerk_mcp_oauth::contract::Subject;
use clerk_mcp_oauth::{BoxFuture, MemoryStore};

fn together(tasks: Vec<BoxFuture<'static, ()>>) -> BoxFuture<'static, ()> {
    let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    Box::pin(async move {
        for task in tasks {
            task.await.expect("no racer panics");
        }
    })
}

clerk_mcp_oauth::store_contract! {
    #[tokio::test(flavor = "multi_thread")]
    Subject::new(Arc::new(MemoryStore::new()), together)
}
