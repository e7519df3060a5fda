//! The Clerk instance, how people sign in, and who may act as somebody else.

use super::*;

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
