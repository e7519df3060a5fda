//! The instance itself: its settings and its public keys.

use crate::body::{Body, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::memberships::ADMINISTRATOR_PERMISSIONS;
use crate::signing;
use serde_json::{Value, json};

/// Limits of a paid plan, for what the emulator does not count.
const MAX_ROLES: u64 = 10;
const MAX_DOMAINS: u64 = 10;

const ENROLLMENT_MODES: [&str; 3] = [
    "manual_invitation",
    "automatic_invitation",
    "automatic_suggestion",
];

const PARAMS: [Param; 8] = [
    nullable("enabled", Kind::Boolean),
    nullable("max_allowed_memberships", Kind::Integer),
    nullable("admin_delete_enabled", Kind::Boolean),
    nullable("domains_enabled", Kind::Boolean),
    nullable("slug_disabled", Kind::Boolean),
    param("domains_enrollment_modes", Kind::Texts),
    nullable("creator_role_id", Kind::Text),
    nullable("domains_default_role_id", Kind::Text),
];

/// `GetInstance`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let instance = &call.state.instance;
    Ok(json!({
        "object": "instance",
        "id": instance.id,
        "environment_type": instance.environment_type,
        "allowed_origins": instance.allowed_origins,
        "workspace_id": null,
    }))
}

/// `GetJWKS`, and the public address of the same keys.
pub(crate) fn key_set(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(signing::key_set(&call.state.instance.id))
}

/// `GetInstanceOrganizationSettings`.
pub(crate) fn get_organization_settings(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let settings = &call.state.instance.organizations;
    Ok(json!({
        "object": "organization_settings",
        "enabled": settings.enabled,
        "max_allowed_memberships": settings.max_allowed_memberships,
        "max_allowed_roles": MAX_ROLES,
        "max_allowed_domains": MAX_DOMAINS,
        "creator_role": settings.creator_role,
        "admin_delete_enabled": settings.admin_delete_enabled,
        "domains_enabled": settings.domains_enabled,
        "slug_disabled": settings.slug_disabled,
        "domains_enrollment_modes": settings.domains_enrollment_modes,
        "domains_default_role": settings.domains_default_role,
    }))
}

/// `UpdateInstanceOrganizationSettings`. The creator role must be able to run an organization.
pub(crate) fn update_organization_settings(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let body = Body::check(&given, &PARAMS, Unknown::Refused)?;
    let mut settings = call.state.instance.organizations.clone();
    let flag = |name: &str, field: &mut bool| {
        if let Some(value) = body.boolean(name) {
            *field = value;
        }
    };
    flag("enabled", &mut settings.enabled);
    flag("admin_delete_enabled", &mut settings.admin_delete_enabled);
    flag("domains_enabled", &mut settings.domains_enabled);
    flag("slug_disabled", &mut settings.slug_disabled);
    if let Some(limit) = body.integer("max_allowed_memberships", 0, u64::MAX)? {
        settings.max_allowed_memberships = limit;
    }
    if body.has("domains_enrollment_modes") {
        let modes = body.texts("domains_enrollment_modes");
        if let Some(wrong) = modes.iter().find(|mode| !ENROLLMENT_MODES.contains(mode)) {
            let param = "domains_enrollment_modes";
            return Err(error::param_value_not_allowed(
                param,
                wrong,
                &ENROLLMENT_MODES,
            ));
        }
        settings.domains_enrollment_modes = modes.into_iter().map(str::to_owned).collect();
    }
    if let Some(id) = body.text("creator_role_id") {
        let role = call.state.roles.get(id);
        let role = role.ok_or_else(|| error::role_not_found(Some("creator_role_id")))?;
        let allowed = |needed: &&str| role.permissions.iter().any(|key| key == needed);
        if !ADMINISTRATOR_PERMISSIONS.iter().all(allowed) {
            return Err(error::missing_creator_permissions(
                &ADMINISTRATOR_PERMISSIONS,
            ));
        }
        settings.creator_role = role.key.clone();
    }
    if let Some(id) = body.text("domains_default_role_id") {
        let role = call.state.roles.get(id);
        let role = role.ok_or_else(|| error::role_not_found(Some("domains_default_role_id")))?;
        settings.domains_default_role = role.key.clone();
    }
    call.state.instance.organizations = settings;
    get_organization_settings(call)
}
