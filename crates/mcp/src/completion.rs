//! Completion of ids in prompts and resource URIs.

use serde_json::{Value, json};
use toolkit::Quiet;

use crate::{resources::ResourceKind, service::Service};

/// What is being completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionTarget<'a> {
    /// The variable of a resource template, by its URI template.
    Resource {
        /// `clerk://users/{id}`
        uri_template: &'a str,
    },
    /// An argument of a prompt.
    Prompt {
        /// The prompt.
        name: &'a str,
        /// The argument.
        argument: &'a str,
    },
}

/// Completions, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// The values.
    pub values: Vec<String>,
    /// Whether there are more than these.
    pub has_more: bool,
}

/// How many are offered: a person picks from a short list.
const MOST: usize = 20;

impl Service {
    /// Ids for what has been typed so far: the beginning of an id, a name or an e-mail address. What
    /// cannot be completed gives an empty list, and so does a Clerk that cannot be reached: a client
    /// asks at every key stroke, and the call itself will say what is wrong.
    pub async fn complete(&self, target: CompletionTarget<'_>, typed: &str) -> Completions {
        let kind = match target {
            CompletionTarget::Resource { uri_template } => ResourceKind::ALL
                .into_iter()
                .find(|kind| kind.uri_template() == uri_template),
            CompletionTarget::Prompt {
                name: "user_audit",
                argument: "user",
            }
            | CompletionTarget::Prompt {
                name: "organization_setup",
                argument: "admin",
            } => Some(ResourceKind::User),
            CompletionTarget::Prompt { .. } => None,
        };
        match kind {
            Some(ResourceKind::User) => self.user_ids(typed).await,
            Some(ResourceKind::Organization) => self.organization_ids(typed).await,
            Some(ResourceKind::Instance) | None => Completions::default(),
        }
    }

    async fn user_ids(&self, typed: &str) -> Completions {
        match self.toolkit.auth_context() {
            Some(session) => own(session.user_id(), typed),
            None => self.search("getUserList", "user_", typed).await,
        }
    }

    async fn organization_ids(&self, typed: &str) -> Completions {
        let Some(session) = self.toolkit.auth_context() else {
            return self.search("getOrganizationList", "org_", typed).await;
        };
        if let Some(organization_id) = session.organization_id() {
            return own(organization_id, typed);
        }
        let arguments = json!({"limit": 500});
        let answer = self
            .toolkit
            .call("getUserOrganizationMembershipList", &arguments, &Quiet)
            .await;
        let ids = answer.map(|outcome| {
            let rows = outcome
                .structured
                .get("data")
                .and_then(Value::as_array)
                .cloned();
            rows.unwrap_or_default()
                .iter()
                .filter_map(|row| row.pointer("/organization/id").and_then(Value::as_str))
                .filter(|id| id.starts_with(typed))
                .map(str::to_owned)
                .collect()
        });
        bounded(ids.unwrap_or_default())
    }

    async fn search(&self, tool: &str, prefix: &str, typed: &str) -> Completions {
        let typed = typed.trim();
        let mut arguments = json!({"limit": MOST + 1, "fields": ["/id"]});
        // A prefix alone says nothing yet: the newest are offered.
        let says_nothing = prefix.starts_with(typed);
        if let (false, Some(arguments)) = (says_nothing, arguments.as_object_mut()) {
            arguments.insert("query".into(), typed.into());
        }
        let answer = self.toolkit.call(tool, &arguments, &Quiet).await;
        let ids: Vec<String> = answer.map_or_else(
            |_| Vec::new(),
            |outcome| {
                let rows = outcome
                    .structured
                    .get("data")
                    .and_then(Value::as_array)
                    .cloned();
                let ids = rows.unwrap_or_default();
                ids.iter()
                    .filter_map(|row| row.get("id").and_then(Value::as_str))
                    .filter(|id| !typed.starts_with(prefix) || id.starts_with(typed))
                    .map(str::to_owned)
                    .collect()
            },
        );
        bounded(ids)
    }
}

fn own(id: &str, typed: &str) -> Completions {
    bounded(if id.starts_with(typed) {
        vec![id.to_owned()]
    } else {
        Vec::new()
    })
}

fn bounded(mut values: Vec<String>) -> Completions {
    let has_more = values.len() > MOST;
    values.truncate(MOST);
    Completions { values, has_more }
}
