//! Refresh tokens, and how they follow one another.

use oauth::{
    Grant, GrantId, NewRefreshToken, RefreshFault, RefreshTokenRecord, Refused, RotateRefreshToken,
    Timestamp, TokenHash,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::error::Outcome;
use super::grants::{self, grant_columns};
use super::rows::{self, bytes, milliseconds};
use super::{access_tokens, clients};

/// Keeps a token; one that is kept already stays, except that it lives as long as the new one would.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    token: &NewRefreshToken,
    grant: &GrantId,
    predecessor: Option<TokenHash>,
) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO refresh_tokens (hash, grant_id, predecessor, wrapped, expires_at)
         VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (hash) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
    )
    .bind(bytes(&token.hash))
    .bind(grant.as_str())
    .bind(predecessor.as_ref().map(bytes))
    .bind(token.wrapped.as_bytes())
    .bind(milliseconds(token.expires_at))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn refresh_token(
    connection: &mut SqliteConnection,
    token: TokenHash,
) -> Outcome<Option<(RefreshTokenRecord, Grant)>> {
    let row = sqlx::query(concat!(
        "SELECT t.*, ",
        grant_columns!(),
        " FROM refresh_tokens AS t JOIN grants AS g ON g.id = t.grant_id WHERE t.hash = ?"
    ))
    .bind(bytes(&token))
    .fetch_optional(connection)
    .await?;
    row.as_ref()
        .map(|row| Ok((to_refresh_token(row)?, grants::to_grant(row)?)))
        .transpose()
}

pub(super) async fn rotate(
    connection: &mut SqliteConnection,
    rotate: &RotateRefreshToken,
    now: Timestamp,
) -> Outcome<Result<Grant, Refused<RefreshFault>>> {
    let Some((record, grant)) = refresh_token(connection, rotate.presented).await? else {
        return Ok(Err(Refused::unchanged(RefreshFault::Unknown)));
    };
    match record.judge(rotate, &grant, now) {
        Ok(()) => {}
        Err(RefreshFault::Replayed) => {
            grants::revoke(connection, &grant.id, now).await?;
            return Ok(Err(Refused::revoking(RefreshFault::Replayed, grant.id)));
        }
        Err(fault) => return Ok(Err(Refused::unchanged(fault))),
    }
    sqlx::query("UPDATE refresh_tokens SET successor = ? WHERE hash = ? AND successor IS NULL")
        .bind(bytes(&rotate.successor.hash))
        .bind(bytes(&rotate.presented))
        .execute(&mut *connection)
        .await?;
    insert(
        connection,
        &rotate.successor,
        &grant.id,
        Some(rotate.presented),
    )
    .await?;
    if let Some(predecessor) = &record.predecessor {
        sqlx::query(
            "UPDATE refresh_tokens SET dead_since = ? WHERE hash = ? AND dead_since IS NULL",
        )
        .bind(milliseconds(now))
        .bind(bytes(predecessor))
        .execute(&mut *connection)
        .await?;
    }
    access_tokens::insert(connection, &rotate.access, &grant.id).await?;
    clients::keep(connection, &grant.client_id, rotate.client_kept_until).await?;
    Ok(Ok(grant))
}

fn to_refresh_token(row: &SqliteRow) -> Outcome<RefreshTokenRecord> {
    Ok(RefreshTokenRecord {
        hash: rows::hash(row, "hash")?,
        grant_id: rows::grant_id(row, "grant_id")?,
        predecessor: rows::optional_hash(row, "predecessor")?,
        successor: rows::optional_hash(row, "successor")?,
        wrapped: rows::wrapped(row, "wrapped")?,
        expires_at: rows::timestamp(row, "expires_at")?,
        dead_since: rows::optional_timestamp(row, "dead_since")?,
    })
}
