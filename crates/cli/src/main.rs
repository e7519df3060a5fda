//! The `clerk-mcp` binary.
fn main() {}
