//! `[policy]` and `[[access]]`.

use oauth::ScopePolicy;
use toolkit::pattern::Patterns;

use super::{
    document::{Entry, Given, Raw},
    fault::Wrong,
    model::ToolsConfig,
    quantity::switch,
    settings::{self, Setting},
    sources::{Reading, missing},
};
use crate::access::{
    self, AccessPolicy, AccessRule, CatalogueTool, ClerkPower, Conditions, catalogue,
};

pub(super) fn tools(reading: &Reading<'_>, own: Option<&[CatalogueTool]>) -> Option<ToolsConfig> {
    let enabled = reading.given(&settings::TOOLS_ENABLED);
    let enabled = enabled.and_then(|given| patterns(reading, &given, own?));
    let read_only = reading.required(&settings::TOOLS_READ_ONLY, switch);
    let private_metadata = reading.required(&settings::TOOLS_PRIVATE_METADATA, switch);
    let confirm = reading.required(&settings::TOOLS_CONFIRM, |text| match text {
        "auto" => Ok(mcp::Confirm::Auto),
        "always" => Ok(mcp::Confirm::Always),
        "never" => Ok(mcp::Confirm::Never),
        _ => Err(Wrong::new(
            "it is none of the three",
            "use auto, always or never",
        )),
    });
    Some(ToolsConfig {
        enabled: enabled?,
        read_only: read_only?,
        allow_private_metadata: private_metadata?,
        confirm: confirm?,
    })
}

/// Patterns of which each names something that exists.
fn patterns(reading: &Reading<'_>, given: &Given, own: &[CatalogueTool]) -> Option<Patterns> {
    let known = catalogue(own);
    let texts = match &given.raw {
        Raw::Many(texts) => texts.as_slice(),
        Raw::One(text) => std::slice::from_ref(text),
        Raw::Map(_) => &[],
    };
    let fault = |wrong: Wrong| {
        reading.fault(wrong.at(given.place.clone()));
        None
    };
    let patterns = match Patterns::parse(texts) {
        Ok(patterns) => patterns,
        Err(error) => return fault(Wrong::of(&error)),
    };
    let Err(error) = access::select(&patterns, &known) else {
        return Some(patterns);
    };
    let demo = access::own_tools(true);
    let with_demo: Vec<CatalogueTool> = own.iter().chain(&demo).cloned().collect();
    let with_demo = catalogue(&with_demo);
    let mut wrong = Wrong::of(&error);
    if access::select(&patterns, &with_demo).is_ok() {
        "add tools = true to [demo], which is off".clone_into(&mut wrong.hint);
    }
    let acting = access::call_api_as();
    if patterns.name(&acting.category, &acting.name) {
        "add [impersonation] with a ceiling, which is off".clone_into(&mut wrong.hint);
    }
    fault(wrong)
}

pub(super) fn access(
    reading: &Reading<'_>,
    tools: Option<&ToolsConfig>,
    scopes: Option<&ScopePolicy>,
    own: Option<&[CatalogueTool]>,
    machines: bool,
) -> Option<AccessPolicy> {
    let entries = reading.entries("access");
    let read: Vec<Option<AccessRule>> = entries
        .iter()
        .map(|entry| rule(reading, entry, scopes, own, machines))
        .collect();
    let rules: Option<Vec<AccessRule>> = read.into_iter().collect();
    let (rules, tools, own) = (rules?, tools?, own?);
    let rules = if entries.is_empty() {
        access::default_rules(own)
    } else {
        rules
    };
    // Every pattern was checked where it stands.
    AccessPolicy::new(&rules, &tools.enabled, tools.read_only, &catalogue(own)).ok()
}

fn rule(
    reading: &Reading<'_>,
    entry: &Entry,
    scopes: Option<&ScopePolicy>,
    own: Option<&[CatalogueTool]>,
    machines: bool,
) -> Option<AccessRule> {
    let tools = match reading.given_in(entry, &settings::ACCESS_TOOLS) {
        Some(given) => own.and_then(|own| patterns(reading, &given, own)),
        None => {
            reading.fault(missing(&settings::ACCESS_TOOLS, entry.place.clone()));
            None
        }
    };
    let clerk = reading.required_in(entry, &settings::ACCESS_CLERK, |text| match text {
        "session" => Ok(ClerkPower::Session),
        "instance" => Ok(ClerkPower::Instance),
        _ => Err(Wrong::new("it is neither", "use session or instance")),
    });
    let everyone = reading.required_in(entry, &settings::ACCESS_EVERYONE, switch);
    let conditions = conditions(reading, entry, scopes);
    let (everyone, conditions) = (everyone?, conditions?);
    if !entry.is_whole {
        // What could not be read may well be its condition.
        return None;
    }
    let fault = |problem: &str, hint: &str| {
        reading.fault(Wrong::new(problem, hint).at(entry.place.clone()));
    };
    // A scope is the person's own to grant: it says nothing of who they are.
    let names_nobody = Conditions {
        scope: Vec::new(),
        ..conditions.clone()
    };
    let acting = access::call_api_as();
    let gives_acting = tools
        .as_ref()
        .is_some_and(|tools| tools.name(&acting.category, &acting.name));
    match (everyone, conditions.is_empty(), clerk) {
        _ if gives_acting && names_nobody.is_empty() => fault(
            "this rule would let everybody who signs in act as everybody else",
            "add a condition: role, organization_role, organization_permission, user or email_domain",
        ),
        _ if gives_acting && !conditions.machine.is_empty() => fault(
            "a machine is nobody who could act as somebody else",
            "write a rule for people",
        ),
        (_, _, Some(ClerkPower::Instance)) if names_nobody.is_empty() => fault(
            "this rule would give everybody who signs in the power of the secret key",
            "add a condition: role, organization_role, organization_permission, user, email_domain or \
             machine",
        ),
        (false, true, _) => fault(
            "this rule has no condition",
            "say whom it is about (role, organization_role, organization_permission, user, \
             email_domain, scope, machine), or write everyone = true",
        ),
        (true, false, _) => fault(
            "this rule is for everyone, but has a condition",
            "remove either everyone or the condition",
        ),
        _ => {}
    }
    if !conditions.machine.is_empty()
        && let Some((problem, hint)) =
            fault_of_machine_rule(&conditions, machines, clerk, tools.as_ref(), own)
    {
        fault(problem, hint);
    }
    Some(AccessRule {
        tools: tools?,
        clerk: clerk?,
        conditions,
    })
}

/// What is wrong with a rule about machines, and a hint.
fn fault_of_machine_rule(
    conditions: &Conditions,
    machines: bool,
    clerk: Option<ClerkPower>,
    tools: Option<&Patterns>,
    own: Option<&[CatalogueTool]>,
) -> Option<(&'static str, &'static str)> {
    if !machines {
        return Some((
            "no machine can come here",
            "set sign_in.mode = \"clerk-tokens\" and sign_in.machine, or remove the rule",
        ));
    }
    let of_people = Conditions {
        machine: Vec::new(),
        ..conditions.clone()
    };
    if !of_people.is_empty() {
        return Some((
            "this rule is about machines, but has a condition for people",
            "write two rules",
        ));
    }
    let known = catalogue(own?);
    let selected = access::select(tools?, &known).ok()?;
    let has_clerk_tools = selected.iter().any(|index| !known[*index].own);
    (clerk == Some(ClerkPower::Session) && has_clerk_tools).then_some((
        "a machine has no session that Clerk tools could be bound to",
        "write clerk = \"instance\" to give it everything that the secret key can do with them, or name \
         tools of your own alone",
    ))
}

fn conditions(
    reading: &Reading<'_>,
    entry: &Entry,
    scopes: Option<&ScopePolicy>,
) -> Option<Conditions> {
    let list = |setting: &'static Setting, check: &dyn Fn(&str) -> Result<String, Wrong>| {
        let given = reading.given_in(entry, setting);
        if let Some(Given {
            raw: Raw::Many(texts),
            place,
        }) = &given
            && texts.is_empty()
        {
            // A list without elements could mean nobody as well as everybody.
            let hint = "name at least one, or remove the key";
            reading.fault(Wrong::new("the list is empty", hint).at(place.clone()));
            return None;
        }
        reading.list(given, check)
    };
    let role = list(&settings::ACCESS_ROLE, &plain);
    let organization_role = list(&settings::ACCESS_ORGANIZATION_ROLE, &|text| {
        prefixed(text, "org:", "org:admin")
    });
    let organization_permission = list(&settings::ACCESS_ORGANIZATION_PERMISSION, &|text| {
        prefixed(text, "org:", "org:sys_memberships:manage")
    });
    let user = list(&settings::ACCESS_USER, &|text| {
        prefixed(text, "user_", "user_2abc…, as the Clerk dashboard shows it")
    });
    let email_domain = list(&settings::ACCESS_EMAIL_DOMAIN, &domain);
    let scope = list(&settings::ACCESS_SCOPE, &|text| {
        let Some(scopes) = scopes else {
            return plain(text);
        };
        if scopes.definition(text).is_some() {
            return Ok(text.to_owned());
        }
        let offered = scopes.offered().iter().map(|scope| scope.value.as_str());
        let offered: Vec<&str> = offered.collect();
        Err(Wrong::new(
            "nobody can grant this scope",
            format!(
                "define it in [[oauth.scopes]], or use {}",
                offered.join(", ")
            ),
        ))
    });
    let machine = list(&settings::ACCESS_MACHINE, &|text| {
        prefixed(text, "mch_", "mch_2abc…, as the Clerk dashboard shows it")
    });
    Some(Conditions {
        role: role?,
        organization_role: organization_role?,
        organization_permission: organization_permission?,
        user: user?,
        email_domain: email_domain?,
        scope: scope?,
        machine: machine?,
    })
}

fn plain(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() || text.trim() != text {
        let hint = "write the exact text";
        return Err(Wrong::new("it is empty or has spaces around it", hint));
    }
    Ok(text.to_owned())
}

pub(super) fn prefixed(text: &str, prefix: &str, example: &str) -> Result<String, Wrong> {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte);
    if rest.is_empty() || !rest.bytes().all(good) {
        return Err(Wrong::new(
            format!("it does not look like {prefix}…"),
            format!("write it like {example}"),
        ));
    }
    Ok(text.to_owned())
}

fn domain(text: &str) -> Result<String, Wrong> {
    let domain = text.to_ascii_lowercase();
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(plain)
    };
    if !domain.contains('.') || !domain.split('.').all(label) {
        let hint = "write it like example.com, without `@` and `*`";
        return Err(Wrong::new("it is no domain", hint));
    }
    Ok(domain)
}
