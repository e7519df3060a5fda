//! Assertions by which clients have proven who they are.

use oauth::{Timestamp, TokenHash};
use sqlx::SqliteConnection;

use super::error::Outcome;
use super::rows::{bytes, milliseconds};

/// Whether this is its first use.
pub(super) async fn use_up(
    connection: &mut SqliteConnection,
    assertion: TokenHash,
    until: Timestamp,
) -> Outcome<bool> {
    let done = sqlx::query(
        "INSERT INTO used_assertions (hash, until) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
    )
    .bind(bytes(&assertion))
    .bind(milliseconds(until))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
