//! Values that tools keep for one person and one client.

use oauth::{StoreResult, Timestamp};
use serde_json::{Map, Value};
use sqlx::{Row as _, SqliteConnection};

use super::error::{Failure, Outcome};
use super::rows::{self, milliseconds};
use super::store::SqliteStore;
use crate::tool_state::{Changes, Owner, SweptValues, TOUCHED_EVERY, ToolStateStore, ValueFault};

/// How many values go in one transaction of a sweep.
const BATCH: u16 = 500;

pub(super) const READ: &str = "SELECT name, value, touched_at FROM tool_state
         WHERE user_id = ? AND client_id = ? AND name IN (SELECT value FROM json_each(?))";
pub(super) const TOUCH: &str = "UPDATE tool_state SET touched_at = ?
         WHERE user_id = ? AND client_id = ? AND name IN (SELECT value FROM json_each(?))
             AND touched_at < ?";
pub(super) const NAMES: &str = "SELECT name FROM tool_state WHERE user_id = ? AND client_id = ?";
pub(super) const FORGET: &str = "DELETE FROM tool_state WHERE user_id = ?";
pub(super) const SWEEP: &str = "DELETE FROM tool_state WHERE rowid IN
             (SELECT rowid FROM tool_state WHERE touched_at <= ? ORDER BY touched_at LIMIT ?)";

/// The values, and whether one of them has not been touched for long.
async fn read(
    connection: &mut SqliteConnection,
    owner: &Owner,
    names: &[String],
    now: Timestamp,
) -> Outcome<(Map<String, Value>, bool)> {
    let rows = sqlx::query(READ)
        .bind(&owner.user_id)
        .bind(&owner.client_id)
        .bind(list(names)?)
        .fetch_all(connection)
        .await?;
    let mut values = Map::new();
    let mut is_old = false;
    for row in &rows {
        let touched_at = rows::timestamp(row, "touched_at")?;
        is_old |= touched_at.after(TOUCHED_EVERY).has_passed(now);
        values.insert(row.try_get("name")?, rows::document(row, "value")?);
    }
    Ok((values, is_old))
}

async fn touch(
    connection: &mut SqliteConnection,
    owner: &Owner,
    names: &[String],
    now: Timestamp,
) -> Outcome<()> {
    sqlx::query(TOUCH)
        .bind(milliseconds(now))
        .bind(&owner.user_id)
        .bind(&owner.client_id)
        .bind(list(names)?)
        .bind(milliseconds(now))
        .execute(connection)
        .await?;
    Ok(())
}

async fn change(
    connection: &mut SqliteConnection,
    owner: &Owner,
    changes: &Changes,
    now: Timestamp,
) -> Outcome<Result<(), ValueFault>> {
    let expected: Vec<String> = changes.expected().map(str::to_owned).collect();
    if !expected.is_empty() {
        let (values, _) = read(connection, owner, &expected, now).await?;
        if let Err(fault) = changes.judge_expected(&values) {
            return Ok(Err(fault));
        }
    }
    let rows = sqlx::query(NAMES)
        .bind(&owner.user_id)
        .bind(&owner.client_id)
        .fetch_all(&mut *connection)
        .await?;
    let kept: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("name"))
        .collect::<Result<_, _>>()?;
    if let Err(fault) = changes.judge(kept.iter().map(String::as_str)) {
        return Ok(Err(fault));
    }
    for (name, value) in changes.iter() {
        let statement = match value {
            Some(_) => {
                "INSERT INTO tool_state (user_id, client_id, name, value, touched_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (user_id, client_id, name) DO UPDATE
                 SET value = excluded.value, touched_at = excluded.touched_at"
            }
            None => "DELETE FROM tool_state WHERE user_id = ?1 AND client_id = ?2 AND name = ?3",
        };
        let query = sqlx::query(statement)
            .bind(&owner.user_id)
            .bind(&owner.client_id)
            .bind(name);
        let query = match value {
            Some(value) => query.bind(value).bind(milliseconds(now)),
            None => query,
        };
        query.execute(&mut *connection).await?;
    }
    Ok(Ok(()))
}

fn list(names: &[String]) -> Outcome<String> {
    serde_json::to_string(names).map_err(|_| Failure::Unreadable { what: "name" })
}

impl ToolStateStore for SqliteStore {
    fn values<'a>(
        &'a self,
        owner: &'a Owner,
        names: &'a [String],
        now: Timestamp,
    ) -> StoreResult<'a, Map<String, Value>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            let read = read(&mut reader, owner, names, now).await;
            drop(reader);
            let (values, is_old) = self.told(read)?;
            if is_old {
                let (owner, names) = (owner.clone(), names.to_vec());
                let touched = self.write(move |connection| {
                    Box::pin(async move { touch(connection, &owner, &names, now).await })
                });
                touched.await?;
            }
            Ok(values)
        })
    }

    fn change_values<'a>(
        &'a self,
        owner: &'a Owner,
        changes: &'a Changes,
        now: Timestamp,
    ) -> StoreResult<'a, Result<(), ValueFault>> {
        let (owner, changes) = (owner.clone(), changes.clone());
        self.write(move |connection| {
            Box::pin(async move { change(connection, &owner, &changes, now).await })
        })
    }

    fn forget_values<'a>(&'a self, user_id: &'a str) -> StoreResult<'a, u64> {
        let user_id = user_id.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let forgotten = sqlx::query(FORGET).bind(user_id).execute(connection);
                Ok(forgotten.await?.rows_affected())
            })
        })
    }

    fn sweep_values(&self, end: Timestamp) -> StoreResult<'_, SweptValues> {
        self.write(move |connection| {
            Box::pin(async move {
                let swept = sqlx::query(SWEEP)
                    .bind(milliseconds(end))
                    .bind(BATCH)
                    .execute(connection);
                let values = swept.await?.rows_affected();
                Ok(SweptValues {
                    values,
                    more: values >= u64::from(BATCH),
                })
            })
        })
    }
}
