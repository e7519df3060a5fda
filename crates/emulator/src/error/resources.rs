//! Refusals that have to do with what the instance holds.

use super::ApiError;
use http::StatusCode;
use serde_json::json;
use std::borrow::Cow;

fn not_found(message: &'static str, long_message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        message,
        long_message,
    )
}

pub(crate) fn user_not_found(id: &str) -> ApiError {
    not_found("not found", format!("No user was found with id {id}"))
}

pub(crate) fn identification_not_found() -> ApiError {
    not_found("Resource not found", "Resource not found")
}

pub(crate) fn linked_identification() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "delete_linked_identification_disallowed",
        "Deleting a linked email address is not allowed",
        "This email address is linked to one or more Connected Accounts. Remove the Connected Account before deleting this email address.",
    )
}

pub(crate) fn user_banned() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "user_banned",
        "User banned",
        "You have been banned. If you think this was by mistake, please contact support.",
    )
}

pub(crate) fn incorrect_password() -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "incorrect_password",
        "incorrect password",
        "The provided password is not the one the user has set",
    )
}

pub(crate) fn no_password_set() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "no_password_set",
        "no password set",
        "This user does not have a password set for their account",
    )
}

pub(crate) fn bulk_size_exceeded(limit: usize) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "bulk_size_exceeded",
        "bulk size exceeded",
        format!("Parameters exceed the maximum allowed bulk processing size of {limit}."),
    )
}

pub(crate) fn session_not_found(id: &str) -> ApiError {
    not_found(
        "Session not found",
        format!("No session was found with id {id}"),
    )
}

pub(crate) fn jwt_template_not_found(name: &str) -> ApiError {
    not_found(
        "JWT template not found",
        format!("No JWT template exists with name: {name}"),
    )
}

pub(crate) fn jwt_template_id_not_found(id: &str) -> ApiError {
    not_found(
        "JWT template not found",
        format!("No JWT template was found with id {id}"),
    )
}

/// Clerk documents the rule (default claims cannot be overridden) without its code.
pub(crate) fn jwt_template_reserved_claim(claim: &str) -> ApiError {
    ApiError::form(
        "jwt_template_reserved_claim",
        "claims",
        "reserved claim",
        format!("You can't use the reserved claim: `{claim}`"),
    )
}

/// The emulator's own: Clerk takes such keys.
pub(crate) fn custom_signing_key_unsupported() -> ApiError {
    ApiError::form(
        "form_param_value_invalid",
        "custom_signing_key",
        "is invalid",
        "The emulator signs all tokens with the key of the instance; custom signing keys are not supported.",
    )
}

// Machines, their tokens, and API keys. Their operations refuse parameters with 400.

pub(crate) fn machine_not_found(id: &str) -> ApiError {
    not_found("not found", format!("No machine was found with id {id}"))
}

pub(crate) fn machine_scope_not_found(to: &str) -> ApiError {
    not_found("not found", format!("The machine has no scope to {to}"))
}

pub(crate) fn machine_scope_exists(to: &str) -> ApiError {
    ApiError::new(
        StatusCode::CONFLICT,
        "machine_scope_already_exists",
        "already exists",
        format!("The machine has a scope to {to} already."),
    )
}

pub(crate) fn machine_scopes_exceeded(limit: usize) -> ApiError {
    ApiError::same(
        StatusCode::BAD_REQUEST,
        "machine_scopes_quota_exceeded",
        format!("A machine has at most {limit} scopes."),
    )
}

pub(crate) fn machine_secret_key_needed() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "machine_secret_key_invalid",
        "Invalid Machine Secret Key",
        "M2M tokens are made with the secret key of a machine (ak_...), not with that of the instance.",
    )
}

pub(crate) fn machine_token_not_found() -> ApiError {
    not_found("not found", "M2M token not found")
}

pub(crate) fn other_machine() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "authorization_invalid",
        "Unauthorized request",
        "With the secret key of a machine, only its own tokens can be listed.",
    )
}

pub(crate) fn api_key_not_found() -> ApiError {
    not_found("not found", "API key not found")
}

pub(crate) fn bad_request(long_message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "bad_request",
        "Bad Request",
        long_message,
    )
}

// Organizations.

pub(crate) fn organization_not_found() -> ApiError {
    not_found("not found", "Given organization not found.")
}

pub(crate) fn organization_not_found_or_unauthorized() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "organization_not_found_or_unauthorized",
        "not found or unauthorized",
        "Given organization not found, or you don't have permission to access the organization",
    )
}

pub(crate) fn organization_not_enabled() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "organization_not_enabled_in_instance",
        "access denied",
        "The organizations feature is not enabled for this instance. You can enable it at https://dashboard.clerk.com.",
    )
}

pub(crate) fn organization_creator_not_found(id: &str) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "organization_creator_not_found",
        "creator not found",
        format!("No users found with id {id}."),
    )
}

pub(crate) fn organization_name_invalid(reason: &str) -> ApiError {
    let long_message = format!("The organization name is invalid: {reason}");
    ApiError::form(
        "form_param_value_invalid",
        "name",
        "invalid organization name",
        long_message,
    )
}

pub(crate) fn membership_not_found() -> ApiError {
    not_found("not found", "Resource not found")
}

pub(crate) fn already_a_member(user: &str) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "already_a_member_in_organization",
        "already a member",
        format!("{user} is already a member of the organization."),
    )
}

pub(crate) fn not_a_member() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "not_a_member_in_organization",
        "not a member",
        "Current user is not a member of the organization. Only organization members can perform this action.",
    )
}

pub(crate) fn missing_organization_permission(permission: &str) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::FORBIDDEN,
        "missing_organization_permission",
        "missing permission",
        "Current user is missing an organization permission.",
    );
    error.meta = Some(Box::new(json!({ "permissions": [permission] })));
    error
}

pub(crate) fn membership_quota_exceeded(limit: u64) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "organization_membership_quota_exceeded",
        "organization membership quota exceeded",
        format!(
            "You have reached your limit of {limit} organization memberships, including outstanding invitations."
        ),
    )
}

pub(crate) fn minimum_permissions_needed() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "organization_minimum_permissions_needed",
        "minimum organization permissions needed",
        "There has to be at least one organization member with the minimum required permissions",
    )
}

pub(crate) fn role_not_found(param: Option<&str>) -> ApiError {
    let error = not_found("not found", "Organization role not found");
    match param {
        Some(param) => error.with_param(param),
        None => error,
    }
}

pub(crate) fn permission_not_found() -> ApiError {
    not_found("not found", "Organization permission not found")
}

pub(crate) fn missing_creator_permissions(keys: &[&str]) -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "organization_missing_creator_role_permissions",
        "missing permissions for creator role",
        format!(
            "The creator role must contain the following permissions: {}",
            keys.join(", ")
        ),
    )
}

pub(crate) fn organization_invitation_not_unique() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "organization_invitation_not_unique",
        "organization invitation not unique",
        "Organizations cannot have duplicate pending invitations for an email address.",
    )
}

/// Clerk documents the rule (only pending invitations can be revoked) without its code.
pub(crate) fn organization_invitation_not_pending() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "organization_invitation_not_pending",
        "organization invitation not pending",
        "Only pending organization invitations can be revoked.",
    )
}

// Invitations to the application.

pub(crate) fn invitation_not_found(id: &str) -> ApiError {
    not_found(
        "not found",
        format!("No invitation was found with id {id}."),
    )
}

pub(crate) fn duplicate_invitations(emails: &[&str]) -> ApiError {
    let list = emails.join(", ");
    let mut error = ApiError::new(
        StatusCode::BAD_REQUEST,
        "duplicate_record",
        "duplicate invitation",
        format!("There are already pending invitations for the following email addresses: {list}"),
    );
    error.meta = Some(Box::new(json!({ "email_addresses": emails })));
    error
}

pub(crate) fn invitation_already_accepted() -> ApiError {
    ApiError::same(
        StatusCode::BAD_REQUEST,
        "invitation_already_accepted",
        "Invitation is already accepted, try signing in instead.",
    )
}

pub(crate) fn invitation_already_revoked() -> ApiError {
    ApiError::same(
        StatusCode::BAD_REQUEST,
        "invitation_already_revoked",
        "Invitation is already revoked.",
    )
}
