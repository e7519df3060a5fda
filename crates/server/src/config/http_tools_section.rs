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
    http_tools::{CredentialKind, DefinitionFault, Definitions, HttpTools},
};

/// The tools over the owner's API; `Some(None)` when there is no `[api]`.
pub(super) fn http_tools(
    reading: &Reading<'_>,
    scopes: Option<&ScopePolicy>,
) -> Option<Option<HttpTools>> {
    let sources = reading.sources();
    let Some((name, text)) = sources.toml else {
        return Some(None);
    };
    let own = access::own_tools(true);
    let read = HttpTools::read(Definitions {
        name,
        text,
        read_file: &|path: &Path| (sources.read_file)(&sources.base_dir.join(path)),
        env: sources.env,
        is_taken: &|name| {
            operations::find(name).is_some()
                || own.iter().any(|tool| tool.name == name)
                || sources.tools.iter().any(|tool| tool.name() == name)
        },
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
    let mut whole = true;
    for tool in tools.iter().flat_map(|tools| &tools.tools) {
        for scope in tool.scopes() {
            if scopes.is_some_and(|scopes| scopes.definition(scope).is_none()) {
                let problem = format!("nobody can grant the scope {}", shown(scope));
                let wrong = Wrong::new(problem, "define it in [[oauth.scopes]]");
                let place = Place::Setting(format!("tools.{}.scopes", tool.name()));
                reading.fault(wrong.at(place));
                whole = false;
            }
        }
    }
    whole.then_some(tools)
}

/// What the tools ask for that this server does not have: it is told before anything starts.
pub(super) fn check_needs(reading: &Reading<'_>, tools: &HttpTools, sign_in: &SignIn) {
    check_state(reading, tools);
    for tool in &tools.tools {
        if let Some(wrong) = unavailable(&tool.credential, sign_in) {
            let place = Place::Setting(format!("tools.{}.credential", tool.name()));
            reading.fault(wrong.at(place));
        }
    }
}

/// Why a server where people sign in like this has no such credential.
pub(super) fn unavailable(credential: &CredentialKind, sign_in: &SignIn) -> Option<Wrong> {
    match (credential, sign_in) {
        (CredentialKind::Session | CredentialKind::JwtTemplate(_), SignIn::ClerkOauth(_)) => {
            Some(Wrong::new(
                "there are no session tokens where people sign in through clerk-oauth",
                "set sign_in.mode = \"app\"",
            ))
        }
        (CredentialKind::Oauth | CredentialKind::M2m, _) => Some(Wrong::new(
            "this version has no such credential yet",
            "use \"session\", a JWT template, a header or \"none\"",
        )),
        _ => None,
    }
}

/// A value that no tool saves is never there. What tools written in Rust save is not known here.
fn check_state(reading: &Reading<'_>, tools: &HttpTools) {
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
                let place = Place::Setting(format!("tools.{}", tool.name()));
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
