-- Values that tools keep for one person and one client, as JSON. `touched_at` is when a value was last
-- used, at most a day too early.
CREATE TABLE tool_state (
    user_id    TEXT    NOT NULL,
    client_id  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    touched_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, client_id, name)
) STRICT;
CREATE INDEX tool_state_by_touch ON tool_state (touched_at);
