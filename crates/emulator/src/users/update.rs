//! `UpdateUser`.

use super::{create, metadata, password};
use crate::body::{Body, Change, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::ids::Id;
use crate::model::{Identification, User};
use crate::version::Version;
use serde_json::Value;

const METADATA: [&str; 3] = ["public_metadata", "private_metadata", "unsafe_metadata"];

const PARAMS: [Param; 27] = [
    nullable("external_id", Kind::Text),
    nullable("first_name", Kind::Text),
    nullable("last_name", Kind::Text),
    nullable("locale", Kind::Text),
    nullable("primary_email_address_id", Kind::Text),
    nullable("notify_primary_email_address_changed", Kind::Boolean),
    nullable("primary_phone_number_id", Kind::Text),
    nullable("primary_web3_wallet_id", Kind::Text),
    nullable("username", Kind::Text),
    nullable("profile_image_id", Kind::Text),
    nullable("password", Kind::Text),
    nullable("password_digest", Kind::Text),
    nullable("password_hasher", Kind::Text),
    nullable("skip_password_checks", Kind::Boolean),
    nullable("sign_out_of_other_sessions", Kind::Boolean),
    nullable("totp_secret", Kind::Text),
    param("backup_codes", Kind::Texts),
    nullable("delete_self_enabled", Kind::Boolean),
    nullable("create_organization_enabled", Kind::Boolean),
    nullable("legal_accepted_at", Kind::Text),
    nullable("skip_legal_checks", Kind::Boolean),
    nullable("create_organizations_limit", Kind::Integer),
    nullable("created_at", Kind::Text),
    nullable("bypass_client_trust", Kind::Boolean),
    // Until version 2026-05-12.
    param("public_metadata", Kind::Object),
    param("private_metadata", Kind::Object),
    param("unsafe_metadata", Kind::Object),
];

/// `UpdateUser`. Since version 2026-05-12 metadata is refused here; before, it is replaced.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let mut user = call.user()?.clone();
    if call.version >= Version::METADATA_APART
        && let Some(name) = METADATA.iter().find(|name| given.contains_key(**name))
    {
        return Err(error::param_deprecated(
            name,
            "Use PATCH /v1/users/{user_id}/metadata or PUT /v1/users/{user_id}/metadata instead.",
        ));
    }
    let body = Body::check(&given, &PARAMS, Unknown::Refused)?;
    let now = call.now;
    set_texts(&mut user, &body);
    create::check_names(&user)?;
    create::check_free(call.state, &user, Some(&user.id))?;
    set_primaries(&mut user, &body)?;
    set_flags(&mut user, &body, now)?;
    let public = body.metadata("public_metadata")?;
    let private = body.metadata("private_metadata")?;
    let unsafe_ = body.metadata("unsafe_metadata")?;
    metadata::set(&mut user, public, private, unsafe_, now);

    let new_password = password::from_body(&body)?;
    let sign_out = body.boolean("sign_out_of_other_sessions") == Some(true);
    if sign_out && new_password.is_none() {
        return Err(error::param_required_with(
            "password",
            "sign_out_of_other_sessions",
        ));
    }
    if new_password.is_some() {
        user.password = new_password;
        user.password_updated_at = Some(now);
    }
    if sign_out {
        call.state.revoke_sessions(&user.id, now);
    }
    super::change(call, |row| *row = user)
}

fn set_texts(user: &mut User, body: &Body<'_>) {
    let set = |name: &str, field: &mut Option<String>| match body.change(name) {
        Change::Keep => {}
        Change::Clear => *field = None,
        Change::Set(text) => *field = Some(text.to_owned()),
    };
    set("external_id", &mut user.external_id);
    set("first_name", &mut user.first_name);
    set("last_name", &mut user.last_name);
    set("locale", &mut user.locale);
    set("username", &mut user.username);
}

/// A primary identification is one of the user's own, and verified.
fn set_primaries(user: &mut User, body: &Body<'_>) -> Result<(), ApiError> {
    fn find(name: &str, id: &str, all: &[Identification]) -> Result<Id, ApiError> {
        let found = all.iter().find(|one| *one.id == *id);
        let found = found.ok_or_else(|| error::form_resource_not_found(name))?;
        if !found.is_verified() {
            return Err(error::verification_needed(name));
        }
        Ok(found.id.clone())
    }
    if let Some(id) = body.text("primary_email_address_id") {
        user.primary_email = Some(find("primary_email_address_id", id, &user.emails)?);
    }
    if let Some(id) = body.text("primary_phone_number_id") {
        user.primary_phone = Some(find("primary_phone_number_id", id, &user.phones)?);
    }
    if let Some(id) = body.text("primary_web3_wallet_id") {
        user.primary_wallet = Some(find("primary_web3_wallet_id", id, &user.wallets)?);
    }
    Ok(())
}

fn set_flags(user: &mut User, body: &Body<'_>, now: u64) -> Result<(), ApiError> {
    let flag = |name: &str, field: &mut bool| {
        if let Some(value) = body.boolean(name) {
            *field = value;
        }
    };
    flag("delete_self_enabled", &mut user.delete_self_enabled);
    flag(
        "create_organization_enabled",
        &mut user.create_organization_enabled,
    );
    flag("bypass_client_trust", &mut user.bypass_client_trust);
    if let Some(limit) = body.integer("create_organizations_limit", 0, u64::MAX)? {
        user.create_organizations_limit = Some(limit);
    }
    if let Some(time) = body.past_time("legal_accepted_at", now)? {
        user.legal_accepted_at = Some(time);
    }
    if let Some(time) = body.past_time("created_at", now)? {
        user.created_at = time;
    }
    user.totp_enabled |= body.has("totp_secret");
    user.backup_codes_enabled |= !body.texts("backup_codes").is_empty();
    if user.totp_enabled || user.backup_codes_enabled {
        user.mfa_enabled_at.get_or_insert(now);
    }
    Ok(())
}
