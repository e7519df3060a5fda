//! Clients, their keys and documents, scopes and lifetimes.

use super::*;

#[test]
fn the_private_use_schemes_of_well_known_clients_are_the_default() {
    assert_eq!(
        settings::PRIVATE_USE_SCHEMES.default,
        Some(&*oauth::KNOWN_PRIVATE_USE_SCHEMES.join(","))
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
