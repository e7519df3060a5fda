-- The Clerk instance whose people the other tables are about; one row once a server has used the file.
CREATE TABLE instance (
    one          INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    frontend_api TEXT    NOT NULL
) STRICT;
