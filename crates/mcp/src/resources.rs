//! Resources: `clerk://users/{id}`, `clerk://organizations/{id}`, `clerk://instance`.
//!
//! A resource is read through the tool that answers the same, so that a principal sees no more here
//! than there.

use std::fmt;

use clerk::Request;
use http::Method;
use serde_json::{Map, Value, json};
use toolkit::{Quiet, ToolError};

use crate::{call::Record, service::Service};

/// What kinds of resources there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// `clerk://users/{id}`
    User,
    /// `clerk://organizations/{id}`
    Organization,
    /// `clerk://instance`
    Instance,
}

/// The contents of a resource: JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceText {
    /// Its URI, as asked for.
    pub uri: String,
    /// JSON text.
    pub text: String,
}

/// Why a resource cannot be read.
#[derive(Debug)]
pub enum ResourceError {
    /// There is no such resource for this principal.
    NotFound(String),
    /// Reading it failed.
    Tool(ToolError),
}

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(uri) => write!(
                f,
                "there is no resource {uri:?}\nhint: resources are clerk://users/{{id}}, \
                 clerk://organizations/{{id}} and clerk://instance"
            ),
            Self::Tool(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ResourceError {}

impl ResourceKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::User, Self::Organization, Self::Instance];

    /// The URI, or its RFC 6570 template.
    #[must_use]
    pub fn uri_template(self) -> &'static str {
        match self {
            Self::User => "clerk://users/{id}",
            Self::Organization => "clerk://organizations/{id}",
            Self::Instance => "clerk://instance",
        }
    }

    /// A short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organization => "organization",
            Self::Instance => "instance",
        }
    }

    /// What it holds.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::User => "A Clerk user with addresses, metadata and security state",
            Self::Organization => "A Clerk organization with metadata and members count",
            Self::Instance => {
                "This Clerk instance: environment, numbers of users and organizations"
            }
        }
    }
}

impl Service {
    /// The resources this principal can read.
    pub fn resources(&self) -> impl Iterator<Item = ResourceKind> + '_ {
        ResourceKind::ALL.into_iter().filter(|kind| match kind {
            ResourceKind::User => self.toolkit.tool("getUser").is_some(),
            ResourceKind::Organization => self.toolkit.tool("getOrganization").is_some(),
            ResourceKind::Instance => ["getUserCount", "getOrganizationList"]
                .iter()
                .all(|name| self.toolkit.tool(name).is_some()),
        })
    }

    /// Reads a resource for `client`, as it names itself. Every read is recorded.
    ///
    /// # Errors
    /// [`ResourceError`].
    pub async fn read_resource(
        &self,
        uri: &str,
        client: Option<String>,
    ) -> Result<ResourceText, ResourceError> {
        let record = Record::of(self, "resources/read", &recorded(uri), client);
        let read = self.read(uri).await;
        let (outcome, trace_id) = match &read {
            Ok(_) => ("ok", None),
            Err(ResourceError::NotFound(_)) => ("not_found", None),
            Err(ResourceError::Tool(error)) => {
                (error.code(), error.clerk().and_then(clerk::Error::trace_id))
            }
        };
        record.end(outcome.to_owned(), trace_id.map(str::to_owned));
        read
    }

    async fn read(&self, uri: &str) -> Result<ResourceText, ResourceError> {
        let not_found = || ResourceError::NotFound(uri.to_owned());
        let (kind, id) = parse(uri).ok_or_else(not_found)?;
        if !self.resources().any(|offered| offered == kind) {
            return Err(not_found());
        }
        let value = match kind {
            ResourceKind::User => self.read_user(id).await?,
            ResourceKind::Organization => self.read_organization(id).await?,
            ResourceKind::Instance => self.read_instance().await?,
        };
        let text = serde_json::to_string(&value).unwrap_or_default();
        Ok(ResourceText {
            uri: uri.to_owned(),
            text,
        })
    }

    async fn read_user(&self, id: &str) -> Result<Map<String, Value>, ResourceError> {
        match self.toolkit.auth_context() {
            Some(session) if session.user_id() != id => Err(ResourceError::NotFound(
                ResourceKind::User.uri_template().replace("{id}", id),
            )),
            Some(_) => self.tool("getUser", json!({})).await,
            None => self.tool("getUser", json!({"userId": id})).await,
        }
    }

    async fn read_organization(&self, id: &str) -> Result<Map<String, Value>, ResourceError> {
        let bound = self
            .toolkit
            .auth_context()
            .and_then(|session| session.organization_id());
        match bound {
            Some(bound) if bound != id => Err(ResourceError::NotFound(
                ResourceKind::Organization
                    .uri_template()
                    .replace("{id}", id),
            )),
            Some(_) => {
                self.tool("getOrganization", json!({"includeMembersCount": true}))
                    .await
            }
            None => {
                let arguments = json!({"organizationId": id, "includeMembersCount": true});
                self.tool("getOrganization", arguments).await
            }
        }
    }

    async fn read_instance(&self) -> Result<Map<String, Value>, ResourceError> {
        let request = Request::new("GetInstance", Method::GET, "/instance");
        let client = self.toolkit.client();
        let instance = client
            .send(&request)
            .await
            .map_err(|e| ResourceError::Tool(e.into()))?;
        let users = self.tool("getUserCount", json!({})).await?;
        let organizations = self.tool("getOrganizationList", json!({"limit": 1})).await;
        let organizations = match organizations {
            // The instance has none, and cannot have any.
            Err(ResourceError::Tool(ToolError::Clerk(error)))
                if error.is_organizations_disabled() =>
            {
                Map::from_iter([("total_count".to_owned(), json!(0))])
            }
            counted => counted?,
        };
        let mut summary = Map::new();
        let mut instance = instance.body;
        toolkit::text::escape_invisible(&mut instance);
        summary.insert("instance".into(), instance);
        let counts = [("user_count", users), ("organization_count", organizations)];
        for (name, answer) in counts {
            summary.insert(
                name.into(),
                answer.get("total_count").cloned().unwrap_or(Value::Null),
            );
        }
        Ok(summary)
    }

    async fn tool(
        &self,
        name: &str,
        arguments: Value,
    ) -> Result<Map<String, Value>, ResourceError> {
        let outcome = self.toolkit.call(name, &arguments, &Quiet).await;
        outcome
            .map(|outcome| outcome.structured)
            .map_err(ResourceError::Tool)
    }
}

/// What the audit keeps of a URI: the id, where it is one of ours.
fn recorded(uri: &str) -> Value {
    match parse(uri) {
        Some((kind, id)) => json!({"resource": kind.name(), "id": id}),
        None => json!({}),
    }
}

/// The id is checked where it is used: as one path segment with its prefix.
fn parse(uri: &str) -> Option<(ResourceKind, &str)> {
    let path = uri.strip_prefix("clerk://")?;
    match path.split_once('/') {
        None if path == "instance" => Some((ResourceKind::Instance, "")),
        Some(("users", id)) => Some((ResourceKind::User, id)),
        Some(("organizations", id)) => Some((ResourceKind::Organization, id)),
        _ => None,
    }
}
