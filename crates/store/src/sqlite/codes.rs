//! Authorization codes.

use oauth::{
    ClientId, CodeChallenge, CodeFault, CodeRecord, Grant, RedeemCode, Refused, Timestamp,
    TokenHash,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::error::{Failure, Outcome};
use super::grants::{self, grant_columns};
use super::rows::{self, bytes, milliseconds};
use super::{access_tokens, clients, refresh_tokens};

pub(super) async fn insert(connection: &mut SqliteConnection, code: &CodeRecord) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO codes (hash, grant_id, client_id, redirect_uri, code_challenge, resource,
             wrapped, expires_at, redeemed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(bytes(&code.hash))
    .bind(code.grant_id.as_str())
    .bind(code.client_id.as_str())
    .bind(&code.redirect_uri)
    .bind(code.code_challenge.to_string())
    .bind(code.resource.as_str())
    .bind(code.wrapped.as_bytes())
    .bind(milliseconds(code.expires_at))
    .bind(code.redeemed_at.map(milliseconds))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn code(
    connection: &mut SqliteConnection,
    code: TokenHash,
) -> Outcome<Option<(CodeRecord, Grant)>> {
    let row = sqlx::query(concat!(
        "SELECT c.*, ",
        grant_columns!(),
        " FROM codes AS c JOIN grants AS g ON g.id = c.grant_id WHERE c.hash = ?"
    ))
    .bind(bytes(&code))
    .fetch_optional(connection)
    .await?;
    row.as_ref()
        .map(|row| Ok((to_code(row)?, grants::to_grant(row)?)))
        .transpose()
}

pub(super) async fn redeem(
    connection: &mut SqliteConnection,
    redeem: &RedeemCode,
    now: Timestamp,
) -> Outcome<Result<Grant, Refused<CodeFault>>> {
    let Some((record, grant)) = code(connection, redeem.code).await? else {
        return Ok(Err(Refused::unchanged(CodeFault::Unknown)));
    };
    match record.judge(redeem, &grant, now) {
        Ok(()) => {}
        Err(CodeFault::Replayed) => {
            grants::revoke(connection, &grant.id, now).await?;
            return Ok(Err(Refused::revoking(CodeFault::Replayed, grant.id)));
        }
        Err(fault) => return Ok(Err(Refused::unchanged(fault))),
    }
    let taken =
        sqlx::query("UPDATE codes SET redeemed_at = ? WHERE hash = ? AND redeemed_at IS NULL")
            .bind(milliseconds(now))
            .bind(bytes(&redeem.code))
            .execute(&mut *connection)
            .await?;
    if taken.rows_affected() != 1 {
        return Err(Failure::Unreadable {
            what: "codes.redeemed_at",
        });
    }
    if let Some(refresh) = &redeem.refresh {
        refresh_tokens::insert(connection, refresh, &grant.id, None).await?;
    }
    access_tokens::insert(connection, &redeem.access, &grant.id).await?;
    clients::keep(connection, &grant.client_id, redeem.client_kept_until).await?;
    Ok(Ok(grant))
}

fn to_code(row: &SqliteRow) -> Outcome<CodeRecord> {
    let challenge: &str = row.try_get("code_challenge")?;
    Ok(CodeRecord {
        hash: rows::hash(row, "hash")?,
        grant_id: rows::grant_id(row, "grant_id")?,
        client_id: ClientId(row.try_get("client_id")?),
        redirect_uri: row.try_get("redirect_uri")?,
        code_challenge: CodeChallenge::parse(challenge).ok_or(Failure::Unreadable {
            what: "codes.code_challenge",
        })?,
        resource: rows::resource(row, "resource")?,
        wrapped: rows::wrapped(row, "wrapped")?,
        expires_at: rows::timestamp(row, "expires_at")?,
        redeemed_at: rows::optional_timestamp(row, "redeemed_at")?,
    })
}
