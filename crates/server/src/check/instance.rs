//! Whether the keys that Clerk's Frontend API publishes are those of the instance whose secret key this
//! is: an address copied from one instance and a key copied from another work, until somebody signs in.

use std::sync::Arc;

use bytes::Bytes;
use clerk::{
    Client, Transport,
    oauth::{FrontendApi, ProviderMetadata},
};
use serde_json::Value;

use crate::config::Config;

/// Where the Frontend API has its keys, whatever else it is.
const KEYS: &str = "/.well-known/jwks.json";
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The metadata of the authorization server that the Frontend API is, as it stands there and as it is
/// understood.
pub(super) async fn metadata(
    config: &Config,
    transport: &Arc<dyn Transport>,
) -> Result<(Value, ProviderMetadata), String> {
    let frontend_api = parsed(config.clerk.frontend_api.as_str())?;
    let document = get_json(transport, &format!("{frontend_api}{METADATA}")).await?;
    let metadata =
        ProviderMetadata::from_json(&document, &frontend_api).map_err(|error| error.to_string())?;
    Ok((document, metadata))
}

/// Compares them; the fault if they are not one instance's. `keys` is where they are published, if
/// that was said.
pub(crate) async fn compare(
    frontend_api: &str,
    client: &Client,
    transport: &Arc<dyn Transport>,
    keys: Option<String>,
) -> Result<(), String> {
    let own = client.session_keys().await;
    let own = own.map_err(|error| format!("Clerk's keys: {error}"))?;
    let read = async {
        let address = match keys {
            Some(address) => address,
            None => format!("{}{KEYS}", parsed(frontend_api)?),
        };
        get_json(transport, &address).await
    };
    let published = read.await;
    let published = published.map_err(|problem| format!("Clerk's Frontend API: {problem}"))?;
    let published = published["keys"].as_array().into_iter().flatten();
    let mut ids = published.filter_map(|key| key["kid"].as_str());
    if ids.any(|id| own.has(Some(id))) {
        return Ok(());
    }
    Err(format!(
        "Clerk's keys: {} has none of those that the Backend API has\n\
         hint: CLERK_PUBLISHABLE_KEY (or CLERK_FRONTEND_API) and CLERK_SECRET_KEY are of different \
         instances; copy both from the same one in https://dashboard.clerk.com (API keys)",
        frontend_api
    ))
}

fn parsed(frontend_api: &str) -> Result<FrontendApi, String> {
    FrontendApi::parse(frontend_api).map_err(|error| error.to_string())
}

async fn get_json(transport: &Arc<dyn Transport>, address: &str) -> Result<Value, String> {
    let hint = "hint: check CLERK_FRONTEND_API";
    let request = http::Request::get(address).body(Bytes::new());
    let request = request.map_err(|_| format!("{address} is no address\n{hint}"))?;
    let answer = transport.send(request).await;
    let answer = answer.map_err(|error| format!("{address}: {error}\n{hint}"))?;
    if !answer.status().is_success() {
        return Err(format!(
            "{address} answers with {}\n{hint}",
            answer.status()
        ));
    }
    let read = serde_json::from_slice(answer.body());
    read.map_err(|_| format!("{address} answers with no JSON\n{hint}"))
}
