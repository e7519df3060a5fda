//! Orders: a call of one's own API, as the person who is signed in.

use clerk_mcp_server::{
    Context, Hints, Json, Tool, ToolError,
    http_tools::{CredentialHeader, CredentialKind},
};
use reqwest::{Client, Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists a person's orders at the shop.
pub(crate) struct ListOrders {
    api: String,
    client: Client,
}

/// Which orders.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Only orders in this state.
    status: Option<Status>,
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Open,
    Shipped,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Order {
    id: String,
    status: Status,
}

impl ListOrders {
    /// At the shop whose API is at `api`.
    pub(crate) fn new(api: String) -> Self {
        Self {
            api,
            client: Client::new(),
        }
    }

    async fn ask(
        &self,
        wanted: &Wanted,
        credential: &CredentialHeader,
    ) -> Result<Response, ToolError> {
        let request = self
            .client
            .get(format!("{}/orders", self.api))
            .header(credential.name(), credential.value());
        let request = match wanted.status {
            Some(status) => request.query(&[("status", status)]),
            None => request,
        };
        request.send().await.map_err(ToolError::internal)
    }
}

impl Tool for ListOrders {
    type Arguments = Wanted;
    // No JSON object, so that clients find it below `result`.
    type Output = Json<Vec<Order>>;
    const NAME: &'static str = "listOrders";
    const DESCRIPTION: &'static str = "Lists the orders of the person who is signed in.";
    const HINTS: Hints = Hints::READ;
    const CATEGORY: &'static str = "shop";
    const SCOPES: &'static [&'static str] = &["orders:read"];

    /// A session token of Clerk's, as the shop's own pages send it.
    fn credential(&self) -> CredentialKind {
        CredentialKind::Session
    }

    async fn call(
        &self,
        wanted: Wanted,
        context: Context<'_>,
    ) -> Result<Json<Vec<Order>>, ToolError> {
        let signed_out = || ToolError::new("sign_in_again", "the shop does not accept the sign-in");
        let credential = context.credential().await?.ok_or_else(signed_out)?;
        let mut answer = self.ask(&wanted, &credential).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            let other = context.credential_after(&credential).await?;
            let other = other.ok_or_else(signed_out)?;
            answer = self.ask(&wanted, &other).await?;
        }
        if answer.status() == StatusCode::UNAUTHORIZED {
            return Err(signed_out());
        }
        let answer = answer.error_for_status().map_err(ToolError::internal)?;
        answer.json().await.map(Json).map_err(ToolError::internal)
    }
}
