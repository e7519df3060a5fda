//! Sessions of the MCP endpoint, and what was sent in their streams.

use oauth::{StoreResult, Timestamp, TokenHash};
use sqlx::{Row as _, SqliteConnection};

use super::error::Outcome;
use super::rows::{self, bytes, milliseconds};
use super::store::SqliteStore;
use crate::sessions::{
    ListDigest, MOST_EVENTS, SessionBounds, SessionStore, StoredEvent, StoredSession,
    SweptSessions, ToolsTold,
};

/// How many rows of a kind go in one transaction of a sweep.
const BATCH: u16 = 500;

pub(super) const MAKE_ROOM: &str = "DELETE FROM sessions WHERE id IN
             (SELECT id FROM sessions WHERE principal = ?
              ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET ?)";
pub(super) const READ: &str =
    "SELECT principal, initialize, created_at, used_at, tools_listed, tools_told
         FROM sessions WHERE id = ?";
pub(super) const TOUCH: &str = "UPDATE sessions SET used_at = ?1 WHERE id = ?2 AND used_at < ?1";
pub(super) const TOOLS_LISTED: &str =
    "UPDATE sessions SET tools_listed = ?1, tools_told = ?1 WHERE id = ?2";
pub(super) const TOOLS_TOLD: &str = "UPDATE sessions SET tools_told = ? WHERE id = ?";
pub(super) const END: &str = "DELETE FROM sessions WHERE id = ?";
pub(super) const KEEP_EVENT: &str = "INSERT INTO session_events (session, stream, message, at)
         SELECT id, ?2, ?3, ?4 FROM sessions WHERE id = ?1 RETURNING number";
pub(super) const OLD_EVENTS: &str = "DELETE FROM session_events WHERE number IN
             (SELECT number FROM session_events WHERE session = ?
              ORDER BY number DESC LIMIT -1 OFFSET ?)";
pub(super) const EVENTS_AFTER: &str = "SELECT number, message FROM session_events
         WHERE session = ? AND stream = ? AND number > ? ORDER BY number";
pub(super) const SWEEP: &str = "DELETE FROM sessions WHERE id IN
             (SELECT id FROM sessions WHERE used_at <= ? ORDER BY used_at LIMIT ?)";
pub(super) const SWEEP_EVENTS: &str = "DELETE FROM session_events WHERE number IN
             (SELECT number FROM session_events WHERE at <= ? ORDER BY at LIMIT ?)";
/// Reads the whole index by use, once for each sweep.
const SWEEP_TOO_MANY: &str = "DELETE FROM sessions WHERE id IN
             (SELECT id FROM sessions ORDER BY used_at DESC LIMIT ? OFFSET ?)";

async fn keep(
    connection: &mut SqliteConnection,
    session: &StoredSession,
    most_each: usize,
) -> Outcome<()> {
    sqlx::query(MAKE_ROOM)
        .bind(&session.principal)
        .bind(offset(most_each.saturating_sub(1)))
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT OR REPLACE INTO sessions
             (id, principal, initialize, created_at, used_at, tools_listed, tools_told)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(bytes(&session.id))
    .bind(&session.principal)
    .bind(&session.initialize)
    .bind(milliseconds(session.created_at))
    .bind(milliseconds(session.used_at))
    .bind(session.tools.listed.as_ref().map(list_bytes))
    .bind(session.tools.told.as_ref().map(list_bytes))
    .execute(connection)
    .await?;
    Ok(())
}

async fn read(connection: &mut SqliteConnection, id: TokenHash) -> Outcome<Option<StoredSession>> {
    let row = sqlx::query(READ)
        .bind(bytes(&id))
        .fetch_optional(connection);
    let Some(row) = row.await? else {
        return Ok(None);
    };
    Ok(Some(StoredSession {
        id,
        principal: row.try_get("principal")?,
        initialize: row.try_get("initialize")?,
        created_at: rows::timestamp(&row, "created_at")?,
        used_at: rows::timestamp(&row, "used_at")?,
        tools: ToolsTold {
            listed: rows::optional_list(&row, "tools_listed")?,
            told: rows::optional_list(&row, "tools_told")?,
        },
    }))
}

async fn keep_event(
    connection: &mut SqliteConnection,
    session: TokenHash,
    stream: &str,
    message: &str,
    now: Timestamp,
) -> Outcome<Option<u64>> {
    let kept = sqlx::query(KEEP_EVENT)
        .bind(bytes(&session))
        .bind(stream)
        .bind(message)
        .bind(milliseconds(now))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = kept else {
        return Ok(None);
    };
    sqlx::query(OLD_EVENTS)
        .bind(bytes(&session))
        .bind(offset(MOST_EVENTS))
        .execute(connection)
        .await?;
    rows::count(&row, "number").map(Some)
}

async fn keep_tools_news(
    connection: &mut SqliteConnection,
    session: TokenHash,
    stream: &str,
    message: &str,
    list: ListDigest,
    now: Timestamp,
) -> Outcome<Option<u64>> {
    let number = keep_event(connection, session, stream, message, now).await?;
    sqlx::query(TOOLS_TOLD)
        .bind(list_bytes(&list))
        .bind(bytes(&session))
        .execute(connection)
        .await?;
    Ok(number)
}

async fn events_after(
    connection: &mut SqliteConnection,
    session: TokenHash,
    stream: &str,
    after: u64,
) -> Outcome<Vec<StoredEvent>> {
    let found = sqlx::query(EVENTS_AFTER)
        .bind(bytes(&session))
        .bind(stream)
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let events = found.iter().map(|row| {
        Ok(StoredEvent {
            number: rows::count(row, "number")?,
            message: row.try_get("message")?,
        })
    });
    events.collect()
}

async fn sweep(connection: &mut SqliteConnection, bounds: SessionBounds) -> Outcome<SweptSessions> {
    let idle = sqlx::query(SWEEP)
        .bind(milliseconds(bounds.sessions_end))
        .bind(BATCH)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    let too_many = sqlx::query(SWEEP_TOO_MANY)
        .bind(BATCH)
        .bind(offset(bounds.most_sessions))
        .execute(&mut *connection)
        .await?
        .rows_affected();
    let events = sqlx::query(SWEEP_EVENTS)
        .bind(milliseconds(bounds.events_end))
        .bind(BATCH)
        .execute(connection)
        .await?
        .rows_affected();
    let full = u64::from(BATCH);
    Ok(SweptSessions {
        sessions: idle + too_many,
        events,
        more: idle >= full || too_many >= full || events >= full,
    })
}

fn list_bytes(list: &ListDigest) -> &[u8] {
    list.0.as_slice()
}

fn offset(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl SessionStore for SqliteStore {
    fn keep_session<'a>(
        &'a self,
        session: &'a StoredSession,
        most_each: usize,
    ) -> StoreResult<'a, ()> {
        let session = session.clone();
        self.write(move |connection| {
            Box::pin(async move { keep(connection, &session, most_each).await })
        })
    }

    fn session(&self, id: TokenHash) -> StoreResult<'_, Option<StoredSession>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(read(&mut reader, id).await)
        })
    }

    fn touch_sessions<'a>(&'a self, used: &'a [(TokenHash, Timestamp)]) -> StoreResult<'a, ()> {
        Box::pin(async move {
            // A transaction for each part, so that others come in between.
            for part in used.chunks(usize::from(BATCH)) {
                let part = part.to_vec();
                let touched = self.write(move |connection| {
                    Box::pin(async move {
                        for (id, at) in part {
                            let touch = sqlx::query(TOUCH).bind(milliseconds(at)).bind(bytes(&id));
                            touch.execute(&mut *connection).await?;
                        }
                        Ok(())
                    })
                });
                touched.await?;
            }
            Ok(())
        })
    }

    fn end_session(&self, id: TokenHash) -> StoreResult<'_, bool> {
        self.write(move |connection| {
            Box::pin(async move {
                let ended = sqlx::query(END).bind(bytes(&id)).execute(connection);
                Ok(ended.await?.rows_affected() > 0)
            })
        })
    }

    fn keep_event<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        message: &'a str,
        now: Timestamp,
    ) -> StoreResult<'a, Option<u64>> {
        let (stream, message) = (stream.to_owned(), message.to_owned());
        self.write(move |connection| {
            Box::pin(async move { keep_event(connection, session, &stream, &message, now).await })
        })
    }

    fn tools_listed(&self, session: TokenHash, list: ListDigest) -> StoreResult<'_, ()> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(TOOLS_LISTED)
                    .bind(list_bytes(&list))
                    .bind(bytes(&session))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
    }

    fn keep_tools_news<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        message: &'a str,
        list: ListDigest,
        now: Timestamp,
    ) -> StoreResult<'a, Option<u64>> {
        let (stream, message) = (stream.to_owned(), message.to_owned());
        self.write(move |connection| {
            Box::pin(async move {
                keep_tools_news(connection, session, &stream, &message, list, now).await
            })
        })
    }

    fn events_after<'a>(
        &'a self,
        session: TokenHash,
        stream: &'a str,
        after: u64,
    ) -> StoreResult<'a, Vec<StoredEvent>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(events_after(&mut reader, session, stream, after).await)
        })
    }

    fn sweep_sessions(&self, bounds: SessionBounds) -> StoreResult<'_, SweptSessions> {
        self.write(move |connection| Box::pin(async move { sweep(connection, bounds).await }))
    }
}
