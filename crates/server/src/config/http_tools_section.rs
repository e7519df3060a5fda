//! `[api]` and `[[tools]]`: read by `http_tools`, which knows them.

use std::path::Path;

use oauth::ScopePolicy;
use toolkit::operations;

use super::{
    fault::{ConfigFault, Place, Wrong, shown},
    sources::Reading,
};
use crate::{
    access,
    http_tools::{DefinitionFault, Definitions, HttpTools},
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
            operations::find(name).is_some() || own.iter().any(|tool| tool.name == name)
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
