//! The audit log.

use oauth::{AuditRecord, Timestamp};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::error::Outcome;
use super::rows::{self, milliseconds};

/// Rows of one statement: as many as the server writes at once.
const ROWS: usize = 256;

/// Rows that go in one transaction, so that nobody waits for long.
const BATCH: u16 = 500;

pub(super) const SWEEP: &str = "DELETE FROM audit WHERE number IN
         (SELECT number FROM audit WHERE at < ? ORDER BY at LIMIT ?)";

/// Rows as they are kept: when, and what.
pub(super) type Rows = Vec<(i64, String)>;

/// Rows as they are kept. They wait for the writer so: a text takes less than the value.
pub(super) fn rows(records: &[AuditRecord]) -> Outcome<Rows> {
    let row = |record: &AuditRecord| {
        let document = rows::to_document(&record.record, "audit.record")?;
        Ok((milliseconds(record.at), document))
    };
    records.iter().map(row).collect()
}

pub(super) async fn append(connection: &mut SqliteConnection, mut rows: Rows) -> Outcome<()> {
    // Each statement is a round trip to the connection's thread: a busy server has thousands of rows
    // in a second.
    while !rows.is_empty() {
        let chunk = rows.drain(..rows.len().min(ROWS));
        QueryBuilder::<Sqlite>::new("INSERT INTO audit (at, record) ")
            .push_values(chunk, |mut row, (at, document)| {
                row.push_bind(at).push_bind(document);
            })
            .build()
            // A text for each number of rows would drive the others out of the statement cache.
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn sweep(connection: &mut SqliteConnection, before: Timestamp) -> Outcome<u64> {
    let deleted = sqlx::query(SWEEP)
        .bind(milliseconds(before))
        .bind(BATCH)
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected())
}
