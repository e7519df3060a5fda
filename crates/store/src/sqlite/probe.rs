//! Whether the file can be written.

use sqlx::SqliteConnection;

use super::error::Outcome;
use super::rows::bytes;

/// Writes a row and takes it away, in one transaction: nothing is left, and still the page that it was on
/// goes to the disk with the commit. Looking alone would say nothing of a disk that is full.
pub(super) async fn write(connection: &mut SqliteConnection) -> Outcome<()> {
    // No assertion has this hash.
    let hash = bytes(&oauth::TokenHash::from_bytes([0; 32])).to_owned();
    for statement in [
        "INSERT INTO used_assertions (hash, until) VALUES (?, 0)",
        "DELETE FROM used_assertions WHERE hash = ?",
    ] {
        sqlx::query(statement)
            .bind(&hash)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
