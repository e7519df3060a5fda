//! Clerk's errors. Each constructor is one entry of Clerk's index of Backend API errors
//! (<https://clerk.com/docs/guides/development/errors/backend-api>): its status, its code and its
//! two messages.

use http::StatusCode;
use serde_json::{Value, json};
use std::borrow::Cow;

/// A refused request: what Clerk would answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) long_message: Cow<'static, str>,
    pub(crate) meta: Option<Box<Value>>,
    /// Seconds for the `Retry-After` header.
    pub(crate) retry_after: Option<u64>,
}

impl ApiError {
    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
        long_message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            long_message: long_message.into(),
            meta: None,
            retry_after: None,
        }
    }

    fn with_param(mut self, param: &str) -> Self {
        self.meta = Some(Box::new(json!({ "param_name": param })));
        self
    }

    fn same(status: StatusCode, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self::new(status, code, text.clone(), text)
    }

    fn form(
        code: &'static str,
        param: &str,
        message: impl Into<Cow<'static, str>>,
        long_message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            code,
            message,
            long_message,
        )
        .with_param(param)
    }

    /// The body: `{errors: [...], clerk_trace_id}`.
    pub(crate) fn body(&self, trace_id: &str) -> Value {
        let mut error = json!({
            "message": self.message,
            "long_message": self.long_message,
            "code": self.code,
        });
        if let Some(meta) = &self.meta {
            error["meta"] = (**meta).clone();
        }
        json!({ "errors": [error], "clerk_trace_id": trace_id })
    }
}

// The request as such: key, version, body.

pub(crate) fn authentication_invalid() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "authentication_invalid",
        "Invalid authentication",
        "Unable to authenticate the request, you need to supply an active session",
    )
}

pub(crate) fn authorization_header_format_invalid() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "authorization_header_format_invalid",
        "Invalid Authorization header format",
        "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'",
    )
}

pub(crate) fn clerk_key_invalid() -> ApiError {
    ApiError::same(
        StatusCode::UNAUTHORIZED,
        "clerk_key_invalid",
        "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
    )
}

/// The message of a publishable key is the emulator's own: Clerk answers as for any wrong key.
pub(crate) fn publishable_key_given() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "clerk_key_invalid",
        "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.",
        "The key provided is a publishable key (pk_...). The Backend API needs a secret key (sk_...).",
    )
}

/// Clerk documents that an unknown version makes an invalid request, and gives no code for it.
pub(crate) fn api_version_invalid(long_message: String) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "api_version_invalid",
        "Invalid API version",
        long_message,
    )
}

pub(crate) fn route_not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        "not found",
        "Resource not found",
    )
}

pub(crate) fn request_body_invalid() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "request_body_invalid",
        "Request body invalid",
        "The request body is invalid. Please consult the API documentation for more information.",
    )
}

pub(crate) fn request_body_too_large(limit: usize) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request_body_too_large",
        "Request body too large",
        format!("The request body exceeds the maximum allowed size of {limit} bytes."),
    )
}

pub(crate) fn unsupported_content_type(actual: &str) -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_content_type",
        "Content-Type is unsupported",
        format!("Content-Type {actual} is unsupported. You should use application/json instead."),
    )
}

pub(crate) fn too_many_requests(retry_after: u64) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        "Too many requests",
        "Too many requests. Please try again in a bit.",
    );
    error.retry_after = Some(retry_after);
    error
}

/// An error a fault rule asked for.
pub(crate) fn injected(status: StatusCode, retry_after: Option<u64>) -> ApiError {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return too_many_requests(retry_after.unwrap_or(1));
    }
    let mut error = if status.is_server_error() {
        ApiError::new(
            status,
            "internal_clerk_error",
            "Oops, an unexpected error occurred",
            "There was an internal error on our servers. We've been notified and are working on fixing it.",
        )
    } else {
        ApiError::same(status, "bad_request", "Bad request")
    };
    error.retry_after = retry_after;
    error
}

// Parameters.

pub(crate) fn param_unknown(param: &str) -> ApiError {
    let long_message = format!("{param} is not a valid parameter for this request.");
    ApiError::form("form_param_unknown", param, "is unknown", long_message)
}

pub(crate) fn param_deprecated(param: &str, resolution: &str) -> ApiError {
    let long_message = format!("{param} is deprecated. {resolution}");
    ApiError::form(
        "form_param_deprecated",
        param,
        "is deprecated",
        long_message,
    )
}

pub(crate) fn param_missing(param: &str) -> ApiError {
    ApiError::form(
        "form_param_missing",
        param,
        "is missing",
        format!("{param} must be included."),
    )
}

pub(crate) fn param_nil(param: &str) -> ApiError {
    let text = format!("Enter {}.", param.replace('_', " "));
    ApiError::form("form_param_nil", param, text.clone(), text)
}

pub(crate) fn param_type_invalid(param: &str, expected: &str) -> ApiError {
    let long_message = format!("`{param}` must be a `{expected}`.");
    ApiError::form("form_param_type_invalid", param, "is invalid", long_message)
}

pub(crate) fn param_format_invalid(param: &str, long_message: impl Into<String>) -> ApiError {
    ApiError::form(
        "form_param_format_invalid",
        param,
        "is invalid",
        long_message.into(),
    )
}

pub(crate) fn param_value_invalid(param: &str, value: &str) -> ApiError {
    let long_message =
        format!("{value} does not match one of the allowed values for parameter {param}");
    ApiError::form(
        "form_param_value_invalid",
        param,
        "is invalid",
        long_message,
    )
}

pub(crate) fn param_value_not_allowed(param: &str, value: &str, allowed: &[&str]) -> ApiError {
    let long_message = format!(
        "{value} does not match the allowed values for parameter {param}. Allowed values: {}",
        allowed.join(", ")
    );
    ApiError::form(
        "form_param_value_invalid",
        param,
        "is invalid",
        long_message,
    )
}

pub(crate) fn param_value_too_large(param: &str, limit: u64) -> ApiError {
    let long_message = format!("The value of {param} can't be greater than {limit}");
    ApiError::form(
        "form_param_value_too_large",
        param,
        "Value too large",
        long_message,
    )
}

pub(crate) fn param_max_length(param: &str, limit: usize) -> ApiError {
    let long_message = format!("{param} should not exceed {limit} characters.");
    ApiError::form(
        "form_param_max_length_exceeded",
        param,
        "exceeds maximum length",
        long_message,
    )
}

pub(crate) fn param_array_size(param: &str, limit: usize) -> ApiError {
    let long_message = format!("{param} should not exceed {limit} items.");
    ApiError::form(
        "form_param_array_size_exceeded",
        param,
        "exceeds maximum size",
        long_message,
    )
}

pub(crate) fn param_duplicate(param: &str) -> ApiError {
    let long_message = format!("{param} contains duplicate values");
    ApiError::form(
        "form_param_duplicate",
        param,
        "duplicate values",
        long_message,
    )
}

pub(crate) fn param_invalid_time(param: &str) -> ApiError {
    let long_message = format!(
        "{param} must contain a datetime specified in RFC3339 format (e.g. `2022-10-20T10:00:27.645Z`)."
    );
    ApiError::form(
        "form_param_invalid_time",
        param,
        "invalid format",
        long_message,
    )
}

pub(crate) fn param_future_date(param: &str) -> ApiError {
    let text = "Date values must not be in the future.";
    ApiError::form("form_disallow_future_date", param, text, text)
}

pub(crate) fn param_exceeds_size(param: &str) -> ApiError {
    let text = format!("{param} exceeds the maximum allowed size of 8KB.");
    ApiError::form("form_param_exceeds_allowed_size", param, text.clone(), text)
}

pub(crate) fn param_not_allowed_with(param: &str, other: &str) -> ApiError {
    let long_message = format!("`{param}` isn't allowed when `{other}` is present.");
    ApiError::form(
        "form_conditional_param_disallowed",
        param,
        "is not allowed",
        long_message,
    )
}

pub(crate) fn param_required_with(param: &str, other: &str) -> ApiError {
    let long_message = format!("`{param}` is required when `{other}` is present.");
    ApiError::form(
        "form_conditional_param_missing",
        param,
        "is missing",
        long_message,
    )
}

pub(crate) fn identifier_exists(param: &str) -> ApiError {
    let text = format!(
        "That {} is taken. Please try another.",
        param.replace('_', " ")
    );
    ApiError::form("form_identifier_exists", param, text.clone(), text)
}

pub(crate) fn form_resource_not_found(param: &str) -> ApiError {
    let long_message = format!("The resource associated with the supplied {param} was not found.");
    ApiError::form("form_resource_not_found", param, "is missing", long_message)
}

pub(crate) fn verification_needed(param: &str) -> ApiError {
    ApiError::form(
        "form_verification_needed",
        param,
        "is unverified",
        "This identification needs to be verified before you can perform this action.",
    )
}

pub(crate) fn data_missing(names: &[&str]) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "form_data_missing",
        "missing data",
        format!("{names:?} data doesn't match user requirements set for this instance"),
    );
    error.meta = Some(Box::new(json!({ "param_names": names })));
    error
}

pub(crate) fn username_length() -> ApiError {
    let text = "Username must be between 4 and 64 characters long.";
    ApiError::form("form_username_invalid_length", "username", text, text)
}

pub(crate) fn username_character() -> ApiError {
    let text = "Username can only contain letters, numbers and '_' or '-'.";
    ApiError::form("form_username_invalid_character", "username", text, text)
}

pub(crate) fn username_needs_letter() -> ApiError {
    let text = "Username must contain at least one non-number character.";
    ApiError::form(
        "form_username_needs_non_number_char",
        "username",
        text,
        text,
    )
}

pub(crate) fn username_is_phone_number() -> ApiError {
    let text = "username cannot be a phone number. Please choose a different username.";
    ApiError::form(
        "form_username_cannot_be_phone_number",
        "username",
        text,
        text,
    )
}

pub(crate) fn password_too_short() -> ApiError {
    let text = "Passwords must be 8 characters or more.";
    ApiError::form("form_password_length_too_short", "password", text, text)
}

pub(crate) fn password_too_long() -> ApiError {
    let text = "Passwords must be 72 characters or less.";
    ApiError::form("form_password_length_too_long", "password", text, text)
}

pub(crate) fn password_pwned() -> ApiError {
    let text = "Password has been found in an online data breach. For account safety, please use a different password.";
    ApiError::form("form_password_pwned", "password", text, text)
}

pub(crate) fn password_digest_invalid(hasher: &str) -> ApiError {
    let text = format!("The password digest is not valid for the hasher {hasher}.");
    ApiError::form(
        "form_password_digest_invalid_code",
        "password_digest",
        text.clone(),
        text,
    )
}

// Users and what belongs to them.

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
