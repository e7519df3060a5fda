-- Clerk sessions that a server has started itself, so that the next process ends what a crash has left.
-- `id` is Clerk's (it opens nothing), `attended_at` when a server last said that it looks after it.
CREATE TABLE started_sessions (
    id          TEXT    NOT NULL PRIMARY KEY,
    attended_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX started_sessions_by_time ON started_sessions (attended_at);
