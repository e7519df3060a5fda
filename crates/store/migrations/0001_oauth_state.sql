-- The OAuth state of clerk-mcp, first version.
--
-- Times are milliseconds since the Unix epoch; hashes are SHA-256; scopes are separated by spaces.
-- No token is here in the plain, and what a grant keeps of Clerk is sealed under a key that is not here.

-- "cmcp": the file is clerk-mcp's.
PRAGMA application_id = 1668113264;

-- Clients that registered themselves (RFC 7591). `expires_at` counts, not the document's own.
CREATE TABLE clients (
    id          TEXT    NOT NULL PRIMARY KEY,
    fingerprint BLOB,
    expires_at  INTEGER,
    client      TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX clients_by_fingerprint ON clients (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX clients_by_expiry ON clients (expires_at) WHERE expires_at IS NOT NULL;

-- Clients whose identifier is the URL of their metadata, as last fetched.
CREATE TABLE client_documents (
    id          TEXT    NOT NULL PRIMARY KEY,
    fresh_until INTEGER NOT NULL,
    client      TEXT    NOT NULL
) STRICT;
CREATE INDEX client_documents_by_expiry ON client_documents (fresh_until);

-- Authorization requests under way. They live for minutes, so the whole value is one document.
CREATE TABLE authorizations (
    id            TEXT    NOT NULL PRIMARY KEY,
    expires_at    INTEGER NOT NULL,
    "authorization" TEXT  NOT NULL
) STRICT;
CREATE INDEX authorizations_by_expiry ON authorizations (expires_at);

CREATE TABLE consents (
    user_id       TEXT    NOT NULL,
    client_id     TEXT    NOT NULL,
    redirect_uri  TEXT    NOT NULL,
    resource      TEXT    NOT NULL,
    scopes        TEXT    NOT NULL,
    remembered_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, client_id, redirect_uri, resource)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_by_client ON consents (client_id);

CREATE TABLE grants (
    id               TEXT    NOT NULL PRIMARY KEY,
    client_id        TEXT    NOT NULL,
    client_name      TEXT,
    user_id          TEXT    NOT NULL,
    session_id       TEXT,
    organization_id  TEXT,
    resource         TEXT    NOT NULL,
    scopes           TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    revoked_at       INTEGER,
    upstream         BLOB,
    upstream_version INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_by_user ON grants (user_id, created_at);
CREATE INDEX grants_by_expiry ON grants (expires_at);
CREATE INDEX grants_revoked ON grants (revoked_at) WHERE revoked_at IS NOT NULL;

-- Codes and tokens are found by their hash alone: the table is the index (WITHOUT ROWID). Each has an
-- index by grant, for revocation, and one by expiry, for the sweep.
CREATE TABLE codes (
    hash           BLOB    NOT NULL PRIMARY KEY,
    grant_id       TEXT    NOT NULL REFERENCES grants (id),
    client_id      TEXT    NOT NULL,
    redirect_uri   TEXT    NOT NULL,
    code_challenge TEXT    NOT NULL,
    resource       TEXT    NOT NULL,
    wrapped        BLOB    NOT NULL,
    expires_at     INTEGER NOT NULL,
    redeemed_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_by_grant ON codes (grant_id);
CREATE INDEX codes_by_expiry ON codes (expires_at);

CREATE TABLE access_tokens (
    hash       BLOB    NOT NULL PRIMARY KEY,
    grant_id   TEXT    NOT NULL REFERENCES grants (id),
    scopes     TEXT    NOT NULL,
    wrapped    BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_tokens_by_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);

CREATE TABLE refresh_tokens (
    hash        BLOB    NOT NULL PRIMARY KEY,
    grant_id    TEXT    NOT NULL REFERENCES grants (id),
    predecessor BLOB,
    successor   BLOB,
    wrapped     BLOB    NOT NULL,
    expires_at  INTEGER NOT NULL,
    dead_since  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

-- The audit log, in the order of arrival. The columns of the people who search it are read out of the
-- record, so the two cannot differ.
CREATE TABLE audit (
    number    INTEGER NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    record    TEXT    NOT NULL,
    user_id   TEXT GENERATED ALWAYS AS (record ->> '$.user_id') VIRTUAL,
    client_id TEXT GENERATED ALWAYS AS (record ->> '$.client_id') VIRTUAL,
    tool      TEXT GENERATED ALWAYS AS (record ->> '$.tool') VIRTUAL,
    outcome   TEXT GENERATED ALWAYS AS (record ->> '$.outcome') VIRTUAL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
