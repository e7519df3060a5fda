//! `[api]` and `[[tools]]`: read by `http_tools`, which knows them.

use std::{collections::BTreeSet, path::Path};

use oauth::ScopePolicy;
use toolkit::operations;

use super::{
    fault::{ConfigFault, Place, Wrong, shown},
    model::SignIn,
    sources::Reading,
};
use crate::{
    access,
    http_tools::{CredentialKind, DefinitionFault, Definitions, HttpTools, line_of},
};

/// The tools over the owner's API; `Some(None)` when there is no `[api]`.
pub(super) fn http_tools(
    reading: &Reading<'_>,
    scopes: Option<&ScopePolicy>,
    sign_in: Option<&SignIn>,
) -> Option<Option<HttpTools>> {
    let sources = reading.sources();
    let Some((name, text)) = sources.toml else {
        return Some(None);
    };
    let mut own = access::own_tools(true);
    own.push(access::call_api_as());
    let read = HttpTools::read(Definitions {
        name,
        text,
        read_file: &|path: &Path| (sources.read_file)(&sources.base_dir.join(path)),
        env: &|name| reading.variable(name),
        secret: &|name| reading.secret_variable(name),
        is_taken: &|name| {
            operations::find(name).is_some()
                || own.iter().any(|tool| tool.name == name)
                || sources.tools.iter().any(|tool| tool.name() == name)
        },
        refuses: &|kind| sign_in.and_then(|sign_in| unavailable(kind, sign_in)),
    });
    let tools = match read {
        Ok(tools) => tools,
        Err(faults) => {
            for fault in faults {
                reading.fault(of_definition(fault));
            }
            return None;
        }
    };
    let Some(tools) = tools else {
        return Some(None);
    };
    let mut whole = true;
    for tool in &tools.tools {
        for scope in tool.scopes() {
            if scopes.is_some_and(|scopes| scopes.definition(scope).is_none()) {
                let problem = format!("nobody can grant the scope {}", shown(scope));
                let wrong = Wrong::new(problem, "define it in [[oauth.scopes]]");
                reading.fault(wrong.at(place(reading, &tools, tool.name(), "scopes")));
                whole = false;
            }
        }
    }
    whole.then_some(Some(tools))
}

/// Where a key of a tool's entry is; the entry, for no key and one that is not there.
fn place(reading: &Reading<'_>, tools: &HttpTools, tool: &str, key: &str) -> Place {
    let key_of_tool = match key {
        "" => format!("tools.{tool}"),
        key => format!("tools.{tool}.{key}"),
    };
    let toml = reading.sources().toml;
    let found = toml.and_then(|(name, text)| Some((name, line_of(tools, tool, key, text)?)));
    match found {
        Some((name, line)) => Place::File {
            name: name.to_owned(),
            line,
            key: key_of_tool,
        },
        None => Place::Setting(key_of_tool),
    }
}

/// Why a server where people sign in like this has no such credential, and what to do.
pub(super) fn unavailable(
    kind: &CredentialKind,
    sign_in: &SignIn,
) -> Option<(&'static str, &'static str)> {
    match (kind, sign_in) {
        (CredentialKind::Session | CredentialKind::JwtTemplate(_), SignIn::ClerkOauth(oauth))
            if !oauth.ticket_sessions =>
        {
            Some((
                "there are no session tokens where people sign in through clerk-oauth",
                "add session = \"ticket\" to [sign_in], use \"oauth\", or sign in with mode = \"app\"",
            ))
        }
        (CredentialKind::Session | CredentialKind::JwtTemplate(_), SignIn::ClerkTokens(tokens))
            if !tokens.ticket_sessions =>
        {
            Some((
                "there are no session tokens where people sign in through clerk-tokens",
                "add session = \"ticket\" to [sign_in], use \"m2m\" or a header, or sign in with mode = \
                 \"app\"",
            ))
        }
        // The client's own token goes nowhere.
        (CredentialKind::Oauth, SignIn::ClerkTokens(_)) => Some((
            "this server is no OAuth client of Clerk where people sign in through clerk-tokens",
            "use \"m2m\" or a header, or sign in with mode = \"clerk-oauth\"",
        )),
        (CredentialKind::Oauth, SignIn::App(_)) => Some((
            "Clerk's OAuth provider gives no tokens where people sign in through your application",
            "use \"session\" or a JWT template, or sign in with mode = \"clerk-oauth\"",
        )),
        _ => None,
    }
}

/// A value that no tool saves is never there. What tools written in Rust save is not known here.
pub(super) fn check_state(reading: &Reading<'_>, tools: &HttpTools) {
    if !reading.sources().tools.is_empty() {
        return;
    }
    let saved: BTreeSet<&str> = tools
        .tools
        .iter()
        .flat_map(|tool| tool.state_written())
        .collect();
    for tool in &tools.tools {
        for name in tool.state_read() {
            if !saved.contains(name.as_str()) {
                let place = place(reading, tools, tool.name(), "");
                let problem = format!("no tool saves the value of {{state.{name}}}");
                let hint =
                    format!("add save = {{ {name} = \"/…\" }} to the tool that it comes from");
                reading.fault(Wrong::new(problem, hint).at(place));
            }
        }
    }
}

fn of_definition(fault: DefinitionFault) -> ConfigFault {
    let key = fault.pointer.trim_start_matches('/').to_owned();
    let place = match fault.line {
        Some(line) => Place::File {
            name: fault.file,
            line,
            key,
        },
        None => Place::Setting(fault.file),
    };
    Wrong::new(fault.problem, fault.hint).at(place)
}
