use std::time::Duration;

use mcp::OwnToolError;
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use toolkit::operation::Hints;

use super::{context::Context, output::Output};
use crate::http_tools::CredentialKind;

/// The category of a tool that names none: `custom.*` in access rules.
pub const CATEGORY: &str = "custom";
/// How long a call has unless the tool says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A tool written in Rust.
///
/// Nobody has it until an access rule names it, by its name or as `category.*`. It needs the scope
/// `tools:read` where [`Tool::HINTS`] say that it changes nothing, else `tools:write`, and
/// [`Tool::SCOPES`] besides. Every call is audited; a destructive one is confirmed by the person where
/// the client can ask. A call that panics, or takes longer than [`Tool::TIMEOUT`], fails and harms no
/// other.
pub trait Tool: Send + Sync + 'static {
    /// The arguments: a struct. What does not fit its schema is refused before [`Tool::call`], with
    /// each fault named; so are members that it does not have. [`NoArguments`] for none.
    type Arguments: DeserializeOwned + JsonSchema + Send;
    /// The result: [`super::Json`] of a type, a text, or [`mcp::Content`].
    type Output: Output;

    /// What clients call it, unique on the server: 1 to 64 letters, digits, `_` and `-`.
    const NAME: &'static str;
    /// What it does, for the model.
    const DESCRIPTION: &'static str;
    /// What it does to the world. Access rules, scopes and confirmation depend on it.
    const HINTS: Hints;
    /// A name for people; `""` makes one of [`Tool::NAME`].
    const TITLE: &'static str = "";
    /// What access rules group it by. Those of other tools (`users`, `api`, …) are refused.
    const CATEGORY: &'static str = CATEGORY;
    /// Scopes that the person must have granted besides; `[[oauth.scopes]]` defines them.
    const SCOPES: &'static [&'static str] = &[];
    /// How long a call has.
    const TIMEOUT: Duration = DEFAULT_TIMEOUT;

    /// What [`Context::credential`] gives. One that this server cannot have, for how people sign in,
    /// is refused when the server starts.
    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    /// Does it. Dropping the future cancels the call: a client may do that at any `await`.
    ///
    /// # Errors
    /// What the model is told: a code, a sentence, and what to do. Causes that are nobody's business
    /// go to the log with [`OwnToolError::internal`].
    fn call(
        &self,
        arguments: Self::Arguments,
        context: Context<'_>,
    ) -> impl Future<Output = Result<Self::Output, OwnToolError>> + Send;
}

/// The arguments of a tool that takes none.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}
