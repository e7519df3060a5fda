//! Where the OAuth state of clerk-mcp is kept: SQLite.
