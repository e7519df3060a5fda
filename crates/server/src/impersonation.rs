//! `callApiAs` in a server: where its sessions are kept on record, and that none outlives the server.

use std::{fmt, sync::Arc, time::Duration};

use clerk::{BoxFuture, Client, HttpTransport, frontend::FrontendClient, oauth::FrontendApi};
use mcp::{
    OwnTool,
    impersonation::{Background, CallApiAs, CallApiAsParts, Impersonator, Parts},
};

use crate::{
    config::Config,
    impersonation_journal::FileJournal,
    server::{SetUpError, Surroundings},
};

/// The most bytes of an answer of the API that are read.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
/// How long Clerk may take to end what was left open.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends what `callApiAs` has started.
#[derive(Clone)]
pub(crate) struct Impersonations(Impersonator);

impl fmt::Debug for Impersonations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Sessions of calls that were cancelled are ended by tasks of the server's runtime. What it does not
/// come to, the journal still has.
struct Tasks;

impl Background for Tasks {
    fn run(&self, work: BoxFuture<'static, ()>) {
        tokio::spawn(work);
    }
}

/// The tool, and what ends its sessions.
type Acting = (Arc<dyn OwnTool>, Impersonations);

/// The tool with all behind it; `None` where nobody may act as anybody else.
pub(crate) fn call_api_as(
    config: &Config,
    around: &Surroundings,
    client: &Client,
) -> Result<Option<Acting>, SetUpError> {
    let Some(impersonation) = &config.impersonation else {
        return Ok(None);
    };
    let frontend_api = FrontendApi::parse(config.clerk.frontend_api.as_str())
        .map_err(|error| SetUpError(error.to_string()))?;
    let impersonator = Impersonator::new(Parts {
        client: client.clone(),
        policy: impersonation.policy,
        journal: Arc::new(FileJournal::beside(&config.storage.path)),
        audit: Arc::clone(&around.audit),
        background: Arc::new(Tasks),
    });
    let tool = CallApiAs::new(CallApiAsParts {
        impersonator: impersonator.clone(),
        frontend: FrontendClient::new(frontend_api, Arc::clone(&around.clerk)),
        api: impersonation.api.clone(),
        transport: Arc::new(HttpTransport::new().largest_body(LARGEST_ANSWER)),
        // Only who is signed in acts.
        operator: None,
        template: impersonation.template.clone(),
    });
    Ok(Some((Arc::new(tool), Impersonations(impersonator))))
}

impl Impersonations {
    /// Ends whatever is going on: before the server serves, what a crash has left; after it, what was
    /// cancelled on the way.
    pub(crate) async fn end_all(&self) {
        let hint = "hint: `clerk-mcp impersonate --revoke-all --journal …` ends them";
        let Ok(ended) = tokio::time::timeout(PATIENCE, self.0.revoke_all()).await else {
            tracing::warn!("Clerk did not end in time what callApiAs has left open\n{hint}");
            return;
        };
        match ended {
            Ok(revoked) => {
                if !revoked.ended.is_empty() {
                    tracing::info!(count = revoked.ended.len(), "ended sessions of callApiAs");
                }
                for (started, error) in revoked.failed {
                    tracing::warn!(%error, impersonation = started.id, "it could not be ended");
                }
            }
            Err(error) => tracing::warn!(%error, "what callApiAs has left open is not known"),
        }
    }
}
