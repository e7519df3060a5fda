//! Refusals of parameters: status 422, and the parameter's name in `meta`.

use super::ApiError;
use http::StatusCode;
use serde_json::json;

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
