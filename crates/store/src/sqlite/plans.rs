//! How SQLite goes about the queries that must stay fast however much is kept.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use sqlx::AssertSqlSafe;

use super::{access_tokens, audit, open, sessions, started_sessions, sweep, tool_state};

/// The check at each request, and what looks for something to sweep while nobody may write.
#[tokio::test]
async fn frequent_queries_read_no_whole_table() {
    let folder = tempfile::tempdir().unwrap();
    let file: Arc<Path> = folder.path().join("store.db").into();
    let mut connection = open::open(&file).await.unwrap().writer;
    for statement in [
        access_tokens::CHECK,
        sweep::ACCESS_TOKENS,
        sweep::REFRESH_TOKENS,
        sweep::CODES,
        sweep::ASSERTIONS,
        sweep::CONSENTS,
        sweep::WITHOUT_TOKENS,
        sweep::GRANTS,
        sweep::AUTHORIZATIONS,
        sweep::CLIENTS,
        sweep::CLIENT_DOCUMENTS,
        audit::SWEEP,
        tool_state::READ,
        tool_state::TOUCH,
        tool_state::NAMES,
        tool_state::FORGET,
        tool_state::SWEEP,
        sessions::MAKE_ROOM,
        sessions::READ,
        sessions::TOUCH,
        sessions::TOOLS_LISTED,
        sessions::TOOLS_TOLD,
        sessions::END,
        sessions::KEEP_EVENT,
        sessions::OLD_EVENTS,
        sessions::EVENTS_AFTER,
        sessions::SWEEP,
        sessions::SWEEP_EVENTS,
        started_sessions::FORGET,
        started_sessions::UNATTENDED,
    ] {
        let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explained)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert!(!plan.is_empty());
        for (.., step) in plan {
            // Of `json_each` alone everything is wanted, and of the index of revoked grants.
            let whole = step.starts_with("SCAN")
                && !step.contains("json_each")
                && !step.contains("grants_revoked");
            assert!(!whole, "{step}: {statement}");
        }
    }
}
