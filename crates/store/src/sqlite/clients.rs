//! Clients that registered themselves, and metadata documents of those that did not.

use oauth::{Client, ClientDocument, ClientId, Fingerprint, Registered, Timestamp};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::error::Outcome;
use super::rows::{self, milliseconds};

pub(super) async fn register(
    connection: &mut SqliteConnection,
    client: &Client,
    fingerprint: Option<Fingerprint>,
    now: Timestamp,
) -> Outcome<Registered> {
    if let Some(fingerprint) = fingerprint {
        if let Some(existing) = renew_same(connection, client, fingerprint, now).await? {
            return Ok(Registered::Existing(existing));
        }
        // One that has expired gives its fingerprint up; the sweep takes the rest.
        sqlx::query("UPDATE clients SET fingerprint = NULL WHERE fingerprint = ?")
            .bind(fingerprint.0.as_slice())
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("INSERT INTO clients (id, fingerprint, expires_at, client) VALUES (?, ?, ?, ?)")
        .bind(client.id.as_str())
        .bind(
            fingerprint
                .as_ref()
                .map(|fingerprint| fingerprint.0.as_slice()),
        )
        .bind(client.expires_at.map(milliseconds))
        .bind(rows::to_document(client, "clients.client")?)
        .execute(connection)
        .await?;
    Ok(Registered::New)
}

/// The living client of this fingerprint, kept for as long as the new registration would be.
async fn renew_same(
    connection: &mut SqliteConnection,
    client: &Client,
    fingerprint: Fingerprint,
    now: Timestamp,
) -> Outcome<Option<Client>> {
    // max() of anything and NULL is NULL: no end at all.
    let row = sqlx::query(
        "UPDATE clients SET expires_at = max(expires_at, ?)
         WHERE fingerprint = ? AND (expires_at IS NULL OR expires_at > ?)
         RETURNING client, expires_at",
    )
    .bind(client.expires_at.map(milliseconds))
    .bind(fingerprint.0.as_slice())
    .bind(milliseconds(now))
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(to_client).transpose()
}

pub(super) async fn client(
    connection: &mut SqliteConnection,
    id: &ClientId,
    now: Timestamp,
) -> Outcome<Option<Client>> {
    let row = sqlx::query(
        "SELECT client, expires_at FROM clients
         WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)",
    )
    .bind(id.as_str())
    .bind(milliseconds(now))
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(to_client).transpose()
}

/// Keeps a client that is in use at least until then. No row: it is no registered client.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    id: &ClientId,
    until: Timestamp,
) -> Outcome<()> {
    sqlx::query("UPDATE clients SET expires_at = ?2 WHERE id = ?1 AND expires_at < ?2")
        .bind(id.as_str())
        .bind(milliseconds(until))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn put_document(
    connection: &mut SqliteConnection,
    document: &ClientDocument,
) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO client_documents (id, fresh_until, client) VALUES (?, ?, ?)
         ON CONFLICT (id) DO UPDATE
         SET fresh_until = excluded.fresh_until, client = excluded.client",
    )
    .bind(document.client.id.as_str())
    .bind(milliseconds(document.fresh_until))
    .bind(rows::to_document(
        &document.client,
        "client_documents.client",
    )?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn document(
    connection: &mut SqliteConnection,
    id: &ClientId,
) -> Outcome<Option<ClientDocument>> {
    let row = sqlx::query("SELECT client, fresh_until FROM client_documents WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    let document = |row: &SqliteRow| {
        Ok(ClientDocument {
            client: rows::document(row, "client")?,
            fresh_until: rows::timestamp(row, "fresh_until")?,
        })
    };
    row.as_ref().map(document).transpose()
}

fn to_client(row: &SqliteRow) -> Outcome<Client> {
    Ok(Client {
        expires_at: rows::optional_timestamp(row, "expires_at")?,
        ..rows::document(row, "client")?
    })
}
