//! Everything that reads what strangers send, as functions of bytes that must keep their promises.
//!
//! [`TARGETS`] names them all. A target panics when its invariant is broken, and only then. The tests
//! of this package run them over changed seeds; cargo-fuzz runs the same functions (README.md).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken promise ends the run"
)]

mod client_document;
mod configuration;
mod http_tool;
mod json_rpc;
mod parts;
mod redirect_uri;
mod requests;
mod session_token;
mod world;

/// Something that reads bytes of strangers.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What holds, whatever the bytes are.
    pub invariant: &'static str,
    /// Inputs from which others are made. Lines separate the parts of an input that has several.
    pub seeds: &'static [&'static str],
    /// How many changed seeds the tests try.
    pub cases: u32,
    /// Whether the first seed is accepted: what accepts nothing keeps its promises too easily. No
    /// token request can succeed here, for nothing was given to redeem.
    pub accepts: bool,
    /// Reads an input, and says whether it was accepted; panics if the invariant is broken.
    pub run: fn(&[u8]) -> bool,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "json_rpc",
        invariant: "POST /mcp answers each body with one of a few statuses, with and without a \
                    session, and then answers the next client",
        seeds: json_rpc::SEEDS,
        cases: 1500,
        accepts: true,
        run: json_rpc::run,
    },
    Target {
        name: "authorization_request",
        invariant: "a query is accepted with PKCE and a registered redirect URI alone, and its \
                    errors are redirected nowhere else",
        seeds: requests::AUTHORIZATION_SEEDS,
        cases: 3000,
        accepts: true,
        run: requests::authorization,
    },
    Target {
        name: "token_request",
        invariant: "a form without a token or code of ours gets 400 or 401 with an error that \
                    RFC 6749 knows, at the token and revocation endpoints",
        seeds: requests::TOKEN_SEEDS,
        cases: 3000,
        accepts: false,
        run: requests::token,
    },
    Target {
        name: "client_assertion",
        invariant: "an assertion counts only if it is of its client, for this server, in its time, \
                    with an allowed algorithm and no key of its own, and once",
        seeds: requests::ASSERTION_SEEDS,
        cases: 3000,
        accepts: true,
        run: requests::assertion,
    },
    Target {
        name: "redirect_uri",
        invariant: "two redirect URIs match if they are equal, or differ in the port of one \
                    loopback host alone; what is accepted leads where it says",
        seeds: redirect_uri::SEEDS,
        cases: 5000,
        accepts: true,
        run: redirect_uri::run,
    },
    Target {
        name: "client_document",
        invariant: "a metadata document is accepted at its own URL alone, with a redirect URI that \
                    it lists, and without a secret",
        seeds: client_document::SEEDS,
        cases: 3000,
        accepts: true,
        run: client_document::run,
    },
    Target {
        name: "key_set",
        invariant: "a key set that is read has keys of the two kinds alone, no private one, and is \
                    kept as it was read",
        seeds: client_document::KEY_SET_SEEDS,
        cases: 3000,
        accepts: true,
        run: client_document::key_set,
    },
    Target {
        name: "session_token",
        invariant: "of all texts only the token that was signed is believed, and no error shows \
                    what was presented",
        seeds: session_token::SEEDS,
        cases: 3000,
        accepts: true,
        run: session_token::run,
    },
    Target {
        name: "http_tool",
        invariant: "a tool's request goes to its host, below its base URL, with as many segments as \
                    its path has, whatever the path and the arguments are",
        seeds: http_tool::SEEDS,
        cases: 3000,
        accepts: true,
        run: http_tool::run,
    },
    Target {
        name: "configuration",
        invariant: "a configuration is read, or everything wrong with it is named with a hint and \
                    without secrets; the same text gives the same answer",
        seeds: configuration::SEEDS,
        cases: 1500,
        accepts: true,
        run: configuration::run,
    },
];

/// The target of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
