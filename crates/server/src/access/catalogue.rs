//! The tools that access rules can name, and the rules that hold when none is configured.

use std::borrow::Cow;

use mcp::impersonation::CallApiAs;
use toolkit::{
    operations,
    pattern::{PatternError, Patterns},
};

use super::{AccessRule, ClerkPower, Conditions};
use crate::tools::{ACCOUNT, DEMO};

/// A tool that rules can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueTool {
    /// What patterns group by.
    pub category: Cow<'static, str>,
    /// The MCP name.
    pub name: Cow<'static, str>,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// Whether it is no Clerk operation.
    pub own: bool,
}

/// The server's own tools: `userInfo` and, when they are on, the demonstration's.
#[must_use]
pub fn own_tools(demo: bool) -> Vec<CatalogueTool> {
    let own = |category: &'static str, name: &'static str| CatalogueTool {
        category: category.into(),
        name: name.into(),
        read_only: true,
        own: true,
    };
    let mut tools = vec![own(ACCOUNT, "userInfo")];
    if demo {
        tools.extend([own(DEMO, "add"), own(DEMO, "generateImage")]);
    }
    tools
}

/// What patterns group [`CallApiAs`] by.
pub const IMPERSONATION: &str = "impersonation";

/// The tool that calls the owner's API as somebody else, where it is allowed.
#[must_use]
pub fn call_api_as() -> CatalogueTool {
    CatalogueTool {
        category: IMPERSONATION.into(),
        name: CallApiAs::NAME.into(),
        read_only: false,
        own: true,
    }
}

/// Whether a rule that selects this tool by these patterns gives it: to act as somebody else is given
/// by name, not along with everything.
pub(super) fn is_given(patterns: &Patterns, tool: &CatalogueTool) -> bool {
    tool.name != CallApiAs::NAME || patterns.name(&tool.category, &tool.name)
}

/// What holds when no rule is configured: everybody gets `userInfo` and, with their own power, the
/// Clerk tools; of the demonstration's tools, everybody gets `add`, and the roles `admin` and
/// `premium` get `generateImage`. Other own tools need a rule.
#[must_use]
pub fn default_rules(own: &[CatalogueTool]) -> Vec<AccessRule> {
    let mut categories: Vec<&str> = operations::all()
        .map(|operation| operation.category.name())
        .collect();
    categories.dedup();
    let premium = Conditions {
        role: vec!["admin".to_owned(), "premium".to_owned()],
        ..Conditions::default()
    };
    let mut rules = vec![(categories, Conditions::default())];
    for (category, name, conditions) in [
        (ACCOUNT, "userInfo", Conditions::default()),
        (DEMO, "add", Conditions::default()),
        (DEMO, "generateImage", premium),
    ] {
        let there = |tool: &CatalogueTool| tool.category == category && tool.name == name;
        if own.iter().any(there) {
            rules.push((vec![name], conditions));
        }
    }
    rules
        .into_iter()
        .filter_map(|(tools, conditions)| {
            Some(AccessRule {
                // Names of the tables are always patterns.
                tools: Patterns::parse(tools).ok()?,
                clerk: ClerkPower::Session,
                conditions,
            })
        })
        .collect()
}

/// Every tool that rules can name: these own tools, then Clerk's. An own tool takes the place of
/// the Clerk tool of the same name.
#[must_use]
pub fn catalogue(own: &[CatalogueTool]) -> Vec<CatalogueTool> {
    let clerk = operations::all()
        .filter(|operation| own.iter().all(|tool| tool.name != operation.name))
        .map(|operation| CatalogueTool {
            category: operation.category.name().into(),
            name: operation.name.into(),
            read_only: operation.hints.read_only,
            own: false,
        });
    own.iter().cloned().chain(clerk).collect()
}

/// The tools of the catalogue that patterns select, by position.
///
/// # Errors
/// A pattern that names nothing in it.
pub fn select(
    patterns: &Patterns,
    catalogue: &[CatalogueTool],
) -> Result<Vec<usize>, PatternError> {
    let pairs: Vec<(&str, &str)> = catalogue
        .iter()
        .map(|tool| (tool.category.as_ref(), tool.name.as_ref()))
        .collect();
    patterns.select(&pairs)
}
