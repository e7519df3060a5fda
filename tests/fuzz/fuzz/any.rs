//! The target that the variable `TARGET` names, for cargo-fuzz.
#![no_main]

use std::sync::LazyLock;

use clerk_mcp_fuzz::{TARGETS, Target, find};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("TARGET").unwrap_or_default();
    find(&name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!("TARGET is {name:?}\nhint: one of {}", names.join(", "))
    })
});

fuzz_target!(|input: &[u8]| {
    (TARGET.run)(input);
});
