//! OAuth 2.1 rules for an MCP authorization server, without I/O, clock or runtime.
