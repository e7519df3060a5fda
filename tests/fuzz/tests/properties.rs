//! Every target over its seeds, and over thousands of changes to them.
#![allow(clippy::unwrap_used, reason = "tests")]

use clerk_mcp_fuzz::{TARGETS, find};
use proptest::prelude::*;
use proptest::sample::Index;

/// A change to an input.
#[derive(Clone, Debug)]
enum Change {
    /// A byte becomes another.
    Byte(Index, u8),
    /// Something is put in.
    Insert(Index, Vec<u8>),
    /// A part is taken out.
    Remove(Index, usize),
    /// A part comes twice.
    Repeat(Index, usize),
    /// The rest is that of another seed.
    Splice(Index, Index, Index),
}

/// Pieces that mean something to one reader or another.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "{{",
    "}}",
    ",",
    ":",
    "=",
    "&",
    "%",
    "%00",
    "%2e%2e%2f",
    "/",
    "//",
    "/../",
    "/./",
    "?",
    "#",
    "@",
    ".",
    "..",
    "\n",
    "\r\n",
    "\0",
    "\u{202e}",
    "\u{ff0f}",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "99999999999999999999",
    "\"\"",
    "[]",
    "{}",
    "none",
    "HS256",
    "\"alg\":\"none\",",
    "\"jku\":\"x\",",
    "\"jwk\":{},",
    "\"crit\":[\"exp\"],",
    "\"d\":\"AQAB\",",
    "\"id\":null,",
    "https://",
    "http://",
    "javascript:",
    "evil.example",
    "127.0.0.1",
    "[::1]",
    ":0",
    "client_id=",
    "redirect_uri=",
    "\u{feff}",
    "\u{7f}",
    "é",
];

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        prop::sample::select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..6),
    ];
    let byte = prop_oneof![any::<u8>(), b'0'..=b'9', b'a'..=b'z'];
    prop_oneof![
        (any::<Index>(), byte).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (any::<Index>(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), 1..200_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, seed, from)| Change::Splice(at, seed, from)),
    ]
}

fn changed(mut input: Vec<u8>, change: &Change, seeds: &[&str]) -> Vec<u8> {
    let place = |at: &Index, input: &[u8]| at.index(input.len() + 1);
    match change {
        Change::Byte(at, byte) => {
            let at = place(at, &input);
            if let Some(old) = input.get_mut(at) {
                *old = *byte;
            }
        }
        Change::Insert(at, piece) => {
            let at = place(at, &input);
            input.splice(at..at, piece.iter().copied());
        }
        Change::Remove(at, length) => {
            let at = place(at, &input);
            let end = input.len().min(at + length);
            input.drain(at..end);
        }
        Change::Repeat(at, length) => {
            let at = place(at, &input);
            let end = input.len().min(at + length);
            let part = input[at..end].to_vec();
            input.splice(end..end, part);
        }
        Change::Splice(at, seed, from) => {
            let at = place(at, &input);
            input.truncate(at);
            let other = seeds[seed.index(seeds.len())].as_bytes();
            input.extend(&other[place(from, other)..]);
        }
    }
    input
}

fn run(name: &str) {
    let target = find(name).unwrap();
    for (index, seed) in target.seeds.iter().enumerate() {
        let is_accepted = (target.run)(seed.as_bytes());
        assert!(index > 0 || is_accepted == target.accepts, "{seed}");
    }
    let seeds = prop::sample::select(target.seeds.to_vec());
    let inputs = (seeds, prop::collection::vec(change(), 1..5));
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(target.cases)
    };
    proptest!(config, |((seed, changes) in inputs)| {
        let mut input = seed.as_bytes().to_vec();
        for change in &changes {
            input = changed(input, change, target.seeds);
        }
        (target.run)(&input);
    });
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_run() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets! {
    json_rpc
    authorization_request
    token_request
    client_assertion
    redirect_uri
    client_document
    key_set
    session_token
    http_tool
    configuration
}
