-- The tool list that a session's client has, so that the next process knows whether it is still the
-- right one. Both are SHA-256 of a list: `tools_listed` of the one that was last answered, `tools_told`
-- of the one that the client was last told of, by that answer or by a notification.
ALTER TABLE sessions ADD COLUMN tools_listed BLOB;
ALTER TABLE sessions ADD COLUMN tools_told   BLOB;
