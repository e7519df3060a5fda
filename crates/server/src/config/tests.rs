//! Whole configurations, read and refused.

mod clients;
mod sign_in;
mod tools;

use std::{io, path::Path, time::Duration};

use super::*;
use crate::{access::PersonFacts, rust_tools::RustTool};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
const KEY_SET: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
/// `clerk.example.com$`
const PUBLISHABLE_KEY: &str = "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k";
pub(super) const NEEDED: [(&str, &str); 3] = [
    ("CLERK_SECRET_KEY", "sk_test_0123456789abcdefghij"),
    ("CLERK_PUBLISHABLE_KEY", PUBLISHABLE_KEY),
    ("CLERK_CLIENT_ID", "client_1"),
];

pub(super) type Loaded = Result<(Config, Vec<Warning>), Vec<ConfigFault>>;

fn load_with(toml: Option<&str>, env: &[(&str, &str)], flags: Flags) -> Loaded {
    load_all(toml, env, flags, &[])
}

pub(super) fn load_all(
    toml: Option<&str>,
    env: &[(&str, &str)],
    flags: Flags,
    tools: &[RustTool],
) -> Loaded {
    let read_file = |path: &Path| match path.to_str().unwrap() {
        "/etc/clerk-mcp/secret" => Ok("a-client-secret-of-some-length\n".to_owned()),
        "/etc/clerk-mcp/key" => Ok(format!("{KEY}\n")),
        "/etc/clerk-mcp/empty" => Ok("\n".to_owned()),
        "/etc/clerk-mcp/jwks.json" => Ok(KEY_SET.to_owned()),
        "/etc/clerk-mcp/private.json" => Ok(KEY_SET.replace("\"x\"", "\"d\":\"AQAB\",\"x\"")),
        "/etc/clerk-mcp/ca.pem" => Ok("-----BEGIN CERTIFICATE-----\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Config::load(Sources {
        toml: toml.map(|text| ("clerk-mcp.toml", text)),
        env: &env.iter().copied().collect(),
        flags,
        read_file: &read_file,
        is_open_to_all: &|_| false,
        base_dir: Path::new("/etc/clerk-mcp"),
        tools,
    })
}

pub(super) fn load(toml: &str, more: &[(&str, &str)]) -> Loaded {
    let env: Vec<_> = NEEDED.iter().chain(more).copied().collect();
    load_with(Some(toml), &env, Flags::default())
}

pub(super) fn good(toml: &str, env: &[(&str, &str)]) -> Config {
    load(toml, env)
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
        .0
}

fn faults(toml: &str, env: &[(&str, &str)]) -> Vec<String> {
    let faults = load(toml, env).expect_err(toml);
    faults.iter().map(ToString::to_string).collect()
}

/// The one fault.
pub(super) fn fault(toml: &str, env: &[(&str, &str)]) -> String {
    let faults = faults(toml, env);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.concat()
}

#[test]
fn defaults_on_this_machine() {
    let (config, warnings) = load("", &[]).unwrap();
    assert_eq!(config.public_url.as_str(), "http://127.0.0.1:8788");
    assert_eq!(config.bind.to_string(), "127.0.0.1:8788");
    assert_eq!(
        config.clerk.frontend_api.as_str(),
        "https://clerk.example.com/"
    );
    assert!(
        matches!(&config.keys, Keys::KeptBeside(path) if path == Path::new("clerk-mcp.db.key"))
    );
    assert_eq!(config.oauth.access_token_lifetime.as_secs(), 900);
    assert_eq!(config.oauth.refresh_total_lifetime.as_secs(), 180 * 86_400);
    assert_eq!(config.limits.max_body, 4 * 1024 * 1024);
    assert_eq!(config.oauth.scopes.first().to_string(), "tools:read");
    assert_eq!(config.tools.confirm, mcp::Confirm::Auto);
    let SignIn::ClerkOauth(application) = &config.sign_in else {
        panic!("{:?}", config.sign_in);
    };
    assert!(application.client_secret.is_none() && !application.organizations);
    assert_eq!(warnings, []);
    let allowed = config
        .access
        .decide(&PersonFacts::default(), &["tools:read".to_owned()]);
    assert!(allowed.own.contains("userInfo") && allowed.session.contains("getUser"));
    assert!(allowed.instance.is_empty() && allowed.needs_scope.contains_key("updateUser"));
}

#[test]
fn flags_over_environment_over_file() {
    let toml = "bind = \"127.0.0.1:1\"\nname = \"File\"\n[storage]\npath = \"data/a.db\"\n";
    let config = good(toml, &[]);
    assert_eq!(config.bind.port(), 1);
    assert_eq!(config.storage.path, Path::new("/etc/clerk-mcp/data/a.db"));
    let env = [
        NEEDED.as_slice(),
        &[
            ("CLERK_MCP_BIND", "127.0.0.1:2"),
            ("CLERK_MCP_DATABASE", "b.db"),
            ("CLERK_MCP_NAME", " "),
        ],
    ]
    .concat();
    let config = load_with(Some(toml), &env, Flags::default()).unwrap().0;
    assert_eq!((config.bind.port(), config.name.as_str()), (2, "File"));
    assert_eq!(config.storage.path, Path::new("b.db"));
    let flags = Flags {
        bind: Some("localhost:3".to_owned()),
        ..Flags::default()
    };
    let config = load_with(Some(toml), &env, flags).unwrap().0;
    assert_eq!(config.public_url.as_str(), "http://127.0.0.1:3");
}

#[test]
fn all_faults_come_at_once_and_each_has_a_place_and_a_hint() {
    let toml = "public_url = \"http://mcp.example.com\"\n\nnmae = \"x\"\n[oauth]\ncode_lifetime = \"1h\"\nclient_secret = 5\n[limits]\nmax_sessions = \"many\"\n";
    let found = load_with(
        Some(toml),
        &[("CLERK_SECRET_KEY", "pk_test_abc")],
        Flags {
            bind: Some("nowhere".to_owned()),
            ..Flags::default()
        },
    )
    .unwrap_err();
    let places: Vec<String> = found.iter().map(|fault| fault.place.to_string()).collect();
    for place in [
        "clerk-mcp.toml:1 (public_url)",
        "clerk-mcp.toml:3 (nmae)",
        "clerk-mcp.toml:5 (oauth.code_lifetime)",
        "clerk-mcp.toml:6 (oauth.client_secret)",
        "clerk-mcp.toml:8 (limits.max_sessions)",
        "CLERK_SECRET_KEY",
        "--bind",
        "sign_in.client_id",
        "clerk.frontend_api",
    ] {
        assert!(
            places.iter().any(|known| known == place),
            "{place}: {places:#?}"
        );
    }
    assert!(
        found
            .iter()
            .all(|fault| !fault.hint.is_empty() && !fault.problem.is_empty())
    );
}

#[test]
fn unknown_keys_are_errors_that_help() {
    for (toml, expected) in [
        ("nmae = \"x\"", "did you mean `name`?"),
        ("api_url = \"x\"", "did you mean `clerk.api_url`?"),
        ("[ouath]\nx = 1", "did you mean `oauth`?"),
        (
            "[[access]]\ntool = [\"*\"]\ntools = [\"*\"]\neveryone = true",
            "did you mean `access.tools`?",
        ),
        ("[demo]\nfrobnicate = 1", "the keys here are tools"),
    ] {
        let fault = fault(toml, &[]);
        assert!(
            fault.contains("no setting") && fault.contains(expected),
            "{fault}"
        );
    }
    assert!(fault("name = ", &[]).contains("clerk-mcp.toml:1: this is not TOML"));
    assert!(fault("name = 1", &[]).contains("this is a whole number, not a text"));
    assert!(fault("access = 1", &[]).contains("[[access]]"));
    assert!(fault("[storage]\nurl = \"postgres://u:hunter2@h/d\"", &[]).contains("PostgreSQL"));
}

#[test]
fn secrets_come_from_the_environment_or_files_and_are_never_shown() {
    let file = "cookie_encryption_key_file = \"key\"\n[sign_in]\nclient_secret_file = \"secret\"\n";
    let config = good(file, &[]);
    let SignIn::ClerkOauth(application) = &config.sign_in else {
        panic!("{:?}", config.sign_in);
    };
    assert_eq!(
        application.client_secret.as_ref().unwrap().expose(),
        "a-client-secret-of-some-length"
    );
    assert!(matches!(config.keys, Keys::Given(_)));
    let debug = format!("{config:?}");
    assert!(
        !debug.contains("a-client-secret") && !debug.contains("0123456789abcdefghij"),
        "{debug}"
    );
    assert!(!debug.contains(KEY));

    for (toml, env, expected) in [
        (
            "[sign_in]\nclient_secret = \"hunter2hunter2\"",
            ("X", ""),
            "CLERK_CLIENT_SECRET",
        ),
        (
            "[clerk]\nsecret_key = \"sk_test_hunter2\"",
            ("X", ""),
            "secret_key_file",
        ),
        ("", ("CLERK_SECRET_KEY", "hunter2"), "sk_"),
        ("", ("COOKIE_ENCRYPTION_KEY", "hunter2"), "openssl rand"),
        (
            "",
            (
                "COOKIE_ENCRYPTION_KEY",
                "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=,hunter2",
            ),
            "key 2 of 2",
        ),
        (
            "",
            ("CLERK_MCP_DATABASE", "postgres://u:hunter2@h/d"),
            "PostgreSQL",
        ),
        (
            "",
            ("CLERK_MCP_PUBLIC_URL", "https://u:hunter2@h"),
            "user name",
        ),
        (
            "",
            ("CLERK_CLIENT_SECRET_FILE", "/etc/clerk-mcp/empty"),
            "is empty",
        ),
        (
            "",
            ("CLERK_CLIENT_SECRET_FILE", "/nowhere"),
            "cannot be read",
        ),
        (
            "",
            ("CLERK_SECRET_KEY_FILE", "/etc/clerk-mcp/secret"),
            "only one of the two",
        ),
    ] {
        let fault = fault(toml, &[env]);
        assert!(
            fault.contains(expected) && !fault.contains("hunter2"),
            "{fault}"
        );
    }
}

#[test]
fn a_public_server_needs_a_url_a_key_and_a_proxy() {
    let public = ("CLERK_MCP_PUBLIC_URL", "https://mcp.example.com/");
    assert!(fault("", &[("CLERK_MCP_BIND", "0.0.0.0:8788")]).starts_with("public_url:"));
    assert!(fault("", &[("CLERK_MCP_BIND", "127.0.0.1:0")]).contains("port 0"));
    assert!(fault("", &[public]).starts_with("cookie_encryption_key:"));
    let env = [
        public,
        ("COOKIE_ENCRYPTION_KEY", KEY),
        ("CLERK_MCP_BIND", "0.0.0.0:8788"),
    ];
    let (config, warnings) = load("", &env).unwrap();
    assert_eq!(config.public_url.as_str(), "https://mcp.example.com");
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0]
            .to_string()
            .starts_with("trusted_proxies: no proxy")
    );
    let (config, warnings) = load("trusted_proxies = [\"10.0.0.9/8\", \"::1\"]", &env).unwrap();
    assert_eq!(warnings, []);
    for (peer, trusted) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("::1", true),
        ("11.0.0.1", false),
    ] {
        assert_eq!(
            config.trusted_proxies.contains(peer.parse().unwrap()),
            trusted,
            "{peer}"
        );
    }
    assert!(fault("trusted_proxies = [\"0.0.0.0/0\"]", &[]).contains("every address"));
    assert_eq!(
        faults("", &[("CLERK_MCP_TRUSTED_PROXIES", "a, b,10.0.0.1")]).len(),
        2
    );
}
