//! Every Rust snippet of the guide stands, line by line, in a file that the tests run or build.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

/// The files that snippets are taken from, below the workspace. `crates/cli/src/stdio.rs` is run by
/// the tests of the binary, the others by `adapters_*.rs` here.
const SOURCES: [&str; 6] = [
    "crates/cli/src/stdio.rs",
    "crates/toolkit/examples/anthropic_agent.rs",
    "crates/toolkit/examples/async_openai_agent.rs",
    "crates/toolkit/examples/openai_agent.rs",
    "crates/toolkit/examples/rig_agent.rs",
    "crates/toolkit/examples/support/mod.rs",
];

#[test]
fn snippets_are_taken_from_what_is_tested() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| fs::read_to_string(workspace.join(path)).unwrap();
    let sources: Vec<String> = SOURCES.iter().map(|path| unindented(&read(path))).collect();
    let guide = read("docs/guides/rust-agents.md");
    let snippets: Vec<&str> = guide
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(snippets.len() >= 6, "{} snippets", snippets.len());
    for snippet in snippets {
        let lines = unindented(snippet);
        assert!(
            sources.iter().any(|source| source.contains(&lines)),
            "not in any example:\n{snippet}"
        );
    }
}

fn unindented(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    format!("\n{}\n", lines.join("\n").trim())
}
