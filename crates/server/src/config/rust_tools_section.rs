//! Tools written in Rust: they are no setting, but have to fit to the rest.

use oauth::ScopePolicy;
use toolkit::operations;

use super::{
    fault::{Place, Wrong, shown},
    http_tools_section::unavailable,
    model::SignIn,
    sources::Reading,
};
use crate::{
    access,
    http_tools::{self, CredentialKind},
    rust_tools::RustTool,
};

/// The tools that the program brings along, each good by itself and beside the others.
pub(super) fn rust_tools(
    reading: &Reading<'_>,
    scopes: Option<&ScopePolicy>,
    sign_in: Option<&SignIn>,
    has_machine: bool,
) -> Option<Vec<RustTool>> {
    let tools = reading.sources().tools;
    let mut own = access::own_tools(true);
    own.push(access::call_api_as());
    let clerk = || operations::all().map(|operation| operation.category.name());
    let is_taken =
        |name: &str| operations::find(name).is_some() || own.iter().any(|tool| tool.name == name);
    // A rule about those tools would be about this one too.
    let is_others = |category: &str| {
        category == http_tools::CATEGORY
            || own.iter().any(|tool| tool.category == category)
            || clerk().any(|of_clerk| of_clerk == category)
    };
    let mut whole = true;
    for (index, tool) in tools.iter().enumerate() {
        let mut fault = |problem: String, hint: &str| {
            let place = Place::Setting(format!("the Rust tool {}", shown(tool.name())));
            reading.fault(Wrong::new(problem, hint).at(place));
            whole = false;
        };
        for (problem, hint) in tool.faults() {
            fault(problem.clone(), hint);
        }
        if is_taken(tool.name()) {
            fault(
                "another tool here has this name".to_owned(),
                "correct its NAME",
            );
        }
        if tools[..index]
            .iter()
            .any(|other| other.name() == tool.name())
        {
            fault(
                "it is there twice".to_owned(),
                "add it once, or correct its NAME",
            );
        }
        if is_others(tool.category()) {
            let problem = format!("{} is the category of other tools", shown(tool.category()));
            fault(problem, "correct its CATEGORY");
        }
        for scope in tool.scopes() {
            if scopes.is_some_and(|scopes| scopes.definition(scope).is_none()) {
                let problem = format!("nobody can grant the scope {}", shown(scope));
                fault(problem, "define it in [[oauth.scopes]]");
            }
        }
        let credential = tool.credential();
        let wrong = sign_in.and_then(|sign_in| unavailable(credential, sign_in));
        if let Some((problem, hint)) = wrong {
            fault(problem.to_owned(), hint);
        }
        if *credential == CredentialKind::M2m && !has_machine {
            let problem = "there is no machine's secret key to make M2M tokens with";
            fault(
                problem.to_owned(),
                "add [api] with base_url and credential, and set CLERK_MACHINE_SECRET_KEY or [api.m2m]",
            );
        }
    }
    whole.then(|| tools.to_vec())
}
