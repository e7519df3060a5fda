//! Configurations beside tools written in Rust.

use super::{
    tests::{Loaded, NEEDED, fault, good, load, load_all},
    *,
};
use crate::{
    Context, Hints, NoArguments, Tool, ToolError, access::PersonFacts, http_tools::CredentialKind,
    rust_tools::RustTool,
};

/// A tool of any category and scope; `good` is the one that fits.
macro_rules! rust_tool {
    ($type:ident, $name:literal, $category:literal, $hints:expr, $scopes:expr, $credential:expr) => {
        struct $type;

        impl Tool for $type {
            type Arguments = NoArguments;
            type Output = String;
            const NAME: &'static str = $name;
            const DESCRIPTION: &'static str = "A tool.";
            const HINTS: Hints = $hints;
            const CATEGORY: &'static str = $category;
            const SCOPES: &'static [&'static str] = &$scopes;

            fn credential(&self) -> CredentialKind {
                $credential
            }

            async fn call(&self, _: NoArguments, _: Context<'_>) -> Result<String, ToolError> {
                Ok(String::new())
            }
        }
    };
}

rust_tool!(Good, "greet", "shop", Hints::READ, [], CredentialKind::None);
rust_tool!(
    Changing,
    "change",
    "shop",
    Hints::CREATE,
    [],
    CredentialKind::None
);
rust_tool!(
    Unnamed,
    "a b",
    "shop",
    Hints::READ,
    [],
    CredentialKind::None
);
rust_tool!(
    Taken,
    "getUser",
    "shop",
    Hints::READ,
    [],
    CredentialKind::None
);
rust_tool!(
    OfUsers,
    "peek",
    "users",
    Hints::READ,
    [],
    CredentialKind::None
);
rust_tool!(OfApi, "peek", "api", Hints::READ, [], CredentialKind::None);
rust_tool!(
    Scoped,
    "peek",
    "shop",
    Hints::READ,
    ["shop:read"],
    CredentialKind::None
);
rust_tool!(
    Session,
    "peek",
    "shop",
    Hints::READ,
    [],
    CredentialKind::Session
);
rust_tool!(
    OfMachine,
    "peek",
    "shop",
    Hints::READ,
    [],
    CredentialKind::M2m
);

fn with_tools(toml: &str, tools: &[RustTool]) -> Loaded {
    load_all(Some(toml), &NEEDED, Flags::default(), tools)
}

#[test]
fn rust_tools_have_whom_a_rule_gives_them() {
    let tools = [RustTool::new(Good), RustTool::new(Changing)];
    let person = PersonFacts::default();
    let scopes = ["tools:read".to_owned(), "tools:write".to_owned()];
    let own = |toml: &str| {
        let config = with_tools(toml, &tools).unwrap().0;
        let allowed = config.access.decide(&person, &scopes);
        allowed.own.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(own(""), "userInfo", "nobody has them without a rule");
    let rule = |tools: &str| format!("[[access]]\neveryone = true\ntools = [\"{tools}\"]\n");
    assert_eq!(own(&rule("shop.*")), "change greet");
    assert_eq!(own(&rule("greet")), "greet");
    assert_eq!(
        own(&format!("{}[policy]\nread_only = true\n", rule("shop"))),
        "greet"
    );
    let config = with_tools("", &tools).unwrap().0;
    let lacking = config
        .access
        .offered()
        .iter()
        .any(|tool| tool.name == "change");
    assert!(lacking, "rules can name it");
    let unknown = load(&rule("shop.*"), &[]).unwrap_err();
    assert!(unknown[0].to_string().contains("shop"), "{unknown:?}");
}

#[test]
fn rust_tools_that_do_not_fit_are_refused() {
    for (tool, problem) in [
        (RustTool::new(Unnamed), "no name of a tool"),
        (RustTool::new(Taken), "another tool here has this name"),
        (
            RustTool::new(OfUsers),
            "`users` is the category of other tools",
        ),
        (RustTool::new(OfApi), "`api` is the category of other tools"),
        (
            RustTool::new(Scoped),
            "nobody can grant the scope `shop:read`",
        ),
        (RustTool::new(Session), "there are no session tokens"),
        (RustTool::new(OfMachine), "there is no machine's secret key"),
    ] {
        let name = tool.name().to_owned();
        let faults = with_tools("", &[RustTool::new(Good), tool]).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        let told = faults[0].to_string();
        assert!(
            told.starts_with(&format!("the Rust tool `{name}`: {problem}"))
                || told.contains(problem),
            "{told}"
        );
        assert!(told.contains("\nhint: "), "{told}");
    }
    let twice = with_tools("", &[RustTool::new(Good), RustTool::new(Good)]).unwrap_err();
    assert!(
        twice[0].to_string().contains("it is there twice"),
        "{twice:?}"
    );
    let api = "[api]\nbase_url = \"https://a.example\"\ncredential = \"none\"\n\
               [[tools]]\nname = \"greet\"\ndescription = \"d\"\nmethod = \"GET\"\npath = \"/\"\n";
    let taken = with_tools(api, &[RustTool::new(Good)]).unwrap_err();
    assert!(
        taken[0]
            .to_string()
            .contains("`greet` is the name of another tool"),
        "{taken:?}"
    );
}

#[test]
fn a_value_that_no_tool_saves_is_refused() {
    let api = |more: &str| {
        format!(
            "[api]\nbase_url = \"https://a.example\"\ncredential = \"none\"\n\
             [[tools]]\nname = \"show\"\ndescription = \"d\"\nmethod = \"GET\"\n\
             path = \"/{{state.cart}}\"\n{more}"
        )
    };
    let told = fault(&api(""), &[]);
    assert!(
        told.contains(" (tools.show): no tool saves the value of {state.cart}"),
        "{told}"
    );
    good(&api("save = { cart = \"/id\" }\n"), &[]);
    // A tool written in Rust may.
    with_tools(&api(""), &[RustTool::new(Good)]).unwrap();
}
