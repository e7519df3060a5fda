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

pub(super) async fn append(
    connection: &mut SqliteConnection,
    records: &[AuditRecord],
) -> Outcome<()> {
    // Each statement is a round trip to the connection's thread: a busy server has thousands of rows
    // in a second.
    for chunk in records.chunks(ROWS) {
        let mut rows = Vec::with_capacity(chunk.len());
        for record in chunk {
            let document = rows::to_document(&record.record, "audit.record")?;
            rows.push((milliseconds(record.at), document));
        }
        QueryBuilder::<Sqlite>::new("INSERT INTO audit (at, record) ")
            .push_values(rows, |mut row, (at, document)| {
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
