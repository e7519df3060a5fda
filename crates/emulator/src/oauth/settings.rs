//! The switches of the OAuth provider.

use super::scope;
use super::state::Settings;
use crate::body::{Body, Kind, Unknown, nullable};
use crate::call::Call;
use crate::error::{self, ApiError};
use serde_json::{Value, json};

/// `GetInstanceOAuthApplicationSettings`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut view = json!(call.state.oauth.settings);
    view["object"] = json!("oauth_application_settings");
    Ok(view)
}

/// `UpdateInstanceOAuthApplicationSettings`. Null leaves a switch as it is, and takes the default
/// scopes back to Clerk's.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [
        nullable("dynamic_oauth_client_registration", Kind::Boolean),
        nullable("default_scopes", Kind::Texts),
        nullable("oauth_jwt_access_tokens", Kind::Boolean),
        nullable("client_id_metadata_documents_advertised", Kind::Boolean),
        nullable(
            "client_id_metadata_documents_only_allow_pre_registered_clients",
            Kind::Boolean,
        ),
        nullable(
            "client_id_metadata_documents_block_implicitly_allowed_clients",
            Kind::Boolean,
        ),
    ];
    let body = Body::check(&given, &params, Unknown::Refused)?;
    let mut settings = call.state.oauth.settings.clone();
    if given.contains_key("default_scopes") {
        let scopes = body.texts("default_scopes");
        if let Some(wrong) = scopes.iter().find(|scope| !scope::is_token(scope)) {
            return Err(error::param_value_invalid("default_scopes", wrong));
        }
        settings.default_scopes = body
            .has("default_scopes")
            .then(|| scope::split(&scopes.join(" ")));
    }
    let Settings {
        dynamic_oauth_client_registration,
        default_scopes: _,
        oauth_jwt_access_tokens,
        client_id_metadata_documents_advertised,
        client_id_metadata_documents_only_allow_pre_registered_clients,
        client_id_metadata_documents_block_implicitly_allowed_clients,
    } = &mut settings;
    let switches = [
        (params[0].name, dynamic_oauth_client_registration),
        (params[2].name, oauth_jwt_access_tokens),
        (params[3].name, client_id_metadata_documents_advertised),
        (
            params[4].name,
            client_id_metadata_documents_only_allow_pre_registered_clients,
        ),
        (
            params[5].name,
            client_id_metadata_documents_block_implicitly_allowed_clients,
        ),
    ];
    for (name, switch) in switches {
        if let Some(value) = body.boolean(name) {
            *switch = value;
        }
    }
    call.state.oauth.settings = settings;
    get(call)
}
