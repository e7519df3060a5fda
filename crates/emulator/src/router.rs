//! The table of operations, and finding the one a request is for.

use crate::call::Call;
use crate::error::ApiError;
use crate::{
    api_keys, browser, email_addresses, instance, invitations, jwt_templates, machines,
    memberships, oauth, organization_invitations, organizations, roles, sessions, tickets, users,
};
use bytes::Bytes;
use http::{Method, Response};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Answers one operation of the Backend API: the body of a 200, or a refusal.
type JsonHandler = fn(&mut Call<'_>) -> Result<Value, ApiError>;
/// Answers one operation with a response of its own: a page, a redirect, another status.
type RawHandler = fn(&mut Call<'_>) -> Result<Response<Bytes>, ApiError>;

/// What answers an operation.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Json(JsonHandler),
    Raw(RawHandler),
}

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever holds a secret key of the instance.
    SecretKey,
    /// They, and whoever holds the secret key of a machine.
    MachineToo,
    Public,
}

/// A row of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    path: &'static str,
    /// The `operationId` of Clerk's OpenAPI file.
    pub(crate) operation: &'static str,
    pub(crate) access: Access,
    pub(crate) handler: Handler,
}

impl Route {
    /// Is it an operation of the Frontend API on a client?
    pub(crate) fn is_client_api(&self) -> bool {
        let rest = self.path.strip_prefix("/v1/client");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A route and the parameters of the path.
pub(crate) struct Match {
    pub(crate) route: &'static Route,
    pub(crate) params: Vec<(&'static str, String)>,
}

impl Match {
    /// Is it a page or an endpoint of the Frontend API that reads its own body?
    pub(crate) fn is_open(&self) -> bool {
        self.route.access == Access::Public && matches!(self.route.handler, Handler::Raw(_))
    }
}

/// What Clerk's SDK calls without the version in front, although the OpenAPI file has it there.
const UNVERSIONED: [&str; 3] = [
    "/api_keys",
    "/m2m_tokens",
    "/oauth_applications/access_tokens/verify",
];

/// The first route of the table that fits.
pub(crate) fn find(method: &Method, path: &str) -> Option<Match> {
    let is_below = |start: &str| {
        let rest = path.strip_prefix(start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if UNVERSIONED.iter().any(|start| is_below(start)) {
        return find(method, &format!("/v1{path}"));
    }
    let routes = ROUTES.iter().filter(|route| route.method == *method);
    routes
        .filter_map(|route| {
            Some(Match {
                route,
                params: fit(route.path, path)?,
            })
        })
        .next()
}

/// The names of all operations, in the order of the table.
pub(crate) fn operations() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|route| route.operation)
}

/// The operation whose name is most like this one, if one is much like it.
pub(crate) fn nearest_operation(name: &str) -> Option<&'static str> {
    // A longer text is no slip of the fingers, and comparing it would take long.
    if name.len() > 100 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    operations()
        .map(|known| (edits(&name, &known.to_ascii_lowercase()), known))
        .min_by_key(|(edits, _)| *edits)
        .filter(|(edits, known)| *edits <= known.len() / 3)
        .map(|(_, known)| known)
}

/// How many letters to add, drop or change to make one text of the other (Levenshtein distance).
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (position, letter) in one.chars().enumerate() {
        let mut diagonal = position;
        let mut left = position + 1;
        for (above, wanted) in row.iter_mut().skip(1).zip(&other) {
            let change = diagonal + usize::from(letter != *wanted);
            diagonal = *above;
            left = change.min(left + 1).min(*above + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = position + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Does the path fit the template, and with which parameters?
fn fit(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut params = Vec::new();
    let mut segments = path.split('/');
    for expected in template.split('/') {
        let segment = segments.next()?;
        match expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => {
                let value = percent_decode_str(segment).decode_utf8().ok()?;
                if value.is_empty() {
                    return None;
                }
                params.push((name, value.into_owned()));
            }
            None if expected == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(params)
}

const fn route(
    method: Method,
    path: &'static str,
    operation: &'static str,
    handler: JsonHandler,
) -> Route {
    Route {
        method,
        path,
        operation,
        access: Access::SecretKey,
        handler: Handler::Json(handler),
    }
}

const fn get(path: &'static str, operation: &'static str, handler: JsonHandler) -> Route {
    route(Method::GET, path, operation, handler)
}

const fn post(path: &'static str, operation: &'static str, handler: JsonHandler) -> Route {
    route(Method::POST, path, operation, handler)
}

const fn patch(path: &'static str, operation: &'static str, handler: JsonHandler) -> Route {
    route(Method::PATCH, path, operation, handler)
}

const fn put(path: &'static str, operation: &'static str, handler: JsonHandler) -> Route {
    route(Method::PUT, path, operation, handler)
}

const fn delete(path: &'static str, operation: &'static str, handler: JsonHandler) -> Route {
    route(Method::DELETE, path, operation, handler)
}

/// An operation that machines may call, too.
const fn of_machines(
    method: Method,
    path: &'static str,
    operation: &'static str,
    handler: Handler,
) -> Route {
    Route {
        method,
        path,
        operation,
        access: Access::MachineToo,
        handler,
    }
}

const fn public(path: &'static str, operation: &'static str, handler: JsonHandler) -> Route {
    Route {
        method: Method::GET,
        path,
        operation,
        access: Access::Public,
        handler: Handler::Json(handler),
    }
}

/// An operation of the Frontend API, or a page of the emulator.
const fn open(
    method: Method,
    path: &'static str,
    operation: &'static str,
    handler: RawHandler,
) -> Route {
    Route {
        method,
        path,
        operation,
        access: Access::Public,
        handler: Handler::Raw(handler),
    }
}

const fn raw_post(path: &'static str, operation: &'static str, handler: RawHandler) -> Route {
    Route {
        method: Method::POST,
        path,
        operation,
        access: Access::SecretKey,
        handler: Handler::Raw(handler),
    }
}

/// Fixed paths come before paths with a parameter in the same place.
#[rustfmt::skip]
static ROUTES: &[Route] = &[
    get("/v1/users", "GetUserList", users::list::list),
    post("/v1/users", "CreateUser", users::create::create),
    get("/v1/users/count", "GetUsersCount", users::list::count),
    post("/v1/users/ban", "UsersBan", users::standing::ban_many),
    post("/v1/users/unban", "UsersUnban", users::standing::unban_many),
    get("/v1/users/{user_id}", "GetUser", users::get),
    patch("/v1/users/{user_id}", "UpdateUser", users::update::update),
    delete("/v1/users/{user_id}", "DeleteUser", users::delete),
    patch("/v1/users/{user_id}/metadata", "UpdateUserMetadata", users::metadata::merge),
    put("/v1/users/{user_id}/metadata", "ReplaceUserMetadata", users::metadata::replace),
    post("/v1/users/{user_id}/ban", "BanUser", users::standing::ban),
    post("/v1/users/{user_id}/unban", "UnbanUser", users::standing::unban),
    post("/v1/users/{user_id}/lock", "LockUser", users::standing::lock),
    post("/v1/users/{user_id}/unlock", "UnlockUser", users::standing::unlock),
    post("/v1/users/{user_id}/verify_password", "VerifyPassword", users::password::verify),
    get("/v1/users/{user_id}/organization_memberships", "UsersGetOrganizationMemberships", memberships::list_of_user),
    get("/v1/users/{user_id}/organization_invitations", "UsersGetOrganizationInvitations", organization_invitations::list_of_user),

    post("/v1/email_addresses", "CreateEmailAddress", email_addresses::create),
    get("/v1/email_addresses/{email_address_id}", "GetEmailAddress", email_addresses::get),
    patch("/v1/email_addresses/{email_address_id}", "UpdateEmailAddress", email_addresses::update),
    delete("/v1/email_addresses/{email_address_id}", "DeleteEmailAddress", email_addresses::delete),

    get("/v1/sessions", "GetSessionList", sessions::list),
    post("/v1/sessions", "createSession", sessions::create),
    get("/v1/sessions/{session_id}", "GetSession", sessions::get),
    post("/v1/sessions/{session_id}/revoke", "RevokeSession", sessions::revoke),
    post("/v1/sessions/{session_id}/tokens", "CreateSessionToken", sessions::create_token),
    post("/v1/sessions/{session_id}/tokens/{template_name}", "CreateSessionTokenFromTemplate", sessions::create_token_from_template),

    get("/v1/jwt_templates", "ListJWTTemplates", jwt_templates::list),
    post("/v1/jwt_templates", "CreateJWTTemplate", jwt_templates::create),
    get("/v1/jwt_templates/{template_id}", "GetJWTTemplate", jwt_templates::get),
    patch("/v1/jwt_templates/{template_id}", "UpdateJWTTemplate", jwt_templates::update),
    delete("/v1/jwt_templates/{template_id}", "DeleteJWTTemplate", jwt_templates::delete),

    post("/v1/actor_tokens", "CreateActorToken", tickets::create_actor_token),
    post("/v1/actor_tokens/{actor_token_id}/revoke", "RevokeActorToken", tickets::revoke_actor_token),
    post("/v1/sign_in_tokens", "CreateSignInToken", tickets::create_sign_in_token),
    post("/v1/sign_in_tokens/{sign_in_token_id}/revoke", "RevokeSignInToken", tickets::revoke_sign_in_token),

    get("/v1/machines", "ListMachines", machines::list),
    post("/v1/machines", "CreateMachine", machines::create),
    get("/v1/machines/{machine_id}", "GetMachine", machines::get),
    patch("/v1/machines/{machine_id}", "UpdateMachine", machines::update),
    delete("/v1/machines/{machine_id}", "DeleteMachine", machines::delete),
    get("/v1/machines/{machine_id}/secret_key", "GetMachineSecretKey", machines::get_secret_key),
    post("/v1/machines/{machine_id}/secret_key/rotate", "RotateMachineSecretKey", machines::rotate_secret_key),
    post("/v1/machines/{machine_id}/scopes", "CreateMachineScope", machines::create_scope),
    delete("/v1/machines/{machine_id}/scopes/{other_machine_id}", "DeleteMachineScope", machines::delete_scope),

    of_machines(Method::GET, "/v1/m2m_tokens", "getM2MTokens", Handler::Json(machines::tokens::list)),
    of_machines(Method::POST, "/v1/m2m_tokens", "createM2MToken", Handler::Raw(machines::tokens::create)),
    of_machines(Method::POST, "/v1/m2m_tokens/verify", "verifyM2MToken", Handler::Json(machines::tokens::verify)),
    of_machines(Method::POST, "/v1/m2m_tokens/{m2m_token_id}/revoke", "revokeM2MToken", Handler::Json(machines::tokens::revoke)),

    get("/v1/api_keys", "getApiKeys", api_keys::list),
    post("/v1/api_keys", "createApiKey", api_keys::create),
    post("/v1/api_keys/verify", "verifyApiKey", api_keys::verify),
    get("/v1/api_keys/{api_key_id}", "getApiKey", api_keys::get),
    patch("/v1/api_keys/{api_key_id}", "updateApiKey", api_keys::update),
    delete("/v1/api_keys/{api_key_id}", "deleteApiKey", api_keys::delete),
    get("/v1/api_keys/{api_key_id}/secret", "getApiKeySecret", api_keys::get_secret),
    post("/v1/api_keys/{api_key_id}/revoke", "revokeApiKey", api_keys::revoke),

    get("/v1/organizations", "ListOrganizations", organizations::list),
    post("/v1/organizations", "CreateOrganization", organizations::create),
    get("/v1/organizations/{organization_id}", "GetOrganization", organizations::get),
    patch("/v1/organizations/{organization_id}", "UpdateOrganization", organizations::update),
    delete("/v1/organizations/{organization_id}", "DeleteOrganization", organizations::delete),
    patch("/v1/organizations/{organization_id}/metadata", "MergeOrganizationMetadata", organizations::merge_metadata),
    put("/v1/organizations/{organization_id}/metadata", "ReplaceOrganizationMetadata", organizations::replace_metadata),

    get("/v1/organization_memberships", "InstanceGetOrganizationMemberships", memberships::list_of_instance),
    get("/v1/organizations/{organization_id}/memberships", "ListOrganizationMemberships", memberships::list),
    post("/v1/organizations/{organization_id}/memberships", "CreateOrganizationMembership", memberships::create),
    patch("/v1/organizations/{organization_id}/memberships/{user_id}", "UpdateOrganizationMembership", memberships::update),
    delete("/v1/organizations/{organization_id}/memberships/{user_id}", "DeleteOrganizationMembership", memberships::delete),
    patch("/v1/organizations/{organization_id}/memberships/{user_id}/metadata", "UpdateOrganizationMembershipMetadata", memberships::merge_metadata),

    get("/v1/organization_invitations", "ListInstanceOrganizationInvitations", organization_invitations::list_of_instance),
    get("/v1/organizations/{organization_id}/invitations", "ListOrganizationInvitations", organization_invitations::list),
    post("/v1/organizations/{organization_id}/invitations", "CreateOrganizationInvitation", organization_invitations::create),
    post("/v1/organizations/{organization_id}/invitations/bulk", "CreateOrganizationInvitationBulk", organization_invitations::create_many),
    get("/v1/organizations/{organization_id}/invitations/pending", "ListPendingOrganizationInvitations", organization_invitations::list_pending),
    get("/v1/organizations/{organization_id}/invitations/{invitation_id}", "GetOrganizationInvitation", organization_invitations::get),
    post("/v1/organizations/{organization_id}/invitations/{invitation_id}/revoke", "RevokeOrganizationInvitation", organization_invitations::revoke),

    get("/v1/invitations", "ListInvitations", invitations::list),
    post("/v1/invitations", "CreateInvitation", invitations::create),
    post("/v1/invitations/bulk", "CreateBulkInvitations", invitations::create_many),
    post("/v1/invitations/{invitation_id}/revoke", "RevokeInvitation", invitations::revoke),

    get("/v1/organization_roles", "ListOrganizationRoles", roles::list),
    get("/v1/organization_roles/{organization_role_id}", "GetOrganizationRole", roles::get),
    get("/v1/organization_permissions", "ListOrganizationPermissions", roles::list_permissions),
    get("/v1/organization_permissions/{permission_id}", "GetOrganizationPermission", roles::get_permission),

    get("/v1/instance", "GetInstance", instance::get),
    get("/v1/instance/organization_settings", "GetInstanceOrganizationSettings", instance::get_organization_settings),
    patch("/v1/instance/organization_settings", "UpdateInstanceOrganizationSettings", instance::update_organization_settings),
    get("/v1/instance/oauth_application_settings", "GetInstanceOAuthApplicationSettings", oauth::settings::get),
    patch("/v1/instance/oauth_application_settings", "UpdateInstanceOAuthApplicationSettings", oauth::settings::update),
    get("/v1/jwks", "GetJWKS", instance::key_set),

    get("/v1/oauth_applications", "ListOAuthApplications", oauth::applications::list),
    post("/v1/oauth_applications", "CreateOAuthApplication", oauth::applications::create),
    post("/v1/oauth_applications/access_tokens/verify", "verifyOAuthAccessToken", oauth::verify::verify),
    get("/v1/oauth_applications/{oauth_application_id}", "GetOAuthApplication", oauth::applications::get),
    patch("/v1/oauth_applications/{oauth_application_id}", "UpdateOAuthApplication", oauth::applications::update),
    delete("/v1/oauth_applications/{oauth_application_id}", "DeleteOAuthApplication", oauth::applications::delete),
    post("/v1/oauth_applications/{oauth_application_id}/rotate_secret", "RotateOAuthApplicationSecret", oauth::applications::rotate_secret),
    raw_post("/v1/oauth_applications/{oauth_application_id}/revoke_token", "RevokeOAuthApplicationToken", oauth::revoke::by_application),

    public("/.well-known/openid-configuration", "getOpenIDConfiguration", oauth::metadata::openid_configuration),
    public("/.well-known/oauth-authorization-server", "getOAuth2AuthorizationServerMetadata", oauth::metadata::authorization_server),
    open(Method::GET, "/oauth/authorize", "requestOAuthAuthorize", oauth::authorize::by_query),
    open(Method::POST, "/oauth/authorize", "requestOAuthAuthorizePOST", oauth::authorize::by_form),
    open(Method::GET, "/oauth/consent", "ConsentPage", oauth::consent::page),
    open(Method::POST, "/oauth/consent", "Consent", oauth::consent::decide),
    open(Method::GET, "/v1/me/oauth/consent/{client_id}", "getOAuthConsent", oauth::consent::describe),
    open(Method::POST, "/v1/me/oauth/consent/{client_id}", "submitOAuthConsent", oauth::consent::submit),
    open(Method::POST, "/oauth/token", "getOAuthToken", oauth::token::token),
    open(Method::GET, "/oauth/userinfo", "getOAuthUserInfo", oauth::userinfo::userinfo),
    open(Method::POST, "/oauth/userinfo", "getOAuthUserInfoPOST", oauth::userinfo::userinfo),
    open(Method::POST, "/oauth/token_info", "getOAuthTokenInfo", oauth::token_info::token_info),
    open(Method::POST, "/oauth/token/revoke", "revokeOAuthToken", oauth::revoke::by_client),
    open(Method::POST, "/oauth/register", "registerOAuthClient", oauth::register::register),

    open(Method::POST, "/v1/dev_browser", "createDevBrowser", browser::handshake::create_dev_browser),
    open(Method::GET, "/v1/client/handshake", "handshakeClient", browser::handshake::start),
    // Undescribed in the OpenAPI file; Clerk's SDKs read it.
    get("/v1/clients/handshake_payload", "GetHandshakePayload", browser::handshake::payload),
    open(Method::GET, "/v1/client", "getClient", browser::frontend_api::get_client),
    open(Method::POST, "/v1/client/sign_ins", "createSignIn", browser::frontend_api::create_sign_in),
    open(Method::POST, "/v1/client/sessions/{session_id}/tokens", "createSessionToken", browser::frontend_api::create_token),
    open(Method::POST, "/v1/client/sessions/{session_id}/tokens/{template_name}", "createSessionTokenWithTemplate", browser::frontend_api::create_token_with_template),
    open(Method::POST, "/v1/client/sessions/{session_id}/touch", "touchSession", browser::frontend_api::touch),
    open(Method::POST, "/v1/client/sessions/{session_id}/end", "endSession", browser::frontend_api::end),
    open(Method::POST, "/v1/client/sessions/{session_id}/remove", "removeSession", browser::frontend_api::remove),
    open(Method::GET, "/v1/tickets/accept", "acceptTicket", browser::frontend_api::accept_ticket),

    open(Method::GET, "/", "HomePage", browser::home::page),
    open(Method::GET, "/sign-in", "SignInPage", browser::sign_in::page),
    open(Method::POST, "/sign-in", "SignIn", browser::sign_in::submit),
    open(Method::GET, "/sign-in/code", "SignInCodePage", browser::email_code::page),
    open(Method::POST, "/sign-in/code", "SignInCode", browser::email_code::submit),
    open(Method::POST, "/sign-out", "SignOut", browser::sign_in::sign_out),
    public("/.well-known/jwks.json", "getJWKS", instance::key_set),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: Method, path: &str) -> Option<&'static str> {
        find(&method, path).map(|found| found.route.operation)
    }

    #[test]
    fn fixed_paths_win_over_parameters() {
        assert_eq!(
            operation(Method::GET, "/v1/users/count"),
            Some("GetUsersCount")
        );
        assert_eq!(operation(Method::GET, "/v1/users/user_1"), Some("GetUser"));
        assert_eq!(
            operation(Method::GET, "/v1/organizations/org_1/invitations/pending"),
            Some("ListPendingOrganizationInvitations")
        );
    }

    #[test]
    fn parameters_are_decoded_and_never_empty() {
        let found = find(&Method::GET, "/v1/users/a%2Fb").unwrap();
        assert_eq!(found.params, [("user_id", "a/b".to_owned())]);
        assert!(find(&Method::GET, "/v1/users/").is_none());
        assert!(find(&Method::GET, "/v1/users/user_1/").is_none());
    }
}
