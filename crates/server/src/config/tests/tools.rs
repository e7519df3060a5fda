//! Access rules, and tools over the owner's API.

use super::*;

#[test]
fn access_rules_are_checked() {
    let rule = |rest: &str| format!("[[access]]\ntools = [\"users\"]\n{rest}\n");
    for (toml, expected) in [
        (rule(""), "no condition"),
        (rule("everyone = true\nrole = \"x\""), "but has a condition"),
        (
            rule("everyone = true\nclerk = \"instance\""),
            "power of the secret key",
        ),
        (rule("clerk = \"instance\""), "power of the secret key"),
        (rule("role = []"), "list is empty"),
        (rule("role = \"\""), "exact text"),
        (rule("organization_role = \"admin\""), "org:admin"),
        (rule("user = \"alice\""), "user_"),
        (rule("email_domain = \"@example.com\""), "no domain"),
        (rule("scope = \"app:x\""), "nobody can grant"),
        (
            rule("everyone = true").replace("\"users\"", "\"usres\""),
            "did you mean users?",
        ),
        (
            rule("everyone = true").replace("\"users\"", "\"demo.add\""),
            "[demo]",
        ),
        (
            "[policy]\nenabled = [\"nothing\"]".to_owned(),
            "names no category",
        ),
        (
            "[[access]]\neveryone = true".to_owned(),
            "`tools` is missing",
        ),
    ] {
        let fault = fault(&toml, &[]);
        assert!(fault.contains(expected), "{fault}");
    }
    let config = good(
        &format!(
            "{}[demo]\ntools = true\n[policy]\nread_only = true",
            rule("clerk = \"instance\"\nuser = \"user_1\"")
        ),
        &[],
    );
    let scopes = ["tools:read".to_owned(), "tools:write".to_owned()];
    let allowed = config.access.decide(&person("user_1"), &scopes);
    assert!(allowed.instance.contains("getUser") && !allowed.instance.contains("updateUser"));
    assert!(
        config
            .access
            .decide(&person("user_2"), &scopes)
            .instance
            .is_empty()
    );
}

#[test]
fn demonstration_tools_are_what_access_rules_think() {
    let own = crate::access::own_tools(true);
    let tools = crate::tools::demonstration();
    assert_eq!(own.len(), tools.len() + 1);
    for tool in tools {
        let definition = tool.definition();
        let known = own
            .iter()
            .find(|known| known.name == definition.name)
            .unwrap();
        assert_eq!(known.read_only, definition.hints.read_only);
    }
}

fn person(id: &str) -> PersonFacts {
    PersonFacts {
        user_id: id.to_owned(),
        ..PersonFacts::default()
    }
}

const API: &str = "[api]\nbase_url = \"https://api.example.com\"\ncredential = \"none\"\n\
                   [[tools]]\nname = \"listOrders\"\ndescription = \"d\"\nmethod = \"GET\"\npath = \"/orders\"\n";

#[test]
fn tools_over_an_api_are_read_and_kept_for_those_whom_a_rule_names() {
    let rule = "[[access]]\ntools = [\"api.listOrders\"]\nuser = \"user_1\"\n";
    let config = good(&format!("{API}{rule}"), &[]);
    assert_eq!(config.http_tools.unwrap().tools[0].name(), "listOrders");
    let own = |user| {
        config
            .access
            .decide(&person(user), &["tools:read".to_owned()])
            .own
    };
    assert!(own("user_1").contains("listOrders"));
    assert!(!own("user_2").contains("listOrders"));
    // Nobody has them without a rule.
    let config = good(API, &[]);
    let allowed = config
        .access
        .decide(&person("user_1"), &["tools:read".to_owned()]);
    assert!(!allowed.own.contains("listOrders"));
    assert!(good("", &[]).http_tools.is_none());
}

#[test]
fn faults_of_tools_over_an_api_stand_beside_the_others() {
    let found = faults(
        &format!("nam = 1\n{}", API.replace("/orders", "orders")),
        &[],
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found
            .iter()
            .any(|fault| fault.starts_with("clerk-mcp.toml:9 (tools/0/path): `orders`")),
        "{found:#?}"
    );
    let unknown = fault(&format!("{API}scopes = [\"orders:read\"]\n"), &[]);
    assert!(unknown.contains("`orders:read`") && unknown.contains("[[oauth.scopes]]"));
    let taken = fault(&API.replace("listOrders", "userInfo"), &[]);
    assert!(taken.contains("another tool"), "{taken}");
    let rule = "[[access]]\ntools = [\"api.listOrder\"]\neveryone = true\n";
    let near = fault(&format!("{API}{rule}"), &[]);
    assert!(near.contains("api.listOrders"), "{near}");
}

#[test]
fn each_way_to_sign_in_lends_what_it_has_and_nothing_else() {
    const APP: &str = "[sign_in]\nmode = \"app\"\napp_url = \"https://app.example.com\"\n";
    const TOKENS: &str = "[sign_in]\nmode = \"clerk-tokens\"\naudience = \"resource\"\n";
    const TICKET: &str = "[sign_in]\nsession = \"ticket\"\n";
    let with = |sign_in: &str, credential: &str| {
        format!("{}{sign_in}", API.replace("\"none\"", credential))
    };
    let machine = [("CLERK_MACHINE_SECRET_KEY", "ak_0123456789abcdef")];
    let [session, template] = ["\"session\"", "{ jwt_template = \"api\" }"];
    let [oauth, m2m, none] = ["\"oauth\"", "\"m2m\"", "\"none\""];
    for (sign_in, lent, refused) in [
        ("", &[oauth, m2m, none][..], &[session, template][..]),
        (APP, &[session, template, m2m, none], &[oauth]),
        (TICKET, &[session, template, oauth, m2m, none], &[]),
        (TOKENS, &[m2m, none], &[session, template, oauth]),
        (
            &format!("{TOKENS}session = \"ticket\"\n"),
            &[session, template, m2m, none],
            &[oauth],
        ),
    ] {
        for credential in lent {
            good(&with(sign_in, credential), &machine);
        }
        for credential in refused {
            let text = fault(&with(sign_in, credential), &machine);
            assert!(text.contains("(api/credential)"), "{text}");
            assert!(text.contains("where people sign in through"), "{text}");
        }
    }
    assert!(fault(&with("", m2m), &[]).contains("CLERK_MACHINE_SECRET_KEY"));
    let wrong = [("CLERK_MACHINE_SECRET_KEY", "sk_test_0123456789abcdef")];
    assert!(fault(&with("", m2m), &wrong).contains("the whole instance"));
    // Whatever it is for, if no tool is called with it.
    good(&with("", none), &wrong);
}

#[test]
fn where_machine_tokens_come_from_is_read_and_its_faults_are_told() {
    let with = |table: &str| {
        let api = API.replace("\"none\"", "\"m2m\"");
        api.replace("[[tools]]", &format!("[api.m2m]\n{table}\n[[tools]]"))
    };
    let variables = [
        ("OWN_KEY", "ak_0123456789abcdef"),
        ("INSTANCE", "sk_test_0123456789abcdef"),
    ];
    let config = good(
        &with("secret_env = \"OWN_KEY\"\nformat = \"jwt\"\nlifetime = \"1h\""),
        &variables,
    );
    let machine = config.http_tools.unwrap().machine.unwrap();
    assert_eq!(machine.lifetime, Some(Duration::from_secs(3600)));
    assert!(!format!("{machine:?}").contains("0123456789"));
    for (table, words) in [
        ("secret_env = \"NONE\"", "this variable is not set"),
        ("secret_env = \"INSTANCE\"", "the whole instance"),
        ("secret_file = \"none\"", "cannot be read"),
        (
            "secret_env = \"OWN_KEY\"\nsecret_file = \"x\"",
            "two secrets",
        ),
        (
            "secret_env = \"OWN_KEY\"\nformat = \"paseto\"",
            "no such form",
        ),
        ("secret_env = \"OWN_KEY\"\nlifetime = \"1s\"", "60s to 365d"),
        (
            "secret_env = \"OWN_KEY\"\nsecret = \"ak_0123456789abcdef\"",
            "is no setting",
        ),
    ] {
        let text = fault(&with(table), &variables);
        assert!(text.contains(words), "{table}: {text}");
        assert!(!text.contains("0123456789abcdef"), "{text}");
    }
}

#[test]
fn a_scope_alone_gives_nobody_the_power_of_the_secret_key() {
    let rule = "[[access]]\ntools = [\"users\"]\nscope = \"tools:read\"\n";
    good(rule, &[]);
    let power = fault(&format!("{rule}clerk = \"instance\"\n"), &[]);
    assert!(power.contains("the power of the secret key"), "{power}");
    assert!(!power.contains("or scope"), "{power}");
    good(
        &format!("{rule}clerk = \"instance\"\nrole = \"admin\"\n"),
        &[],
    );
}

/// What is wrong with a rule's key is not told a second time as something that it lacks.
#[test]
fn a_rule_with_a_faulty_key_is_one_fault() {
    for (rule, words) in [
        (
            "[[access]]\ntools = [\"users\"]\nroles = \"a\"",
            "did you mean `access.role`?",
        ),
        (
            "[[access]]\ntools = [\"users\"]\nrole = 7",
            "this is a whole number, not a list",
        ),
        (
            "[access]\ntools = [\"users\"]\neveryone = true",
            "this is a table, not one of several tables\nhint: begin it with the line [[access]]",
        ),
        (
            "[[access]]\ntools = [\"users\"]",
            "this rule has no condition",
        ),
    ] {
        let told = fault(rule, &[]);
        assert!(told.contains(words), "{told}");
    }
}
