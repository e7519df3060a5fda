//! Fills a server's database as if many people had used it for long: grants, each with an access token and
//! a refresh token, and sessions with what was sent in their streams. The server must not run, and
//! somebody must have signed in: their grant is the pattern.
//!
//! ```text
//! fill-store --file FILE --grants N --sessions N
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use bench_remote::{Result, flags::flag, mcp::initialize};
use rusqlite::{Connection, params};

/// What was sent in the streams of each session.
const EVENTS: u32 = 4;

fn main() -> Result<()> {
    let file: String = flag("--file", String::new())?;
    let grants: u32 = flag("--grants", 0)?;
    let sessions: u32 = flag("--sessions", 0)?;
    let mut database = Connection::open(&file)?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let filling = database.transaction()?;
    // Ids are spread as random ones are, so that rows of one moment do not lie side by side.
    filling.execute_batch(
        "CREATE TEMP TABLE numbers AS
         WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 1000000)
         SELECT i, printf('%08x', (i * 2654435761) % 4294967296) || printf('-bench-%08d', i) AS id
         FROM number;",
    )?;
    let made = filling.execute(
        "INSERT INTO grants (id, client_id, client_name, user_id, session_id, organization_id,
             resource, scopes, created_at, expires_at, revoked_at, upstream, upstream_version)
         SELECT n.id, g.client_id, g.client_name, 'user_' || n.id, g.session_id, g.organization_id,
             g.resource, g.scopes, g.created_at, g.expires_at, NULL, g.upstream, g.upstream_version
         FROM numbers AS n, (SELECT * FROM grants ORDER BY created_at LIMIT 1) AS g WHERE n.i <= ?1",
        [grants],
    )?;
    if made != usize::try_from(grants)? {
        return Err(format!("{file}: nobody has signed in yet").into());
    }
    filling.execute(
        "INSERT INTO access_tokens (hash, grant_id, scopes, wrapped, expires_at)
         SELECT randomblob(32), n.id, t.scopes, t.wrapped, ?2
         FROM numbers AS n, (SELECT * FROM access_tokens LIMIT 1) AS t WHERE n.i <= ?1",
        params![grants, now + 15 * 60 * 1000],
    )?;
    filling.execute(
        "INSERT INTO refresh_tokens (hash, grant_id, predecessor, successor, wrapped, expires_at, dead_since)
         SELECT randomblob(32), n.id, NULL, NULL, t.wrapped, t.expires_at, NULL
         FROM numbers AS n, (SELECT * FROM refresh_tokens LIMIT 1) AS t WHERE n.i <= ?1",
        [grants],
    )?;
    let initialize = initialize("2025-11-25")["params"].to_string();
    filling.execute(
        "INSERT INTO sessions (id, principal, initialize, created_at, used_at)
         SELECT randomblob(32), 'user_' || n.id || ' client', ?2, ?3, ?3
         FROM numbers AS n WHERE n.i <= ?1",
        params![sessions, initialize, now],
    )?;
    let message = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"page 1"}}"#;
    filling.execute(
        "INSERT INTO session_events (session, stream, message, at)
         SELECT s.id, 'bench', ?1, ?2 FROM sessions AS s, numbers AS n WHERE n.i <= ?3",
        params![message, now, EVENTS],
    )?;
    filling.execute_batch("DROP TABLE numbers;")?;
    filling.commit()?;
    Ok(())
}
