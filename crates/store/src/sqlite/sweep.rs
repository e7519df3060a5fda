//! What nobody can use any more. Each part deletes at most [`BATCH`] rows of its kind in a
//! transaction of its own, so that nobody waits for long.

use oauth::{AUTHORIZATION_KEPT, CODE_KEPT, CONSENT_KEPT, DOCUMENT_KEPT, Swept, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::error::{Failure, Outcome};
use super::rows::milliseconds;

/// How many rows of a kind go in one transaction.
const BATCH: u16 = 500;

pub(super) const ACCESS_TOKENS: &str = "DELETE FROM access_tokens WHERE hash IN
             (SELECT hash FROM access_tokens WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
         RETURNING grant_id";
pub(super) const REFRESH_TOKENS: &str = "DELETE FROM refresh_tokens WHERE hash IN
             (SELECT hash FROM refresh_tokens WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
         RETURNING grant_id";
pub(super) const CODES: &str = "DELETE FROM codes WHERE hash IN
             (SELECT hash FROM codes WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
         RETURNING grant_id";
pub(super) const ASSERTIONS: &str = "DELETE FROM used_assertions WHERE hash IN
             (SELECT hash FROM used_assertions WHERE until <= ? ORDER BY until LIMIT ?)
         RETURNING hex(hash)";
pub(super) const CONSENTS: &str = "DELETE FROM consents
         WHERE (user_id, client_id, redirect_uri, resource) IN
             (SELECT user_id, client_id, redirect_uri, resource FROM consents
              WHERE remembered_at <= ? ORDER BY remembered_at LIMIT ?)
         RETURNING client_id";
pub(super) const WITHOUT_TOKENS: &str =
    "DELETE FROM grants WHERE id IN (SELECT value FROM json_each(?))
             AND NOT EXISTS (SELECT 1 FROM codes WHERE grant_id = grants.id)
             AND NOT EXISTS (SELECT 1 FROM access_tokens WHERE grant_id = grants.id)
             AND NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE grant_id = grants.id)";
pub(super) const GRANTS: &str = "SELECT id FROM grants WHERE expires_at <= ?1
         UNION SELECT id FROM grants WHERE revoked_at IS NOT NULL
         LIMIT ?2";
pub(super) const AUTHORIZATIONS: &str = "DELETE FROM authorizations WHERE id IN
             (SELECT id FROM authorizations WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
         RETURNING id";
pub(super) const CLIENTS: &str = "DELETE FROM clients WHERE id IN
             (SELECT id FROM clients WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
         RETURNING id";
pub(super) const CLIENT_DOCUMENTS: &str = "DELETE FROM client_documents WHERE id IN
             (SELECT id FROM client_documents WHERE fresh_until <= ? ORDER BY fresh_until LIMIT ?)
         RETURNING id";

/// One transaction's worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    AccessTokens,
    RefreshTokens,
    Codes,
    Assertions,
    Consents,
    Grants,
    Authorizations,
    Clients,
    ClientDocuments,
}

impl Part {
    pub(super) const ALL: [Self; 9] = [
        Self::AccessTokens,
        Self::RefreshTokens,
        Self::Codes,
        Self::Assertions,
        Self::Consents,
        Self::Grants,
        Self::Authorizations,
        Self::Clients,
        Self::ClientDocuments,
    ];
}

pub(super) async fn sweep(
    connection: &mut SqliteConnection,
    part: Part,
    now: Timestamp,
) -> Outcome<Swept> {
    match part {
        Part::AccessTokens => access_tokens(connection, now).await,
        Part::RefreshTokens => refresh_tokens(connection, now).await,
        Part::Codes => codes(connection, now).await,
        Part::Assertions => assertions(connection, now).await,
        Part::Consents => consents(connection, now).await,
        Part::Grants => grants(connection, now).await,
        Part::Authorizations => authorizations(connection, now).await,
        Part::Clients => clients(connection, now).await,
        Part::ClientDocuments => client_documents(connection, now).await,
    }
}

/// Adds up what two parts deleted.
pub(super) fn add(total: Swept, part: Swept) -> Swept {
    Swept {
        clients: total.clients + part.clients,
        client_documents: total.client_documents + part.client_documents,
        authorizations: total.authorizations + part.authorizations,
        codes: total.codes + part.codes,
        access_tokens: total.access_tokens + part.access_tokens,
        refresh_tokens: total.refresh_tokens + part.refresh_tokens,
        assertions: total.assertions + part.assertions,
        consents: total.consents + part.consents,
        grants: total.grants + part.grants,
        more: total.more || part.more,
    }
}

async fn access_tokens(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let of = delete(connection, ACCESS_TOKENS, now).await?;
    Ok(Swept {
        access_tokens: count(&of),
        grants: grants_without_tokens(connection, &of).await?,
        more: is_full(&of),
        ..Swept::default()
    })
}

async fn refresh_tokens(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let of = delete(connection, REFRESH_TOKENS, now).await?;
    Ok(Swept {
        refresh_tokens: count(&of),
        grants: grants_without_tokens(connection, &of).await?,
        more: is_full(&of),
        ..Swept::default()
    })
}

async fn codes(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let of = delete(connection, CODES, now.before(CODE_KEPT)).await?;
    Ok(Swept {
        codes: count(&of),
        grants: grants_without_tokens(connection, &of).await?,
        more: is_full(&of),
        ..Swept::default()
    })
}

async fn assertions(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let deleted = delete(connection, ASSERTIONS, now).await?;
    Ok(Swept {
        assertions: count(&deleted),
        more: is_full(&deleted),
        ..Swept::default()
    })
}

async fn consents(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let deleted = delete(connection, CONSENTS, now.before(CONSENT_KEPT)).await?;
    Ok(Swept {
        consents: count(&deleted),
        more: is_full(&deleted),
        ..Swept::default()
    })
}

/// Of the grants whose tokens have just been deleted, those that have none left. Nothing else leaves a
/// grant without tokens but its revocation, so nobody has to look through all of them.
async fn grants_without_tokens(
    connection: &mut SqliteConnection,
    candidates: &[String],
) -> Outcome<u64> {
    if candidates.is_empty() {
        return Ok(0);
    }
    let deleted = sqlx::query(WITHOUT_TOKENS)
        .bind(id_list(candidates)?)
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected())
}

/// Grants that have expired, with what is left of them, and grants that were revoked, of which nothing
/// is left.
async fn grants(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let over = sqlx::query(GRANTS)
        .bind(milliseconds(now))
        .bind(BATCH)
        .fetch_all(&mut *connection)
        .await?;
    let over = first_column(&over)?;
    let ids = id_list(&over)?;
    let mut deleted = [0; 4];
    let statements = [
        "DELETE FROM codes WHERE grant_id IN (SELECT value FROM json_each(?))",
        "DELETE FROM access_tokens WHERE grant_id IN (SELECT value FROM json_each(?))",
        "DELETE FROM refresh_tokens WHERE grant_id IN (SELECT value FROM json_each(?))",
        "DELETE FROM grants WHERE id IN (SELECT value FROM json_each(?))",
    ];
    for (count, statement) in deleted.iter_mut().zip(statements) {
        let done = sqlx::query(statement).bind(&ids).execute(&mut *connection);
        *count = done.await?.rows_affected();
    }
    let [codes, access_tokens, refresh_tokens, grants] = deleted;
    Ok(Swept {
        codes,
        access_tokens,
        refresh_tokens,
        grants,
        more: is_full(&over),
        ..Swept::default()
    })
}

async fn authorizations(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let deleted = delete(connection, AUTHORIZATIONS, now.before(AUTHORIZATION_KEPT)).await?;
    Ok(Swept {
        authorizations: count(&deleted),
        more: is_full(&deleted),
        ..Swept::default()
    })
}

/// Registered clients, with the consents remembered for them.
async fn clients(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let deleted = delete(connection, CLIENTS, now).await?;
    consents_for(connection, &deleted).await?;
    Ok(Swept {
        clients: count(&deleted),
        more: is_full(&deleted),
        ..Swept::default()
    })
}

/// Metadata documents, with the consents remembered for their clients.
async fn client_documents(connection: &mut SqliteConnection, now: Timestamp) -> Outcome<Swept> {
    let deleted = delete(connection, CLIENT_DOCUMENTS, now.before(DOCUMENT_KEPT)).await?;
    consents_for(connection, &deleted).await?;
    Ok(Swept {
        client_documents: count(&deleted),
        more: is_full(&deleted),
        ..Swept::default()
    })
}

/// Forgets what was remembered for these clients.
async fn consents_for(connection: &mut SqliteConnection, clients: &[String]) -> Outcome<()> {
    if !clients.is_empty() {
        sqlx::query("DELETE FROM consents WHERE client_id IN (SELECT value FROM json_each(?))")
            .bind(id_list(clients)?)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Runs a deletion of what ended up to `end`, and gives back the one column that it returns.
async fn delete(
    connection: &mut SqliteConnection,
    statement: &'static str,
    end: Timestamp,
) -> Outcome<Vec<String>> {
    let rows = sqlx::query(statement)
        .bind(milliseconds(end))
        .bind(BATCH)
        .fetch_all(connection)
        .await?;
    first_column(&rows)
}

fn first_column(rows: &[SqliteRow]) -> Outcome<Vec<String>> {
    let values = rows.iter().map(|row| row.try_get(0));
    Ok(values.collect::<Result<_, _>>()?)
}

fn id_list(ids: &[String]) -> Outcome<String> {
    serde_json::to_string(ids).map_err(|_| Failure::Unreadable { what: "id" })
}

fn count(rows: &[String]) -> u64 {
    rows.len() as u64
}

fn is_full(rows: &[String]) -> bool {
    rows.len() >= usize::from(BATCH)
}
