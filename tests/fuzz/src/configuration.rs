//! Configuration files.

use std::io;
use std::path::Path;

use server::config::{Config, Flags, Sources};

use crate::parts::text;

const SECRET_KEY: &str = "sk_test_0123456789abcdefghij";
const CLIENT_SECRET: &str = "a-client-secret-that-is-nobodys-business";

pub(crate) const SEEDS: &[&str] = &[
    "public_url = \"https://mcp.example.com\"\nbind = \"0.0.0.0:8788\"\ntrusted_proxies = [\"10.0.0.0/8\"]\nallowed_origins = [\"https://app.example.com\"]\n[oauth]\naccess_token_lifetime = \"15m\"\nprivate_use_schemes = [\"com.example.app\"]\n[[oauth.clients]]\nclient_id = \"my-app\"\nname = \"Mine\"\nredirect_uris = \"https://a.example/cb\"\n[[oauth.scopes]]\nvalue = \"app:x\"\ntitle = \"X\"\ndescription = \"Does x.\"\n",
    "name = \"N\"\n[clerk]\nfrontend_api = \"https://clerk.example.com\"\n[sign_in]\nmode = \"app\"\napp_url = \"https://app.example.com\"\n[[access]]\nrole = [\"admin\"]\ntools = [\"users\", \"users.*\"]\nclerk = \"instance\"\n[[access]]\neveryone = true\ntools = [\"*\"]\n[limits]\nmax_body = \"1MiB\"\nsession_idle = \"30m\"\n",
    "[api]\nbase_url = \"https://api.example.com\"\ncredential = \"none\"\n[[tools]]\nname = \"listOrders\"\ndescription = \"Lists.\"\nmethod = \"GET\"\npath = \"/orders/{id}\"\nquery = { limit = \"{limit}\" }\ninput = { properties = { id = { type = \"string\" }, limit = { type = \"integer\" } }, required = [\"id\"] }\n",
    "[cimd.test]\nhosts = { \"client.example\" = \"127.0.0.1:4443\" }\n[policy]\nenabled = [\"users\"]\nread_only = true\nconfirm = \"always\"\n[storage]\npath = \"x.db\"\n[audit]\nfile = \"audit.jsonl\"\n",
];

pub(crate) fn run(input: &[u8]) -> bool {
    let Some(text) = text(input) else {
        return false;
    };
    let answer = load(text);
    assert_eq!(answer, load(text));
    let is_right = answer.is_ok();
    if let Err(faults) = answer {
        assert!(!faults.is_empty());
        for fault in faults {
            let hint = fault.split_once("\nhint: ").map(|(_, hint)| hint);
            assert!(hint.is_some_and(|hint| !hint.is_empty()), "{fault}");
            for secret in [SECRET_KEY, CLIENT_SECRET] {
                assert!(!fault.contains(secret), "{fault}");
            }
        }
    }
    is_right
}

/// What it says, or what is wrong with it.
fn load(text: &str) -> Result<String, Vec<String>> {
    let variables = [
        ("CLERK_SECRET_KEY", SECRET_KEY),
        ("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k"),
        ("CLERK_CLIENT_ID", "client_1"),
        ("CLERK_CLIENT_SECRET", CLIENT_SECRET),
        (
            "COOKIE_ENCRYPTION_KEY",
            "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=",
        ),
    ];
    let read = Config::load(Sources {
        toml: Some(("clerk-mcp.toml", text)),
        env: &variables.into_iter().collect(),
        flags: Flags::default(),
        read_file: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
        is_open_to_all: &|_| false,
        base_dir: Path::new("/etc/clerk-mcp"),
        tools: &[],
    });
    match read {
        Ok((config, _)) => {
            let shown = format!("{config:?}");
            for secret in [SECRET_KEY, CLIENT_SECRET] {
                assert!(!shown.contains(secret), "{shown}");
            }
            Ok(config.public_url.to_string())
        }
        Err(faults) => Err(faults.iter().map(ToString::to_string).collect()),
    }
}
