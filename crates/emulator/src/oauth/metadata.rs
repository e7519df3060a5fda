//! What clients discover: the documents under `/.well-known/`.

use super::scope;
use crate::call::Call;
use crate::error::ApiError;
use serde_json::{Value, json};

const CLAIMS: [&str; 13] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "org_id",
];
const AUTHENTICATION_METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];

/// `getOpenIDConfiguration` (OpenID Connect Discovery).
pub(crate) fn openid_configuration(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut document = common(call);
    let url = call.url;
    document["introspection_endpoint"] = json!(format!("{url}/oauth/token_info"));
    document["userinfo_endpoint"] = json!(format!("{url}/oauth/userinfo"));
    document["response_modes_supported"] = json!(["query", "form_post"]);
    document["backchannel_logout_supported"] = json!(false);
    document["frontchannel_logout_supported"] = json!(false);
    Ok(document)
}

/// `getOAuth2AuthorizationServerMetadata` (RFC 8414).
pub(crate) fn authorization_server(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut document = common(call);
    let settings = &call.state.oauth.settings;
    if settings.dynamic_oauth_client_registration {
        document["registration_endpoint"] = json!(format!("{}/oauth/register", call.url));
    }
    if settings.client_id_metadata_documents_advertised {
        document["client_id_metadata_document_supported"] = json!(true);
    }
    document["service_documentation"] = json!("https://clerk.com/docs");
    document["ui_locales_supported"] = json!(["en"]);
    document["op_tos_uri"] = json!("https://clerk.com/legal/standard-terms");
    Ok(document)
}

fn common(call: &Call<'_>) -> Value {
    let url = call.url;
    json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/oauth/authorize"),
        "token_endpoint": format!("{url}/oauth/token"),
        "revocation_endpoint": format!("{url}/oauth/token/revoke"),
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "scopes_supported": scope::supported(call.state),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": AUTHENTICATION_METHODS,
        "claims_supported": CLAIMS,
        "code_challenge_methods_supported": ["S256"],
    })
}
