//! Authorizations under way.

use oauth::{
    Advanced, Authorization, AuthorizationFault, AuthorizationId, FinishSignIn, Step, Timestamp,
    TokenHash,
};
use sqlx::SqliteConnection;

use super::error::Outcome;
use super::rows::{self, milliseconds};
use super::{codes, consents, grants};

pub(super) async fn begin(
    connection: &mut SqliteConnection,
    authorization: &Authorization,
) -> Outcome<()> {
    sqlx::query(r#"INSERT INTO authorizations (id, expires_at, "authorization") VALUES (?, ?, ?)"#)
        .bind(authorization.id.as_str())
        .bind(milliseconds(authorization.expires_at))
        .bind(document(authorization)?)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn authorization(
    connection: &mut SqliteConnection,
    id: &AuthorizationId,
) -> Outcome<Option<Authorization>> {
    let row = sqlx::query(r#"SELECT "authorization" FROM authorizations WHERE id = ?"#)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    row.as_ref()
        .map(|row| rows::document(row, "authorization"))
        .transpose()
}

pub(super) async fn advance(
    connection: &mut SqliteConnection,
    id: &AuthorizationId,
    browser: TokenHash,
    step: &Step,
    now: Timestamp,
) -> Outcome<Result<Advanced, AuthorizationFault>> {
    let Some(current) = authorization(connection, id).await? else {
        return Ok(Err(AuthorizationFault::Unknown));
    };
    let advanced = current.advance(step, browser, now);
    if let Ok(Advanced::Moved(next)) = &advanced {
        put(connection, next).await?;
    }
    Ok(advanced)
}

pub(super) async fn finish(
    connection: &mut SqliteConnection,
    finish: &FinishSignIn,
    now: Timestamp,
) -> Outcome<Result<Advanced, AuthorizationFault>> {
    let Some(current) = authorization(connection, &finish.authorization).await? else {
        return Ok(Err(AuthorizationFault::Unknown));
    };
    let advanced = current.finish(finish.code.hash, finish.browser, now);
    if let Ok(Advanced::Moved(next)) = &advanced {
        put(connection, next).await?;
        grants::insert(connection, &finish.grant).await?;
        codes::insert(connection, &finish.code).await?;
        if let Some(consent) = &finish.remember {
            consents::put(connection, consent).await?;
        }
    }
    Ok(advanced)
}

async fn put(connection: &mut SqliteConnection, authorization: &Authorization) -> Outcome<()> {
    sqlx::query(r#"UPDATE authorizations SET expires_at = ?2, "authorization" = ?3 WHERE id = ?1"#)
        .bind(authorization.id.as_str())
        .bind(milliseconds(authorization.expires_at))
        .bind(document(authorization)?)
        .execute(connection)
        .await?;
    Ok(())
}

fn document(authorization: &Authorization) -> Outcome<String> {
    rows::to_document(authorization, "authorizations.authorization")
}
