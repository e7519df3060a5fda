//! The client's side of one request, as rmcp shows it.

use std::time::Duration;

use clerk::BoxFuture;
use rmcp::{
    RoleServer,
    model::{
        ClientCapabilities, Implementation, ProgressNotificationParam, ProgressToken,
        ProtocolVersion,
    },
    service::RequestContext,
};
use toolkit::Progress;

use super::results::{decision, elicitation};
use crate::call::{Asking, Decision, Host, Question};

/// How long a person has to answer an `elicitation/create`.
const ASK_TIMEOUT: Duration = Duration::from_secs(300);

/// The client's side of one request.
pub(super) struct RmcpHost<'a> {
    pub(super) context: &'a RequestContext<RoleServer>,
    pub(super) progress_token: Option<ProgressToken>,
}

impl Progress for RmcpHost<'_> {
    fn report(&self, done: u64, total: Option<u64>, message: String) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(token) = self.progress_token.clone() else {
                return;
            };
            let mut progress =
                ProgressNotificationParam::new(token, number(done)).with_message(message);
            if let Some(total) = total {
                progress = progress.with_total(number(total));
            }
            // A client that is gone needs no progress; the call ends by its cancellation.
            let _ = self.context.peer.notify_progress(progress).await;
        })
    }
}

impl Host for RmcpHost<'_> {
    fn client(&self) -> Option<String> {
        client_name(self.context)
    }

    fn asking(&self) -> Asking {
        let capabilities = self.context.client_capabilities();
        let can_ask = capabilities.as_ref().is_some_and(can_show_forms);
        let is_new = self
            .context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        match (can_ask, is_new) {
            (false, _) => Asking::Never,
            (true, true) => Asking::ByResult,
            (true, false) => Asking::Now,
        }
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, Decision> {
        Box::pin(async move {
            let asked = self
                .context
                .peer
                .create_elicitation_with_timeout(elicitation(question), Some(ASK_TIMEOUT))
                .await;
            asked.map_or(Decision::Unanswered, |result| decision(&result))
        })
    }
}

/// Whether a client shows forms to its person.
pub(super) fn can_show_forms(capabilities: &ClientCapabilities) -> bool {
    capabilities
        .elicitation
        .as_ref()
        .is_some_and(|elicitation| {
            // Clients older than URL mode declare neither mode and mean forms.
            elicitation.form.is_some() || elicitation.url.is_none()
        })
}

/// The client as it names itself.
pub(super) fn client_name(context: &RequestContext<RoleServer>) -> Option<String> {
    context.client_info().as_ref().map(name_of)
}

/// Name and version of a client: at most 100 characters, none of them invisible.
pub(super) fn name_of(client: &Implementation) -> String {
    let name = format!("{} {}", client.name, client.version);
    let short: String = name.chars().take(100).collect();
    toolkit::text::escape_str(&short).into_owned()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of users are far below 2^53"
)]
fn number(count: u64) -> f64 {
    count as f64
}
