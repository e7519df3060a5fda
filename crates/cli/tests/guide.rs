//! The guide names every tool, in its place, and nothing else.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use toolkit::operations;

#[test]
fn the_guide_names_every_tool() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/tools.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let mut named = BTreeSet::new();
    for line in guide.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, category, reads, changes, removes, _] = cells[..] else {
            continue;
        };
        for (place, cell) in [reads, changes, removes].into_iter().enumerate() {
            for name in cell.split('`').filter(|name| !name.trim().is_empty()) {
                let Some(row) = operations::find(name) else {
                    continue;
                };
                assert_eq!(category, format!("`{}`", row.category.name()), "{name}");
                let expected = match (row.hints.read_only, row.hints.destructive) {
                    (true, _) => 0,
                    (false, false) => 1,
                    (false, true) => 2,
                };
                assert_eq!(place, expected, "{name}");
                named.insert(name.to_owned());
            }
        }
    }
    let all: BTreeSet<String> = operations::all().map(|row| row.name.to_owned()).collect();
    assert_eq!(named, all);
}

/// A table that names a test which is gone promises what nobody checks.
#[test]
fn every_test_that_the_conformance_table_names_exists() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let table = std::fs::read_to_string(format!("{root}/docs/CONFORMANCE.md")).unwrap();
    let read = |path: &str| {
        std::fs::read_to_string(format!("{root}/{path}"))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let mut named = 0;
    // What a table's head names is where the tests of that column are.
    let mut heads: Vec<String> = Vec::new();
    for line in table.lines() {
        if !line.starts_with("| ") {
            if !line.starts_with('|') {
                heads.clear();
            }
            continue;
        }
        let is_head = heads.is_empty();
        for (place, cell) in line.split('|').skip(2).enumerate() {
            let mut source = heads.get(place).cloned().unwrap_or_default();
            for word in cell.split('`').skip(1).step_by(2) {
                if word.contains('/') {
                    source = read(word);
                } else {
                    // Tests of Node have names in words.
                    let is_there = match word.contains(' ') {
                        true => source.contains(word),
                        false => source.contains(&format!("fn {word}(")),
                    };
                    assert!(is_there, "{word} does not exist");
                    named += 1;
                }
            }
            if is_head {
                heads.push(source);
            }
        }
    }
    assert!(named > 30, "the table is read");
}
