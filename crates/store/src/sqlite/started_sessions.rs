//! Clerk sessions that servers have started.

use oauth::{StoreResult, Timestamp};
use sqlx::{Row as _, SqliteConnection};

use super::error::Outcome;
use super::rows::milliseconds;
use super::store::SqliteStore;
use crate::started_sessions::{MOST_UNATTENDED, StartedSessionStore};

/// How many are noted in one transaction.
const BATCH: usize = 500;

pub(super) const FORGET: &str = "DELETE FROM started_sessions WHERE id = ?";
pub(super) const UNATTENDED: &str = "SELECT id FROM started_sessions
         WHERE attended_at <= ? ORDER BY attended_at, id LIMIT ?";

async fn attend(
    connection: &mut SqliteConnection,
    ids: Vec<String>,
    now: Timestamp,
) -> Outcome<()> {
    for id in ids {
        sqlx::query(
            "INSERT INTO started_sessions (id, attended_at) VALUES (?, ?)
             ON CONFLICT (id) DO UPDATE
             SET attended_at = max(attended_at, excluded.attended_at)",
        )
        .bind(id)
        .bind(milliseconds(now))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn unattended(connection: &mut SqliteConnection, end: Timestamp) -> Outcome<Vec<String>> {
    let rows = sqlx::query(UNATTENDED)
        .bind(milliseconds(end))
        .bind(i64::try_from(MOST_UNATTENDED).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let ids = rows.iter().map(|row| Ok(row.try_get("id")?));
    ids.collect()
}

impl StartedSessionStore for SqliteStore {
    fn attend<'a>(&'a self, ids: &'a [String], now: Timestamp) -> StoreResult<'a, ()> {
        Box::pin(async move {
            // A transaction for each part, so that others come in between.
            for part in ids.chunks(BATCH) {
                let part = part.to_vec();
                let noted = self.write(move |connection| {
                    Box::pin(async move { attend(connection, part, now).await })
                });
                noted.await?;
            }
            Ok(())
        })
    }

    fn forget_started<'a>(&'a self, id: &'a str) -> StoreResult<'a, ()> {
        let id = id.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(FORGET).bind(id).execute(connection).await?;
                Ok(())
            })
        })
    }

    fn unattended(&self, end: Timestamp) -> StoreResult<'_, Vec<String>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(unattended(&mut reader, end).await)
        })
    }
}
