//! Grants, and their end.

use oauth::{ClientId, Grant, GrantId, Sealed, Timestamp, TokenHash, UpstreamUpdate};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::error::Outcome;
use super::rows::{self, bytes, milliseconds};

/// A grant's columns under names of their own, for queries that join `grants AS g` to a token.
macro_rules! grant_columns {
    () => {
        "g.id AS g_id, g.client_id AS g_client_id, g.client_name AS g_client_name,
         g.user_id AS g_user_id, g.session_id AS g_session_id,
         g.organization_id AS g_organization_id, g.resource AS g_resource, g.scopes AS g_scopes,
         g.created_at AS g_created_at, g.expires_at AS g_expires_at,
         g.revoked_at AS g_revoked_at, g.upstream AS g_upstream,
         g.upstream_version AS g_upstream_version"
    };
}
pub(super) use grant_columns;

pub(super) async fn insert(connection: &mut SqliteConnection, grant: &Grant) -> Outcome<()> {
    sqlx::query(
        "INSERT INTO grants (id, client_id, client_name, user_id, session_id, organization_id,
             resource, scopes, created_at, expires_at, revoked_at, upstream, upstream_version)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(grant.id.as_str())
    .bind(grant.client_id.as_str())
    .bind(&grant.client_name)
    .bind(&grant.user_id)
    .bind(&grant.session_id)
    .bind(&grant.organization_id)
    .bind(grant.resource.as_str())
    .bind(grant.scopes.to_string())
    .bind(milliseconds(grant.created_at))
    .bind(milliseconds(grant.expires_at))
    .bind(grant.revoked_at.map(milliseconds))
    .bind(grant.upstream.as_ref().map(Sealed::as_bytes))
    .bind(version(grant.upstream_version))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn grant(
    connection: &mut SqliteConnection,
    id: &GrantId,
) -> Outcome<Option<Grant>> {
    let row = sqlx::query(concat!(
        "SELECT ",
        grant_columns!(),
        " FROM grants AS g WHERE g.id = ?"
    ))
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(to_grant).transpose()
}

pub(super) async fn of_user(
    connection: &mut SqliteConnection,
    user_id: &str,
    now: Timestamp,
) -> Outcome<Vec<Grant>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        grant_columns!(),
        " FROM grants AS g WHERE g.user_id = ? AND g.revoked_at IS NULL AND g.expires_at > ?
         ORDER BY g.created_at DESC, g.id"
    ))
    .bind(user_id)
    .bind(milliseconds(now))
    .fetch_all(connection)
    .await?;
    rows.iter().map(to_grant).collect()
}

/// Ends a grant, with its codes and tokens. Whether it was live until now.
pub(super) async fn revoke(
    connection: &mut SqliteConnection,
    id: &GrantId,
    now: Timestamp,
) -> Outcome<bool> {
    let revoked = sqlx::query(
        "UPDATE grants SET revoked_at = ?2, upstream = NULL
         WHERE id = ?1 AND revoked_at IS NULL AND expires_at > ?2",
    )
    .bind(id.as_str())
    .bind(milliseconds(now))
    .execute(&mut *connection)
    .await?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    for delete in [
        "DELETE FROM codes WHERE grant_id = ?",
        "DELETE FROM access_tokens WHERE grant_id = ?",
        "DELETE FROM refresh_tokens WHERE grant_id = ?",
    ] {
        sqlx::query(delete)
            .bind(id.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}

/// Ends the grant of an access or refresh token, if it is this client's and live.
pub(super) async fn revoke_token(
    connection: &mut SqliteConnection,
    token: TokenHash,
    client_id: &ClientId,
    now: Timestamp,
) -> Outcome<Option<GrantId>> {
    let row = sqlx::query(
        "SELECT id FROM grants WHERE client_id = ?2 AND id IN (
             SELECT grant_id FROM access_tokens WHERE hash = ?1
             UNION ALL SELECT grant_id FROM refresh_tokens WHERE hash = ?1)",
    )
    .bind(bytes(&token))
    .bind(client_id.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(id) = row.map(|row| rows::grant_id(&row, "id")).transpose()? else {
        return Ok(None);
    };
    Ok(revoke(connection, &id, now).await?.then_some(id))
}

pub(super) async fn update_upstream(
    connection: &mut SqliteConnection,
    id: &GrantId,
    expected: u64,
    upstream: &Sealed,
    now: Timestamp,
) -> Outcome<UpstreamUpdate> {
    let updated = sqlx::query(
        "UPDATE grants SET upstream = ?3, upstream_version = upstream_version + 1
         WHERE id = ?1 AND upstream_version = ?4 AND revoked_at IS NULL AND expires_at > ?2",
    )
    .bind(id.as_str())
    .bind(milliseconds(now))
    .bind(upstream.as_bytes())
    .bind(version(expected))
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() > 0 {
        let version = expected.saturating_add(1);
        return Ok(UpstreamUpdate::Updated { version });
    }
    let kept = grant(connection, id).await?;
    Ok(match kept.is_some_and(|grant| grant.is_live(now)) {
        true => UpstreamUpdate::Conflict,
        false => UpstreamUpdate::Gone,
    })
}

/// The grant of a row that holds the [`grant_columns`].
pub(super) fn to_grant(row: &SqliteRow) -> Outcome<Grant> {
    Ok(Grant {
        id: rows::grant_id(row, "g_id")?,
        client_id: ClientId(row.try_get("g_client_id")?),
        client_name: row.try_get("g_client_name")?,
        user_id: row.try_get("g_user_id")?,
        session_id: row.try_get("g_session_id")?,
        organization_id: row.try_get("g_organization_id")?,
        resource: rows::resource(row, "g_resource")?,
        scopes: rows::scopes(row, "g_scopes")?,
        created_at: rows::timestamp(row, "g_created_at")?,
        expires_at: rows::timestamp(row, "g_expires_at")?,
        revoked_at: rows::optional_timestamp(row, "g_revoked_at")?,
        upstream: rows::optional_sealed(row, "g_upstream")?,
        upstream_version: u64::try_from(row.try_get::<i64, _>("g_upstream_version")?)
            .unwrap_or_default(),
    })
}

/// A count as a column keeps it. It is one for each refresh at Clerk, far from the end of `i64`.
fn version(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
