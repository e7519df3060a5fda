-- Sessions of the MCP endpoint, so that they go on in the next process. `id` is the SHA-256 of the
-- session's id, `initialize` what the client said when it began, as JSON. `used_at` is when it was last
-- used, about a minute too early.
CREATE TABLE sessions (
    id         BLOB    NOT NULL PRIMARY KEY,
    principal  TEXT    NOT NULL,
    initialize TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_principal ON sessions (principal, created_at);
CREATE INDEX sessions_by_use ON sessions (used_at);

-- What was sent in streams of sessions, so that a client finds its place again. Numbers are never used
-- twice: a client holds them.
CREATE TABLE session_events (
    number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    session BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    stream  TEXT    NOT NULL,
    message TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX session_events_by_stream ON session_events (session, stream, number);
CREATE INDEX session_events_by_age ON session_events (at);
