//! The tool `callApiAs` for `stdio` and `call`, where the command line asks for it.

use std::sync::Arc;

use clerk::{Client, HttpTransport};
use mcp::{
    OwnTool,
    audit::Audit,
    impersonation::{CallApiAs, CallApiAsParts, Impersonator, Parts, Policy},
    owners_api::BaseUrl,
};

use crate::{
    failure::Failure,
    impersonate::{self, Tasks},
    impersonation_journal,
};

/// The most bytes of an answer of the API that are read.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct CallApiAsArguments {
    /// Serve callApiAs too: calls of this API as other users, on the record (with --actor)
    #[arg(
        long,
        value_name = "URL",
        requires = "actor",
        conflicts_with_all = ["emulate", "read_only"]
    )]
    impersonate_api: Option<String>,
    /// With --impersonate-api: who acts, by user id
    #[arg(long, value_name = "USER_ID", requires = "impersonate_api")]
    actor: Option<String>,
    /// With --impersonate-api: on a production instance too
    #[arg(long, requires = "impersonate_api")]
    allow_live: bool,
    /// With --impersonate-api: leave the session token in answers that repeat it, for demonstrations
    #[arg(long, requires = "impersonate_api")]
    expose_tokens: bool,
    /// With --impersonate-api: the Frontend API's address [default: `CLERK_FRONTEND_API`, else
    /// `CLERK_PUBLISHABLE_KEY`'s]
    #[arg(long, value_name = "URL", requires = "impersonate_api")]
    frontend_api: Option<String>,
}

/// The tool, if it is asked for.
pub(crate) fn tool(
    arguments: &CallApiAsArguments,
    client: &Client,
    audit: &Arc<dyn Audit>,
) -> Result<Option<Arc<dyn OwnTool>>, Failure> {
    let (Some(api), Some(actor)) = (&arguments.impersonate_api, &arguments.actor) else {
        return Ok(None);
    };
    let api = BaseUrl::parse(api)
        .map_err(|error| Failure::usage(format!("--impersonate-api: {error}")))?;
    clerk::check_id(clerk::IdKind::User, actor)
        .map_err(|error| Failure::usage(format!("--actor: {error}")))?;
    let impersonator = Impersonator::new(Parts {
        client: client.clone(),
        policy: Policy::default()
            .allow_live(arguments.allow_live)
            .expose_tokens(arguments.expose_tokens),
        journal: Arc::new(impersonation_journal::of_user()?),
        audit: Arc::clone(audit),
        background: Arc::new(Tasks::default()),
    });
    Ok(Some(Arc::new(CallApiAs::new(CallApiAsParts {
        impersonator,
        frontend: impersonate::frontend(arguments.frontend_api.as_deref(), client)?,
        api,
        transport: Arc::new(HttpTransport::new().largest_body(LARGEST_ANSWER)),
        operator: Some(actor.clone()),
        template: None,
    }))))
}
