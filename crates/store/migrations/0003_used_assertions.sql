-- Assertions by which clients have proven who they are (private_key_jwt): each works once.
-- `hash` stands for the client and the assertion's identifier; after `until` it is not valid anyway.
CREATE TABLE used_assertions (
    hash  BLOB    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_assertions_by_expiry ON used_assertions (until);
