//! Whole configurations, read and refused.

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
        env: &|name| {
            let mut pairs = env.iter().rev();
            let (_, value) = pairs.find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        },
        flags,
        read_file: &read_file,
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
fn the_private_use_schemes_of_well_known_clients_are_the_default() {
    assert_eq!(
        settings::PRIVATE_USE_SCHEMES.default,
        Some(&*oauth::KNOWN_PRIVATE_USE_SCHEMES.join(","))
    );
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

#[test]
fn clerk_settings_must_agree() {
    let frontend = |value| [("CLERK_FRONTEND_API", value)];
    assert_eq!(
        good("", &frontend("clerk.example.com"))
            .clerk
            .frontend_api
            .as_str(),
        "https://clerk.example.com/"
    );
    assert!(fault("", &frontend("https://other.example.com")).contains("publishable key names"));
    assert!(
        fault(
            "",
            &[("CLERK_PUBLISHABLE_KEY", "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k")]
        )
        .contains("development instance")
    );
    for key in ["sk_test_x", "pk_test_", "pk_test_Y2xlcms", "pk_test_%%%"] {
        assert!(
            fault("", &[("CLERK_PUBLISHABLE_KEY", key)]).contains("pk_test_"),
            "{key}"
        );
    }
    assert!(fault("[sign_in]\nmode = \"magic\"", &[]).contains("clerk-tokens"));
    let (_, warnings) = load("", &[("APP_URL", "https://app.example.com")]).unwrap();
    assert!(
        warnings[0]
            .to_string()
            .starts_with("APP_URL: it has no effect")
    );
}

#[test]
fn an_application_lends_its_sessions() {
    const APP: &str = "[sign_in]\nmode = \"app\"\n";
    let app = |more: &str, env: &[(&str, &str)]| match good(&format!("{APP}{more}"), env).sign_in {
        SignIn::App(app) => app,
        other => panic!("{other:?}"),
    };
    let read = app(
        "app_url = \"https://App.example.com/shop/\"\nauthorized_parties = [\"https://admin.example.com\"]",
        &[],
    );
    assert_eq!(read.url.as_str(), "https://app.example.com/shop/");
    let parties: Vec<&str> = read.authorized_parties.iter().map(Origin::as_str).collect();
    assert_eq!(
        parties,
        ["https://app.example.com", "https://admin.example.com"]
    );
    let env = ("APP_URL", "http://localhost:3000");
    assert_eq!(app("", &[env]).authorized_parties.len(), 1);
    // Without an application there is nothing to fall back on, and no client id is asked for.
    let found = load_with(Some(APP), &NEEDED[..NEEDED.len() - 1], Flags::default());
    let found: Vec<String> = found.unwrap_err().iter().map(ToString::to_string).collect();
    assert!(
        found.len() == 1 && found[0].starts_with("sign_in.app_url: `app_url` is missing"),
        "{found:#?}"
    );
    for (url, expected) in [
        ("app.example.com", "it is not a URL"),
        ("http://app.example.com", "must begin with https://"),
        ("javascript:alert(1)", "must begin with https://"),
        ("https://u:hunter2@app.example.com", "user name"),
        ("https://app.example.com?next=x", "query or a fragment"),
        ("https://app.example.com/#x", "query or a fragment"),
        ("https://app.example.com/auth/mcp/", "ends with /auth/mcp"),
    ] {
        let fault = fault(APP, &[("APP_URL", url)]);
        assert!(
            fault.contains(expected) && fault.contains("hint: ") && !fault.contains("hunter2"),
            "{fault}"
        );
    }
    let party = ("CLERK_AUTHORIZED_PARTIES", "https://a.example.com/x");
    assert!(fault(APP, &[env, party]).contains("scheme, host and port"));
    let (_, warnings) = load(&format!("{APP}organizations = true"), &[env]).unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].to_string().contains("it has no effect"),
        "{warnings:?}"
    );
}

#[test]
fn clerks_tokens_are_meant_for_somebody() {
    let with = |more: &str| format!("[sign_in]\nmode = \"clerk-tokens\"\n{more}");
    let read = |more: &str| match good(&with(more), &[]).sign_in {
        SignIn::ClerkTokens(tokens) => tokens,
        other => panic!("{other:?}"),
    };
    let tokens = read("audience = \"resource\"");
    let own = ["http://127.0.0.1:8788/mcp", "http://127.0.0.1:8788/sse"];
    assert_eq!(tokens.audience, own);
    let without = "audience = \"resource\"\n[transports]\nsse = false";
    assert_eq!(read(without).audience, own[..1]);
    assert!(!tokens.any_client && !tokens.api_keys && tokens.machine.is_none());
    assert!(tokens.scopes.read.is_empty() && tokens.scopes.write.is_empty());
    let both = read("audience = [\"resource\", \"https://x.example/\"]\nclient_ids = [\"a\"]");
    assert_eq!((both.audience.len(), both.client_ids.len()), (3, 1));
    // That all tokens of the instance count is somebody's decision, and no oversight.
    for nobody in [
        "",
        "audience = []",
        "client_ids = []",
        "any_client = false",
        "api_keys = true",
    ] {
        let fault = fault(&with(nobody), &[]);
        assert!(fault.contains("meant for this server"), "{fault}");
        assert!(fault.contains("audience = \"resource\""), "{fault}");
    }
    for narrowed in ["audience = \"resource\"", "client_ids = [\"a\"]"] {
        let fault = fault(&with(&format!("any_client = true\n{narrowed}")), &[]);
        assert!(fault.contains("says otherwise"), "{fault}");
    }
    let (config, warnings) = load(&with("any_client = true"), &[]).unwrap();
    assert!(matches!(config.sign_in, SignIn::ClerkTokens(tokens) if tokens.any_client));
    assert!(
        warnings[0].to_string().contains("every OAuth client"),
        "{warnings:?}"
    );
    for wrong in [
        "machine = \"server\"",
        "read_scopes = [\"a b\"]",
        "write_scopes = [\"\"]",
        "client_ids = [\"a b\"]",
        "audience = \"\"",
        "api_keys = \"yes\"",
    ] {
        let place = wrong.split(' ').next().unwrap();
        let found = faults(&with(wrong), &[]);
        assert!(found.iter().any(|fault| fault.contains(place)), "{found:?}");
    }
    // What only this server's own sign-in has is told to have no effect.
    let more = "audience = \"resource\"\napp_url = \"https://a.example\"\n[oauth]\ncode_lifetime = \"30s\"";
    let (_, warnings) = load(&with(more), &[]).unwrap();
    let warned: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(
        warned.iter().all(|warning| warning.contains("no effect")),
        "{warned:?}"
    );
    let (_, warnings) = load("[sign_in]\naudience = \"resource\"", &[]).unwrap();
    assert!(
        warnings[0].to_string().contains("no effect"),
        "{warnings:?}"
    );
    // Scopes of rules are Clerk's to define.
    let rule = "audience = \"resource\"\n[[access]]\nscope = \"notes:read\"\ntools = [\"users\"]";
    assert_eq!(
        good(&with(rule), &[]).access.scopes().collect::<Vec<_>>(),
        ["notes:read"]
    );
}

#[test]
fn rules_about_machines_are_about_nobody_else() {
    let machines =
        "[sign_in]\nmode = \"clerk-tokens\"\naudience = \"resource\"\nmachine = \"mch_1\"\n";
    let rule = |more: &str| format!("{machines}[demo]\ntools = true\n[[access]]\n{more}");
    let own =
        "machine = [\"mch_2\"]\ntools = [\"add\"]\n[[access]]\neveryone = true\ntools = [\"*\"]";
    let access = good(&rule(own), &[]).access;
    assert_eq!(access.decide_machine("mch_2").own.len(), 1);
    assert_eq!(access.decide_machine("mch_3"), Default::default());
    let instance = "machine = \"mch_2\"\ntools = [\"users\"]\nclerk = \"instance\"";
    let access = good(&rule(instance), &[]).access;
    assert!(
        access
            .decide_machine("mch_2")
            .instance
            .contains("getUserList")
    );
    let everybody = access.decide(&PersonFacts::default(), &["tools:read".to_owned()]);
    assert!(everybody.instance.is_empty() && everybody.session.is_empty());
    for (wrong, words) in [
        ("machine = \"mch_2\"\ntools = [\"users\"]", "no session"),
        (
            "machine = \"mch_2\"\nrole = \"admin\"\ntools = [\"add\"]",
            "condition for people",
        ),
        (
            "machine = \"mch_2\"\neveryone = true\ntools = [\"add\"]",
            "for everyone",
        ),
        ("machine = \"user_2\"\ntools = [\"add\"]", "mch_"),
        ("machine = []\neveryone = true\ntools = [\"add\"]", "empty"),
    ] {
        let found = faults(&rule(wrong), &[]).concat();
        assert!(found.contains(words), "{wrong}: {found}");
    }
    let elsewhere = "[[access]]\nmachine = \"mch_2\"\ntools = [\"userInfo\"]";
    assert!(fault(elsewhere, &[]).contains("no machine can come here"));
}

#[test]
fn acting_as_somebody_else_is_given_by_name_and_with_a_ceiling() {
    const API: &str = "[api]\nbase_url = \"https://api.example.com/v1/\"\ncredential = \"none\"\n";
    let with = |more: &str| format!("{API}{more}");
    let section = "[impersonation]\nceiling = \"5m\"\n";
    let config = good(
        &with(&format!(
            "{section}[[access]]\nrole = \"support\"\ntools = [\"callApiAs\"]"
        )),
        &[],
    );
    let impersonation = config.impersonation.unwrap();
    assert_eq!(impersonation.api.to_string(), "https://api.example.com/v1");
    assert_eq!(impersonation.policy.ceiling().as_secs(), 300);
    assert!(!impersonation.policy.exposes_tokens() && impersonation.template.is_none());
    let support = PersonFacts {
        roles: vec!["support".to_owned()],
        ..PersonFacts::default()
    };
    let write = ["tools:write".to_owned()];
    assert!(
        config
            .access
            .decide(&support, &write)
            .own
            .contains("callApiAs")
    );
    // Not by default, not along with everything, and not to everybody.
    for rules in [
        "",
        "[[access]]\nrole = \"support\"\ntools = [\"*\"]",
        "[[access]]\nrole = \"support\"\ntools = [\"impersonation\"]",
    ] {
        let access = good(&with(&format!("{section}{rules}")), &[]).access;
        assert!(
            !access.decide(&support, &write).own.contains("callApiAs"),
            "{rules}"
        );
    }
    for whom in ["everyone = true", "scope = \"tools:write\""] {
        let rule = format!("{section}[[access]]\n{whom}\ntools = [\"callApiAs\"]");
        assert!(
            fault(&with(&rule), &[]).contains("act as everybody else"),
            "{whom}"
        );
    }
    let rule = "[[access]]\nrole = \"support\"\ntools = [\"callApiAs\"]";
    assert!(fault(&with(rule), &[]).contains("add [impersonation]"));
    assert!(fault(section, &[]).contains("base_url"));
    for (wrong, words) in [
        ("ceiling = \"31m\"", "ceiling"),
        ("ceiling = \"0s\"", "ceiling"),
        ("allow_live = true", "how long"),
        ("ceiling = \"1m\"\ntemplate = \"a/b\"", "JWT template"),
    ] {
        let found = faults(&with(&format!("[impersonation]\n{wrong}")), &[]).concat();
        assert!(found.contains(words), "{wrong}: {found}");
    }
    let live = [
        ("CLERK_SECRET_KEY", "sk_live_0123456789abcdefghij"),
        ("CLERK_PUBLISHABLE_KEY", "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"),
    ];
    assert!(fault(&with(section), &live).contains("allow_live = true"));
    let allowed = format!("{section}allow_live = true");
    assert!(good(&with(&allowed), &live).impersonation.is_some());
    let (_, warnings) = load(&with(&format!("{section}expose_tokens = true")), &[]).unwrap();
    assert!(
        warnings[0].to_string().contains("session tokens"),
        "{warnings:?}"
    );
}

#[test]
fn clients_scopes_and_lifetimes_are_checked() {
    let toml = "[[oauth.clients]]\nclient_id = \"my-app\"\nname = \"Mine\"\nredirect_uris = \"https://a.example/cb\"\n[[oauth.scopes]]\nvalue = \"app:x\"\ntitle = \"X\"\ndescription = \"Does x.\"\n";
    let config = good(
        toml,
        &[("CLERK_MCP_CLIENT_SECRET_MY_APP", "0123456789012345678901")],
    );
    assert!(
        config.oauth.clients[0].secret.is_some()
            && good(toml, &[]).oauth.clients[0].secret.is_none()
    );
    assert!(config.oauth.scopes.definition("app:x").is_some());
    assert!(fault(toml, &[("CLERK_MCP_CLIENT_SECRET_MY_APP", "short")]).contains("fewer than 20"));
    let twice = toml.replace("[[oauth.scopes]]", "[[oauth.clients]]\nclient_id = \"my_app\"\nname = \"N\"\nredirect_uris = [\"https://a.example\"]\n[[oauth.scopes]]");
    assert!(fault(&twice, &[]).contains("would share CLERK_MCP_CLIENT_SECRET_MY_APP"));
    for (toml, expected) in [
        (
            "[[oauth.clients]]\nclient_id = \"a b\"\nname = \"N\"\nredirect_uris = [\"https://a\"]",
            "client id",
        ),
        (
            "[[oauth.clients]]\nclient_id = \"a\"\nname = \"N\"\nredirect_uris = []",
            "redirect_uris",
        ),
        (
            "[[oauth.clients]]\nclient_id = \"a\"\nname = \"N\"\nredirect_uris = [\"/cb\"]",
            "absolute URI",
        ),
        (
            "[[oauth.scopes]]\nvalue = \"tools:read\"\ntitle = \"X\"\ndescription = \"x\"",
            "there already",
        ),
        (
            "[[oauth.scopes]]\nvalue = \"a b\"\ntitle = \"X\"\ndescription = \"x\"",
            "no scope",
        ),
        (
            "[[oauth.scopes]]\nvalue = \"a\"\ntitle = \"X\"",
            "`description` is missing",
        ),
        ("[oauth]\nrefresh_total_lifetime = \"1d\"", "shorter than"),
        (
            "[oauth]\nprivate_use_schemes = [\"javascript\"]",
            "no application's own",
        ),
    ] {
        let fault = fault(toml, &[]);
        assert!(fault.contains(expected), "{fault}");
    }
}

#[test]
fn test_documents_are_for_this_machine_alone() {
    let toml =
        "[cimd.test]\nhosts = { \"client.example\" = \"127.0.0.1:4443\" }\nca_file = \"ca.pem\"\n";
    let (config, warnings) = load(toml, &[]).unwrap();
    assert_eq!(
        config.cimd_test.unwrap().hosts["client.example"].port(),
        4443
    );
    assert_eq!(warnings.len(), 1);
    let public = [
        ("CLERK_MCP_PUBLIC_URL", "https://mcp.example.com"),
        ("COOKIE_ENCRYPTION_KEY", KEY),
    ];
    assert!(fault(toml, &public).contains("is not this machine"));
    assert!(fault(&toml.replace("127.0.0.1", "10.0.0.1"), &[]).contains("no loopback address"));
    assert!(fault(&toml.replace("ca.pem", "key"), &[]).contains("no certificate"));
}

#[test]
fn a_client_may_have_keys_instead_of_a_secret() {
    let toml = |more: &str| {
        format!(
            "[[oauth.clients]]\nclient_id = \"a\"\nname = \"N\"\n\
             redirect_uris = \"https://a.example/cb\"\n{more}\n"
        )
    };
    let keys = |more: &str| good(&toml(more), &[]).oauth.clients[0].keys.clone();
    assert!(keys("").is_none());
    assert!(matches!(
        keys("jwks_file = \"jwks.json\""),
        Some(oauth::KeySource::Inline(_))
    ));
    let uri = "jwks_uri = \"https://a.example/jwks.json\"";
    assert!(matches!(keys(uri), Some(oauth::KeySource::At(_))));
    for (more, expected) in [
        ("jwks_file = \"nowhere.json\"".to_owned(), "cannot be read"),
        ("jwks_file = \"ca.pem\"".to_owned(), "JSON Web Key Set"),
        ("jwks_file = \"private.json\"".to_owned(), "private key"),
        (
            "jwks_uri = \"http://a.example/\"".to_owned(),
            "no URL of a key set",
        ),
        (format!("jwks_file = \"jwks.json\"\n{uri}"), "two places"),
    ] {
        let fault = fault(&toml(&more), &[]);
        assert!(fault.contains(expected), "{fault}");
    }
    let secret = [("CLERK_MCP_CLIENT_SECRET_A", "0123456789012345678901")];
    assert!(fault(&toml(uri), &secret).contains("both a secret and keys"));
}
