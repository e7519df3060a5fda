//! E-mail addresses of users.

use crate::body::{Body, Kind, Unknown, nullable, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::format;
use crate::model::{Identification, User, Verification};
use crate::views;
use serde_json::Value;

/// `CreateEmailAddress`. The first address of a user is the primary one.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [
        param("user_id", Kind::Text),
        param("email_address", Kind::Text),
        nullable("verified", Kind::Boolean),
        nullable("primary", Kind::Boolean),
        nullable("notify_primary_email_address_changed", Kind::Boolean),
    ];
    let body = Body::check(&given, &params, Unknown::Ignored)?;
    let user_id = body.required_text("user_id")?;
    let text = body.required_text("email_address")?;
    let user_id = match call.state.user(user_id) {
        Some(user) => user.id.clone(),
        None => return Err(error::user_not_found(user_id)),
    };
    format::email("email_address", text)?;
    if call.state.user_with_email(text).is_some() {
        return Err(error::identifier_exists("email_address"));
    }
    let verified = body.boolean("verified") == Some(true);
    let primary = body.boolean("primary") == Some(true);
    let now = call.now;
    let email = Identification {
        id: call.mint("idn"),
        value: text.to_lowercase(),
        verification: if verified {
            Verification::Admin
        } else {
            Verification::None
        },
        reserved: false,
        created_at: now,
        updated_at: now,
    };
    let view = views::email_address(&email);
    call.state.change_user(&user_id, |user| {
        if primary || user.emails.is_empty() {
            user.primary_email = Some(email.id.clone());
        }
        user.emails.push(email);
        user.updated_at = now;
    });
    Ok(view)
}

/// `GetEmailAddress`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (_, email) = find(call)?;
    Ok(views::email_address(email))
}

/// `UpdateEmailAddress`. Only a verified address becomes the primary one.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [
        nullable("verified", Kind::Boolean),
        nullable("primary", Kind::Boolean),
        nullable("notify_primary_email_address_changed", Kind::Boolean),
    ];
    let body = Body::check(&given, &params, Unknown::Ignored)?;
    let (user, email) = find(call)?;
    let (user_id, mut email) = (user.id.clone(), email.clone());
    match body.boolean("verified") {
        Some(true) if !email.is_verified() => email.verification = Verification::Admin,
        Some(false) => email.verification = Verification::None,
        _ => {}
    }
    let primary = body.boolean("primary") == Some(true);
    if primary && !email.is_verified() {
        return Err(error::verification_needed("primary"));
    }
    let now = call.now;
    email.updated_at = now;
    let view = views::email_address(&email);
    call.state.change_user(&user_id, |user| {
        if primary {
            user.primary_email = Some(email.id.clone());
        }
        if let Some(row) = user.emails.iter_mut().find(|row| row.id == email.id) {
            *row = email;
        }
        user.updated_at = now;
    });
    Ok(view)
}

/// `DeleteEmailAddress`. The next verified address takes the place of a primary one.
pub(crate) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (user, email) = find(call)?;
    if user
        .external_accounts
        .iter()
        .any(|a| a.email_address.eq_ignore_ascii_case(&email.value))
    {
        return Err(error::linked_identification());
    }
    let (user_id, id) = (user.id.clone(), email.id.clone());
    let now = call.now;
    call.state.change_user(&user_id, |user| {
        user.emails.retain(|email| email.id != id);
        if user.primary_email.as_ref() == Some(&id) {
            let next = user.emails.iter().find(|email| email.is_verified());
            user.primary_email = next.map(|email| email.id.clone());
        }
        user.updated_at = now;
    });
    Ok(views::deleted("email_address", &id))
}

fn find<'a>(call: &'a Call<'_>) -> Result<(&'a User, &'a Identification), ApiError> {
    let id = call.param("email_address_id");
    let user = call
        .state
        .user_with_email_id(&id)
        .ok_or_else(error::identification_not_found)?;
    let email = user.emails.iter().find(|email| *email.id == *id);
    Ok((user, email.ok_or_else(error::identification_not_found)?))
}
