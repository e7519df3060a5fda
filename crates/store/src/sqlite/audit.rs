//! The audit log.

use oauth::AuditRecord;
use sqlx::SqliteConnection;

use super::error::Outcome;
use super::rows::{self, milliseconds};

pub(super) async fn append(
    connection: &mut SqliteConnection,
    records: &[AuditRecord],
) -> Outcome<()> {
    for record in records {
        sqlx::query("INSERT INTO audit (at, record) VALUES (?, ?)")
            .bind(milliseconds(record.at))
            .bind(rows::to_document(&record.record, "audit.record")?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
