//! Access tokens. Every request reads one.

use oauth::{AccessTokenRecord, Grant, GrantId, Timestamp, TokenHash};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::error::Outcome;
use super::grants::{self, grant_columns};
use super::rows::{self, bytes, milliseconds};

/// Asked at every request: one search in the tokens, one for the grant.
pub(super) const CHECK: &str = concat!(
    "SELECT t.*, ",
    grant_columns!(),
    " FROM access_tokens AS t JOIN grants AS g ON g.id = t.grant_id
     WHERE t.hash = ? AND t.expires_at > ?"
);

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    token: &AccessTokenRecord,
    grant: &GrantId,
) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO access_tokens (hash, grant_id, scopes, wrapped, expires_at)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(bytes(&token.hash))
    .bind(grant.as_str())
    .bind(token.scopes.to_string())
    .bind(token.wrapped.as_bytes())
    .bind(milliseconds(token.expires_at))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn access_token(
    connection: &mut SqliteConnection,
    token: TokenHash,
    now: Timestamp,
) -> Outcome<Option<(AccessTokenRecord, Grant)>> {
    let row = sqlx::query(CHECK)
        .bind(bytes(&token))
        .bind(milliseconds(now))
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let grant = grants::to_grant(&row)?;
    Ok(match grant.is_live(now) {
        true => Some((to_access_token(&row)?, grant)),
        false => None,
    })
}

fn to_access_token(row: &SqliteRow) -> Outcome<AccessTokenRecord> {
    Ok(AccessTokenRecord {
        hash: rows::hash(row, "hash")?,
        grant_id: rows::grant_id(row, "grant_id")?,
        scopes: rows::scopes(row, "scopes")?,
        wrapped: rows::wrapped(row, "wrapped")?,
        expires_at: rows::timestamp(row, "expires_at")?,
    })
}
