//! Consents that people asked to remember.

use oauth::{ClientId, ConsentKey, RememberedConsent};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::error::Outcome;
use super::rows::{self, milliseconds};

pub(super) async fn consent(
    connection: &mut SqliteConnection,
    key: &ConsentKey,
) -> Outcome<Option<RememberedConsent>> {
    let row = sqlx::query(
        "SELECT * FROM consents
         WHERE user_id = ? AND client_id = ? AND redirect_uri = ? AND resource = ?",
    )
    .bind(&key.user_id)
    .bind(key.client_id.as_str())
    .bind(&key.redirect_uri)
    .bind(&key.resource)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(to_consent).transpose()
}

pub(super) async fn of_user(
    connection: &mut SqliteConnection,
    user_id: &str,
) -> Outcome<Vec<RememberedConsent>> {
    let rows = sqlx::query(
        "SELECT * FROM consents WHERE user_id = ?
         ORDER BY remembered_at DESC, client_id, redirect_uri, resource",
    )
    .bind(user_id)
    .fetch_all(connection)
    .await?;
    rows.iter().map(to_consent).collect()
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    consent: &RememberedConsent,
) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO consents (user_id, client_id, redirect_uri, resource, scopes, remembered_at)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (user_id, client_id, redirect_uri, resource) DO UPDATE
         SET scopes = excluded.scopes, remembered_at = excluded.remembered_at",
    )
    .bind(&consent.key.user_id)
    .bind(consent.key.client_id.as_str())
    .bind(&consent.key.redirect_uri)
    .bind(&consent.key.resource)
    .bind(consent.scopes.to_string())
    .bind(milliseconds(consent.remembered_at))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn forget(connection: &mut SqliteConnection, key: &ConsentKey) -> Outcome<bool> {
    let done = sqlx::query(
        "DELETE FROM consents
         WHERE user_id = ? AND client_id = ? AND redirect_uri = ? AND resource = ?",
    )
    .bind(&key.user_id)
    .bind(key.client_id.as_str())
    .bind(&key.redirect_uri)
    .bind(&key.resource)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn forget_of_user(
    connection: &mut SqliteConnection,
    user_id: &str,
) -> Outcome<u64> {
    let done = sqlx::query("DELETE FROM consents WHERE user_id = ?")
        .bind(user_id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

fn to_consent(row: &SqliteRow) -> Outcome<RememberedConsent> {
    Ok(RememberedConsent {
        key: ConsentKey {
            user_id: row.try_get("user_id")?,
            client_id: ClientId(row.try_get("client_id")?),
            redirect_uri: row.try_get("redirect_uri")?,
            resource: row.try_get("resource")?,
        },
        scopes: rows::scopes(row, "scopes")?,
        remembered_at: rows::timestamp(row, "remembered_at")?,
    })
}
