//! Every HTML page of clerk-mcp: typed view in, text out.
