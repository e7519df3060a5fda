//! Refusals of sign-ins and of OAuth, as the Frontend API words them.

use super::ApiError;
use http::StatusCode;
use serde_json::json;

pub(crate) fn user_locked(seconds: u64) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::FORBIDDEN,
        "user_locked",
        "Account locked",
        format!(
            "Your account is locked. You will be able to try again in {} minutes. For more information, contact support.",
            seconds.div_ceil(60)
        ),
    );
    error.meta = Some(Box::new(json!({ "lockout_expires_in_seconds": seconds })));
    error
}

pub(crate) fn identifier_not_found() -> ApiError {
    ApiError::form(
        "form_identifier_not_found",
        "identifier",
        "Couldn't find your account.",
        "Couldn't find your account.",
    )
}

pub(crate) fn code_incorrect() -> ApiError {
    ApiError::form(
        "form_code_incorrect",
        "code",
        "is incorrect",
        "Incorrect code",
    )
}

pub(crate) fn sign_in_not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        "not found",
        "There is no such sign-in. Start again.",
    )
}

pub(crate) fn verification_expired() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "verification_expired",
        "has expired",
        "This verification has expired. You must create a new one.",
    )
}

pub(crate) fn verification_failed() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "verification_failed",
        "has failed",
        "Too many failed attempts. You have to try again with the same or another method.",
    )
}

pub(crate) fn origin_invalid() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "origin_invalid",
        "Invalid HTTP Origin header",
        "This form was sent by a page of another origin.",
    )
}

pub(crate) fn redirect_url_not_allowed(url: &str) -> ApiError {
    ApiError::form(
        "form_param_value_invalid",
        "redirect_url",
        "is invalid",
        format!("{url} is neither on this machine nor among the allowed origins of the instance."),
    )
}

pub(crate) fn handshake_not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        "not found",
        "The handshake is unknown, expired, or was read before.",
    )
}

pub(crate) fn oauth_application_not_found(id: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        "not found",
        format!("No OAuth application was found with id {id}"),
    )
}

pub(crate) fn oauth_token_not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        "not found",
        "OAuth token was not found",
    )
}

pub(crate) fn oauth_token_not_revocable() -> ApiError {
    ApiError::same(
        StatusCode::BAD_REQUEST,
        "unsupported_token_type",
        "JWT access tokens cannot be revoked.",
    )
}

pub(crate) fn oauth_token_invalid() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "oauth_token_invalid",
        "Invalid OAuth token",
        "The access token is missing, unknown, expired or revoked.",
    )
}

pub(crate) fn dynamic_registration_disabled() -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "dynamic_client_registration_disabled",
        "Dynamic client registration is disabled",
        "Dynamic client registration is not enabled for this instance. Turn it on with PATCH /v1/instance/oauth_application_settings.",
    )
}

pub(crate) fn ticket_not_found(id: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "resource_not_found",
        "not found",
        format!("No token was found with id {id}"),
    )
}

pub(crate) fn ticket_invalid() -> ApiError {
    ApiError::same(
        StatusCode::BAD_REQUEST,
        "ticket_invalid_code",
        "Ticket is invalid.",
    )
}

pub(crate) fn ticket_expired() -> ApiError {
    ApiError::same(
        StatusCode::BAD_REQUEST,
        "ticket_expired_code",
        "Ticket has expired.",
    )
}

pub(crate) fn ticket_already_used(actor: bool) -> ApiError {
    let (code, text) = if actor {
        (
            "actor_token_already_used_code",
            "This actor token has already been used. Each token can only be used once.",
        )
    } else {
        (
            "sign_in_token_already_used_code",
            "This sign in token has already been used. Each token can only be used once.",
        )
    };
    ApiError::same(StatusCode::BAD_REQUEST, code, text)
}

pub(crate) fn ticket_revoked(actor: bool) -> ApiError {
    let (code, text) = if actor {
        (
            "actor_token_revoked_code",
            "This actor token has been revoked and cannot be used anymore.",
        )
    } else {
        (
            "sign_in_token_revoked_code",
            "This sign in token has been revoked and cannot be used anymore.",
        )
    };
    ApiError::same(StatusCode::BAD_REQUEST, code, text)
}
